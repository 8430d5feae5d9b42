"""JSON-RPC as Solana's nodes speak it: what a reply is, and what its error codes ask of us.

Error codes: ``@solana/errors`` 6.10.0. Some providers reuse codes for their rate limits, so the message counts too.
"""

import re
from typing import Final

import msgspec

from megatron.clients.errors import Malformed, Refused, TryLater

NO_BLOCK: Final = frozenset({-32007, -32009})
"""SlotSkipped, LongTermStorageSlotSkipped: the slot has no block, or the node lacks it ("missing due to ledger jump")."""

NOT_GIVEN: Final = frozenset({-32001, -32004, -32014})
"""BlockCleanedUp, BlockNotAvailable, BlockStatusNotAvailableYet: the node does not have the block, whatever the chain has."""

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

_PASSING_WORDS: Final = re.compile(r"rate.?limit|too.?many.?requests|node is behind|try again later", re.IGNORECASE)
_FIRST_WORDS: Final = 2_000


class Error(msgspec.Struct):
    """What went wrong over there."""

    code: int
    message: str = ""


class Reply(msgspec.Struct):
    """A reply; the result is left as it came, and empty where there is none. ``id`` is ``None`` in notifications, which have a
    method instead."""

    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: Error | None = None
    method: str | None = None


_decoder = msgspec.json.Decoder(Reply)


def parse_reply(raw: bytes, told: str) -> Reply:
    """Return the reply in ``raw``. Raises ``Malformed``, saying ``told``, or ``TryLater`` for a rate limit of another form."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise odd_reply(raw, f"{told} was not answered in JSON-RPC: {error}") from error


def result_of(reply: Reply, raw: bytes, told: str) -> bytes:
    """Return the result as it came in ``raw``: ``null`` only where the other side says null.

    Raises what an error in its place asks of us, and ``Malformed`` for a reply that has neither.
    """
    if reply.error is not None:
        raise refusal(reply.error, told)
    if not bytes(reply.result):
        raise odd_reply(raw, f"{told} was answered with neither a result nor an error: {raw[:100]!r}")
    return bytes(reply.result)


def odd_reply(raw: bytes, told: str) -> TryLater | Malformed:
    """Return the error of ours for a reply of a form that was not agreed: one that speaks of a rate limit passes."""
    return TryLater(told) if sounds_passing(raw[:_FIRST_WORDS].decode("utf-8", "replace")) else Malformed(told)


def refusal(error: Error, told: str) -> TryLater | Refused:
    """Return the error of ours that a reply's ``error`` is, saying ``told``."""
    told = f"{told}: {error.code} {error.message}"
    return TryLater(told) if error.code in PASSING or sounds_passing(error.message) else Refused(told)


def sounds_passing(message: str) -> bool:
    """Say whether a refusal is one that passes, by its words."""
    return _PASSING_WORDS.search(message) is not None
