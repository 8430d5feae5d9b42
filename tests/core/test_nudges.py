import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.db import transaction

from megatron.core import nudges

pytestmark = pytest.mark.usefixtures("silent_bells")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Return the messages that would go to the broker."""
    messages: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **options: messages.append((task, options)))
    return messages


def test_every_nudge_has_a_heartbeat() -> None:
    """What a bell wakes is woken by the beat too: a lost bell costs delay only."""
    assert {task for tasks in settings.NUDGES.values() for task in tasks} <= set(settings.BEAT)


@pytest.mark.parametrize("task", settings.BEAT)
def test_every_task_of_the_beat_exists(task: str) -> None:
    """The wiring names tasks by text; each is there, and is a task."""
    module, _, name = task.rpartition(".")
    assert getattr(import_module(module), name).name == task


@pytest.mark.django_db(transaction=True)
def test_a_bell_rings_after_the_commit(sent: list[tuple[str, dict[str, Any]]]) -> None:
    """Nothing is sent while the transaction is open; afterwards the wired task is, to its queue, with an end."""
    with transaction.atomic():
        nudges.ring("candles_due")
        assert sent == []
    assert sent == [
        ("tokens.tasks.roll_candles", {"queue": "stream", "expires": 5.0, "retry": False, "ignore_result": True}),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_transaction_rings_nothing(sent: list[tuple[str, dict[str, Any]]]) -> None:
    """What did not happen wakes nobody."""
    with suppress(ZeroDivisionError), transaction.atomic():
        nudges.ring("candles_due")
        raise ZeroDivisionError
    assert sent == []


def settle() -> None:
    """Wait until no bell is set any more."""
    while nudges._waiting:
        time.sleep(0.01)
    time.sleep(0.05)


@pytest.mark.django_db(transaction=True)
def test_many_rings_are_two_bells(sent: list[tuple[str, dict[str, Any]]]) -> None:
    """The first ring wakes at once, the others together a little later; each name for itself."""
    for _ in range(50):
        nudges.ring("candles_due")
    nudges.ring("pools_learned")
    assert [task for task, _ in sent] == ["tokens.tasks.roll_candles", "tokens.tasks.retry_rejected"]
    settle()
    assert [task for task, _ in sent][2:] == ["tokens.tasks.roll_candles"]


@pytest.mark.django_db(transaction=True)
def test_the_last_ring_is_always_followed_by_a_bell(
    sent: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit right after a bell, whose task may have looked already, is told within the pause and not forgotten."""
    bells: list[float] = []
    monkeypatch.setattr(nudges, "_send", lambda *_: bells.append(time.monotonic()))
    nudges.ring("candles_due")
    nudges.ring("candles_due")
    asked = time.monotonic()
    settle()
    assert len(bells) == 2
    assert asked < bells[1] < asked + nudges.COALESCED_SECONDS + 0.2


@pytest.mark.django_db(transaction=True)
def test_bells_of_many_threads_stay_apart(sent: list[tuple[str, dict[str, Any]]]) -> None:
    """However many ring for a second, at most five bells are heard, and the last one comes after the last ring."""
    until = time.monotonic() + 1.0

    def keep_ringing(_: int) -> None:
        while time.monotonic() < until:
            nudges._wake("candles_due", settings.NUDGES["candles_due"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep_ringing, range(4)))
    before = len(sent)
    assert 3 <= before <= 5
    settle()
    assert len(sent) == before + 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_logged_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The work of him who rings is never disturbed."""
    with current_app.connection_for_write("redis://127.0.0.1:1/0") as nowhere:
        send = current_app.send_task
        monkeypatch.setattr(
            current_app, "send_task", lambda *args, **options: send(*args, connection=nowhere, **options)
        )
        nudges.ring("candles_due")
    assert "nudge.lost" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_who_rings_does_not_wait_for_a_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt: another would hold up what is ingested, and the heartbeat wakes the same task."""
    waited: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", waited.append)
    with current_app.connection_for_write("redis://127.0.0.1:1/0") as nowhere:
        send = current_app.send_task
        monkeypatch.setattr(
            current_app, "send_task", lambda *args, **options: send(*args, connection=nowhere, **options)
        )
        nudges.ring("candles_due")
    assert waited == []


@pytest.mark.django_db
def test_an_unknown_bell_is_refused() -> None:
    """A name that is not wired is an error of the caller, found at once."""
    with pytest.raises(KeyError):
        nudges.ring("nobody_listens")
