"""What a stream costs, by its bytes."""

import time
from collections.abc import Callable
from typing import Final

from megatron.clients import costs, meter
from megatron.core import clock

EVERY_SECONDS: Final = 60.0


class StreamAccount:
    """Adds up the bytes of a feed and notes what its provider counts for them, about once a minute and when asked.
    Bytes that are not enough for a unit count with the next ones."""

    def __init__(self, *, provider: str, endpoint: str, now: Callable[[], float] = time.monotonic) -> None:
        self._provider, self._endpoint, self._now = provider, endpoint, now
        self._size, self._settled = 0, now()

    def add(self, size: int) -> None:
        """Count so many bytes."""
        self._size += size
        if self._now() - self._settled >= EVERY_SECONDS:
            self.settle()

    def settle(self) -> None:
        """Note what was counted."""
        spent, self._size = costs.stream_credits(self._provider, self._size)
        self._settled = self._now()
        if spent:
            meter.note(meter.Call(clock.utc_now(), self._provider, self._endpoint, spent, kind="stream"))
