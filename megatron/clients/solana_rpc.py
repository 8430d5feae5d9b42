"""Solana by JSON-RPC: any node or provider that speaks it.

Error codes: ``@solana/errors`` 6.10.0. Some providers reuse codes for their rate limits, so the message counts too.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.http import HttpClient

COMMITMENT = "confirmed"
NEWEST_VERSION = 1
"""Asked for always: without it a node refuses every transaction that is not of the legacy format."""

NO_BLOCK = frozenset({-32007, -32009})
"""SlotSkipped, LongTermStorageSlotSkipped: the slot has no block."""

PASSING = {
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


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class _Reply(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class _NoBlock(Exception):
    """The slot that was asked for has no block."""


class SolanaRpc:
    """A :class:`~megatron.clients.ports.ChainReader`."""

    def __init__(self, url: str, *, per_second: float, transport: httpx.BaseTransport | None = None) -> None:
        # Providers put the key into the path, the query or the user part of the address.
        parts = urlsplit(url)
        secrets = [part for part in (parts.path.strip("/"), parts.query, parts.password or "") if part]
        self._http = HttpClient("solana rpc", base_url=url, per_second=per_second, secrets=secrets, transport=transport)

    def get_transaction(self, signature: str) -> bytes | None:
        """Return the transaction's JSON, or ``None`` while the node does not know it."""
        options = {"encoding": "json", "commitment": COMMITMENT, "maxSupportedTransactionVersion": NEWEST_VERSION}
        result = bytes(self._ask("getTransaction", [signature, options]))
        return None if result == b"null" else result

    def get_block_time(self, slot: int) -> datetime | None:
        """Return the time of ``slot``; ``None`` when it has no block or no time."""
        try:
            result = self._ask("getBlockTime", [slot])
        except _NoBlock:
            return None
        return parse_block_time(bytes(result))

    def _ask(self, method: str, params: list[Any]) -> msgspec.Raw:
        body = self._http.read("POST", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            reply = msgspec.json.decode(body, type=_Reply)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Malformed(f"solana rpc: {method} was not answered in JSON-RPC: {error}") from error
        if reply.error is None:
            return reply.result
        code, told = reply.error.code, f"solana rpc: {method}: {reply.error.code} {reply.error.message}"
        if code in NO_BLOCK:
            raise _NoBlock(told)
        if code in PASSING or "rate limit" in reply.error.message.lower():
            raise TryLater(told)
        raise Refused(told)


def parse_block_time(result: bytes) -> datetime | None:
    """Return the time in a ``getBlockTime`` result: seconds since 1970, or null. Raises ``Malformed``."""
    try:
        seconds = msgspec.json.decode(result, type=int | None)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (msgspec.DecodeError, ValueError, OverflowError, OSError) as error:
        raise Malformed(f"solana rpc: not a block time: {result[:100]!r}") from error
