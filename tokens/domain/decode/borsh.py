"""Reads Borsh structures by tables of fields, as programs lay them out and as they grow: by appending.

A table is text, ``"mint:pubkey sol_amount:u64 …"``. Fields missing at the end of the bytes are absent, bytes after the
last known field are counted, and bytes that end inside a field are refused.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from struct import Struct
from typing import Any, Final

from tokens.domain.decode.results import Undecodable
from tokens.domain.programs import address

_CODES: Final = {
    "u8": "B",
    "bool": "B",
    "u16": "H",
    "u32": "I",
    "u64": "Q",
    "i64": "q",
    "u128": "16s",
    "i128": "16s",
    "pubkey": "32s",
    "pubkey*7": "224s",
    "pubkey*8": "256s",
}
_MOST_STRING: Final = 10_240  # bytes; a log line cannot carry more
_MOST_ITEMS: Final = 256


def _addresses(packed: bytes) -> list[str]:
    return [address(packed[at : at + 32]) for at in range(0, len(packed), 32)]


_FIXES: Final[dict[str, Callable[[Any], Any]]] = {
    "bool": (False, True).__getitem__,
    "pubkey": address,
    "pubkey*7": _addresses,
    "pubkey*8": _addresses,
    "u128": lambda packed: int.from_bytes(packed, "little"),
    "i128": lambda packed: int.from_bytes(packed, "little", signed=True),
}

Reader = Callable[[bytes, int], tuple[Any, int]]


def _length(data: bytes, at: int, most: int) -> int:
    if at + 4 > len(data):
        raise Undecodable("bad_event", "ends inside a length")
    length = int.from_bytes(data[at : at + 4], "little")
    if length > most:
        raise Undecodable("bad_event", f"holds a length of {length}")
    return length


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _length(data, at, _MOST_STRING)
    if end > len(data):
        raise Undecodable("bad_event", "ends inside a text")
    return data[at + 4 : end].decode("utf-8", "replace"), end


def _shareholders(data: bytes, at: int) -> tuple[list[dict[str, Any]], int]:
    count = _length(data, at, _MOST_ITEMS)
    start, end = at + 4, at + 4 + 34 * count
    if end > len(data):
        raise Undecodable("bad_event", "ends inside the shareholders")
    return [
        {"address": address(data[i : i + 32]), "share_bps": int.from_bytes(data[i + 32 : i + 34], "little")}
        for i in range(start, end, 34)
    ], end


class _Run:
    """Fields of fixed size in a row, read with one unpacking; ``shorter`` are its beginnings, by size."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self.names = tuple(name for name, _ in fields)
        self.struct = Struct("<" + "".join(_CODES[kind] for _, kind in fields))
        self.fixes = [(i, _FIXES[kind]) for i, (_, kind) in enumerate(fields) if kind in _FIXES]
        self.shorter: dict[int, _Run] = {}

    def read(self, data: bytes, at: int, into: dict[str, Any]) -> int:
        if len(data) - at < self.struct.size:
            shorter = self.shorter.get(len(data) - at)
            if shorter is None:
                raise Undecodable("bad_event", "ends inside a field")
            return shorter.read(data, at, into)
        values = list(self.struct.unpack_from(data, at))
        for i, fix in self.fixes:
            values[i] = fix(values[i])
        into.update(zip(self.names, values, strict=True))
        return at + self.struct.size


class _Variable:
    """One field that says its own length."""

    def __init__(self, name: str, reader: Reader) -> None:
        self.name, self.reader = name, reader

    def read(self, data: bytes, at: int, into: dict[str, Any]) -> int:
        into[self.name], end = self.reader(data, at)
        return end


class Layout:
    """The fields of one event. ``required`` counts those of the oldest version that was ever emitted."""

    def __init__(self, name: str, fields: str, *, required: int = 0, readers: dict[str, Reader] | None = None) -> None:
        self.name = name
        self.fields = tuple((field, kind) for field, _, kind in (item.partition(":") for item in fields.split()))
        self.required = required or len(self.fields)
        variable: dict[str, Reader] = {"string": _string, "shareholders": _shareholders, **(readers or {})}
        self._parts: list[_Run | _Variable] = []
        for fixed, group in groupby(self.fields, key=lambda field: field[1] in _CODES):
            members = list(group)
            if fixed:
                run = _Run(members)
                beginnings = (_Run(members[:count]) for count in range(1, len(members)))
                run.shorter = {beginning.struct.size: beginning for beginning in beginnings}
                self._parts.append(run)
            else:
                self._parts.extend(_Variable(field, variable[kind]) for field, kind in members)

    def read(self, data: bytes, at: int = 8) -> tuple[dict[str, Any], int]:
        """Return the fields from ``at`` on and the number of bytes after the last known one.

        Raises :class:`Undecodable` when the bytes end inside a field or before the oldest version's last field.
        """
        fields: dict[str, Any] = {}
        end = len(data)
        try:
            for part in self._parts:
                if at >= end:
                    break
                at = part.read(data, at, fields)
        except IndexError:
            raise Undecodable("bad_event", f"{self.name} of {end} bytes holds neither yes nor no") from None
        except Undecodable as refusal:
            raise Undecodable(refusal.reason, f"{self.name} of {end} bytes {refusal.detail}") from None
        if len(fields) < self.required:
            raise Undecodable("bad_event", f"{self.name} of {end} bytes has only {len(fields)} fields")
        return fields, end - at
