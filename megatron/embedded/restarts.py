"""When something that ended is started again, and when that is hopeless."""

import time
from collections.abc import Callable

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before the next start, after the first, second … quick failure in a row."""
WORKED_SECONDS = 30.0
"""Who lived so long had worked: what went before is forgotten."""


class Restarts:
    """Counts the quick failures in a row of one process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = 0
        self._clock = clock
        self._begun = clock()

    def begin(self) -> None:
        """Note that it was started just now."""
        self._begun = self._clock()

    def end(self) -> float | None:
        """Note that it ended; return the seconds to wait before the next start, ``None`` when it is hopeless."""
        if self._clock() - self._begun >= WORKED_SECONDS:
            self.failures = 0
        self.failures += 1
        return PAUSES[self.failures - 1] if self.failures <= len(PAUSES) else None
