"""The ordinary way to decode Anchor events, as a baseline: the IDL is interpreted field by field, as anchorpy does.

It reads the log with the standard library's JSON, follows the invoke stack, and reads what each field's type says.
It does less than what it is compared with: no reserves before the trade, no fees by name, no places.
"""

import base64
import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from solders.pubkey import Pubkey

from tests import recordings
from tokens.domain.programs import PROGRAMS

_INVOKE = re.compile(r"Program (\w+) invoke \[\d+\]")
_ENDED = re.compile(r"Program \w+ (success|failed.*)$")


class Field:
    """One type of the IDL, which reads itself from a stream."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def parse(self, stream: io.BytesIO) -> Any:
        """Return the next value of this type."""
        return _READERS.get(self.kind, _unknown)(stream)


class Struct:
    """A structure of named fields."""

    def __init__(self, fields: list[str]) -> None:
        self.fields = [(name, Field(kind)) for name, _, kind in (field.partition(":") for field in fields)]

    def parse(self, stream: io.BytesIO) -> dict[str, Any]:
        """Return the fields that the stream still has."""
        end = len(stream.getbuffer())
        values: dict[str, Any] = {}
        for name, field in self.fields:
            if stream.tell() >= end:
                break
            values[name] = field.parse(stream)
        return values


def _number(code: str) -> Callable[[io.BytesIO], int]:
    size = struct.calcsize(code)
    return lambda stream: struct.unpack(code, stream.read(size))[0]


def _text(stream: io.BytesIO) -> str:
    return stream.read(_READERS["u32"](stream)).decode()


def _unknown(stream: io.BytesIO) -> bytes:
    return stream.read()


def _shareholders(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [SHAREHOLDER.parse(stream) for _ in range(_READERS["u32"](stream))]


_READERS: dict[str, Callable[[io.BytesIO], Any]] = {
    "u8": _number("<B"),
    "u16": _number("<H"),
    "u32": _number("<I"),
    "u64": _number("<Q"),
    "i64": _number("<q"),
    "bool": lambda stream: bool(stream.read(1)[0]),
    "pubkey": lambda stream: Pubkey.from_bytes(stream.read(32)),
    "i128": lambda stream: int.from_bytes(stream.read(16), "little", signed=True),
    "string": _text,
    "vec<Shareholder>": _shareholders,
}
SHAREHOLDER = Struct(["address:pubkey", "share_bps:u16"])


def layouts() -> dict[tuple[str, bytes], tuple[str, Struct]]:
    """Return the structures of the newest published IDLs by program and discriminator."""
    idl = recordings.loaded("idl/events.json")
    return {
        (address, bytes.fromhex(event["discriminator"])): (name, Struct(event["fields"]))
        for address, program in PROGRAMS.items()
        for name, event in idl[program.value].items()
    }


LAYOUTS = layouts()


def events(lines: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names and fields of the events in a log."""
    stack: list[str] = []
    for line in lines:
        if (called := _INVOKE.match(line)) is not None:
            stack.append(called[1])
        elif _ENDED.match(line) is not None:
            stack.pop()
        elif line.startswith("Program data: ") and stack:
            data = base64.b64decode(line[14:])
            found = LAYOUTS.get((stack[-1], data[:8]))
            if found is not None:
                name, layout = found
                yield name, layout.parse(io.BytesIO(data[8:]))


def from_frame(raw: bytes) -> int:
    """Return how many events a log frame holds."""
    value = json.loads(raw)["params"]["result"]["value"]
    return 0 if value["err"] else sum(1 for _ in events(value["logs"]))


def from_transaction(raw: bytes) -> int:
    """Return how many events a transaction holds."""
    document = json.loads(raw)
    meta = document.get("result", document)["meta"]
    return 0 if meta["err"] else sum(1 for _ in events(meta["logMessages"]))
