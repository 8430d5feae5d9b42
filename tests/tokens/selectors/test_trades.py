from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import CandleInterval, TransactionType
from tokens.models import PriceCandle1d, PriceCandle1h, PriceCandle5m
from tokens.selectors import charts, trades

pytestmark = pytest.mark.django_db


def test_transactions_fit_type_user_and_a_half_open_window() -> None:
    """A filter keeps what equals it; the window holds its start and not its end; another token's trades never show."""
    pool = factories.pool()
    factories.transaction()
    buy = factories.transaction(pool, block_time=NOON)
    sell = factories.transaction(
        pool, block_time=NOON + timedelta(minutes=1), type=TransactionType.SELL, user_address=factories.address("bob")
    )
    assert set(trades.transactions(token=pool.token)) == {buy, sell}
    assert list(trades.transactions(token=pool.token, kind=TransactionType.SELL)) == [sell]
    assert list(trades.transactions(token=pool.token, user=factories.address("bob"))) == [sell]
    assert list(trades.transactions(token=pool.token, after=NOON, before=NOON + timedelta(minutes=1))) == [buy]
    assert list(trades.transactions(token=pool.token, after=NOON + timedelta(minutes=1))) == [sell]


def test_events_of_a_signature_come_in_order() -> None:
    """All events of one transaction, on whichever pool, in the order of their place; nothing for an unknown
    signature."""
    mine = factories.signature("mine")
    second = factories.transaction(signature=mine, event_index=300_000)
    first = factories.transaction(signature=mine, event_index=200_100)
    factories.transaction()
    assert list(trades.events_of(mine)) == [first, second]
    assert list(trades.events_of(factories.signature("other"))) == []


def test_candles_of_a_window() -> None:
    """The window is half-open, oldest first, cut at the limit, and each interval reads its own table."""
    token = factories.token()
    minutes = [factories.candle(token, bucket=NOON + timedelta(minutes=minute)) for minute in (2, 0, 1)]
    factories.candle(factories.token())
    ends = {"start": NOON, "end": NOON + timedelta(minutes=2), "interval": CandleInterval.M1}
    buckets = [minutes[1].bucket, minutes[2].bucket]
    assert [candle.bucket for candle in trades.candles_between(token=token, limit=9, **ends)] == buckets
    assert [candle.bucket for candle in trades.candles_between(token=token, limit=1, **ends)] == buckets[:1]
    tables = {CandleInterval.M5: PriceCandle5m, CandleInterval.H1: PriceCandle1h, CandleInterval.D1: PriceCandle1d}
    for interval, model in tables.items():
        factories.candle(token, model=model, trade_count=interval)
        found = trades.candles_between(token=token, interval=interval, start=NOON, end=NOON + timedelta(1), limit=9)
        assert [candle.trade_count for candle in found] == [interval]


def test_the_latest_candle() -> None:
    """The newest candle, or the newest before a time, or none."""
    token = factories.token()
    minutes = {"token": token, "interval": CandleInterval.M1}
    assert trades.find_latest_candle(**minutes) is None
    factories.candle(token)
    factories.candle(token, bucket=NOON + timedelta(minutes=7))
    newest, before = (
        trades.find_latest_candle(**minutes),
        trades.find_latest_candle(**minutes, before=NOON + timedelta(minutes=7)),
    )
    assert newest
    assert newest.bucket == NOON + timedelta(minutes=7)
    assert before
    assert before.bucket == NOON


def test_empty_minutes_are_filled_flat_at_the_close_before_them() -> None:
    """Every minute of the window from the first known close on, in order; what is made up says so and has no volume."""
    token = factories.token()
    factories.candle(token, bucket=NOON + timedelta(minutes=1), close=Decimal("0.00000003"), close_usd=None)
    window = {"start": NOON - timedelta(seconds=30), "end": NOON + timedelta(minutes=3)}
    stored = trades.candles_between(token=token, interval=60, limit=9, **window)
    made = trades.filled(stored, previous=None, interval=60, **window)
    flat = trades.Candle(
        NOON + timedelta(minutes=2), *[Decimal("0.00000003")] * 4, *[None] * 4, *[Decimal(0)] * 3, 0, 0, 0, filled=True
    )
    assert made == [*stored, flat]
    earlier = flat._replace(bucket=NOON - timedelta(minutes=9), close=Decimal(7), close_usd=Decimal(8))
    first = trades.filled(stored, previous=earlier, interval=60, **window)[0]
    assert (first.bucket, first.open, first.low, first.open_usd, first.filled) == (NOON, 7, 7, 8, True)


def test_truth_17_a_candle_without_a_price_is_filled_at_the_close_before_it() -> None:
    """Where a minute has counts and no price a chart stands at the close before it, with that minute's volume; unfilled it
    has no price, and a chart of the console leaves it out."""
    token = factories.token()
    nothing = dict.fromkeys(("open", "high", "low", "close", "open_usd", "high_usd", "low_usd", "close_usd"))
    first = factories.candle(token, bucket=NOON)
    factories.candle(token, bucket=NOON + timedelta(minutes=1), volume_sol=Decimal("1e-9"), trade_count=1, **nothing)
    asked = {"token": token, "interval": CandleInterval.M1, "limit": 9, "now": NOON + timedelta(hours=1)}
    window = {"start": NOON, "end": NOON + timedelta(minutes=3)}
    _, dusty, flat = trades.series(**asked, **window, fill=True).candles
    assert [dusty.open, dusty.high, dusty.close, dusty.close_usd] == [first.close] * 3 + [first.close_usd]
    assert [dusty.trade_count, dusty.volume_sol, dusty.filled] == [1, Decimal("1e-9"), False]
    assert [flat.close, flat.trade_count, flat.filled] == [first.close, 0, True]
    later = {"start": NOON + timedelta(minutes=2), "end": NOON + timedelta(minutes=3)}
    assert [candle.close for candle in trades.series(**asked, **later, fill=True).candles] == [first.close]
    assert [candle.close for candle in trades.series(**asked, **window, fill=False).candles] == [first.close, None]
    for currency in ("quote", "usd"):
        assert [bar.at for bar in charts.latest_bars(token=token, interval=60, currency=currency)] == [NOON]
