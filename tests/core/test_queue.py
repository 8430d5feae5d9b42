import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from megatron.core import queue
from megatron.core.log_cap import LONGEST, CappedLog, short
from megatron.core.models import AuditEntry
from megatron.core.queue import Drained
from tests.core.concrete import Errand

pytestmark = [pytest.mark.usefixtures("concrete_tables")]

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


class Hopeless(Exception):
    """Stands for a failure that repeating will not mend."""


class Busy(Exception):
    """Stands for a provider that asks to wait."""

    retry_after = timedelta(minutes=5)


@pytest.fixture
def errands(transactional_db: None) -> Any:
    """Return the table, emptied before: Django flushes installed apps only."""
    Errand.objects.all().delete()
    return Errand.objects


def errand(text: str = "x", *, due_at: datetime = NOON, **fields: Any) -> Errand:
    return Errand.objects.create(text=text, due_at=due_at, **fields)


def fail(error: Exception) -> Any:
    def step(_row: Errand) -> None:
        raise error

    return step


def test_due_rows_are_done_the_longest_due_first(errands: Any) -> None:
    """Two due rows are finished in the order of their time; one that is not due stays."""
    done: list[str] = []
    errand("second", due_at=NOON - timedelta(minutes=1))
    errand("first", due_at=NOON - timedelta(hours=1))
    errand("later", due_at=NOON + timedelta(seconds=1))
    assert queue.drain(errands.all(), lambda row: done.append(row.text), now=NOON) == Drained(finished=2)
    assert done == ["first", "second"]
    assert list(errands.filter(finished_at=None).values_list("text", flat=True)) == ["later"]


def test_the_order_of_the_queryset_is_kept(errands: Any) -> None:
    """A queryset with an order of its own is done in that order, up to the limit."""
    done: list[str] = []
    for text in "acb":
        errand(text)
    assert queue.drain(errands.order_by("text"), lambda row: done.append(row.text), now=NOON, limit=2) == Drained(
        finished=2
    )
    assert done == ["a", "b"]


def test_a_step_stands_outside_any_transaction(errands: Any) -> None:
    """While the step runs no transaction is open, and its lease is already committed."""
    errand()
    seen: list[tuple[bool, datetime | None]] = []
    queue.drain(
        errands.all(), lambda row: seen.append((connection.in_atomic_block, errands.get().leased_until)), now=NOON
    )
    assert seen == [(False, NOON + queue.LEASE)]


def test_work_inside_a_transaction_is_refused(errands: Any) -> None:
    """A caller that holds a transaction open is told so before anything is leased."""
    with transaction.atomic(), pytest.raises(TransactionManagementError, match="never done inside a transaction"):
        queue.drain(errands.all(), lambda row: None, now=NOON)


def test_a_failure_is_postponed_longer_each_time(errands: Any) -> None:
    """10 s, 20 s, 40 s; the reason is kept and the lease is over."""
    errand()
    now, pauses = NOON, []
    for _ in range(3):
        assert queue.drain(errands.all(), fail(KeyError("nothing there")), now=now) == Drained(postponed=1)
        row = errands.get()
        pauses.append((row.due_at - now).total_seconds())
        now = row.due_at
    assert pauses == [10, 20, 40]
    assert (row.attempts, row.leased_until, row.last_error) == (3, None, "KeyError: 'nothing there'")


def test_the_pause_never_exceeds_an_hour(errands: Any) -> None:
    """The back-off stops doubling at an hour."""
    errand(attempts=50)
    queue.drain(errands.all(), fail(KeyError()), now=NOON, max_attempts=100)
    assert errands.get().due_at == NOON + timedelta(hours=1)


def test_a_provider_that_asks_to_wait_is_given_its_time(errands: Any) -> None:
    """The longer of our pause and the one asked for counts."""
    errand()
    queue.drain(errands.all(), fail(Busy()), now=NOON)
    assert errands.get().due_at == NOON + timedelta(minutes=5)


def test_the_last_attempt_ends_in_quarantine(errands: Any) -> None:
    """After so many attempts the row is set aside with its reason, and stays there."""
    errand(attempts=1)
    assert queue.drain(errands.all(), fail(KeyError("k")), now=NOON, max_attempts=2) == Drained(quarantined=1)
    row = errands.get()
    assert (row.quarantined_at, row.last_error, row.leased_until) == (NOON, "KeyError: 'k'", None)
    assert queue.drain(errands.all(), fail(KeyError("k")), now=NOON + timedelta(days=9)) == Drained()


def test_what_is_hopeless_is_set_aside_at_once(errands: Any) -> None:
    """A failure that repeating will not mend is not repeated."""
    errand()
    assert queue.drain(errands.all(), fail(Hopeless("no such mint")), now=NOON, hopeless=(Hopeless,)) == Drained(
        quarantined=1
    )
    assert errands.get().last_error == "Hopeless: no such mint"


@pytest.mark.parametrize(("foreseen", "level", "traces"), [((Busy,), "INFO", 0), ((), "WARNING", 1)])
def test_only_a_fault_of_ours_is_logged_with_its_traceback(
    errands: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    foreseen: tuple[type[Exception], ...],
    level: str,
    traces: int,
) -> None:
    """What the world outside is known to do is one line that needs nobody."""
    errand()
    monkeypatch.setattr(queue, "failures", CappedLog(queue.logger, every=60))
    with caplog.at_level("INFO"):
        queue.drain(errands.all(), fail(Busy("not now")), now=NOON, expected=foreseen)
    said = [record for record in caplog.records if "work.failed" in record.getMessage()]
    assert [record.levelname for record in said] == [level]
    assert ("exc_info" in said[0].getMessage() or bool(said[0].exc_info)) is bool(traces)
    assert ("Busy: not now" in said[0].getMessage()) is not bool(traces)


def test_shield_08_a_network_that_is_away_is_one_short_line_a_minute(
    errands: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred rows that all fail for the same reason: one line, the next minute's says how many were left out."""
    seconds = 0.0
    monkeypatch.setattr(queue, "failures", CappedLog(queue.logger, every=60, now=lambda: seconds))
    for _ in range(100):
        errand()
    reason = "no gateway answered: " + "name resolution failed; " * 40
    with caplog.at_level("INFO"):
        queue.drain(errands.all(), fail(Busy(reason)), now=NOON, expected=(Busy,))
        said = [record.getMessage() for record in caplog.records if "work.failed" in record.getMessage()]
        assert len(said) == 1
        seconds = 60.0
        queue.drain(errands.all(), fail(Busy(reason)), now=NOON + timedelta(hours=1), expected=(Busy,), limit=1)
    said = [record.getMessage() for record in caplog.records if "work.failed" in record.getMessage()]
    assert len(said) == 2
    assert "99" in said[1]
    assert reason not in said[0]
    assert len(short(reason)) <= LONGEST + 1
    assert errands.filter(last_error__contains=reason.strip()).count() == 100


def test_a_worker_killed_mid_step_leaves_a_lease_that_ends(errands: Any) -> None:
    """A step that takes its worker with it is tried again when the lease is over, and its attempt was counted."""
    errand()

    class Killed(BaseException):
        """Stands for SIGKILL: nothing of ours runs after it."""

    def die(_row: Errand) -> None:
        raise Killed

    with pytest.raises(Killed):
        queue.drain(errands.all(), die, now=NOON)
    assert queue.drain(errands.all(), lambda row: None, now=NOON + timedelta(minutes=9)) == Drained()
    assert queue.drain(errands.all(), lambda row: None, now=NOON + timedelta(minutes=10)) == Drained(finished=1)
    assert errands.get().attempts == 2


def test_a_row_that_kills_each_worker_ends_in_quarantine(errands: Any) -> None:
    """When the lease of the last attempt has run out, nobody tries again."""
    errand(attempts=queue.MAX_ATTEMPTS, leased_until=NOON)
    assert queue.drain(errands.all(), lambda row: None, now=NOON) == Drained(quarantined=1)
    assert errands.get().last_error == "The worker died in each attempt."


def test_a_worker_whose_lease_ran_out_changes_nothing(errands: Any) -> None:
    """The slow worker comes back after another has failed the row: it stays as the other left it."""
    errand()

    def slow(_row: Errand) -> None:
        queue.drain(errands.all(), fail(KeyError("other")), now=NOON + timedelta(minutes=11))

    assert queue.drain(errands.all(), slow, now=NOON) == Drained(postponed=1)
    row = errands.get()
    assert (row.finished_at, row.attempts, row.last_error) == (None, 2, "KeyError: 'other'")


def test_two_workers_share_the_rows_and_none_is_done_twice(errands: Any) -> None:
    """Forty rows and two workers at once: each row is done exactly once, and both worked."""
    for number in range(40):
        errand(f"{number:02}")
    done: list[tuple[int, str]] = []
    both_work = threading.Barrier(2, timeout=20)

    def worker(name: int) -> None:
        started = False

        def step(row: Errand) -> None:
            nonlocal started
            if not started:
                started = True
                both_work.wait()
            done.append((name, row.text))

        try:
            queue.drain(Errand.objects.all(), step, now=NOON)
        finally:
            connection.close()

    workers = [threading.Thread(target=worker, args=(name,)) for name in (1, 2)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert sorted(text for _, text in done) == [f"{number:02}" for number in range(40)]
    assert {name for name, _ in done} == {1, 2}
    assert errands.filter(finished_at=None).count() == 0


def test_an_operator_retries_a_postponed_row(errands: Any) -> None:
    """The row is due at once, and the audit log says who and why; a row in work is left alone."""
    errand("waits", due_at=NOON + timedelta(hours=1))
    errand("in work", leased_until=NOON + timedelta(minutes=1))
    assert queue.retry(errands.all(), operator="ann", reason="node is back", now=NOON) == 1
    assert errands.get(text="waits").due_at == NOON
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("ann", "work.retry", "node is back")
    assert (entry.before, entry.after) == ({"due_at": "2026-07-03T13:00:00Z"}, {"due_at": "2026-07-03T12:00:00Z"})


def test_an_operator_sets_a_row_aside_and_lets_it_out_again(errands: Any) -> None:
    """Quarantine keeps the reason; release forgets the attempts and makes the row due."""
    errand(attempts=5)
    assert queue.quarantine(errands.all(), operator="ann", reason="bad mint", now=NOON) == 1
    assert errands.get().last_error == "bad mint"
    assert queue.state_of(errands.get(), now=NOON) == "quarantined"
    assert queue.release(errands.all(), operator="ann", reason="mint is mended", now=NOON) == 1
    row = errands.get()
    assert (row.quarantined_at, row.attempts, row.due_at) == (None, 0, NOON)
    assert [it.action for it in AuditEntry.objects.order_by("sequence")] == ["work.quarantine", "work.release"]


def test_a_row_says_what_state_it_is_in() -> None:
    """Waiting, working, finished or quarantined."""
    later = NOON + timedelta(minutes=1)
    assert queue.state_of(Errand(due_at=NOON), now=NOON) == "waiting"
    assert queue.state_of(Errand(due_at=NOON, leased_until=later), now=NOON) == "working"
    assert queue.state_of(Errand(due_at=NOON, leased_until=NOON), now=later) == "waiting"
    assert queue.state_of(Errand(due_at=NOON, finished_at=NOON), now=NOON) == "finished"


def test_a_table_may_have_pauses_of_its_own(errands: Any) -> None:
    """The first pause follows the first attempt, and the last one every further attempt."""
    row = errand()
    waits = []
    for _ in range(3):
        now = errands.get().due_at
        queue.drain(errands.all(), fail(ValueError("no")), now=now, pauses=[timedelta(minutes=1), timedelta(minutes=5)])
        row.refresh_from_db()
        waits.append(row.due_at - now)
    assert waits == [timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=5)]
