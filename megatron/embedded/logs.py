"""Log files of what runs in the background: appended to, and one older one kept."""

import contextlib
import os
from pathlib import Path
from typing import IO

from megatron.embedded.files import is_stream

LIMIT_BYTES = 10_000_000


def append_to(path: Path) -> IO[bytes]:
    """Open a log, for its owner alone; one that has grown beyond the limit becomes ``….log.1``. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not is_stream(path) and path.stat().st_size > LIMIT_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)


class Log:
    """A log that one thread writes lines to; what cannot be written, on a full disk say, is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._left = 0

    def write(self, line: str) -> None:
        """Append one line."""
        with contextlib.suppress(OSError):
            if self._file is None or self._left <= 0:
                self.close()
                self._file = append_to(self._path)
                self._left = LIMIT_BYTES - os.fstat(self._file.fileno()).st_size + 1
            self._left -= self._file.write(f"{line}\n".encode(errors="replace"))

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def tail(path: Path, *, lines: int = 8) -> str:
    """Return the last lines of a log; nothing when it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
