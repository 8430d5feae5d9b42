"""The usual way to decode Anchor events, as a baseline: structures of the construct library, built from the IDL.

Anchorpy stands on the same library. It reads the log with the standard library's JSON, follows the invoke stack, and does
less than what it is compared with: no reserves before the trade, no fees by name, no places, no addresses as text.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import construct
from solders.pubkey import Pubkey

from tests import recordings
from tokens.domain.programs import PROGRAMS

_INVOKE = re.compile(r"Program (\w+) invoke \[\d+\]")
_ENDED = re.compile(r"Program \w+ (success|failed.*)$")


_TYPES = {
    "u8": construct.Int8ul,
    "u16": construct.Int16ul,
    "u64": construct.Int64ul,
    "i64": construct.Int64sl,
    "bool": construct.Flag,
    "pubkey": construct.ExprAdapter(
        construct.Bytes(32), lambda key, _: Pubkey.from_bytes(key), lambda key, _: bytes(key)
    ),
    "i128": construct.BytesInteger(16, signed=True, swapped=True),
    "string": construct.PascalString(construct.Int32ul, "utf8"),
}
_TYPES["vec<Shareholder>"] = construct.PrefixedArray(
    construct.Int32ul, construct.Struct("address" / _TYPES["pubkey"], "share_bps" / construct.Int16ul)
)


class Layout:
    """An event's fields. Events grew by appending, so a structure is kept for each length that was met."""

    def __init__(self, fields: list[str]) -> None:
        parts = (field.partition(":") for field in fields)
        self.fields = [name / _TYPES.get(kind, _TYPES["u8"]) for name, _, kind in parts]
        self.by_length: dict[int, construct.Struct] = {}

    def parse(self, data: bytes) -> construct.Container:
        """Return the fields that the bytes hold."""
        if len(data) not in self.by_length:
            self.by_length[len(data)] = self._longest(data)
        return self.by_length[len(data)].parse(data)

    def _longest(self, data: bytes) -> construct.Struct:
        for count in range(len(self.fields), 0, -1):
            layout = construct.Struct(*self.fields[:count])
            try:
                layout.parse(data)
            except construct.ConstructError:
                continue
            return layout
        raise ValueError("not even the first field fits")


def layouts() -> dict[tuple[str, bytes], tuple[str, Layout]]:
    """Return the structures of the newest published IDLs by program and discriminator."""
    idl = recordings.loaded("idl/events.json")
    return {
        (address, bytes.fromhex(event["discriminator"])): (name, Layout(event["fields"]))
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
