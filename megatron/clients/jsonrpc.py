"""JSON-RPC as Solana's nodes speak it: what a reply is, and what its error codes ask of us.

Error codes: ``@solana/errors`` 6.10.0. Some providers reuse codes for their rate limits, so the message counts too.
"""

import re
from typing import Final

import msgspec

from megatron.clients.errors import Malformed, Refused, TryLater

NO_BLOCK: Final = frozenset({-32007, -32009})
"""SlotSkipped, LongTermStorageSlotSkipped: the slot has no block."""

PASSING: Final = {
    -32603: "internal error (also: an overloaded index)",
    -32004: "the block is not available yet",
    -32005: "the node is behind, or a rate limit",
    -32014: "the block's status is not available yet",
    -32016: "the node has not reached the slot",
    -32019: "the long-term storage does not answer",
    -32029: "a rate limit",
    -32429: "a rate limit",
    429: "a rate limit",
}
"""Codes after which the same question may be asked again. Every other one is refused for good."""

_PASSING_WORDS: Final = re.compile(r"rate limit|too many requests|node is behind", re.IGNORECASE)


class Error(msgspec.Struct):
    """What went wrong over there."""

    code: int
    message: str = ""


class Reply(msgspec.Struct):
    """A reply; the result is left as it came. ``id`` is ``None`` in notifications, which have a method instead."""

    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Error | None = None
    method: str | None = None


_decoder = msgspec.json.Decoder(Reply)


def parse_reply(raw: bytes, told: str) -> Reply:
    """Return the reply in ``raw``. Raises ``Malformed``, saying ``told``."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"{told} was not answered in JSON-RPC: {error}") from error


def refusal(error: Error, told: str) -> TryLater | Refused:
    """Return the error of ours that a reply's ``error`` is, saying ``told``."""
    told = f"{told}: {error.code} {error.message}"
    return TryLater(told) if error.code in PASSING or sounds_passing(error.message) else Refused(told)


def sounds_passing(message: str) -> bool:
    """Say whether a refusal is one that passes, by its words."""
    return _PASSING_WORDS.search(message) is not None
