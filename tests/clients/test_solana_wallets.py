"""What the chain tells of a wallet: pages, the end of them, the first funding, and what asking costs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from megatron.clients.errors import Malformed, TryLater
from megatron.clients.ports import FirstFunding, Landed
from megatron.clients.solana_wallets import PAGE, SolanaWallets, parse_funding
from tests.factories import NOON, address, signature

WALLET, FRIEND, PROGRAM = address("wallet"), address("friend"), "1" * 32
AT = int(NOON.timestamp())


def landed(count: int, *, start: int = 0) -> list[Landed]:
    return [Landed(signature(f"s{start + n}"), 400_000_000 - start - n, False, NOON) for n in range(count)]


def first_transaction(**changes: Any) -> dict[str, Any]:
    """Return a transfer of 0.5 SOL from FRIEND to WALLET as ``getTransaction`` gives it."""
    message = {"accountKeys": [FRIEND, WALLET, PROGRAM], "header": {"numRequiredSignatures": 1}}
    meta = {"preBalances": [10**9, 0, 1], "postBalances": [499_995_000, 500_000_000, 1]}
    return {"blockTime": AT, "transaction": {"message": message}, "meta": meta, **changes}


class Chain:
    """A node that lists ``history`` and knows ``transactions``; it remembers what it was asked."""

    def __init__(self, history: Sequence[Landed], transaction: Any = None, *, stuck: bool = False) -> None:
        self.history, self.transaction, self.stuck = history, transaction, stuck
        self.asked: list[str] = []

    def get_balances(self, addresses: Sequence[str]) -> Sequence[int | None]:
        self.asked.append(f"balances {len(addresses)}")
        return [None if name == FRIEND else 7 for name in addresses]

    def get_signatures(
        self, address: str, *, before: str | None, until: str | None, limit: int, finalized: bool, min_slot: int
    ) -> Sequence[Landed]:
        self.asked.append("signatures")
        names = [item.signature for item in self.history]
        start = 0 if before is None or self.stuck else names.index(before) + 1
        return self.history[start : start + limit]

    def get_transaction(self, signature: str) -> bytes | None:
        self.asked.append(f"transaction {signature[:4]}")
        return None if self.transaction is None else json.dumps(self.transaction).encode()


def source(chain: Chain) -> SolanaWallets:
    return SolanaWallets(chain, provider="helius")


def test_a_short_history_is_whole_and_names_the_funder() -> None:
    """One page and the oldest transaction: twenty of Helius' credits."""
    chain = Chain(landed(3), first_transaction())
    found = source(chain).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole, found.credits) == (3, True, 20)
    assert found.funding == FirstFunding(
        funder=FRIEND, lamports=500_000_000, at=NOON, signature=landed(3)[-1].signature
    )
    assert chain.asked == ["signatures", f"transaction {landed(3)[-1].signature[:4]}"]


def test_a_long_history_stops_after_two_pages() -> None:
    """Nobody pays for the beginning of a wallet that has thousands of transactions."""
    chain = Chain(landed(5 * PAGE))
    found = source(chain).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole, found.funding, found.credits) == (2 * PAGE, False, None, 20)


def test_a_history_of_exactly_a_page_is_read_to_its_end() -> None:
    """A full page may have something before it; the empty one says no."""
    chain = Chain(landed(PAGE), first_transaction())
    found = source(chain).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole, found.credits) == (PAGE, True, 30)
    assert found.credits <= source(chain).credits_each


def test_without_its_origin_one_page_is_enough() -> None:
    """Who is known already costs ten credits."""
    chain = Chain(landed(3 * PAGE))
    found = source(chain).get_history(WALLET, with_origin=False)
    assert (len(found.landed), found.is_whole, found.funding, found.credits) == (PAGE, False, None, 10)


def test_a_wallet_without_transactions_has_no_origin() -> None:
    """And nobody asks for a transaction that is not there."""
    chain = Chain([])
    assert source(chain).get_history(WALLET, with_origin=True).is_whole
    assert chain.asked == ["signatures"]


def test_a_node_that_repeats_its_page_is_malformed() -> None:
    """A loop ends with the second page."""
    with pytest.raises(Malformed, match="nothing older"):
        source(Chain(landed(PAGE), stuck=True)).get_history(WALLET, with_origin=True)


def test_balances_come_in_the_order_of_the_wallets() -> None:
    """None for who has no account; a hundred cost one credit."""
    answers = source(Chain([]))
    assert (answers.get_balances([WALLET, FRIEND]), answers.credits_a_batch) == ([7, None], 1)


def test_a_failure_on_the_way_is_told() -> None:
    """A service decides what it means."""

    class Away(Chain):
        def get_transaction(self, signature: str) -> bytes | None:
            raise TryLater("away")

    with pytest.raises(TryLater):
        source(Away(landed(1))).get_history(WALLET, with_origin=True)


def parsed(transaction: Any) -> FirstFunding | None:
    return parse_funding(json.dumps(transaction).encode(), wallet=WALLET, signature=signature("first"))


def test_accounts_of_lookup_tables_have_their_balances_behind() -> None:
    """Versioned transactions list them apart."""
    message = {"accountKeys": [FRIEND], "header": {"numRequiredSignatures": 1}}
    meta = {
        "preBalances": [10**9, 0, 1],
        "postBalances": [10**9 - 100, 100, 1],
        "loadedAddresses": {"writable": [WALLET], "readonly": [PROGRAM]},
    }
    found = parsed(first_transaction(transaction={"message": message}, meta=meta))
    assert found is not None
    assert (found.funder, found.lamports, found.at) == (FRIEND, 100, datetime.fromtimestamp(AT, UTC))


def test_who_only_signs_for_itself_was_funded_by_nobody_known() -> None:
    """Its own first signature tells nothing of where its SOL came from."""
    message = {"accountKeys": [WALLET, FRIEND, PROGRAM], "header": {"numRequiredSignatures": 1}}
    assert parsed(first_transaction(transaction={"message": message})) is None
    assert parsed(first_transaction(meta={"preBalances": [9, 5, 1], "postBalances": [4, 5, 1]})) is None
    assert parsed(first_transaction(blockTime=None)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": {"preBalances": [1], "postBalances": [1, 2, 3]}},
        {"meta": None},
        {"meta": {"preBalances": ["1", "2", "3"], "postBalances": [1, 2, 3]}},
        {"transaction": {"message": {"accountKeys": [1, 2, 3], "header": {"numRequiredSignatures": 1}}}},
        {"blockTime": 10**20},
        {"blockTime": "soon"},
    ],
)
def test_a_transaction_of_another_shape_is_malformed(changes: dict[str, Any]) -> None:
    """Balances without accounts, no outcome, text for numbers, no time on any calendar."""
    with pytest.raises(Malformed):
        parsed(first_transaction(**changes))
