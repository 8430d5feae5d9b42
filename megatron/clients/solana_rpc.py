"""Solana by JSON-RPC: any node or provider that speaks it."""

from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, TypeVar

import httpx
import msgspec

from megatron.clients import jsonrpc
from megatron.clients.bounds import possible_slot, possible_time
from megatron.clients.errors import Malformed, NotGiven, Refused, TryLater
from megatron.clients.http import HttpClient, secrets_in
from megatron.clients.ports import UNREAD, Account, Landed, Status, Unread
from megatron.core import chain

COMMITMENT: Final = "confirmed"
NEWEST_VERSION: Final = 1
"""Asked for always: without it a node refuses every transaction that is not of the legacy format."""
MOST_BYTES: Final = 64 << 20
"""The longest reply; a full block is below 20 MB."""
_NULL: Final = b"null"
_NO_ERROR: Final = msgspec.Raw(_NULL)

T = TypeVar("T")


class _Outcome(msgspec.Struct):
    transaction: msgspec.Raw = msgspec.Raw(b"")
    meta: msgspec.Raw = msgspec.Raw(b"")
    """Null when the node has the transaction and not yet its outcome."""


class _Landed(msgspec.Struct, rename="camel"):
    signature: str
    slot: int
    err: msgspec.Raw = _NO_ERROR
    block_time: int | None = None


class _Context(msgspec.Struct):
    slot: int


class _Status(msgspec.Struct, rename="camel"):
    slot: int
    err: msgspec.Raw = _NO_ERROR
    confirmation_status: str | None = None


class _Statuses(msgspec.Struct):
    context: _Context
    value: list[msgspec.Raw]


class _Account(msgspec.Struct):
    owner: str
    data: tuple[str, str]


class _AccountReply(msgspec.Struct):
    context: _Context
    value: _Account | None


class _Balance(msgspec.Struct):
    lamports: int


class _BalancesReply(msgspec.Struct):
    value: list[msgspec.Raw]


_WHO = "solana rpc"
_outcome = msgspec.json.Decoder(_Outcome)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_landed = msgspec.json.Decoder(_Landed)
_statuses = msgspec.json.Decoder(_Statuses)
_status = msgspec.json.Decoder(_Status | None)
_account = msgspec.json.Decoder(_AccountReply)
_balances = msgspec.json.Decoder(_BalancesReply)
_balance = msgspec.json.Decoder(_Balance | None)
_slots = msgspec.json.Decoder(list[int])
_number = msgspec.json.Decoder(int)
_time = msgspec.json.Decoder(int | None)


class _NoBlock(Refused):
    """The slot that was asked for has no block."""


class SolanaRpc:
    """A :class:`~megatron.clients.ports.ChainReader`."""

    def __init__(self, url: str, *, per_second: float, transport: httpx.BaseTransport | None = None) -> None:
        self._http = HttpClient(
            "solana rpc",
            base_url=url,
            per_second=per_second,
            secrets=secrets_in(url),
            most_bytes=MOST_BYTES,
            transport=transport,
        )

    def close(self) -> None:
        """End the connections to the node."""
        self._http.close()

    def get_transaction(self, signature: str) -> bytes | None:
        """Return the transaction's JSON, or ``None`` while the node does not know it, or not what became of it."""
        options = {"encoding": "json", "commitment": COMMITMENT, "maxSupportedTransactionVersion": NEWEST_VERSION}
        result = self._ask("getTransaction", [signature, options])
        if result == _NULL:
            return None
        outcome = _decoded(_outcome, result, "a transaction")
        if bytes(outcome.meta) == _NULL:
            return None
        if not (bytes(outcome.meta) and bytes(outcome.transaction)):
            raise Malformed(f"solana rpc: not a transaction: {result[:100]!r}")
        return result

    def get_block_time(self, slot: int) -> datetime | None:
        """Return the time of ``slot``; ``None`` when it has no block or no time."""
        try:
            result = self._ask("getBlockTime", [slot])
        except _NoBlock:
            return None
        return parse_block_time(result)

    def get_slot(self, *, finalized: bool) -> int:
        """Return the newest slot that is confirmed or finalized."""
        return parse_slot(self._ask("getSlot", [{"commitment": _commitment(finalized)}]))

    def get_signatures(
        self, address: str, *, before: str | None, until: str | None, limit: int, finalized: bool, min_slot: int
    ) -> Sequence[Landed]:
        """Return a page of the transactions of ``address``, newest first. ``TryLater`` from a node before ``min_slot``;
        ``Malformed`` for a page that is longer than ``limit`` or not newest first."""
        asked = {
            "limit": limit,
            "commitment": _commitment(finalized),
            "minContextSlot": min_slot,
            "before": before,
            "until": until,
        }
        options = {name: value for name, value in asked.items() if value is not None}
        page = parse_signatures(self._ask("getSignaturesForAddress", [address, options]))
        if len(page) > limit or any(older.slot > newer.slot for newer, older in pairwise(page)):
            raise Malformed(f"solana rpc: getSignaturesForAddress: {len(page)} items of {limit}, or not newest first")
        return page

    def get_first_slot(self) -> int:
        """Return the oldest slot of which the node still has the block."""
        return parse_slot(self._ask("getFirstAvailableBlock", []))

    def get_statuses(self, signatures: Sequence[str]) -> tuple[int, Sequence[Status | Unread | None]]:
        """Return the slot of the answer and what is known of each signature, the archive included."""
        options = {"searchTransactionHistory": True}
        slot, statuses = parse_statuses(self._ask("getSignatureStatuses", [list(signatures), options]))
        if len(statuses) != len(signatures):
            raise Malformed(f"solana rpc: {len(statuses)} statuses of {len(signatures)} signatures")
        return slot, statuses

    def get_blocks(self, first: int, last: int) -> Sequence[int]:
        """Return the finalized slots with a block in ``[first, last]``. ``TryLater`` from a node before ``last``."""
        options = {"commitment": _commitment(finalized=True), "minContextSlot": last}
        slots = parse_blocks(self._ask("getBlocks", [first, last, options]))
        if slots and not first <= slots[0] <= slots[-1] <= last:
            raise Malformed(f"solana rpc: blocks {slots[0]} to {slots[-1]} for slots {first} to {last}")
        # Not every node heeds minContextSlot here, and one that is behind leaves out the end without a word.
        if (not slots or slots[-1] < last) and (reached := self.get_slot(finalized=True)) < last:
            raise TryLater(f"solana rpc: getBlocks: the node has finalized slot {reached}, not yet {last}")
        return slots

    def get_block(self, slot: int, *, finalized: bool) -> bytes | None:
        """Return a block's JSON with its transactions; ``None`` when the node says that the slot has none. ``NotGiven`` when it
        does not have the block (yet, or any more)."""
        options = {
            "encoding": "json",
            "transactionDetails": "full",
            "rewards": False,
            "maxSupportedTransactionVersion": NEWEST_VERSION,
            "commitment": _commitment(finalized),
        }
        try:
            result = self._ask("getBlock", [slot, options])
        except _NoBlock:
            return None
        if result == _NULL:  # what a node says of a block that is not so far: it may still come
            raise NotGiven(f"solana rpc: getBlock: slot {slot} is not {_commitment(finalized)} yet")
        return result

    def get_account(self, address: str) -> Account | None:
        """Return a finalized account, or ``None`` when it does not exist."""
        options = {"encoding": "base64", "commitment": _commitment(finalized=True)}
        return parse_account(self._ask("getAccountInfo", [address, options]))

    def get_balances(self, addresses: Sequence[str]) -> Sequence[int | Unread | None]:
        """Return the lamports of up to 100 accounts, in their order; ``None`` for one that does not exist."""
        options = {"encoding": "base64", "commitment": COMMITMENT, "dataSlice": {"offset": 0, "length": 0}}
        found = parse_balances(self._ask("getMultipleAccounts", [list(addresses), options]))
        if len(found) != len(addresses):
            raise Malformed(f"solana rpc: {len(found)} balances of {len(addresses)} accounts")
        return found

    def get_program_accounts(self, program: str, options: dict[str, Any]) -> bytes:
        """Return the accounts of ``program`` that ``options`` select, as the JSON that ``getProgramAccounts`` gives."""
        return self._ask("getProgramAccounts", [program, options])

    def _ask(self, method: str, params: list[Any]) -> bytes:
        body = self._http.read("POST", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        told = f"solana rpc: {method}"
        reply = jsonrpc.parse_reply(body, told)
        if reply.error is not None and reply.error.code in jsonrpc.NO_BLOCK:
            raise _NoBlock(f"{told}: {reply.error.code} {reply.error.message}")
        if reply.error is not None and reply.error.code in jsonrpc.NOT_GIVEN and method == "getBlock":
            raise NotGiven(f"{told}: {reply.error.code} {reply.error.message}")
        return jsonrpc.result_of(reply, body, told)


def parse_block_time(result: bytes) -> datetime | None:
    """Return the time in a ``getBlockTime`` result: seconds since 1970, or null. Raises ``Malformed``."""
    return _moment(_decoded(_time, result, "a block time"))


def parse_slot(result: bytes) -> int:
    """Return the slot in a ``getSlot`` result. Raises ``Malformed``."""
    return possible_slot(_decoded(_number, result, "a slot"), who=_WHO)


def parse_signatures(result: bytes) -> list[Landed]:
    """Return what a ``getSignaturesForAddress`` result lists, in its order.

    An item that cannot be read harms only itself: it is there, unread, at the slot of the older one that follows it. Unread
    ones at the end are left out: they come again before the last one that was read. Raises ``Malformed`` where none can be.
    """
    items = [bytes(item) for item in _decoded(_items, result, "signatures")]
    found: list[Landed] = []
    for item in reversed(items):
        try:
            found.append(_parse_landed(item))
        except Malformed:
            if found:
                found.append(Landed("", found[-1].slot, failed=False, block_time=None, is_read=False))
    if items and not found:
        raise Malformed(f"solana rpc: none of {len(items)} signatures can be read: {result[:100]!r}")
    return found[::-1]


def _parse_landed(item: bytes) -> Landed:
    read = _decoded(_landed, item, "a signature")
    return Landed(
        signature=_signature(read.signature),
        slot=possible_slot(read.slot, who=_WHO),
        failed=read.err != _NO_ERROR,
        block_time=_moment(read.block_time),
    )


def parse_statuses(result: bytes) -> tuple[int, list[Status | Unread | None]]:
    """Return the slot and the items of a ``getSignatureStatuses`` result. Raises ``Malformed``."""
    reply = _decoded(_statuses, result, "statuses")
    return possible_slot(reply.context.slot, who=_WHO), [_parse_status(bytes(item)) for item in reply.value]


def _parse_status(item: bytes) -> Status | Unread | None:
    try:
        read = _decoded(_status, item, "a status")
        if read is None:
            return None
        is_final = read.confirmation_status == "finalized"
        return Status(slot=possible_slot(read.slot, who=_WHO), failed=read.err != _NO_ERROR, finalized=is_final)
    except Malformed:
        return UNREAD


def parse_blocks(result: bytes) -> list[int]:
    """Return the slots of a ``getBlocks`` result, ascending. Raises ``Malformed``, also for others than ascending ones."""
    slots = _decoded(_slots, result, "slots")
    if any(following <= slot for slot, following in pairwise(slots)):
        raise Malformed("solana rpc: getBlocks lists slots that do not ascend")
    return slots


def parse_account(result: bytes) -> Account | None:
    """Return the account in a ``getAccountInfo`` result in base64; ``None`` for none. Raises ``Malformed``."""
    reply = _decoded(_account, result, "an account")
    if reply.value is None:
        return None
    text, encoding = reply.value.data
    try:
        content = a2b_base64(text, strict_mode=True)
    except BadBase64 as error:
        raise Malformed(f"solana rpc: an account's data is not base64: {error}") from error
    if encoding != "base64":
        raise Malformed(f"solana rpc: an account's data is {encoding[:20]!r}, not base64")
    return Account(slot=possible_slot(reply.context.slot, who=_WHO), owner=reply.value.owner, data=content)


def parse_balances(result: bytes) -> list[int | Unread | None]:
    """Return the lamports in a ``getMultipleAccounts`` result, in its order; ``None`` for no account. Raises
    ``Malformed``."""
    return [_parse_balance(bytes(item)) for item in _decoded(_balances, result, "accounts").value]


def _parse_balance(item: bytes) -> int | Unread | None:
    try:
        read = _decoded(_balance, item, "an account")
        return None if read is None else _natural(read.lamports, item)
    except Malformed:
        return UNREAD


def _commitment(finalized: bool) -> str:
    return "finalized" if finalized else COMMITMENT


def _decoded(decoder: msgspec.json.Decoder[T], result: bytes, wanted: str) -> T:
    try:
        return decoder.decode(result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"solana rpc: not {wanted}: {error}: {result[:100]!r}") from error


def _natural(number: int, result: bytes) -> int:
    if number < 0:
        raise Malformed(f"solana rpc: a negative number: {result[:100]!r}")
    return number


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else possible_time(seconds, who=_WHO)


def _signature(text: str) -> str:
    if not chain.is_signature(text):
        raise Malformed(f"{_WHO}: no signature: {text[:100]!r}")
    return text
