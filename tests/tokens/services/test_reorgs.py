"""A fork that the chain drops: its rows go, and everything that was derived from them is as if it had never been."""

from typing import Any

import pytest
from django.db import transaction

from megatron.clients.errors import TryLater
from tests.cluster.chain import Fork
from tests.faults import rows
from tests.tokens.services.building import address, received, trade
from tests.tokens.services.capture import NOW
from tests.tokens.services.live import VENUE, Feed, World, world
from tokens.models import ChainReorg, PoolMilestone, PriceCandle1m, StreamCursor, StreamSighting, Token, Transaction
from tokens.services import backfill, candles, finality, ingest, reorgs

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ("tokens", "pool_milestones", "transactions", "price_candles_1m", "price_candles_1h")


@pytest.fixture
def forked() -> World:
    return world(seed=5, slots=90, per_slot=4.0, fork=Fork(30, 32))


def _only_curves(found: rows.Rows) -> rows.Rows:
    """Return what one venue's feed can know: the curves."""
    curves = {key: pool for key, pool in found["pools"].items() if pool["platform"] == "pumpfun"}
    kept = {table: dict(found[table]) for table in TABLES if not table.startswith("price")}
    kept["pools"] = curves
    kept["transactions"] = {key: row for key, row in found["transactions"].items() if row["pool_id"] in curves}
    return kept


def _followed(forked: World) -> None:
    """Follow everything, a fork stored before its transactions land again."""
    said = forked.landings(dropped=True)
    end = _fork_end(forked)
    forked.follow(Feed(said[:end], at=forked.now))
    forked.follow(Feed(said[end:], at=forked.now))


def _fork_end(forked: World) -> int:
    """Return how many of the transactions that a feed brings come before the fork is over."""
    on_chain = set(forked.landings())
    return max(place for place, one in enumerate(forked.landings(dropped=True)) if one not in on_chain) + 1


@pytest.mark.parametrize("at_once", [10_000, 25])
def test_t12_the_rows_after_a_dropped_fork_are_those_of_the_chain(
    forked: World, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trades, pools, tokens and milestones of a fork of 32 slots are gone once its slots are final, and recorded."""
    monkeypatch.setattr(finality, "_AT_ONCE", at_once)
    _followed(forked)
    believed = Transaction.objects.count()
    done = finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert done is not None
    assert done.dropped > 10
    candles.roll_all(now=forked.now)
    found = ChainReorg.objects.all()
    assert sum(reorg.trades_removed for reorg in found) > 10
    assert sum(reorg.moved for reorg in found) > 0
    assert Transaction.objects.count() < believed
    kept = _only_curves(rows.snapshot())
    assert rows.differences(kept, _only_curves(rows.expected(forked.chain, forked.now))) == []


def test_candles_of_a_fork_are_computed_again(forked: World) -> None:
    """A minute whose trades were on the fork is rolled again from what is left."""
    forked.follow(Feed(forked.landings(dropped=True), at=forked.now))
    candles.roll_all(now=forked.now)
    before = sum(PriceCandle1m.objects.values_list("trade_count", flat=True))
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    candles.roll_all(now=forked.now)
    after = sum(PriceCandle1m.objects.values_list("trade_count", flat=True))
    assert after < before
    assert after == Transaction.objects.filter(type__in=["buy", "sell"], price_per_token__gt=0).count()


@pytest.mark.parametrize(("seed", "tokens"), [(46, 2), (56, 3)])
def test_a_token_that_only_a_fork_created_goes(seed: int, tokens: int) -> None:
    """Tokens that no block of the chain creates are removed with everything that hangs on them."""
    forked = world(seed=seed, slots=60, per_slot=4.0, fork=Fork(15, 24), coins=10)
    forked.follow(Feed(forked.landings(dropped=True), at=forked.now))
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert ChainReorg.objects.get().tokens_removed == tokens
    kept = {row["mint_address"] for row in rows.snapshot()["tokens"].values()}
    assert kept == {row["mint_address"] for row in rows.expected(forked.chain, forked.now)["tokens"].values()}


def test_taking_back_twice_takes_nothing_more(forked: World) -> None:
    """A second worker that had the same fork in hand finds nothing left to remove."""
    forked.follow(Feed(forked.landings(dropped=True), at=forked.now))
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    before = rows.snapshot()
    assert finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later()) is None
    assert rows.snapshot() == before
    assert ChainReorg.objects.count() == 1
    assert PoolMilestone.objects.exists()
    assert Token.objects.exists()


def test_a_word_of_a_fork_that_comes_after_it_was_taken_back_changes_nothing(forked: World) -> None:
    """What a node said of a fork and arrives only when its slots are compared leaves no row, whoever was slow."""
    on_chain = forked.landings()
    forked.follow(Feed(on_chain, at=forked.now))
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    before = rows.snapshot()
    kept = set(on_chain)
    forked.follow(Feed([one for one in forked.landings(dropped=True) if one not in kept], at=forked.now))
    assert rows.snapshot() == before


def test_what_landed_again_and_is_stored_there_is_not_asked_for(forked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fork's transactions most land again and come again: rows say so, and nobody pays for them a second time."""
    _followed(forked)
    landed = {one.signature: one.slot for one in forked.landings()}
    places = set(Transaction.objects.values_list("signature", "slot"))
    moved = {key for key, slot in places if landed.get(key, slot) != slot and (key, landed[key]) in places}
    asked: set[str] = set()
    fetch = backfill.fetch

    def counted(**question: Any) -> backfill.Fetched:
        asked.update(one.signature for one in question["wanted"])
        return fetch(**question)

    monkeypatch.setattr(backfill, "fetch", counted)
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert not any(
        key in moved and slot != landed[key] for key, slot in Transaction.objects.values_list("signature", "slot")
    )
    assert len(moved - asked) > 10 * len(moved & asked)


def test_a_fork_waits_for_the_feed_that_will_say_where_it_landed_again(forked: World) -> None:
    """A feed that lags has yet to bring what landed again: nobody asks the chain for it, until the feed falls silent."""
    said = forked.landings(dropped=True)
    forked.follow(Feed(said[: _fork_end(forked) + 5], at=forked.now))
    StreamCursor.objects.update(observed_at=forked.now)
    before = rows.snapshot()
    with pytest.raises(TryLater, match="a feed has yet to come to slot"):
        finality.settle(venue=VENUE, chain=forked.rpc, now=forked.now)
    assert rows.snapshot() == before
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    kept = _only_curves(rows.snapshot())
    assert rows.differences(kept, _only_curves(rows.expected(forked.chain, forked.now))) == []


@pytest.mark.parametrize("fork_first", [True, False])
def test_a_graduation_that_only_a_fork_saw_is_taken_back(fork_first: bool) -> None:
    """A trade empties its curve on a fork, lands again in the same second at the same place, and does not empty it."""
    forked = world(seed=793, slots=46, per_slot=4.0, fork=Fork(38, 2), coins=10)
    on_chain = forked.landings()
    kept = set(on_chain)
    fork = [one for one in forked.landings(dropped=True) if one not in kept]
    until = next(place for place, one in enumerate(on_chain) if one.slot > fork[-1].slot)
    for said in (on_chain[:until], fork, on_chain[until:]) if fork_first else (on_chain, fork):
        forked.follow(Feed(said, at=forked.now))
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert rows.differences(_only_curves(rows.snapshot()), _only_curves(rows.expected(forked.chain, forked.now))) == []


def test_a_completion_that_was_compared_before_outlives_the_migration_of_a_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A curve completes, that is final and compared, and the migration of a fork behind it is taken back: it stays graduated."""
    monkeypatch.setattr(finality, "_AT_ONCE", 1)
    forked = world(seed=345, slots=46, per_slot=4.0, fork=Fork(30, 12), coins=10)
    forked.follow(Feed(forked.landings(dropped=True), at=forked.now))
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert rows.differences(_only_curves(rows.snapshot()), _only_curves(rows.expected(forked.chain, forked.now))) == []


def test_a_fork_is_not_taken_back_by_a_node_that_lags_behind_what_came_since() -> None:
    """What told a fact after the fork must be said again; a node that has not come so far cannot know whether it is there."""
    forked = world(seed=66, fork=Fork(10, 6), per_slot=4.0, coins=10)
    forked.follow(Feed(forked.landings(dropped=True), at=forked.now))
    newest = StreamSighting.objects.filter(tells=True).latest("slot").slot
    places = {block.slot: place for place, block in enumerate(forked.chain.timeline)}
    forked.node.step = places[newest] - 1
    before = rows.snapshot()
    with pytest.raises(TryLater, match="the node does not know it"):
        finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert rows.snapshot() == before
    forked.node.step += 200
    finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert rows.differences(_only_curves(rows.snapshot()), _only_curves(rows.expected(forked.chain, forked.now))) == []


@pytest.mark.parametrize("again", [True, False])
def test_truth_08_whom_a_trade_of_a_fork_named_is_forgotten(again: bool) -> None:
    """Its creator goes with it; the earliest trade that is left is asked for and names one again."""
    first, other = (
        trade(number, fields={"creator": address(name)}) for number, name in enumerate(("of the fork", "of the chain"))
    )
    for event in (other, first):
        ingest.store(batch=[received(event)], feed="test", now=NOW)
    assert Token.objects.get().creator_address == address("of the fork")
    dropped = [reorgs.Dropped(first.signature, first.slot or 0, None)]
    assert other.signature in reorgs.witnesses(dropped=dropped)
    with transaction.atomic():
        reorgs.take_back(venue=VENUE, dropped=dropped, now=NOW, again=[other] if again else [])
        if again:
            ingest.store(batch=[received(other)], feed="test", now=NOW)
    token = Token.objects.get()
    expected = (address("of the chain"), other.slot) if again else (None, None)
    assert (token.creator_address, token.creator_named_slot) == expected
