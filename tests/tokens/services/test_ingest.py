"""Flow 1 on recorded traffic: what a replay leaves, and that no order, cut or repetition changes it."""

import itertools
import random
from collections import Counter
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from tests import factories, recordings
from tests.factories import NOON
from tests.tokens.services.building import MINT, address, received, trade
from tests.tokens.services.capture import Message, messages, play, rows
from tokens.choices import EventKind, Program
from tokens.domain import curve, programs
from tokens.domain.events import BothReserves, ChainEvent, Reserves
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


def _case(name: str) -> list[Message]:
    return [(name, line) for line in recordings.lines(f"cases/{name}")]


def test_truth_03_fees_of_a_pool_with_wrapped_sol_as_base_are_no_lamports() -> None:
    """The program charges in what it calls the quote, which is our coin: the columns, which are in the quote, stay empty."""
    play([("flipped", recordings.content("cases/flipped_fees.json"))])
    row = Transaction.objects.select_related("pool").get()
    assert (row.pool.mints_flipped, row.pool.quote_mint) == (True, programs.WRAPPED_SOL)
    assert (row.protocol_fee, row.platform_fee, row.creator_fee, row.share_fee) == (None, None, None, None)
    charged = {"protocol_fee": 384112183649, "platform_fee": 1920560918243, "creator_fee": 0, "share_fee": None}
    assert row.fees_in_token == charged
    assert row.raw_data == {"fees_in_token": {k: str(v) for k, v in charged.items() if v is not None}}


def test_truth_03_fees_of_other_pools_stay_in_the_quote() -> None:
    """The same sale in a pool that has the coin as its base keeps its fees in the columns."""
    play([("multihop", recordings.content("cases/multihop.json"))])
    row = Transaction.objects.select_related("pool").get()
    assert (row.pool.mints_flipped, row.raw_data, row.fees_in_token) == (False, None, None)
    assert row.protocol_fee is not None
    assert row.platform_fee is not None


def test_truth_06_a_swap_over_several_pools_is_stored_at_once() -> None:
    """Nothing waits for the mints that the instruction names."""
    player = play([("multihop", recordings.content("cases/multihop.json"))])
    assert (player.stored.transactions, RejectedMessage.objects.count()) == (1, 0)
    expected = recordings.loaded("cases/multihop.expected.json")
    pool = Pool.objects.get()
    assert (pool.base_mint, pool.quote_mint) == (expected["mint"], expected["quote_mint"])
    assert pool.base_vault is not None
    assert pool.quote_vault is not None


LAUNCHLAB_VECTOR = recordings.loaded("vectors/launchlab_trade_real.json")


def test_truth_07_a_launchlab_coin_first_seen_by_a_trade_has_target_and_progress() -> None:
    """The trade repeats the curve's parameters: 85 SOL to raise, 1.6527 % raised, 6.0520 % sold; and names the vaults."""
    play([("trade", recordings.content("cases/launchlab_first_seen_by_trade.json"))])
    pool = Pool.objects.get()
    expected, accounts = LAUNCHLAB_VECTOR["expected"], LAUNCHLAB_VECTOR["accounts"]
    assert pool.quote_target == 85 * 10**9
    assert pool.progress_quote_pct == Decimal(expected["progress_quote_pct_of_85"])
    assert pool.bonding_curve_progress == Decimal(expected["progress_base_pct"])
    assert (pool.base_vault, pool.quote_vault) == (accounts["base_vault"], accounts["quote_vault"])
    assert (pool.base_mint, pool.quote_mint) == (accounts["base_mint"], accounts["quote_mint"])
    assert (pool.latest_price or 0) == pytest.approx(Decimal(expected["spot_after"]), abs=Decimal("1E-20"))


def test_truth_07_a_launchlab_trade_is_without_fees_as_every_venues_is() -> None:
    """The worked example counts the buyer's fees as paid for the tokens. We keep the two apart, as on every venue: amounts and
    price are what moved against the curve, the fees stand beside them, and both together are the example's."""
    play([("trade", recordings.content("cases/launchlab_first_seen_by_trade.json"))])
    row, expected = Transaction.objects.get(), LAUNCHLAB_VECTOR["expected"]
    fees = sum(fee or 0 for fee in (row.protocol_fee, row.platform_fee, row.creator_fee, row.share_fee))
    assert (row.type, row.token_amount) == (expected["type"], Decimal(expected["token_amount"]))
    assert (row.amount_in, fees) == (977_625_000, 12_375_000)
    paid = (row.amount_in + fees) * Decimal("1E-9")
    assert paid == Decimal(expected["sol_amount"])
    assert row.token_amount is not None
    assert row.sol_amount is not None
    assert paid / row.token_amount == pytest.approx(Decimal(expected["execution_price_sol_per_token"]))
    assert row.price_per_token == pytest.approx(row.sol_amount / row.token_amount, abs=Decimal("1E-20"))
    assert Decimal(expected["spot_before"]) < (row.price_per_token or 0) < Decimal(expected["spot_after"])


def test_truth_07_the_creations_target_counts_more_than_a_trades() -> None:
    """What the trades imply is rounded; what the creation asks for is exact, whichever is stored first."""
    pool, mint = address("launch pool"), address("launch mint")
    base, quote = curve.launchlab_virtuals(10**15, 732_500_000_000_000, 85 * 10**9)
    place = {"program": Program.LAUNCHLAB, "pool": pool, "mint": mint}
    start = Reserves(virtual_quote=quote, virtual_token=base, real_quote=0, real_token=732_500_000_000_000)
    asked = {"supply": 10**15, "total_base_sell": 732_500_000_000_000, "total_quote_fund_raising": 85 * 10**9}
    made = trade(0, kind=EventKind.CREATE, reserves=BothReserves(after=start), fields=asked, **place)
    said = {"total_base_sell": 732_500_000_000_000, "virtual_base": base, "virtual_quote": quote}
    after = curve.moved(start, 10**9, -(10**12))
    bought = trade(1, reserves=BothReserves(after=after), fields=said, **place)
    ingest.store(batch=[received(bought)], feed="test", now=NOON)
    assert Pool.objects.get().quote_target == 84_999_999_999
    for event in (made, bought):
        ingest.store(batch=[received(event)], feed="test", now=NOON)
        assert Pool.objects.get().quote_target == 85 * 10**9


ANN, BEN = address("ann"), address("ben")


def _naming(number: int, creator: str, **changes: Any) -> ChainEvent:
    return trade(number, fields={"creator": creator}, **changes)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_truth_08_the_creator_that_trades_name_serves_while_the_creation_is_unseen(order: tuple[int, ...]) -> None:
    """Of several trades the earliest counts, in any order; accounts that only pay fees on are nobody."""
    events = [_naming(1, ANN), _naming(2, BEN), _naming(0, min(programs.payout_accounts(MINT)))]
    for number in order:
        ingest.store(batch=[received(events[number])], feed="test", now=NOON)
    token = Token.objects.get()
    assert (token.creator_address, token.creator_named_slot, token.creation_signature) == (ANN, events[0].slot, None)


@pytest.mark.parametrize("creation_first", [False, True])
def test_truth_08_a_seen_creation_is_never_overridden(creation_first: bool) -> None:
    """Whoever the creation names stays, whatever trades say before or after."""
    made = trade(1, kind=EventKind.CREATE, reserves=BothReserves(), fields={"creator": BEN}, user=ANN)
    for event in (made, _naming(2, ANN))[:: 1 if creation_first else -1]:
        ingest.store(batch=[received(event)], feed="test", now=NOON)
    ingest.store(batch=[received(_naming(0, ANN))], feed="test", now=NOON)
    token = Token.objects.get()
    assert (token.creator_address, token.creator_named_slot) == (BEN, None)


def test_truth_08_the_graduated_pools_trades_name_the_creator_too() -> None:
    """A coin first seen after its graduation; the zero key, an empty cell and a side pool name nobody."""
    amm = programs.graduated_pool(MINT, programs.WRAPPED_SOL)
    swap = {"program": Program.PUMPSWAP, "pool": amm}
    for event in (
        trade(1, **swap, fields={"coin_creator": programs.ZERO_KEY}),
        trade(2, **(swap | {"pool": address("side pool")}), fields={"coin_creator": BEN}),
        _naming(3, ""),
    ):
        ingest.store(batch=[received(event)], feed="test", now=NOON)
    assert Token.objects.get().creator_address is None
    ingest.store(batch=[received(trade(4, **swap, fields={"coin_creator": ANN}))], feed="test", now=NOON)
    assert Token.objects.get().creator_address == ANN


@pytest.mark.parametrize("name", ["c62_launcher_dumps_other.jsonl", "c62_launcher_dumps_self.jsonl"])
def test_truth_08_who_bought_in_the_creation_is_a_dev_wallet(name: str) -> None:
    """The launcher signed the creation and bought in it, whomever it names as creator; nobody else is a dev wallet."""
    play(_case(name))
    token = Token.objects.get()
    launch = Transaction.objects.get(signature=token.creation_signature)
    assert token.launch_wallets == [launch.user_address]
    assert token.dev_wallets == sorted({launch.user_address, token.creator_address})
    assert (token.creator_address == launch.user_address) is name.endswith("self.jsonl")
    play(_case(name))
    assert Token.objects.get().launch_wallets == [launch.user_address]


def test_truth_08_only_purchases_inside_the_creation_make_a_dev_wallet() -> None:
    """Later buys, sales and the mayhem agent make none; several buyers in the creation are all dev wallets."""
    made = trade(0, kind=EventKind.CREATE, reserves=BothReserves(), fields={"creator": ANN}, event_index=1)
    inside = [
        trade(0, event_index=2, user=BEN),
        trade(0, event_index=3, user=address("third")),
        trade(0, event_index=4, user=programs.MAYHEM_AGENT),
        trade(0, event_index=5, user=address("seller"), kind=EventKind.SELL),
    ]
    for event in (*inside, made, trade(1, user=address("later"))):
        ingest.store(batch=[received(event)], feed="test", now=NOON)
    assert Token.objects.get().launch_wallets == sorted([BEN, address("third")])


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
        cursor.execute(import_module("tokens.migrations.0019_dust_forms_no_price").FORGET_SPOT)
    for pool, is_kept in ((drained, False), (whole, True), (unknown, True)):
        pool.refresh_from_db()
        assert [(value is not None) for value in (pool.latest_price, pool.market_cap_usd)] == [is_kept, is_kept]
