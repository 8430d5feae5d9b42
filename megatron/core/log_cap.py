"""A log that a failing provider cannot fill."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

EVERY_SECONDS: Final = 10.0
A_MINUTE: Final = 60.0
LONGEST: Final = 120
"""Characters of a reason: what a provider or a library says may be as long as it likes."""


def short(reason: object) -> str:
    """Return the first line of a reason, cut where it goes on for too long."""
    line = next(iter(str(reason).strip().splitlines()), "")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


class _Logger(Protocol):
    def warning(self, event: str, **facts: Any) -> Any: ...
    def info(self, event: str, **facts: Any) -> Any: ...


class CappedLog:
    """Writes at most one line of a kind in ``every`` seconds; the next of that kind says how many were left out."""

    def __init__(
        self, logger: _Logger, *, every: float = EVERY_SECONDS, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger, self._every, self._now = logger, every, now
        self._written: dict[str, float] = {}
        self._left_out: dict[str, int] = {}
        self._one_at_a_time = threading.Lock()

    def warning(self, kind: str, **facts: Any) -> None:
        """Write a warning of ``kind`` with its facts, or count it."""
        self._tell(self._logger.warning, kind, kind, facts)

    def info(self, kind: str, *, of: str, **facts: Any) -> None:
        """Write what needs nobody, or count it; each ``of`` (a table, a venue) is told by itself."""
        self._tell(self._logger.info, kind, f"{kind} {of}", facts)

    def _tell(self, write: Callable[..., Any], event: str, kind: str, facts: dict[str, Any]) -> None:
        with self._one_at_a_time:
            now = self._now()
            if kind in self._written and now - self._written[kind] < self._every:
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return
            self._written[kind] = now
            left_out = self._left_out.pop(kind, 0)
        write(event, **facts, **({"left_out": left_out} if left_out else {}))
