"""Captured traffic in files: plain or gzip, single files, folders, standard input. Yields one message at a time.

What a file is, its content decides: lines of JSON (a comma at the end of a line is forgiven), one JSON document, or a
table with a header, whose rows become JSON objects of the column names. No more than one message is held in memory, and a
packed file that holds next to nothing costs next to no work: blank lines without end, or an expansion that no traffic has,
end its reading.
"""

import csv
import gzip
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

import msgspec

MOST_BYTES: Final = 64 << 20
"""The longest message; a full block is below 20 MB."""
MOST_BLANK: Final = 100_000
"""Blank lines one after another."""
MOST_EXPANSION: Final = 400
"""Bytes that one packed byte may stand for: deflate allows 1,032, recorded traffic has 10, and a frame of 2 kB that repeats
for ever 190."""
FREELY_EXPANDED: Final = 4 << 20
"""So many bytes may come of however few."""
_LOOKED_AT: Final = 10  # lines, to tell lines of JSON from one document
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_UNREADABLE: Final = (OSError, EOFError, zlib.error)


class Message(NamedTuple):
    """One message as captured; ``source`` names its place, e.g. ``frames.jsonl.gz:17`` (lines count from 1)."""

    source: str
    payload: bytes


class Cut(NamedTuple):
    """A place from which a file cannot be read on, or something that is too long to be a message."""

    source: str
    detail: str


def read(paths: Sequence[Path | Literal["-"]]) -> Iterator[Message | Cut]:
    """Yield what the files hold, folders in the order of their names. ``-`` is standard input.

    Raises ``FileNotFoundError`` for a path that does not exist and for a closed standard input, before anything is read.
    """
    for path in paths:
        if path == "-":
            _stdin()
        elif not path.exists():
            raise FileNotFoundError(f"There is no file or folder {path}")
    for path in paths:
        if path == "-":
            yield from _stream("stdin", _stdin())
        else:
            for file in files(path):
                yield from _file(file)


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, plain or packed, with their ends; raises ``OSError`` where it cannot be read on.

    The same bounds hold as for messages.
    """
    with path.open("rb") as stream:
        lines = _lines(str(path), stream)
        if path.suffix == ".gz" and not isinstance(lines.stream, gzip.GzipFile):
            raise OSError("it is not packed, whatever its name says")
        while (line := lines.next()) is not None:
            yield (line.removeprefix(_BOM) if lines.number == 1 else line).decode()
        if lines.refusal is not None:
            raise OSError(f"line {lines.number + 1}: {lines.refusal}")


def _stdin() -> BinaryIO:
    if sys.stdin is None:  # what Python makes of a closed descriptor
        raise FileNotFoundError("Standard input is closed")
    return sys.stdin.buffer


def files(path: Path) -> Iterable[Path]:
    """Return the files of a folder and its folders, by name; of a file, the file. Hidden ones are left out."""
    if not path.is_dir():
        return [path]
    inside = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _file(file: Path) -> Iterator[Message | Cut]:
    try:
        with file.open("rb") as stream:
            yield from _stream(str(file), stream)
    except OSError as refusal:
        yield Cut(str(file), f"cannot be opened: {refusal.strerror}")


def _stream(name: str, stream: BinaryIO) -> Iterator[Message | Cut]:
    yield from _content(_lines(name, stream))


def _lines(name: str, stream: BinaryIO) -> "_Lines":
    if isinstance(stream, BufferedReader) and stream.peek(2)[:2] == _GZIP:
        packed = _Packed(stream)
        return _Lines(name, gzip.GzipFile(fileobj=packed, mode="rb"), packed)  # type: ignore[call-overload]  # it only reads
    return _Lines(name, stream)


class _Packed:
    """Counts the packed bytes that go by."""

    def __init__(self, stream: BufferedReader) -> None:
        self.read_bytes, self._stream = 0, stream

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self.read_bytes += len(found)
        return found


def _content(lines: "_Lines") -> Iterator[Message | Cut]:
    first = lines.next_filled()
    if first is None:
        yield from lines.cut()
        return
    seen = [(lines.number, first.removeprefix(_BOM))]
    if _is_header(seen[0][1]):
        yield from _table(seen[0][1], lines)
        return
    opens_document = seen[0][1].strip() in (b"[", b"{")
    while not (by_line := _is_message(seen[-1][1])) and not opens_document and len(seen) < _LOOKED_AT:
        following = lines.next_filled()
        if following is None:
            break
        seen.append((lines.number, following))
    yield from _by_line(seen, lines) if by_line else _document(seen, lines)


class _Lines:
    """The lines of a stream, with their numbers, none longer than a message may be; remembers why reading stopped."""

    def __init__(self, name: str, stream: BinaryIO | gzip.GzipFile, packed: _Packed | None = None) -> None:
        self.name, self.stream, self.number = name, stream, 0
        self._packed, self._bytes, self._blank = packed, 0, 0
        self.refusal: str | None = None

    def next(self) -> bytes | None:
        """Return the next line with its end, ``None`` after the last. An overlong line ends the reading."""
        if self.refusal is not None:
            return None
        try:
            line = self.stream.readline(MOST_BYTES + 1)
        except _UNREADABLE as refusal:
            self.refusal = f"the file ends early or is damaged: {refusal}"
            return None
        if len(line) > MOST_BYTES:
            self.refusal = f"a line longer than {MOST_BYTES >> 20} MiB"
            return None
        if not line:
            return None
        self._bytes += len(line)
        self._blank = 0 if line.strip() else self._blank + 1
        if self._blank > MOST_BLANK:
            self.refusal = f"more than {MOST_BLANK:,} blank lines one after another"
        elif self._packed is not None and self._bytes > max(FREELY_EXPANDED, MOST_EXPANSION * self._packed.read_bytes):
            self.refusal = f"it expands to more than {MOST_EXPANSION} times its size, as no traffic does"
        if self.refusal is not None:
            return None
        self.number += 1
        return line

    def next_filled(self) -> bytes | None:
        """Return the next line that is not blank."""
        while (line := self.next()) is not None:
            if line.strip():
                return line
        return None

    def cut(self) -> Iterator[Cut]:
        """Yield why reading stopped, if not at the end."""
        if self.refusal is not None:
            yield Cut(f"{self.name}:{self.number + 1}", self.refusal)


def _is_message(line: bytes) -> bool:
    """Say whether a line is a whole JSON object or array by itself (the lines of a document are indented)."""
    if line[:1] not in (b"{", b"["):
        return False
    try:
        msgspec.json.decode(line.strip().rstrip(b","), type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _is_header(line: bytes) -> bool:
    """Say whether a line is the header of a table: words between commas."""
    names = [name.strip(b' "') for name in line.strip().split(b",")]
    return len(names) > 2 and all(re.fullmatch(rb"[A-Za-z]\w*", name) for name in names)


def _by_line(seen: list[tuple[int, bytes]], lines: _Lines) -> Iterator[Message | Cut]:
    for number, line in seen:
        yield Message(f"{lines.name}:{number}", line.strip().rstrip(b","))
    while (line_after := lines.next_filled()) is not None:
        yield Message(f"{lines.name}:{lines.number}", line_after.strip().rstrip(b","))
    yield from lines.cut()


def _document(seen: list[tuple[int, bytes]], lines: _Lines) -> Iterator[Message | Cut]:
    whole = bytearray().join(line for _, line in seen)  # one piece: a line may be a byte long
    while (line := lines.next()) is not None:
        whole += line
        if len(whole) > MOST_BYTES:
            yield Cut(lines.name, f"a document longer than {MOST_BYTES >> 20} MiB")
            return
    if lines.refusal is None:
        yield Message(lines.name, bytes(whole.strip().rstrip(b",")))
    else:
        yield from lines.cut()


def _table(header: bytes, lines: _Lines) -> Iterator[Message | Cut]:
    columns = _cells(header)
    while (line := lines.next_filled()) is not None:
        yield Message(
            f"{lines.name}:{lines.number}",
            msgspec.json.encode(dict(zip(columns, _cells(line), strict=False))),
        )
    yield from lines.cut()


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8", "replace").strip()]))
    except csv.Error:  # a cell of absurd length
        return []
