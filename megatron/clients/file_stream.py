"""Recorded traffic, played as if it were live."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Literal

import structlog

from megatron.clients import captures
from megatron.clients.captures import Cut
from megatron.clients.ports import Frame, Heard, Lost, Opened
from megatron.clients.reconnection import Pause
from megatron.core import clock

END = "end of file"

log = structlog.get_logger(__name__)


class FileStream:
    """A :class:`~megatron.clients.ports.TransactionStream` of capture files: each message once, then the end.

    ``per_second``: so many frames a second, evenly; as fast as they are taken without. What the files hold is played
    whatever program is asked for. Raises ``FileNotFoundError``.
    """

    source = "file"
    complete = False

    def __init__(
        self,
        paths: Sequence[Path | Literal["-"]],
        *,
        per_second: float | None = None,
        commitment: int = 1,
        pause: Pause = Event.wait,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        for path in paths:
            if path != "-" and not path.exists():
                raise FileNotFoundError(f"There is no file or folder {path}")
        self.commitment = commitment
        self._paths, self._pause, self._now = paths, pause, now
        self._gap = 0.0 if per_second is None else 1 / per_second

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:  # noqa: ARG002  # see the class
        """Yield one connection with the frames of all files; it is lost at their end, or when ``stop`` is set.

        What is damaged is left out with a line in the log. A reader who is slow finds what is late waiting.
        """
        yield Opened(clock.utc_now())
        due = self._now()
        for message in captures.read(self._paths):
            if stop.is_set():
                yield Lost(clock.utc_now(), "stopped")
                return
            if isinstance(message, Cut):
                log.warning("file.cut", source=message.source, detail=message.detail)
                continue
            yield Frame(clock.utc_now(), message.payload)
            due += self._gap
            if self._gap and (wait := due - self._now()) > 0:
                self._pause(stop, wait)
        yield Lost(clock.utc_now(), END)
