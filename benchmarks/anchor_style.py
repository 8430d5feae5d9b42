"""The ordinary way to decode Anchor events, as a baseline: the IDL is interpreted field by field, as anchorpy does.

It reads the log with the standard library's JSON, follows the invoke stack, and parses with small objects for types
and fields that pass a stream, a context and a path to each other: the design of construct, on which anchorpy stands
(construct itself is slower still). It does less than what it is compared with: no reserves before the trade, no fees by
name, no places, no addresses as text.
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


class Container(dict[str, Any]):
    """What a structure parses to: a dictionary whose keys are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        """Return a member."""
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a member."""
        self[name] = value


class Construct:
    """A type that parses itself from a stream; ``context`` holds what was parsed, ``path`` says where it is."""

    name: str | None = None

    def parse(self, data: bytes) -> Any:
        """Return the value that the bytes hold."""
        context = Container(_parsing=True, _building=False, _params=Container())
        return self.parse_stream(io.BytesIO(data), context, "(parsing)")

    def parse_stream(self, stream: io.BytesIO, context: Container, path: str) -> Any:
        """Return the next value of this type."""
        raise NotImplementedError


class Renamed(Construct):
    """A field: a type with a name."""

    def __init__(self, name: str, of: Construct) -> None:
        self.name, self.of = name, of

    def parse_stream(self, stream: io.BytesIO, context: Container, path: str) -> Any:
        """Return the field's value."""
        return self.of.parse_stream(stream, context, f"{path} -> {self.name}")


class Format(Construct):
    """A number of fixed size."""

    def __init__(self, code: str) -> None:
        self.code, self.size = code, struct.calcsize(code)

    def parse_stream(self, stream: io.BytesIO, context: Container, path: str) -> Any:
        """Return the next number; what was parsed before does not matter to it."""
        return struct.unpack(self.code, _read(stream, self.size, path))[0]


class Adapter(Construct):
    """A type that is made from another."""

    def __init__(self, of: Construct, decode: Callable[[Any], Any]) -> None:
        self.of, self.decode = of, decode

    def parse_stream(self, stream: io.BytesIO, context: Container, path: str) -> Any:
        """Return the next value, converted."""
        return self.decode(self.of.parse_stream(stream, context, path))


class Prefixed(Construct):
    """Bytes, or values of a type, after their number."""

    def __init__(self, of: Construct | None = None) -> None:
        self.count, self.of = Format("<I"), of

    def parse_stream(self, stream: io.BytesIO, context: Container, path: str) -> Any:
        """Return the bytes or the list of values."""
        count = self.count.parse_stream(stream, context, path)
        if self.of is None:
            return _read(stream, count, path)
        return [self.of.parse_stream(stream, context, path) for _ in range(count)]


class Struct(Construct):
    """Fields in a row."""

    def __init__(self, fields: list[str]) -> None:
        parts = (field.partition(":") for field in fields)
        self.fields = [Renamed(name, _TYPES.get(kind, _TYPES["u8"])) for name, _, kind in parts]

    def parse_stream(self, stream: io.BytesIO, context: Container, path: str) -> Container:
        """Return the fields that the stream still has."""
        values = Container(_io=stream)
        context = Container(_=context, _io=stream, _parsing=True, _subcons=self.fields, _root=context.get("_root"))
        end = len(stream.getbuffer())
        for field in self.fields:
            if stream.tell() >= end:
                break
            value = field.parse_stream(stream, context, path)
            values[str(field.name)] = context[str(field.name)] = value
        return values


def _read(stream: io.BytesIO, size: int, path: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError(f"{path}: wanted {size} bytes, found {len(data)}")
    return data


_TYPES: dict[str, Construct] = {
    "u8": Format("<B"),
    "u16": Format("<H"),
    "u64": Format("<Q"),
    "i64": Format("<q"),
    "bool": Adapter(Format("<B"), bool),
    "pubkey": Adapter(Format("32s"), Pubkey.from_bytes),
    "i128": Adapter(Format("16s"), lambda packed: int.from_bytes(packed, "little", signed=True)),
    "string": Adapter(Prefixed(), bytes.decode),
}
_TYPES["vec<Shareholder>"] = Prefixed(Struct(["address:pubkey", "share_bps:u16"]))


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
                yield name, layout.parse(data[8:])


def from_frame(raw: bytes) -> int:
    """Return how many events a log frame holds."""
    value = json.loads(raw)["params"]["result"]["value"]
    return 0 if value["err"] else sum(1 for _ in events(value["logs"]))


def from_transaction(raw: bytes) -> int:
    """Return how many events a transaction holds."""
    document = json.loads(raw)
    meta = document.get("result", document)["meta"]
    return 0 if meta["err"] else sum(1 for _ in events(meta["logMessages"]))
