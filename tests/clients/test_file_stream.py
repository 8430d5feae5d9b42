"""Recorded traffic as a stream."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
import structlog

from megatron.clients.file_stream import FileStream
from megatron.clients.ports import Frame, Lost
from tests.clients.loopback import kinds

PROGRAM = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Three messages in two files."""
    (tmp_path / "a.jsonl").write_bytes(b'{"a":1}\n{"b":2}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"c":3}\n')
    return tmp_path


def heard(stream: FileStream, stop: Event | None = None) -> list[Any]:
    return list(stream.listen(program=PROGRAM, stop=stop or Event()))


def test_files_are_played_once(capture: Path) -> None:
    """One opening, each message in its order, and the end."""
    items = heard(FileStream([capture]))
    assert kinds(items) == ["Opened", "Frame", "Frame", "Frame", "Lost"]
    assert [item.payload for item in items[1:-1]] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert items[-1].reason == "end of file"


def test_it_plays_at_a_speed(capture: Path) -> None:
    """Evenly; a reader who was away for a frame's time is not made to wait for it again."""
    seconds, waited = [0.0], []

    def pause(stop: Event, wait: float) -> None:
        waited.append(wait)
        seconds[0] += wait

    stream = FileStream([capture], per_second=4, pause=pause, now=lambda: seconds[0])
    for item in stream.listen(program=PROGRAM, stop=Event()):
        if isinstance(item, Frame) and item.payload == b'{"b":2}':
            seconds[0] += 0.125
    assert waited == [0.25, 0.125, 0.25]


def test_stop_ends_it(capture: Path) -> None:
    """What was not played is not."""
    stop, items = Event(), []
    for item in FileStream([capture]).listen(program=PROGRAM, stop=stop):
        items.append(item)
        if isinstance(item, Frame):
            stop.set()
    assert kinds(items) == ["Opened", "Frame", "Lost"]
    assert isinstance(items[-1], Lost)
    assert items[-1].reason == "stopped"


def test_damage_is_left_out_and_told(tmp_path: Path) -> None:
    """The rest is played all the same."""
    (tmp_path / "a.jsonl.gz").write_bytes(b"\x1f\x8b\x08damaged")
    (tmp_path / "b.jsonl").write_bytes(b'{"c":3}\n')
    with structlog.testing.capture_logs() as lines:
        items = heard(FileStream([tmp_path]))
    assert kinds(items) == ["Opened", "Frame", "Lost"]
    assert [line["event"] for line in lines] == ["file.cut"]


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    """Before anything is played."""
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        FileStream([tmp_path / "missing.jsonl"])
