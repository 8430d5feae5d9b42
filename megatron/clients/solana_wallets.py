"""What the chain knows of a wallet, by the calls that every node answers."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from megatron.clients import costs, signatures
from megatron.clients.bounds import possible_time
from megatron.clients.errors import Malformed
from megatron.clients.ports import FirstFunding, Landed, Unread, WalletHistory
from megatron.clients.signatures import PAGE

PAGES: Final = 2
"""So far one look goes back: who has more transactions is no new wallet."""
ARCHIVE_FROM: Final = 1_000_000
"""A node that has blocks from before this slot (the chain's first week, in March 2020) has all of history."""


class _Keys(msgspec.Struct, rename="camel"):
    num_required_signatures: int


class _Loaded(msgspec.Struct):
    writable: list[str] = []
    readonly: list[str] = []


class _Message(msgspec.Struct, rename="camel"):
    account_keys: list[str]
    header: _Keys


class _Body(msgspec.Struct):
    message: _Message


class _Meta(msgspec.Struct, rename="camel"):
    pre_balances: list[int]
    post_balances: list[int]
    loaded_addresses: _Loaded | None = None


class _Transaction(msgspec.Struct, rename="camel"):
    transaction: _Body
    meta: _Meta
    block_time: int | None = None


_transaction = msgspec.json.Decoder(_Transaction)


class Node(Protocol):
    """What a wallet's history is read from."""

    def get_balances(self, addresses: Sequence[str]) -> Sequence[int | Unread | None]:
        """Return lamports in the order of ``addresses``."""
        ...

    def get_first_slot(self) -> int:
        """Return the oldest slot of which the node has the block."""
        ...

    def get_signatures(
        self, address: str, *, before: str | None, until: str | None, limit: int, finalized: bool, min_slot: int
    ) -> Sequence[Landed]:
        """Return a page of transactions, newest first."""
        ...

    def get_transaction(self, signature: str) -> bytes | None:
        """Return a transaction's JSON."""
        ...


class SolanaWallets:
    """A :class:`~megatron.clients.ports.WalletSource` over JSON-RPC: up to two pages of signatures, the empty one that ends
    them, and, where they reach the wallet's beginning, its first transaction."""

    def __init__(self, rpc: Node, *, provider: str) -> None:
        self._rpc = rpc
        self._page_credits = costs.credits_of(provider, "getSignaturesForAddress")
        self._origin_credits = costs.credits_of(provider, "getTransaction")
        self._range_credits = costs.credits_of(provider, "getFirstAvailableBlock")
        self._is_archive: bool | None = None
        self.credits_each = (PAGES + 1) * self._page_credits + self._range_credits + self._origin_credits
        self.credits_a_batch = costs.credits_of(provider, "getMultipleAccounts")

    def get_balances(self, wallets: Sequence[str]) -> Sequence[int | Unread | None]:
        """Return the lamports of up to 100 wallets, in their order; ``None`` for one that has no account."""
        return self._rpc.get_balances(wallets)

    def get_history(self, wallet: str, *, with_origin: bool) -> WalletHistory:
        """Return what the chain tells of ``wallet``: up to 2,000 signatures and the funding ``with_origin``, else up to
        1,000 signatures.

        The wallet's beginning is proven by an empty page of a node that has all of history, unless the transaction that
        should be the first finds SOL in the wallet already.
        """
        pages = PAGES if with_origin else 1
        listed = signatures.list_back(
            self._rpc,
            wallet,
            after_slot=None,
            min_slot=0,
            finalized=False,
            most_pages=pages + 1,
            most=pages * PAGE,
        )
        landed = [one for one in listed.landed if one.is_read]
        cost, funding = listed.pages * self._page_credits, None
        is_whole = listed.has_ended and len(landed) == len(listed.landed)
        if is_whole and self._is_archive is None:
            cost += self._range_credits
            self._is_archive = self._rpc.get_first_slot() < ARCHIVE_FROM
        is_whole = is_whole and bool(self._is_archive)
        if with_origin and is_whole and landed:
            cost += self._origin_credits
            found = self._rpc.get_transaction(landed[-1].signature)
            if found is not None and has_begun(found, wallet=wallet):
                is_whole = False
            elif found is not None:
                funding = parse_funding(found, wallet=wallet, signature=landed[-1].signature)
        return WalletHistory(landed=landed, is_whole=is_whole, funding=funding, credits=cost)


def parse_funding(result: bytes, *, wallet: str, signature: str) -> FirstFunding | None:
    """Return who sent ``wallet`` SOL in the ``getTransaction`` result: of the other signers the one who lost most.

    ``None`` when the wallet got nothing, when no other signer lost anything, and without a time. Raises ``Malformed``.
    """
    reply, balances = _read(result)
    if wallet not in balances or reply.block_time is None:
        return None
    message = reply.transaction.message
    change = {key: post - pre for key, (pre, post) in balances.items()}
    signers = [key for key in message.account_keys[: message.header.num_required_signatures] if key != wallet]
    funder = min(signers, key=lambda key: change[key], default=None)
    if funder is None or change[funder] >= 0 or change[wallet] <= 0:
        return None
    at = possible_time(reply.block_time, who="solana rpc")
    return FirstFunding(funder=funder, lamports=change[wallet], at=at, signature=signature)


def has_begun(result: bytes, *, wallet: str) -> bool:
    """Say whether ``wallet`` held SOL before the ``getTransaction`` result: then it is not its first transaction. Raises
    ``Malformed``."""
    _, balances = _read(result)
    return balances.get(wallet, (0, 0))[0] > 0


def _read(result: bytes) -> tuple[_Transaction, dict[str, tuple[int, int]]]:
    """Return a transaction, and each account's lamports before and after it."""
    try:
        reply = _transaction.decode(result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"solana rpc: not a transaction: {error}: {result[:100]!r}") from error
    meta = reply.meta
    loaded = meta.loaded_addresses or _Loaded()
    keys = [*reply.transaction.message.account_keys, *loaded.writable, *loaded.readonly]
    if not len(keys) == len(meta.pre_balances) == len(meta.post_balances):
        raise Malformed(
            f"solana rpc: {len(keys)} accounts with {len(meta.pre_balances)} and {len(meta.post_balances)} balances"
        )
    return reply, dict(zip(keys, zip(meta.pre_balances, meta.post_balances, strict=True), strict=True))
