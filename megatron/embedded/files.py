"""Files that are whole or not there: written under another name, put on the disk, and renamed.

Only a regular file is ever replaced. A device or a FIFO is written to as it stands, a link to a file is followed, and
what else has the name (a folder, a socket, a disk) is refused: as root, a rename would put a file where ``/dev/null``
was. Needs nothing but the standard library.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream that becomes the file ``path`` when the block ends well, and leaves nothing behind otherwise.

    After a power cut the name stands for the whole file or for what was there before. Raises ``OSError``, also for what
    may not be replaced.
    """
    if is_stream(path):
        with path.open("wb") as stream:
            yield stream
        return
    target = path.resolve() if path.is_symlink() else path
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    file = create(draft, mode=0o666)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename(draft, to=target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def create(path: Path, *, mode: int) -> IO[bytes]:
    """Open a new file of this name; what an earlier, killed process left there goes first. Raises ``OSError``.

    A link that somebody laid there is never followed.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def rename(path: Path, *, to: Path) -> None:
    """Give a finished file its name in the same folder, for good: a power cut does not undo it.

    Raises ``OSError`` when something that is no regular file has that name.
    """
    check_replaceable(to)
    path.replace(to)
    to_disk(to.parent)


def check_replaceable(path: Path) -> None:
    """Raise ``OSError`` when ``path`` names something that is no regular file, itself or by a link."""
    if (mode := _mode(path)) is not None and not stat.S_ISREG(mode):
        kind = "folder" if stat.S_ISDIR(mode) else "device, FIFO or socket"
        raise OSError(errno.EINVAL, f"it is a {kind}, which a file must not replace", str(path))


def is_stream(path: Path) -> bool:
    """Return whether ``path`` is a character device or a FIFO, which is written to and never replaced.

    Raises ``OSError`` for what can be neither: a folder, a socket, a disk.
    """
    mode = _mode(path)
    if mode is None or stat.S_ISREG(mode):
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    check_replaceable(path)
    return False


def to_disk(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(path: Path) -> int | None:
    """Return what ``path`` leads to, by links too; ``None`` when there is nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
