"""Files, folders and standard input become messages."""

import gzip
import hashlib
import io
import json
import tracemalloc
import zlib
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from megatron.clients import captures
from megatron.clients.captures import Cut, Message

LINES = [b'{"a": 1}', b'{"b": [2, 3]}', b'["c"]']


def _payloads(*paths: Path) -> list[bytes]:
    return [item.payload for item in captures.read(paths) if isinstance(item, Message)]


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b",\n", b" ,\r\n"])
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x"])
def test_lines(tmp_path: Path, name: str, end: bytes) -> None:
    """Lines of JSON are messages, whatever the file is called; commas and blanks at their ends are forgiven."""
    path = _file(tmp_path, name, end.join(LINES) + end + b"\n  \n")
    assert [payload.rstrip() for payload in _payloads(path)] == LINES


def test_sources(tmp_path: Path) -> None:
    """A message names its file and its line, blank lines counted."""
    path = _file(tmp_path, "x.jsonl", b"\n" + LINES[0] + b"\n\n" + LINES[1])
    assert list(captures.read([path])) == [Message(f"{path}:2", LINES[0]), Message(f"{path}:4", LINES[1])]


def test_gzip(tmp_path: Path) -> None:
    """A packed file is known by its first bytes, not by its name; several packed parts in a row are one file."""
    packed = gzip.compress(b"\n".join(LINES[:2]) + b"\n") + gzip.compress(LINES[2])
    assert _payloads(_file(tmp_path, "x.jsonl", packed)) == LINES


def test_document(tmp_path: Path) -> None:
    """A JSON document over many lines is one message, also if it is a list of messages."""
    for document in ({"a": [1, {"b": 2}]}, [{"a": 1}, {"b": 2}]):
        text = json.dumps(document, indent=1).encode()
        assert [json.loads(payload) for payload in _payloads(_file(tmp_path, "x.json", text))] == [document]
    assert _payloads(_file(tmp_path, "x.json", b'[\n{"a": 1},\n{"b": 2}\n]')) == [b'[\n{"a": 1},\n{"b": 2}\n]']


def test_byte_order_mark(tmp_path: Path) -> None:
    """A mark that some editors put in front is not part of the message."""
    assert _payloads(_file(tmp_path, "x.json", b"\xef\xbb\xbf" + LINES[0])) == [LINES[0]]


def test_preamble(tmp_path: Path) -> None:
    """A recorder's first words do not turn its lines into a document: they are messages, to be refused."""
    path = _file(tmp_path, "x.jsonl", b"recording started\nat noon\n" + b"\n".join(LINES))
    assert _payloads(path) == [b"recording started", b"at noon", *LINES]


def test_table(tmp_path: Path) -> None:
    """The rows of a table become objects of the header's names; commas in quotes and short rows are kept."""
    path = _file(tmp_path, "x.csv", b'mint,name,sol\nA,"x, y",1\nB,z\n')
    assert [json.loads(payload) for payload in _payloads(path)] == [
        {"mint": "A", "name": "x, y", "sol": "1"},
        {"mint": "B", "name": "z"},
    ]


def test_table_with_an_absurd_cell(tmp_path: Path) -> None:
    """A cell that no table has gives an empty row, and the rows after it are read."""
    path = _file(tmp_path, "x.csv", b"mint,name,sol\n" + b"x" * 200_000 + b"\nB,z,1\n")
    assert [json.loads(payload) for payload in _payloads(path)] == [{}, {"mint": "B", "name": "z", "sol": "1"}]


def test_folder(tmp_path: Path) -> None:
    """A folder is read with its folders, by name; hidden files are left out."""
    for name, line in (("b.jsonl", LINES[1]), ("a/z.jsonl", LINES[0]), ("c/d.jsonl", LINES[2]), (".hidden/x", b"{}")):
        _file(tmp_path, name, line)
    assert _payloads(tmp_path) == LINES


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_half_written_gzip(tmp_path: Path, share: float) -> None:
    """What came before the cut is read, line by line, and the cut is reported."""
    line = b'{"number": %d, "noise": "%x"}'
    packed = gzip.compress(b"\n".join(line % (number, number**9) for number in range(20_000)))
    path = _file(tmp_path, "x.jsonl.gz", packed[: int(len(packed) * share)])
    *messages, cut = captures.read([path])
    assert isinstance(cut, Cut)
    assert cut.source == f"{path}:{len(messages) + 1}"
    assert "ends early" in cut.detail
    assert 20_000 * share * 0.8 < len(messages) < 20_000
    assert messages[-1][1] == line % (len(messages) - 1, (len(messages) - 1) ** 9)


def test_damaged_gzip(tmp_path: Path) -> None:
    """A packed file with damage inside reports it instead of raising."""
    packed = bytearray(gzip.compress(b"\n".join(LINES) * 1000))
    packed[len(packed) // 2 :] = bytes(len(packed) - len(packed) // 2)
    items = list(captures.read([_file(tmp_path, "x.gz", bytes(packed))]))
    assert isinstance(items[-1], Cut)


def test_cut_plain_file(tmp_path: Path) -> None:
    """A half-written last line is a message, for the decoder to refuse."""
    assert _payloads(_file(tmp_path, "x.jsonl", LINES[0] + b"\n" + LINES[1][:5])) == [LINES[0], LINES[1][:5]]


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_empty(tmp_path: Path, content: bytes) -> None:
    """An empty file holds no message."""
    assert list(captures.read([_file(tmp_path, "x", content)])) == []


def test_garbage(tmp_path: Path) -> None:
    """A file of garbage is one message."""
    assert _payloads(_file(tmp_path, "x", b"\x00\xff\n\x01")) == [b"\x00\xff\n\x01"]


@pytest.mark.parametrize("content", [b"x" * 101, b'{"a":1}\n{"' + b"b" * 100, b"{\n" + b"1,\n" * 50])
def test_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Nothing longer than a message may be is held: the file is left there, and that is reported."""
    monkeypatch.setattr(captures, "MOST_BYTES", 100)
    items = list(captures.read([_file(tmp_path, "x", content)]))
    assert isinstance(items[-1], Cut)
    assert "longer than" in items[-1].detail


def test_large_file_streams(tmp_path: Path) -> None:
    """A file of 40 MB is read in a few hundred kilobytes of memory."""
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        for _ in range(400):
            file.write((b'{"x": "' + b"y" * 990 + b'"}\n') * 100)
    tracemalloc.start()
    count = sum(1 for _ in captures.read([path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, peak < 2_000_000) == (40_000, True)


def test_missing(tmp_path: Path) -> None:
    """A path that does not exist is an error before anything is read."""
    path = _file(tmp_path, "x", LINES[0])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        next(captures.read([path, tmp_path / "nowhere"]))


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    """A dash is standard input, packed or not."""
    content = b"\n".join(LINES)
    stream = io.BufferedReader(io.BytesIO(gzip.compress(content) if packed else content))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
    items = list(captures.read(["-"]))
    assert items == [Message(f"stdin:{number}", line) for number, line in enumerate(LINES, 1)]


@cache
def _newlines(count: int) -> bytes:
    """Return a gzip of so many newlines, without holding them."""
    out, pack = io.BytesIO(), zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = b"\n" * 1_000_000
    for _ in range(count // len(chunk)):
        out.write(pack.compress(chunk))
    out.write(pack.flush())
    return out.getvalue()


class _Counting(io.BytesIO):
    """Counts the packed bytes that were asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.taken = 0

    def readinto(self, buffer: Any) -> int:
        found = super().readinto(buffer)
        self.taken += found
        return found


@pytest.mark.parametrize("head", [b"", b"[\n", b"{\n", b"a,b,c\n1,2,3\n", b'{"a": 1}\n'])
def test_shield_08_three_hundred_million_newlines_cost_next_to_nothing(head: bytes) -> None:
    """A file of 290 kB is left where it shows that it holds nothing, whatever it begins with; little of it is unpacked."""
    packed = (gzip.compress(head) if head else b"") + _newlines(300_000_000)
    raw = _Counting(packed)
    found = list(captures._stream("bomb", io.BufferedReader(raw)))  # type: ignore[arg-type]  # its raw end
    assert found[-1].source.startswith("bomb")
    assert isinstance(found[-1], Cut)
    assert found[-1].detail == "more than 100,000 blank lines one after another"
    assert len(found) <= 2
    assert raw.taken <= 2 * 131_072 + 16_384


@pytest.mark.parametrize("line", [b"{}\n", b"x\n", b"[]\n"])
def test_shield_08_an_expansion_that_no_traffic_has_ends_the_reading(tmp_path: Path, line: bytes) -> None:
    """Short lines without end are read as far as is free, then the file is left with the reason."""
    path = _file(tmp_path, "x.jsonl.gz", gzip.compress(line * (40_000_000 // len(line))))
    last, size = None, 0
    for last in captures.read([path]):
        size += len(last.payload) if isinstance(last, Message) else 0
    assert isinstance(last, Cut)
    assert "it expands to more than 400 times its size" in last.detail
    assert size <= captures.FREELY_EXPANDED + 400 * path.stat().st_size


def test_shield_08_repeated_traffic_is_no_bomb(tmp_path: Path) -> None:
    """The same frame of 2 kB again and again, as benchmarks play it, is read whole."""
    frame = json.dumps({"data": hashlib.sha512(b"seed").hexdigest() * 16}).encode() + b"\n"
    path = _file(tmp_path, "x.jsonl.gz", gzip.compress(frame * 20_000))
    assert len(_payloads(path)) == 20_000


def test_shield_08_text_is_read_by_the_same_bounds(tmp_path: Path) -> None:
    """Tables of prices: a mark in front goes, plain and packed are one, and what is no table ends with a reason."""
    assert list(captures.text_lines(_file(tmp_path, "x", b"\xef\xbb\xbfa,b\n1,2"))) == ["a,b\n", "1,2"]
    assert list(captures.text_lines(_file(tmp_path, "x.gz", gzip.compress(b"a,b\n")))) == ["a,b\n"]
    for content, reason in (
        (_newlines(5_000_000), "more than 100,000 blank lines"),
        (gzip.compress(b"a,b\n")[:-9], "the file ends early or is damaged"),
    ):
        with pytest.raises(OSError, match=reason):
            list(captures.text_lines(_file(tmp_path, "bad.gz", content)))


def test_shield_03_a_closed_standard_input_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `<&-` leaves it, before anything else is read."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(FileNotFoundError, match="Standard input is closed"):
        list(captures.read(["-"]))
