"""Replies in JSON that say 200: an error in the place of data, and lists of which one item has another shape."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.jsonrpc import sounds_passing

T = TypeVar("T")
K = TypeVar("K")

_NOT_READ = (Malformed, msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, OSError, RecursionError)
_MOST_TOLD = 300


class _Error(msgspec.Struct, rename={"status_code": "statusCode"}):
    error: Any = None
    errors: Any = None
    message: Any = None
    code: Any = None
    status: Any = None
    status_code: Any = None


_error = msgspec.json.Decoder(_Error)


def refuse_error(body: bytes, told: str) -> None:
    """Raise what an error in the place of data asks of us, saying ``told``: ``TryLater`` for a limit or a failure over there,
    else ``Refused``. Returns for a body that is no object or names no error."""
    try:
        found = _error.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    codes = [one for one in (found.code, found.status, found.status_code) if type(one) is int and one >= 400]
    if found.error or found.errors or found.message or codes:
        words = f"{told}: an error that says 200: {body[:_MOST_TOLD].decode('utf-8', 'replace')}"
        is_passing = sounds_passing(words) or any(one == 429 or 500 <= one < 600 for one in codes)
        raise TryLater(words) if is_passing else Refused(words)


def read_each(items: Mapping[K, msgspec.Raw], read: Callable[[bytes], T], told: str) -> dict[K, T]:
    """Return what can be read of a reply's items; one that cannot harms only itself. Raises ``Malformed``, saying ``told``, where
    none can."""
    found: dict[K, T] = {}
    failure: Exception | None = None
    for key, item in items.items():
        try:
            found[key] = read(bytes(item))
        except _NOT_READ as error:
            failure = failure or error
    if failure is not None and not found:
        raise Malformed(f"{told}: {failure}") from failure
    return found


def read_all(items: Iterable[msgspec.Raw], read: Callable[[bytes], T], told: str) -> list[T]:
    """Return what can be read of a list, in its order, like :func:`read_each`."""
    return list(read_each(dict(enumerate(items)), read, told).values())
