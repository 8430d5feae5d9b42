"""Flow 1 on recorded traffic: what a replay leaves, and that no order, cut or repetition changes it."""

import random
from collections import Counter
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection

from tests import factories
from tests.factories import NOON
from tests.tokens.services.building import received, trade
from tests.tokens.services.capture import Message, messages, play, rows
from tokens.domain import curve
from tokens.domain.events import BothReserves, Reserves
from tokens.models import Pool, PoolMilestone, PriceCandle1m, RejectedMessage, StreamCursor, Token, Transaction
from tokens.services import ingest

pytestmark = pytest.mark.django_db

ALL = ("rows", "frames", "transactions")


@pytest.fixture
def traffic() -> list[Message]:
    """All recorded traffic."""
    return messages(*ALL)


def test_a_replay_of_all_recordings_leaves_the_counted_rows(traffic: list[Message]) -> None:
    """Every recorded trade becomes one row, and what cannot be stored is kept with its reason."""
    player = play(traffic)
    assert player.stored.transactions == Transaction.objects.count()
    assert player.stored.duplicates == 0
    assert {
        "tokens": Token.objects.count(),
        "pools": Pool.objects.count(),
        "transactions": Transaction.objects.count(),
        "minutes": PriceCandle1m.objects.count(),
        "rejected": dict(Counter(RejectedMessage.objects.values_list("reason", flat=True))),
        "failed": player.tally.outcomes["failed"],
        "not_ours": player.tally.outcomes["not_ours"],
    } == EXPECTED


EXPECTED = {
    "tokens": 26,
    "pools": 26,
    "transactions": 1042,
    "minutes": 106,
    "rejected": {"undecodable": 3, "no_block_time": 103, "needs_transaction": 1, "no_slot": 1},
    "failed": 51,
    "not_ours": 27,
}


def test_replaying_again_adds_nothing(traffic: list[Message]) -> None:
    """The second replay stores no row and changes none."""
    play(traffic)
    before = rows()
    cursor = StreamCursor.objects.values("source", "venue", "last_slot", "last_signature", "events").order_by("venue")
    positions = list(cursor)
    first = Transaction.objects.count()
    again = play(traffic)
    assert (again.stored.transactions, again.stored.duplicates) == (0, first)
    assert (again.stored.tokens, again.stored.pools) == (0, 0)
    assert rows() == before
    assert list(cursor.all()) == positions


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_messages_end_in_the_same_rows(traffic: list[Message], seed: int) -> None:
    """Messages in any order, in batches of any size, leave the same rows byte for byte."""
    play(traffic)
    expected = rows()
    _forget()
    dice = random.Random(seed)
    dice.shuffle(traffic)
    play(traffic, batch_events=dice.choice((1, 7, 50, 400)))
    assert rows() == expected


def test_two_halves_in_either_order_end_in_the_same_rows(traffic: list[Message]) -> None:
    """A capture that is replayed second half first leaves the same rows as in one piece."""
    play(traffic)
    expected = rows()
    _forget()
    middle = len(traffic) // 2
    play(traffic[middle:])
    play(traffic[:middle], feed="another")
    assert rows() == expected


def test_two_monitors_that_saw_overlapping_halves_agree(traffic: list[Message]) -> None:
    """What two feeds both saw is stored once."""
    play(traffic)
    expected = rows()
    _forget()
    third = len(traffic) // 3
    play(traffic[: 2 * third], feed="one")
    play(traffic[third:], feed="two")
    assert rows() == expected


def test_the_last_state_of_each_recorded_curve_is_the_chains(traffic: list[Message]) -> None:
    """After the trades of the CSV each curve holds exactly what its last trade on chain left, though the file's order differs."""
    play(messages("rows"))
    states = Pool.objects.order_by("base_mint").values_list(
        "base_mint", "virtual_sol_reserves", "virtual_token_reserves", "real_sol_reserves", "real_token_reserves"
    )
    for mint, vq, vt, rq, rt in states:
        trades = Transaction.objects.filter(pool__base_mint=mint)
        last = max(trades, key=lambda trade: (trade.slot, trade.quote_reserves * trade.token_reserves))
        assert (vq, vt) == (last.quote_reserves, last.token_reserves)
        assert (vq - rq, vt - rt) == (30 * 10**9, 279_900 * 10**9)


def test_prices_and_progress_follow_from_the_reserves() -> None:
    """Spot price, market cap and both progress measures are those of the newest reserves, exactly."""
    play(messages("rows"))
    for pool in Pool.objects.all():
        vq, vt, rq, rt = (
            pool.virtual_sol_reserves,
            pool.virtual_token_reserves,
            pool.real_sol_reserves,
            pool.real_token_reserves,
        )
        assert pool.latest_price == curve.price(vq, vt, 9, 6)
        assert pool.market_cap == pool.latest_price * 10**9
        assert pool.bonding_curve_progress == curve.token_progress(rt)
        assert pool.progress_quote_pct == (Decimal(rq) * 100 / Decimal(85_005_359_057)).quantize(Decimal("0.0001"))


def test_a_milestone_is_the_first_trade_that_reached_it() -> None:
    """Each recorded milestone is the earliest trade, in chain order, after which that part of the tokens was sold."""
    play(messages("rows"))
    assert PoolMilestone.objects.exists()
    for milestone in PoolMilestone.objects.select_related("pool"):
        bound = 793_100_000_000_000 * (100 - milestone.threshold_pct) // 100
        trades = [
            trade
            for trade in Transaction.objects.filter(pool=milestone.pool)
            if trade.token_reserves - 279_900_000_000_000 <= bound
        ]
        first = min(trades, key=lambda trade: (trade.slot, trade.quote_reserves * trade.token_reserves))
        assert (milestone.signature, milestone.reached_at) == (first.signature, first.block_time)


def _forget() -> None:
    """Empty every table that traffic fills."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "TRUNCATE transactions, price_candles_1m, price_candles_5m, price_candles_1h, price_candles_1d, candles_due,"
            " pool_milestones, stream_cursors, rejected_messages, pools, tokens CASCADE"
        )


@pytest.mark.parametrize(("quote", "token", "is_price"), [(100, 100, True), (99, 10**12, False), (10**12, 99, False)])
def test_truth_17_reserves_that_a_lamport_can_move_are_no_price(quote: int, token: int, is_price: bool) -> None:
    """A pool with fewer than a hundred base units on either side asks no price and has no market cap; a hundred do."""
    after = Reserves(virtual_quote=quote, virtual_token=token, real_quote=quote, real_token=token)
    ingest.store(batch=[received(trade(reserves=BothReserves(after=after)))], feed="test", now=NOON)
    pool = Pool.objects.get()
    assert [pool.latest_price, pool.virtual_sol_reserves] == [Decimal("0.001") if is_price else None, quote]
    assert pool.market_cap is None or is_price


def test_truth_17_spot_prices_from_before_are_forgotten() -> None:
    """The migration takes the price from pools whose reserves form none, and from no other."""
    drained = factories.pool(virtual_sol_reserves=99)
    whole, unknown = factories.pool(), factories.pool(virtual_sol_reserves=None)
    with connection.cursor() as cursor:
        cursor.execute(import_module("tokens.migrations.0020_dust_forms_no_price").FORGET_SPOT)
    for pool, is_kept in ((drained, False), (whole, True), (unknown, True)):
        pool.refresh_from_db()
        assert [(value is not None) for value in (pool.latest_price, pool.market_cap_usd)] == [is_kept, is_kept]
