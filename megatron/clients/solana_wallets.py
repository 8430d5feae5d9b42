"""What the chain knows of a wallet, by the calls that every node answers."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from megatron.clients import costs
from megatron.clients.bounds import possible_time
from megatron.clients.errors import Malformed
from megatron.clients.ports import FirstFunding, Landed, WalletHistory

PAGE: Final = 1_000
PAGES: Final = 2
"""So far one look goes back: who has more transactions is no new wallet."""


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

    def get_balances(self, addresses: Sequence[str]) -> Sequence[int | None]:
        """Return lamports in the order of ``addresses``."""
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
    """A :class:`~megatron.clients.ports.WalletSource` over JSON-RPC: up to two pages of signatures and, where they reach the
    wallet's beginning, its first transaction."""

    def __init__(self, rpc: Node, *, provider: str) -> None:
        self._rpc = rpc
        self._page_credits = costs.credits_of(provider, "getSignaturesForAddress")
        self._origin_credits = costs.credits_of(provider, "getTransaction")
        self.credits_each = PAGES * self._page_credits + self._origin_credits
        self.credits_a_batch = costs.credits_of(provider, "getMultipleAccounts")

    def get_balances(self, wallets: Sequence[str]) -> Sequence[int | None]:
        """Return the lamports of up to 100 wallets, in their order; ``None`` for one that has no account."""
        return self._rpc.get_balances(wallets)

    def get_history(self, wallet: str, *, with_origin: bool) -> WalletHistory:
        """Return what the chain tells of ``wallet``: up to 2,000 signatures and the funding ``with_origin``, else up to
        1,000 signatures."""
        landed, is_whole, calls = self._landed(wallet, pages=PAGES if with_origin else 1)
        cost, funding = calls * self._page_credits, None
        if with_origin and is_whole and landed:
            cost += self._origin_credits
            found = self._rpc.get_transaction(landed[-1].signature)
            funding = None if found is None else parse_funding(found, wallet=wallet, signature=landed[-1].signature)
        return WalletHistory(landed=landed, is_whole=is_whole, funding=funding, credits=cost)

    def _landed(self, wallet: str, *, pages: int) -> tuple[list[Landed], bool, int]:
        """Return the newest transactions without repeats, whether they are all, and how many calls that took."""
        found: dict[str, Landed] = {}
        before: str | None = None
        for call in range(1, pages + 1):
            page = self._rpc.get_signatures(wallet, before=before, until=None, limit=PAGE, finalized=False, min_slot=0)
            new = [item for item in page if item.signature not in found]
            found.update((item.signature, item) for item in new)
            if len(page) < PAGE:
                return list(found.values()), True, call
            if not new:
                raise Malformed("solana rpc: the page of signatures before the oldest one holds nothing older")
            before = page[-1].signature
        return list(found.values()), False, pages


def parse_funding(result: bytes, *, wallet: str, signature: str) -> FirstFunding | None:
    """Return who sent ``wallet`` SOL in the ``getTransaction`` result: of the other signers the one who lost most.

    ``None`` when the wallet got nothing, when no other signer lost anything, and without a time. Raises ``Malformed``.
    """
    try:
        reply = _transaction.decode(result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"solana rpc: not a transaction: {error}: {result[:100]!r}") from error
    meta, message = reply.meta, reply.transaction.message
    loaded = meta.loaded_addresses or _Loaded()
    keys = [*message.account_keys, *loaded.writable, *loaded.readonly]
    if not len(keys) == len(meta.pre_balances) == len(meta.post_balances):
        raise Malformed(
            f"solana rpc: {len(keys)} accounts with {len(meta.pre_balances)} and {len(meta.post_balances)} balances"
        )
    if wallet not in keys or reply.block_time is None:
        return None
    change = {key: post - pre for key, pre, post in zip(keys, meta.pre_balances, meta.post_balances, strict=True)}
    signers = [key for key in message.account_keys[: message.header.num_required_signatures] if key != wallet]
    funder = min(signers, key=lambda key: change[key], default=None)
    if funder is None or change[funder] >= 0 or change[wallet] <= 0:
        return None
    at = possible_time(reply.block_time, who="solana rpc")
    return FirstFunding(funder=funder, lamports=change[wallet], at=at, signature=signature)
