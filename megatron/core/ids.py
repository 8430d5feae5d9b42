"""Identifiers. A fact that the chain names always gets the same id, whoever stores it and whenever.

Three kinds: :func:`new_id` for things we invent, :func:`derived_id` for things the chain names (a mint, a pool) and
:func:`event_id` for things that happen. The last one carries the time: an insert lands at the right edge of the index,
and the id alone says which chunk holds the row. PostgreSQL has the same function, ``event_id(timestamptz, text)``.
"""

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

_NAMESPACE = UUID("6d656761-7472-5f6e-8000-6d6567617472")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def derived_id(*parts: str) -> UUID:
    """Return the UUIDv5 of ``parts``: the same names always give the same id."""
    return uuid5(_NAMESPACE, ":".join(parts))


def event_id_hex(milliseconds: int, name: str) -> str:
    """Return :func:`event_id` as 32 hexadecimal digits, for bulk writers that never build a :class:`UUID`."""
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{milliseconds:012x}8{digest[13:16]}8{digest[17:]}"


def event_id(at: datetime, *parts: object) -> UUID:
    """Return the UUIDv8 of something that happened: 48 bits of ``at`` in milliseconds, 72 bits of a hash of ``parts``.

    Raises ``ValueError`` for a time before 1970, which no chain event has.
    """
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    if milliseconds < 0:
        raise ValueError(f"An event cannot happen before 1970: {at.isoformat()}")
    return UUID(event_id_hex(milliseconds, ":".join(map(str, parts))))


def first_id(at: datetime) -> UUID:
    """Return the lowest id that something of ``at`` or later can have: ids from here on are a window of time by the key."""
    return UUID(int=-((_EPOCH - at) // timedelta(milliseconds=1)) << 80)


def time_of(identifier: UUID) -> datetime:
    """Return the millisecond that an :func:`event_id` or :func:`new_id` carries."""
    return _EPOCH + timedelta(milliseconds=identifier.int >> 80)
