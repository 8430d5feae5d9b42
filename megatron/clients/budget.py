"""How often one provider may be called from this process."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from megatron.clients.errors import TryLater


class RateBudget:
    """Lets ``per_second`` calls through, up to one second's worth at once; who comes too early waits for his turn.

    Several processes each have their own: give each its part of what the provider allows.
    """

    def __init__(
        self,
        per_second: float,
        *,
        patience: timedelta = timedelta(seconds=10),
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause, self._burst = 1 / per_second, max(per_second, 1) - 1
        self._patience, self._now, self._sleep = patience, now, sleep
        self._next = float("-inf")
        self._one_at_a_time = threading.Lock()

    def take(self) -> None:
        """Wait for a turn. Raises :class:`TryLater` when it would take longer than our patience."""
        with self._one_at_a_time:
            now = self._now()
            turn = max(self._next, now - self._burst * self._pause)
            wait = turn - now
            if wait > self._patience.total_seconds():
                raise TryLater("The budget of calls is used up.", retry_after=timedelta(seconds=wait))
            self._next = turn + self._pause
        if wait > 0:
            self._sleep(wait)
