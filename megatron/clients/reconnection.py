"""Connections that are meant to last: one after the other, with pauses that grow, until somebody says stop."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from random import SystemRandom
from threading import Event
from typing import Final

import structlog

from megatron.clients.errors import ClientError, Refused, TryLater
from megatron.clients.ports import Heard, Lost, Opened
from megatron.core import clock
from megatron.core.log_cap import CappedLog

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
SETTLED_SECONDS: Final = 30.0
"""A connection that lived so long was a good one: the next pause is short again."""
_LONGEST_ASKED: Final = timedelta(minutes=5)
"""Who asks us to wait longer than this is tried again after this."""

_draw: Final[Callable[[], float]] = SystemRandom().random

Pause = Callable[[Event, float], object]
"""Waits so many seconds, less when the event is set; tests put their own in its place."""


class Backoff:
    """Exponential, with full jitter (a random part of the growing ceiling) and a cap, so that many clients of a provider
    that comes back do not all come back at once."""

    def __init__(self, draw: Callable[[], float] = _draw) -> None:
        self._draw = draw
        self._failures = 0

    def pause_after(self, lived: float) -> float:
        """Return the seconds to wait after a connection that lived ``lived`` seconds, 0 for one that never stood."""
        if lived >= SETTLED_SECONDS:
            self._failures = 0
        ceiling: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 16))
        self._failures += 1
        return self._draw() * ceiling


class Reconnection:
    """Runs one connection after the other for the feed ``name``. The errors that connections raise hold no secrets."""

    def __init__(
        self,
        name: str,
        *,
        pause: Pause = Event.wait,
        backoff: Backoff | None = None,
        log: CappedLog | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._pause, self._now = name, pause, now
        self._backoff = backoff or Backoff()
        self._log = log or CappedLog(structlog.get_logger(__name__))

    def run(self, connect: Callable[[], Iterator[Heard]], *, stop: Event) -> Iterator[Heard]:
        """Yield what connections yield, and ``Lost`` when one ends that had stood.

        ``connect`` makes one: it yields ``Opened`` and what follows, returns when ``stop`` is set, and raises
        ``TryLater`` or ``Malformed`` when the connection is gone, ``Refused`` when it will never stand; that is raised
        on.
        """
        while not stop.is_set():
            opened: float | None = None
            reason, asked = "stopped", timedelta(0)
            try:
                with closing(connect()) as connection:  # type: ignore[type-var]  # generators all of them
                    for heard in connection:
                        if isinstance(heard, Opened):
                            opened = self._now()
                        yield heard
            except Refused as refusal:
                if opened is not None:
                    yield Lost(clock.utc_now(), str(refusal))
                raise
            except ClientError as failure:
                reason = str(failure)
                asked = failure.retry_after or asked if isinstance(failure, TryLater) else asked
            if opened is not None:
                yield Lost(clock.utc_now(), reason)
            if stop.is_set():
                return
            lived = 0.0 if opened is None else self._now() - opened
            wait = max(self._backoff.pause_after(lived), min(asked, _LONGEST_ASKED).total_seconds())
            kind = "stream.unreachable" if opened is None else "stream.lost"
            self._log.warning(kind, source=self._name, reason=reason, lived_seconds=round(lived, 1))
            self._pause(stop, wait)
