"""The desk of storage: figures, what would go, edited policies and a run that was asked for."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse

from megatron.core.models import AuditEntry
from tests import factories
from tests.factories import NOON
from tokens.models import RetentionPolicy, Transaction
from tokens.selectors import upkeep
from tokens.services import keeping, retention

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LIST = "admin:tokens_retentionpolicy_changelist"
APPLY = "admin:tokens_retentionpolicy_apply"


@pytest.fixture
def console(client: Client) -> Client:
    """The console, seen by an operator who may do everything."""
    client.force_login(User.objects.create_superuser("ann"))
    return client


@pytest.fixture(autouse=True)
def policy(settings: Any) -> RetentionPolicy:
    """Trades are kept 90 days; no folder for exports; a live feed has begun."""
    factories.cursor(source="solana-logs")
    settings.RETENTION_EXPORT_DIR = None
    RetentionPolicy.objects.all().delete()
    return RetentionPolicy.objects.create(table_name="transactions", drop_after=90 * DAY)


def shown(console: Client) -> str:
    """Return the list's text at NOON."""
    with time_machine.travel(NOON, tick=False):
        return " ".join(console.get(reverse(LIST)).content.decode().split())


def change(console: Client, policy: RetentionPolicy, **values: str) -> Any:
    """Post the form of a policy, a minute after NOON."""
    form = {"drop_after": "90", "compress_after": "", "segment_by": "", "order_by": "", "note": "", **values}
    with time_machine.travel(NOON, tick=False):
        return console.post(reverse("admin:tokens_retentionpolicy_change", args=[policy.pk]), form)


def test_the_page_says_what_a_table_takes_and_what_would_go(console: Client, sql: Any, level: str) -> None:
    """Size, rows, oldest, what would go now and why it is held; tables without a policy stand below."""
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 100 * DAY)
    factories.transaction(pool, block_time=NOON - DAY)
    factories.candle_due(pool.token, bucket=NOON - 100 * DAY)
    sql("ANALYZE")
    page = shown(console)
    assert "1 rows" in page
    assert "1 candles of that time are still due" in page
    assert "100 d ago" in page
    assert "90 d" in page
    assert "audit_log" in page
    said = {"none": "no chunks and no compression", "apache": "whole chunks each hour"}
    assert said.get(level, "as soon as it is saved") in page


def test_the_next_drop_is_when_the_oldest_is_old_enough(level: str, console: Client, monkeypatch: Any) -> None:
    """On plain PostgreSQL the oldest row's own time counts."""
    monkeypatch.setattr(connection, "timescale_level", "none")
    factories.transaction(block_time=NOON - 80 * DAY)
    assert "in 10 d" in shown(console)


def test_the_last_run_is_told(console: Client) -> None:
    """When the policy was last obeyed and what was done."""
    retention.apply(now=NOON - timedelta(hours=3))
    assert "3 h ago" in shown(console)
    assert "nothing was old enough" in shown(console)
    assert "&lt;time" not in shown(console)


def test_an_edited_policy_leaves_an_audit_entry(console: Client, policy: RetentionPolicy) -> None:
    """Days are days, the table's name stays, and before and after are kept."""
    assert change(console, policy, drop_after="30", note="the disk", export_before_drop="on").status_code == 302
    policy.refresh_from_db()
    assert (policy.table_name, policy.drop_after, policy.export_before_drop) == ("transactions", 30 * DAY, True)
    entry: Any = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id, entry.at) == ("ann", "retention.change", "transactions", NOON)
    assert (entry.before["drop_after"], entry.after["drop_after"]) == ("P90DT00H00M00S", "P30DT00H00M00S")
    assert (entry.before["note"], entry.after["note"]) == ("", "the disk")


def test_saving_without_a_change_leaves_no_entry(console: Client, policy: RetentionPolicy) -> None:
    """Nothing changed, nothing happened."""
    assert change(console, policy).status_code == 302
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"drop_after": "0.05"}, "An aggregate refreshes from the last"),
        ({"drop_after": "", "export_before_drop": "on"}, "retention_export_before_some_drop"),
        ({"drop_after": "-1"}, "greater than or equal to 0"),
        ({"compress_after": "100", "order_by": "block_time DESC"}, "retention_compress_before_drop"),
    ],
)
def test_a_policy_that_cannot_be_obeyed_is_refused(
    console: Client, policy: RetentionPolicy, values: dict[str, str], said: str
) -> None:
    """The form says what is wrong and nothing changes."""
    answer = change(console, policy, **values)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    policy.refresh_from_db()
    assert policy.drop_after == 90 * DAY
    assert AuditEntry.objects.count() == 0


def test_endurance_08_what_timescaledb_refuses_is_said_on_the_form(
    console: Client, policy: RetentionPolicy, monkeypatch: Any
) -> None:
    """Its words come back on the form, and nothing is stored."""

    def refuse(**_: Any) -> None:
        raise ValidationError("TimescaleDB does not take it: a batch has no such column")

    monkeypatch.setattr(keeping, "change", refuse)
    answer = change(console, policy, drop_after="30")
    assert answer.status_code == 302
    assert "a batch has no such column" in console.get(answer.url).content.decode()


def test_endurance_05_the_page_says_what_an_aggregate_covers(console: Client, monkeypatch: Any) -> None:
    """From when to when it is computed, what is still to be, and which jobs fail with what words."""
    covered = upkeep.Coverage(NOON - 9 * DAY, NOON, 3, NOON - timedelta(hours=2))
    monkeypatch.setattr(upkeep, "coverage", lambda: {"price_candles_1m_cagg": covered})
    broken = upkeep.Job(
        1007, "policy_compression", "transactions", True, True, 4, "the licence is missing", timedelta(0)
    )
    well = upkeep.Job(1008, "policy_compression", "sol_usd_prices", True, False, 0, "", timedelta(0))
    monkeypatch.setattr(upkeep, "jobs", lambda *, now: [broken, well])
    page = shown(console)
    assert f"is computed from {NOON - 9 * DAY:%Y-%m-%d %H:%M} to {NOON:%Y-%m-%d %H:%M} UTC" in page
    assert "3 hours of it are to be computed again" in page
    assert "(compression transactions) fails: the licence is missing" in page
    assert "1008" not in page


def test_applying_now_asks_first(console: Client, level: str) -> None:
    """The page shows what would go and wants a reason; nothing is dropped or woken before."""
    factories.transaction(block_time=NOON - 100 * DAY)
    with time_machine.travel(NOON, tick=False):
        page = console.get(reverse(APPLY)).content.decode()
        assert "transactions" in page
        assert ("2026-04-04" if level == "none" else "2026-03-26") in page  # the cutoff, or the end of the chunk
        again = console.post(reverse(APPLY), {"reason": " "})
    assert (again.status_code, "A reason is needed" in again.content.decode()) == (200, True)
    assert (Transaction.objects.count(), AuditEntry.objects.count()) == (1, 0)


def test_a_reason_wakes_the_worker(console: Client, monkeypatch: Any, django_capture_on_commit_callbacks: Any) -> None:
    """The audit log keeps who and why, and the task is sent."""
    sent: list[str] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, **options: sent.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        assert console.post(reverse(APPLY), {"reason": "the disk is full"}).status_code == 302
    assert sent == ["tokens.tasks.apply_retention"]
    entry: Any = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("ann", "retention.apply", "the disk is full")


def test_who_may_only_look_changes_nothing(client: Client, policy: RetentionPolicy) -> None:
    """A viewer sees the page without its button, and neither form."""
    viewer = User.objects.create_user("bob", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_retentionpolicy"))
    client.force_login(viewer)
    assert "Apply now" not in client.get(reverse(LIST)).content.decode()
    assert client.get(reverse(APPLY)).status_code == 403
    assert change(client, policy, drop_after="1").status_code == 403


def test_a_missing_folder_is_said(console: Client, policy: RetentionPolicy, settings: Any, tmp_path: Path) -> None:
    """Without a folder the held-back rows name the setting; with one the page names the folder."""
    RetentionPolicy.objects.update(export_before_drop=True)
    factories.transaction(block_time=NOON - 100 * DAY)
    assert "it is to be exported first, but RETENTION_EXPORT_DIR names no folder" in shown(console)
    settings.RETENTION_EXPORT_DIR = tmp_path
    assert str(tmp_path) in shown(console)
    assert [drop.held for drop in retention.preview(now=NOON, export_to=tmp_path)] == [""]
