"""Leaving alone what failed a moment ago, so that a server that says nothing costs its time-out once and not each time."""

import threading
import time

PAUSE_SECONDS = 5.0
"""So long a server that failed is not asked again."""


class Pause:
    """Whether a server may be asked. When the pause is over one caller tries again, the others wait for what he finds."""

    def __init__(self) -> None:
        self._until = 0.0
        self._guard = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether the server failed a moment ago and is left alone."""
        return time.monotonic() < self._until

    def may_ask(self) -> bool:
        """Return whether this caller asks."""
        if not self._until:
            return True
        with self._guard:
            if self.is_on:
                return False
            self._until = time.monotonic() + PAUSE_SECONDS
            return True

    def begin(self) -> None:
        """Leave the server alone: it failed."""
        with self._guard:
            self._until = time.monotonic() + PAUSE_SECONDS

    def end(self) -> None:
        """Ask again: the server answered."""
        if self._until:
            self._until = 0.0
