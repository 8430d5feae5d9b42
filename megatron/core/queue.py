"""Rows that wait are the queue. A worker leases one, does its step outside any transaction, and says how it went.

A crash leaves a lease that ends by itself; the attempt was counted when the lease began, so a row that kills its
worker again and again ends in quarantine too. A worker whose lease ran out changes nothing any more: the attempt is
the proof of the lease.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.transaction import TransactionManagementError

from megatron.core import audit
from megatron.core.log_cap import A_MINUTE, CappedLog, short
from megatron.core.models import Work
from megatron.core.transactions import in_transaction

W = TypeVar("W", bound=Work)

LEASE = timedelta(minutes=10)
"""Longer than any task may run."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
MAX_ATTEMPTS = 8

_OPEN = Q(finished_at=None, quarantined_at=None)

logger = structlog.get_logger(__name__)
failures = CappedLog(logger, every=A_MINUTE)


@dataclass(frozen=True, kw_only=True)
class Drained:
    """What one call of :func:`drain` did, in rows."""

    finished: int = 0
    postponed: int = 0
    quarantined: int = 0


def drain(
    queryset: QuerySet[W],
    step: Callable[[W], object],
    *,
    now: datetime,
    limit: int = 100,
    hopeless: tuple[type[Exception], ...] = (),
    expected: tuple[type[Exception], ...] = (),
    max_attempts: int = MAX_ATTEMPTS,
    pauses: Sequence[timedelta] = (),
) -> Drained:
    """Do ``step`` for up to ``limit`` due rows of ``queryset``, in its order or else the longest due first.

    A step that returns finishes its row. One that raises postpones it: 10 s, 20 s, 40 s … up to an hour, or by ``pauses``,
    the first after the first attempt and the last again and again. An exception
    of ``hopeless``, or the last of ``max_attempts``, sets it aside with the reason. One of ``hopeless`` or ``expected``
    is logged in a short line, once a minute and table;
    any other is a fault of ours and logged with its traceback. A raised exception's ``retry_after``
    (``timedelta``) is honoured when it asks for a longer pause. Raises ``TransactionManagementError`` inside a
    transaction.
    """
    if in_transaction():
        raise TransactionManagementError("Work is never done inside a transaction: a step may wait for the network.")
    counts = {"finished": 0, "postponed": 0, "quarantined": 0}
    for _ in range(limit):
        row = _lease(queryset, now)
        if row is None:
            break
        counts[_attempt(row, step, now, hopeless, expected, max_attempts, pauses)] += 1
    return Drained(**counts)


def _lease(queryset: QuerySet[W], now: datetime) -> W | None:
    """Take the next due row that nobody has, or ``None``."""
    due = queryset.filter(_OPEN, Q(leased_until=None) | Q(leased_until__lte=now), due_at__lte=now)
    ordered = due if due.ordered else due.order_by("due_at", "pk")
    with transaction.atomic():
        row = ordered.select_for_update(skip_locked=True, of=("self",)).first()
        if row is None:
            return None
        row.leased_until, row.attempts = now + LEASE, row.attempts + 1
        row.save(update_fields=["leased_until", "attempts"])
    return row


def _attempt(
    row: W,
    step: Callable[[W], object],
    now: datetime,
    hopeless: tuple[type[Exception], ...],
    expected: tuple[type[Exception], ...],
    max_attempts: int,
    pauses: Sequence[timedelta],
) -> str:
    if row.attempts > max_attempts:
        # The worker before us died in the last attempt, so nobody could say so.
        return _close(row, quarantined_at=now, last_error=row.last_error or "The worker died in each attempt.")
    try:
        step(row)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        which = {"table": row._meta.db_table, "row": str(row.pk), "attempt": row.attempts}
        if isinstance(error, hopeless + expected):
            # A network that is away fails every row: one short line a minute and table, and the row has the whole reason.
            failures.info("work.failed", of=row._meta.db_table, **which, error=short(reason))
        else:
            logger.warning("work.failed", **which, exc_info=True)
        if isinstance(error, hopeless) or row.attempts >= max_attempts:
            return _close(row, quarantined_at=now, last_error=reason)
        pause = _pause(row.attempts, pauses)
        return _close(row, due_at=now + max(pause, getattr(error, "retry_after", None) or pause), last_error=reason)
    return _close(row, finished_at=now, last_error="")


def _pause(attempts: int, pauses: Sequence[timedelta]) -> timedelta:
    """Return how long a row waits after so many failed attempts."""
    if pauses:
        return pauses[min(attempts, len(pauses)) - 1]
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts - 1, 20)
    return min(doubled, LONGEST_PAUSE)


def _close(row: Work, **changes: object) -> str:
    """End the lease of ``row`` with ``changes``, unless another worker has it by now; return what the row became."""
    mine = type(row)._default_manager.filter(_OPEN, pk=row.pk, attempts=row.attempts)
    if not mine.update(leased_until=None, **changes):
        logger.warning("work.lease_lost", table=row._meta.db_table, row=str(row.pk), attempt=row.attempts)
        return "postponed"
    return {"finished_at": "finished", "quarantined_at": "quarantined", "due_at": "postponed"}[next(iter(changes))]


def state_of(row: Work, *, now: datetime) -> str:
    """Return ``finished``, ``quarantined``, ``working`` or ``waiting``."""
    if row.finished_at:
        return "finished"
    if row.quarantined_at:
        return "quarantined"
    return "working" if row.leased_until and row.leased_until > now else "waiting"


def retry(rows: QuerySet[W], *, operator: str, reason: str, now: datetime) -> int:
    """Make the open ones of ``rows`` that nobody works on due at once; return how many."""
    idle = Q(leased_until=None) | Q(leased_until__lte=now)
    return _move(rows.filter(_OPEN & idle), "retry", operator, reason, now, due_at=now)


def quarantine(rows: QuerySet[W], *, operator: str, reason: str, now: datetime) -> int:
    """Set the open ones of ``rows`` aside; return how many. A worker that has one can no longer finish it."""
    return _move(
        rows.filter(_OPEN),
        "quarantine",
        operator,
        reason,
        now,
        quarantined_at=now,
        leased_until=None,
        last_error=reason,
    )


def release(rows: QuerySet[W], *, operator: str, reason: str, now: datetime) -> int:
    """Let rows out of quarantine, due at once and with their attempts forgotten; return how many."""
    return _move(
        rows.filter(quarantined_at__isnull=False),
        "release",
        operator,
        reason,
        now,
        quarantined_at=None,
        due_at=now,
        attempts=0,
    )


@transaction.atomic
def _move(rows: QuerySet[W], action: str, operator: str, reason: str, now: datetime, **changes: object) -> int:
    names = sorted(changes)
    found = list(rows.order_by("pk").select_for_update(of=("self",)))
    for row in found:
        before = {name: getattr(row, name) for name in names}
        type(row)._default_manager.filter(pk=row.pk).update(**changes)
        kind = row._meta.label_lower
        audit.record(
            actor=operator,
            action=f"work.{action}",
            reason=reason,
            kind=kind,
            key=row.pk,
            before=before,
            after=changes,
            now=now,
        )
    return len(found)
