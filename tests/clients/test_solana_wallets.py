"""What the chain tells of a wallet: pages, the end of them, the first funding, and what asking costs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from megatron.clients.errors import Malformed, TryLater
from megatron.clients.ports import FirstFunding, Landed
from megatron.clients.signatures import PAGE
from megatron.clients.solana_wallets import ARCHIVE_FROM, SolanaWallets, parse_funding
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

    def __init__(
        self,
        history: Sequence[Landed],
        transaction: Any = None,
        *,
        stuck: bool = False,
        most: int = PAGE,
        first_slot: int = 0,
    ) -> None:
        self.history, self.transaction, self.stuck = history, transaction, stuck
        self.most, self.first_slot = most, first_slot
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
        return self.history[start : start + min(limit, self.most)]

    def get_first_slot(self) -> int:
        self.asked.append("first slot")
        return self.first_slot

    def get_transaction(self, signature: str) -> bytes | None:
        self.asked.append(f"transaction {signature[:4]}")
        return None if self.transaction is None else json.dumps(self.transaction).encode()


def source(chain: Chain) -> SolanaWallets:
    return SolanaWallets(chain, provider="helius")


def test_a_short_history_is_whole_and_names_the_funder() -> None:
    """One page, the empty one that ends it, how far back the node has blocks, and the oldest transaction: 31 credits."""
    chain = Chain(landed(3), first_transaction())
    found = source(chain).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole, found.credits) == (3, True, 31)
    assert found.funding == FirstFunding(
        funder=FRIEND, lamports=500_000_000, at=NOON, signature=landed(3)[-1].signature
    )
    assert chain.asked == ["signatures", "signatures", "first slot", f"transaction {landed(3)[-1].signature[:4]}"]


def test_a_long_history_stops_after_two_pages() -> None:
    """Nobody pays for the beginning of a wallet that has thousands of transactions."""
    chain = Chain(landed(5 * PAGE))
    found = source(chain).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole, found.funding, found.credits) == (2 * PAGE, False, None, 20)


def test_a_history_of_exactly_a_page_is_read_to_its_end() -> None:
    """A full page may have something before it; the empty one says no."""
    chain = Chain(landed(PAGE), first_transaction())
    found = source(chain).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole, found.credits) == (PAGE, True, 31)
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
    assert chain.asked == ["signatures", "first slot"]


def test_a_node_that_repeats_its_page_is_malformed() -> None:
    """A loop ends with the second page."""
    with pytest.raises(Malformed, match="begins at slot"):
        source(Chain(landed(PAGE), stuck=True)).get_history(WALLET, with_origin=True)


@pytest.mark.parametrize(("most", "count"), [(1, 2), (100, 150), (999, 1_200)])
def test_truth_10_a_short_page_is_not_a_wallets_beginning(most: int, count: int) -> None:
    """A node that caps its pages hides the older ones: they are asked for, and what is left is "at least so much"."""
    found = source(Chain(landed(count), first_transaction(), most=most)).get_history(WALLET, with_origin=True)
    assert (len(found.landed), found.is_whole) == (count, True)
    capped = source(Chain(landed(4 * most), first_transaction(), most=most)).get_history(WALLET, with_origin=True)
    assert (capped.is_whole, capped.funding, len(capped.landed) >= 2 * most) == (False, None, True)


def test_truth_10_who_is_known_pays_for_the_end_only_where_a_page_is_short() -> None:
    """A full page stops the look, a short one is followed by one more call."""
    chain = Chain(landed(7))
    found = source(chain).get_history(WALLET, with_origin=False)
    assert (found.is_whole, chain.asked) == (True, ["signatures", "signatures", "first slot"])


def test_truth_10_a_node_that_forgets_proves_no_beginning() -> None:
    """Its list ends where its blocks do; and its first block is asked for once, not once a wallet."""
    chain = Chain(landed(3), first_transaction(), first_slot=ARCHIVE_FROM)
    asked = source(chain)
    found = [asked.get_history(WALLET, with_origin=True) for _ in range(2)]
    assert [(one.is_whole, one.funding, len(one.landed)) for one in found] == [(False, None, 3)] * 2
    assert chain.asked.count("first slot") == 1


def test_truth_10_a_wallet_that_had_sol_before_its_first_transaction_had_another() -> None:
    """Whatever the node says: lamports do not come by themselves."""
    meta = {"preBalances": [10**9, 7, 1], "postBalances": [499_995_000, 500_000_007, 1]}
    found = source(Chain(landed(3), first_transaction(meta=meta))).get_history(WALLET, with_origin=True)
    assert (found.is_whole, found.funding) == (False, None)


def test_truth_13_an_item_that_cannot_be_read_leaves_the_history_open() -> None:
    """What it is nobody knows: the others count, and they are not all."""
    history = [*landed(2), Landed("", 1, failed=False, block_time=None, is_read=False), *landed(1, start=2)]
    found = source(Chain(history, first_transaction())).get_history(WALLET, with_origin=True)
    assert ([one.signature for one in found.landed], found.is_whole) == (
        [one.signature for one in landed(3)],
        False,
    )


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
