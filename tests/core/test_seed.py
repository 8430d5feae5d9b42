import os
from datetime import UTC, datetime, time, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.test import override_settings
from django_celery_beat.models import PeriodicTask

from megatron.core import seeds
from megatron.core.models import AuditEntry

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


def seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed", *arguments, stdout=out)
    return out.getvalue()


def test_the_beat_gets_a_row_a_task() -> None:
    """Queue, interval, purpose and expiry are as wired."""
    assert (
        seeds.write_schedule({"tokens.tasks.roll_candles": ("stream", timedelta(seconds=5), "Compute due candles")})
        == 1
    )
    row = PeriodicTask.objects.get()
    assert (row.name, row.task, row.queue) == ("tokens.tasks.roll_candles", "tokens.tasks.roll_candles", "stream")
    assert (row.interval.every, row.interval.period, row.expire_seconds) == (5, "seconds", 5)
    assert row.description == "Compute due candles"


def test_a_nightly_task_runs_at_its_hour() -> None:
    """A time of day becomes a row of the calendar in UTC, and a task may move from one kind to the other and back."""
    wired = {"a.tasks.tidy": ("slow", time(3, 20, tzinfo=UTC), "Tidy up")}
    for _ in range(2):
        seeds.write_schedule(wired)
        row = PeriodicTask.objects.get()
        crontab = row.crontab
        assert (crontab.hour, crontab.minute, str(crontab.timezone)) == ("3", "20", "UTC")
        assert (row.interval, row.expire_seconds) == (None, 6 * 3600)
    seeds.write_schedule({"a.tasks.tidy": ("slow", timedelta(minutes=1), "Tidy up")})
    assert (PeriodicTask.objects.get().interval.every, PeriodicTask.objects.get().crontab) == (60, None)
    seeds.write_schedule(wired)
    assert seeds.write_schedule({}) == 0
    assert not PeriodicTask.objects.exists()


def test_seeding_again_follows_the_wiring_and_keeps_what_the_operator_switched_off() -> None:
    """A changed interval is written, a task that is gone goes, and a disabled one stays disabled."""
    seeds.write_schedule(
        {"a.tasks.one": ("slow", timedelta(minutes=1), "One"), "a.tasks.two": ("slow", timedelta(minutes=1), "Two")}
    )
    PeriodicTask.objects.filter(name="a.tasks.one").update(enabled=False)
    PeriodicTask.objects.create(
        name="my own", task="a.tasks.one", interval=PeriodicTask.objects.get(name="a.tasks.one").interval
    )
    seeds.write_schedule({"a.tasks.one": ("stream", timedelta(minutes=2), "One")})
    assert list(PeriodicTask.objects.order_by("name").values_list("name", "enabled", "queue", "interval__every")) == [
        ("a.tasks.one", False, "stream", 120),
        ("my own", True, None, 60),
    ]


def test_the_operator_is_created_once() -> None:
    """The generated password opens the account; a second seed creates nobody; the audit log knows, without the
    password."""
    password = seeds.create_operator(now=NOON)
    assert password is not None
    user = authenticate(username="operator", password=password)
    assert user is not None
    assert user.is_superuser
    assert seeds.create_operator(now=NOON) is None
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.after) == ("operator.create", {"username": "operator"})


def test_another_superuser_makes_the_operator_superfluous() -> None:
    """Who renamed or replaced the operator does not get it back."""
    get_user_model().objects.create_superuser("ann", password="correct horse battery")
    assert seeds.create_operator(now=NOON) is None
    assert not get_user_model().objects.filter(username="operator").exists()


def test_the_password_is_kept_beside_the_embedded_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the owner's alone, and holds what was printed."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with override_settings(BASE_DIR=tmp_path):
        told = seed()
    kept = tmp_path / ".megatron" / "operator"
    name, password = kept.read_text().split()
    assert (name, kept.stat().st_mode & 0o777) == ("operator", 0o600)
    assert f"sign in as operator with {password} (shown only now)" in told


def test_the_password_is_not_kept_beside_a_database_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With DATABASE_URL set nothing is written into the folder."""
    monkeypatch.setitem(os.environ, "DATABASE_URL", "postgresql://elsewhere/db")
    with override_settings(BASE_DIR=tmp_path):
        seed()
    assert list(tmp_path.iterdir()) == []


def test_the_demo_is_replayed_into_an_empty_house_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a capture, or with tokens, nothing is replayed; else the folder is."""
    replayed: list[str] = []
    monkeypatch.setattr(
        "megatron.core.management.commands.seed.call_command", lambda name, path: replayed.append(f"{name} {path}")
    )
    monkeypatch.setitem(os.environ, "DATABASE_URL", "postgresql://elsewhere/db")
    with override_settings(BASE_DIR=tmp_path):
        assert "no capture is bundled" in seed("--demo")
        demo = tmp_path / "tokens" / "fixtures" / "demo"
        demo.mkdir(parents=True)
        (demo / "frames.jsonl").write_text("{}")
        seed("--demo")
    assert replayed == [f"replay {demo}"]
