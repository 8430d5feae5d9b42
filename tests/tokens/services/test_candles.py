"""Candles: the SQL equals the plain arithmetic of ``domain/ohlc.py`` for any trades in any order of arrival."""

from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.factories import NOON
from tests.tokens.services.building import received, trade
from tests.tokens.services.capture import NOW, messages, play, rows
from tokens.choices import CandleInterval, EventKind, PriceOrigin
from tokens.domain import curve, ohlc
from tokens.domain.events import BothReserves, ChainEvent, Reserves
from tokens.domain.numbers import price_scaled
from tokens.models import CandleDue, PriceCandle1m, SolUsdPrice, Token, Transaction
from tokens.services import candles, ingest, prices
from tokens.services.playback import Player

SECOND = int(NOON.timestamp())

drawn_trades = st.lists(
    st.tuples(
        st.sampled_from([EventKind.BUY, EventKind.SELL, EventKind.DEPOSIT]),
        st.integers(0, 400),  # seconds after noon: several minutes, many in one second
        st.integers(0, 3),  # traders
        st.integers(0, 10**12) | st.integers(95, 105),  # quote; below 100 it forms no price
        st.integers(0, 10**15) | st.integers(95, 105),  # tokens; 0 has no price
        st.integers(1, 10**6),  # the product of the reserves after it
    ),
    max_size=25,
)


def _event(number: int, drawn: tuple[Any, ...]) -> ChainEvent:
    kind, second, trader, quote, token, product = drawn
    return trade(
        number,
        kind=kind,
        slot=400_000_000 + second // 2,
        block_time=SECOND + second,
        user=trade(trader).signature[:44],
        quote_amount_raw=quote,
        token_amount_raw=token,
        reserves=BothReserves(after=Reserves(virtual_quote=product, virtual_token=1 + product % 200)),
    )


def _plain(row: Transaction) -> ohlc.Trade:
    return ohlc.Trade(
        block_time=row.block_time,
        slot=row.slot,
        invariant=(row.quote_reserves or 0) * (row.token_reserves or 0),
        event_index=row.event_index,
        signature=row.signature,
        type=row.type,
        user=row.user_address,
        price=row.price_per_token,
        price_usd=row.price_per_token_usd,
        token_amount=row.token_amount,
        sol_amount=row.sol_amount,
        sol_amount_usd=row.sol_amount_usd,
        quote_raw=int(row.amount_in if row.type == "buy" else row.amount_out),
        token_raw=int(row.amount_out if row.type == "buy" else row.amount_in),
        spot=_spot(row),
    )


def _spot(row: Transaction) -> Decimal | None:
    quote, token = int(row.quote_reserves or 0), int(row.token_reserves or 0)
    given = row.type in ("buy", "add_liquidity")
    sides = (row.amount_in_decimals, row.amount_out_decimals)
    quote_places, token_places = sides if given else sides[::-1]
    if min(quote, token) < 100 or quote_places is None or token_places is None:
        return None
    return Decimal(price_scaled(quote, token, quote_places, token_places)).scaleb(-20)


class CandlesFollowFromTrades(TestCase):
    """The property itself, on PostgreSQL."""

    @settings(max_examples=40)
    @given(drawn=drawn_trades, order=st.randoms(use_true_random=False), priced=st.booleans())
    def test_sql_equals_plain_python_for_any_trades_in_any_order(self, drawn: Any, order: Any, priced: bool) -> None:
        """Random trades, in random order and random batches, give the candles that plain Python gives."""
        if priced:
            prices.record(
                samples=[prices.Sample(NOON + timedelta(seconds=30), Decimal("171.5"), PriceOrigin.HERMES)], now=NOW
            )
        events = [_event(number, values) for number, values in enumerate(drawn)]
        order.shuffle(events)
        while events:
            size = order.randint(1, len(events))
            batch, events = events[:size], events[size:]
            ingest.store(batch=[received(event) for event in batch], feed="test", now=NOW)
            if order.random() < 0.5:
                candles.roll(now=NOW, patient=False)
        candles.roll_all(now=NOW)
        stored = [_plain(row) for row in Transaction.objects.all()]
        for width, table in candles.TABLES.items():
            assert _stored_candles(table) == dict(ohlc.candles(stored, timedelta(seconds=width.value)))
        assert not CandleDue.objects.exists()


def _stored_candles(table: str) -> dict[datetime, ohlc.Candle]:
    names = [field.name for field in fields(ohlc.Candle)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT bucket, {', '.join(names)} FROM {table}")
        return {row[0].astimezone(UTC): ohlc.Candle(*row[1:]) for row in cursor.fetchall()}


@pytest.mark.django_db
def test_recorded_candles_equal_plain_python() -> None:
    """The candles of the recorded curves, first and last trade of each slot included, equal the plain arithmetic."""
    play(messages("rows"))
    for token in Token.objects.all():
        stored = [_plain(row) for row in Transaction.objects.filter(token=token)]
        expected = ohlc.candles(stored, timedelta(minutes=1))
        found = PriceCandle1m.objects.filter(token=token)
        assert {candle.bucket: _values(candle) for candle in found} == {at: astuple(c) for at, c in expected.items()}


def _values(candle: PriceCandle1m) -> tuple[Any, ...]:
    return tuple(getattr(candle, field.name) for field in fields(ohlc.Candle))


@pytest.mark.django_db
def test_rebuilding_candles_changes_nothing() -> None:
    """Candles that are marked and rolled again are the same to the last digit."""
    play(messages("rows", "frames"))
    before = rows()
    candles.mark(start=datetime(2020, 1, 1, tzinfo=UTC), end=NOW, now=NOW)
    assert candles.roll_all(now=NOW) > 0
    assert rows() == before


@pytest.mark.django_db
def test_a_candle_whose_trades_are_gone_goes_too() -> None:
    """When a dropped fork took every trade of a minute, rolling it removes the candle."""
    ingest.store(batch=[received(trade(0))], feed="test", now=NOON)
    candles.roll_all(now=NOON)
    Transaction.objects.all().delete()
    candles.mark(start=NOON, end=NOON + timedelta(minutes=1), now=NOON)
    candles.roll_all(now=NOON)
    assert not any(_stored_candles(table) for table in candles.TABLES.values())


@pytest.mark.django_db
def test_a_late_trade_of_dropped_time_does_not_spoil_the_candle() -> None:
    """Beyond the trades' retention a candle is only replaced by one of at least as many trades."""
    ingest.store(batch=[received(trade(n)) for n in range(3)], feed="test", now=NOON)
    candles.roll_all(now=NOON)
    Transaction.objects.all().delete()
    ingest.store(batch=[received(trade(3))], feed="test", now=NOON + timedelta(days=91))
    candles.roll_all(now=NOON + timedelta(days=91))
    assert [candle.trade_count for candle in PriceCandle1m.objects.all()] == [3]
    ingest.store(batch=[received(trade(n)) for n in (0, 1, 2)], feed="test", now=NOON + timedelta(days=91))
    candles.roll_all(now=NOON + timedelta(days=91))
    assert [candle.trade_count for candle in PriceCandle1m.objects.all()] == [4]


@pytest.mark.django_db
def test_a_days_candle_waits_while_a_minutes_does_not() -> None:
    """Patient rolling computes the minute at once and the longer candles once their marks are old enough."""
    ingest.store(batch=[received(trade(0))], feed="test", now=NOW)
    assert candles.roll(now=NOW).buckets == {width: int(width is CandleInterval.M1) for width in CandleInterval}
    assert candles.roll(now=NOW + timedelta(seconds=10)).buckets[CandleInterval.M5] == 1
    assert candles.roll(now=NOW + timedelta(minutes=30)).buckets == {
        CandleInterval.M1: 0,
        CandleInterval.M5: 0,
        CandleInterval.H1: 1,
        CandleInterval.D1: 1,
    }


def _usd() -> dict[Any, tuple[Decimal | None, Decimal | None]]:
    found = Transaction.objects.values_list("id", "sol_amount_usd", "price_per_token_usd")
    return {key: (amount, price) for key, amount, price in found}


@pytest.mark.django_db
def test_usd_of_the_set_based_path_equals_the_triggers_t9() -> None:
    """A trade stored by ingest and the same row inserted by hand get the same USD values, to the last digit."""
    samples = [
        (0, "150.123456", PriceOrigin.JUPITER),
        (1, "149.000001", PriceOrigin.BIRDEYE),
        (-119, "151.5", PriceOrigin.HERMES),
    ]
    prices.record(samples=[prices.Sample(NOON + timedelta(seconds=s), Decimal(p), o) for s, p, o in samples], now=NOW)
    seconds = (0, 40, 80, 120, 121, 160)
    events = [trade(n, block_time=SECOND + at, token_amount_raw=7 * 10**12 + n) for n, at in enumerate(seconds)]
    ingest.store(batch=[received(event) for event in events], feed="test", now=NOW)
    ours, copies = _usd(), list(Transaction.objects.all())
    Transaction.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("RESET megatron.usd_known")
    for copy in copies:
        copy.sol_amount_usd = copy.price_per_token_usd = None
        copy.save(force_insert=True)
    assert _usd() == ours
    known = [amount for amount, _ in ours.values() if amount is not None]
    assert sorted(known) == [Decimal("149.000001"), *[Decimal("150.123456")] * 3, Decimal("151.5")]


@pytest.mark.django_db
def test_a_price_that_comes_later_fills_the_hole_and_the_candle_t8() -> None:
    """A trade without a fresh price has NULL, never 0; the sample that comes later fills trade, pool and candle."""
    ingest.store(batch=[received(trade(0))], feed="test", now=NOW)
    candles.roll_all(now=NOW)
    assert Transaction.objects.get().sol_amount_usd is None
    prices.record(samples=[prices.Sample(NOON - timedelta(seconds=121), Decimal(1), PriceOrigin.HERMES)], now=NOW)
    assert prices.fill_all(now=NOW) == 0
    prices.record(samples=[prices.Sample(NOON - timedelta(seconds=120), Decimal(200), PriceOrigin.BIRDEYE)], now=NOW)
    assert prices.fill_all(now=NOW) == 1
    candles.roll_all(now=NOW)
    row = Transaction.objects.get()
    assert row.sol_amount_usd == Decimal(200)
    assert row.pool.latest_price_usd == (row.pool.latest_price * 200).quantize(Decimal("1e-18"))
    assert PriceCandle1m.objects.get().volume_usd == Decimal(200)
    assert SolUsdPrice.objects.count() == 2


def _dust(number: int, *, second: int, quote: int = 1, token: int = 1, **changes: Any) -> ChainEvent:
    """Return a buy of one base unit for one lamport: 1e-3 SOL a token on a curve of 2.8e-8."""
    return trade(
        number,
        slot=400_000_000 + second,
        block_time=SECOND + second,
        quote_amount_raw=quote,
        token_amount_raw=token,
        **changes,
    )


@pytest.mark.django_db
def test_truth_17_a_base_unit_for_a_lamport_moves_no_candle() -> None:
    """The recorded curve stays even at every length; what was bought for a lamport is in rows, counts and volume."""
    player = Player(feed="replay", batch_events=10_000)
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    for source, payload in messages("cases/c1_dust.jsonl"):
        player.take(player.decode(source=source, payload=payload), source=source, payload=payload)
    player.flush(now=at)
    candles.roll_all(now=at)
    token = Token.objects.get()
    trades = Transaction.objects.filter(token=token, type__in=("buy", "sell"))
    assert trades.filter(amount_in=1, amount_out=1, price_per_token=Decimal("0.001")).count() == 2
    for table in candles.TABLES.values():
        found = _stored_candles(table).values()
        assert max(candle.high for candle in found) < Decimal("5.6e-8")
        assert sum(candle.trade_count for candle in found) == trades.count()
        assert sum(candle.volume_token for candle in found) == sum(trade.token_amount for trade in trades)
        assert sum(candle.volume_sol for candle in found) == sum(trade.sol_amount for trade in trades)
    last = PriceCandle1m.objects.order_by("-bucket").first()
    assert last is not None
    assert Decimal("5.4e-8") < last.close < Decimal("5.6e-8")


@pytest.mark.django_db
@pytest.mark.parametrize(("quote", "token", "forms"), [(100, 100, True), (99, 10**12, False), (10**9, 99, False)])
def test_truth_17_a_hundred_base_units_on_either_side_form_a_price(quote: int, token: int, forms: bool) -> None:
    """Fewer than a hundred of the quote or of the token form no price, on whichever side; a hundred do."""
    ingest.store(batch=[received(_dust(0, second=0, quote=quote, token=token))], feed="test", now=NOW)
    candles.roll_all(now=NOW)
    candle = PriceCandle1m.objects.get()
    price = curve.price(quote, token, 9, 6) if forms else curve.price(31 * 10**9, 1_070 * 10**12, 9, 6)
    assert [candle.open, candle.high, candle.low, candle.close] == [round(price, 20)] * 4
    assert [candle.trade_count, candle.buyer_count] == [1, 1]
    assert candle.volume_sol == Decimal(quote).scaleb(-9)


@pytest.mark.django_db
def test_truth_17_without_reserves_a_minute_of_dust_has_counts_and_no_price() -> None:
    """Where nothing says what the pool asks, a minute of dust has no price; the hour has the others' and counts all three."""
    dust = _dust(1, second=60, reserves=BothReserves(after=Reserves()))
    events = [trade(0, block_time=SECOND), dust, trade(2, block_time=SECOND + 120, slot=400_000_120)]
    ingest.store(batch=[received(event) for event in events], feed="test", now=NOW)
    candles.roll_all(now=NOW)
    first, dusty, last = PriceCandle1m.objects.order_by("bucket")
    assert [dusty.open, dusty.high, dusty.low, dusty.close] == [None] * 4
    assert [dusty.open_usd, dusty.trade_count, dusty.volume_sol] == [None, 1, Decimal("1e-9")]
    for table in list(candles.TABLES.values())[1:]:
        (longer,) = _stored_candles(table).values()
        assert [longer.open, longer.high, longer.low, longer.close] == [first.open, first.high, last.low, last.close]
        assert [longer.trade_count, longer.volume_sol] == [3, first.volume_sol + dusty.volume_sol + last.volume_sol]


@pytest.mark.django_db
def test_truth_17_candles_from_before_become_due_again() -> None:
    """The migration makes every minute of a day with dust due, and no other; rolling them mends the day's candle too, though
    its minutes are older than their retention."""
    module = import_module("tokens.migrations.0019_dust_forms_no_price")
    other = [trade(5, block_time=SECOND - 86_400, slot=399_000_000)]
    events = [trade(0, block_time=SECOND), _dust(1, second=1), trade(2, block_time=SECOND + 120, slot=400_000_120)]
    ingest.store(batch=[received(event) for event in (*other, *events)], feed="test", now=NOW)
    candles.roll_all(now=NOW)
    right = {table: _stored_candles(table) for table in candles.TABLES.values()}
    with connection.cursor() as cursor:
        for table in candles.TABLES.values():
            cursor.execute(f"UPDATE {table} SET high = 1, close = 1, high_usd = NULL")
        cursor.execute(module.MARK)
    assert [due.bucket for due in CandleDue.objects.order_by("bucket")] == [NOON, NOON + timedelta(minutes=2)]
    candles.roll_all(now=datetime(2027, 1, 1, tzinfo=UTC))  # long after the minutes' own retention
    for table, found in right.items():
        stored = _stored_candles(table)
        assert {at: stored[at] for at in stored if at >= NOON - timedelta(hours=12)} == {
            at: candle for at, candle in found.items() if at >= NOON - timedelta(hours=12)
        }


@pytest.mark.django_db
def test_truth_21_what_a_wallet_bought_and_sold_within_a_minute_is_wash_volume() -> None:
    """Of ten tokens bought for 1000 and four sold for 500 eight are wash: 400 and 500 lamports; the next minute is another."""
    spec = [(EventKind.BUY, 0, 1_000, 1_000), (EventKind.SELL, 30, 500, 400), (EventKind.SELL, 60, 300, 600)]
    events = [
        trade(number, kind=kind, slot=400_000_000 + second, block_time=SECOND + second, quote_amount_raw=quote,
              token_amount_raw=token)
        for number, (kind, second, quote, token) in enumerate(spec)
    ]  # fmt: skip
    ingest.store(batch=[received(event) for event in events], feed="test", now=NOW)
    candles.roll_all(now=NOW)
    minutes = PriceCandle1m.objects.order_by("bucket")
    assert [candle.wash_volume_sol for candle in minutes] == [Decimal("9e-7"), 0]
    assert [candle.volume_sol for candle in minutes] == [Decimal("1.5e-6"), Decimal("3e-7")]
    assert [candle.wash_volume_sol for candle in _stored_candles("price_candles_1d").values()] == [Decimal("9e-7")]
