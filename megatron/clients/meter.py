"""What calls to providers cost: noted in memory when made, handed to a sink about once a second by a thread of its own.

A caller never waits for the accounts: noting is appending to a list. The sink (``settings.CREDITS_SINK``) runs in its own
thread with its own database connection, so it is never inside a caller's transaction; while it fails, calls wait up to
:data:`MOST`, then the oldest are counted as lost. A process that is killed loses the calls of its last second.
"""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from megatron.clients.errors import BudgetSpent
from megatron.core import metrics
from megatron.core.log_cap import A_MINUTE, CappedLog

EVERY_SECONDS = 1.0
MOST = 50_000

log = structlog.get_logger(__name__)
failures = CappedLog(log, every=A_MINUTE)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a provider, or a stretch of a stream that it bills. ``error`` holds no secret; ``kind`` says what it
    was for."""

    at: datetime
    provider: str
    endpoint: str
    credits: int
    milliseconds: int | None = None
    status: int | None = None
    error: str = ""
    kind: str = ""


@dataclass(slots=True)
class Tally:
    """What the calls made inside one :func:`tally` cost so far, and the most that they may cost; ``None`` for any."""

    calls: int = 0
    credits: int = 0
    most: int | None = None


_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)

_calls: deque[Call] = deque()
_guard = threading.Lock()
_keeper_of = 0
"""The process whose keeper runs: a forked child starts one of its own."""


def note(call: Call) -> None:
    """Remember a call. Thread-safe; never waits, never raises."""
    global _keeper_of  # noqa: PLW0603  # one keeper a process
    metrics.provider_calls.labels(provider=call.provider, outcome="failed" if call.error else "answered").inc()
    metrics.provider_credits.labels(provider=call.provider).inc(call.credits)
    if (counted := _tally.get()) is not None:
        counted.calls, counted.credits = counted.calls + 1, counted.credits + call.credits
    with _guard:
        _calls.append(call)
        _drop_oldest()
        starts = bool(settings.CREDITS_SINK) and _keeper_of != os.getpid()
        if starts:
            _keeper_of = os.getpid()
    if starts:
        threading.Thread(target=_keep, name="credits", daemon=True).start()
        atexit.register(flush)


def check(cost: int) -> None:
    """Raise ``BudgetSpent`` if a call of ``cost`` credits is more than what this thread's :func:`tally` may still cost."""
    counted = _tally.get()
    if counted is not None and counted.most is not None and counted.credits + cost > counted.most:
        raise BudgetSpent(
            f"The budget of {counted.most} credits is used up: {counted.credits} are spent, the next call costs {cost}."
        )


@contextmanager
def tally(*, most: int | None = None) -> Iterator[Tally]:
    """Count the calls that this thread makes until the block ends: what one piece of work did cost. A call beyond ``most``
    credits is not made: it raises ``BudgetSpent``."""
    counted = Tally(most=most)
    token = _tally.set(counted)
    try:
        yield counted
    finally:
        _tally.reset(token)


def take() -> list[Call]:
    """Return the calls noted since the last time, oldest first, and forget them."""
    with _guard:
        taken = list(_calls)
        _calls.clear()
    return taken


def put_back(calls: Sequence[Call]) -> None:
    """Remember ``calls`` again, before what was noted meanwhile: their sink failed."""
    with _guard:
        _calls.extendleft(reversed(calls))
        _drop_oldest()


def flush() -> bool:
    """Hand what was noted to the sink; return whether nothing is left. Never raises: without a database the calls wait."""
    if not settings.CREDITS_SINK or not (calls := take()):
        return True
    try:
        import_string(settings.CREDITS_SINK)(calls=calls)
    except Exception as error:  # noqa: BLE001  # accounts that cannot be written must not end what they count
        put_back(calls)
        failures.warning("credits.waiting", calls=len(calls), error=type(error).__name__)
        return False
    return True


def _keep() -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        flush()


def _forget() -> None:
    """Start a forked child with empty accounts: its parent writes down what was noted before."""
    global _guard  # noqa: PLW0603  # another thread of the parent may have held it
    _guard = threading.Lock()
    _calls.clear()


os.register_at_fork(after_in_child=_forget)


def _drop_oldest() -> None:
    while len(_calls) > MOST:
        _calls.popleft()
        metrics.provider_calls_lost.inc()
