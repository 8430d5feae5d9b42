"""Who holds a mint, by the one call that every node with account indexes answers: the whole list at once."""

from typing import Any, Final, Protocol, TypeVar

import msgspec

from megatron.clients import costs
from megatron.clients.bounds import possible_slot
from megatron.clients.errors import Malformed, TryLater
from megatron.clients.ports import HeldAccount, HolderList
from megatron.clients.token_accounts import ACCOUNT_SLICE, TOKEN_PROGRAMS, Gathered, filters_of, parse_slice

METHOD: Final = "getProgramAccounts"

T = TypeVar("T")


class _Data(msgspec.Struct):
    data: tuple[str, str]


class _Item(msgspec.Struct):
    pubkey: str
    account: _Data


class _Context(msgspec.Struct):
    slot: int


class _Reply(msgspec.Struct):
    context: _Context
    value: list[msgspec.Raw]


_reply = msgspec.json.Decoder(_Reply)
_item = msgspec.json.Decoder(_Item)


class Node(Protocol):
    """What lists a program's accounts."""

    def get_program_accounts(self, program: str, options: dict[str, Any]) -> bytes:
        """Return the result of ``getProgramAccounts`` as JSON."""
        ...


class SolanaHolders:
    """A :class:`~megatron.clients.ports.HolderSource` of ``getProgramAccounts``. Public nodes refuse it for large mints."""

    origin = "solana_rpc"

    def __init__(self, node: Node, *, provider: str = "solana rpc") -> None:
        self._node = node
        self._credits = costs.credits_of(provider, METHOD)

    def get_holders(self, mint: str, *, program: str | None, most: int, min_slot: int) -> HolderList:  # noqa: ARG002  # the port asks
        """Return all accounts with a balance; the call has no pages, so ``most`` is not heeded."""
        accounts: list[HeldAccount] = []
        slots: list[int] = []
        missing = ""
        programs = [program] if program else TOKEN_PROGRAMS
        for asked in programs:
            reply = _decoded(_reply, self._node.get_program_accounts(asked, _options(asked, mint, min_slot)))
            slots.append(possible_slot(reply.context.slot, who="solana rpc"))
            found = Gathered(METHOD, most_pages=1)
            found.add(reply.value, None, _held)
            accounts += [held for held in found.accounts.values() if held.raw]
            missing = missing or found.missing
        if min(slots) < min_slot:  # not every node heeds minContextSlot here
            raise TryLater(f"solana rpc: {METHOD}: the node stands at slot {min(slots)}, not yet at {min_slot}")
        return HolderList(slot=min(slots), accounts=accounts, missing=missing, credits=self._credits * len(programs))

    def get_changed(self, mint: str, *, program: str | None, since_slot: int) -> HolderList | None:  # noqa: ARG002  # the port asks
        """Return ``None``: a plain node cannot tell what changed."""
        return None


def _options(program: str, mint: str, min_slot: int) -> dict[str, Any]:
    return {
        "encoding": "base64",
        "commitment": "confirmed",
        "withContext": True,
        "minContextSlot": min_slot,
        "filters": filters_of(program, mint),
        "dataSlice": ACCOUNT_SLICE,
    }


def _held(item: bytes) -> HeldAccount | None:
    one = _decoded(_item, item)
    return parse_slice(one.pubkey, one.account.data, "solana rpc")


def _decoded(decoder: msgspec.json.Decoder[T], result: bytes) -> T:
    try:
        return decoder.decode(result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"solana rpc: not a program's accounts: {error}: {result[:100]!r}") from error
