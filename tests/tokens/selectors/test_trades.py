from datetime import timedelta

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import CandleInterval, TransactionType
from tokens.models import PriceCandle1d, PriceCandle1h, PriceCandle5m
from tokens.selectors import trades

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
    """All events of one transaction, on whichever pool, in the order of their place; nothing for an unknown signature."""
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
    assert list(trades.candles_between(token=token, limit=9, **ends)) == [minutes[1], minutes[2]]
    assert list(trades.candles_between(token=token, limit=1, **ends)) == [minutes[1]]
    tables = {CandleInterval.M5: PriceCandle5m, CandleInterval.H1: PriceCandle1h, CandleInterval.D1: PriceCandle1d}
    for interval, model in tables.items():
        made = factories.candle(token, model=model)
        found = trades.candles_between(token=token, interval=interval, start=NOON, end=NOON + timedelta(1), limit=9)
        assert list(found) == [made]


def test_the_latest_candle() -> None:
    """The newest candle, or the newest before a time, or none."""
    token = factories.token()
    assert trades.latest_candle(token=token, interval=CandleInterval.M1) is None
    first = factories.candle(token)
    second = factories.candle(token, bucket=NOON + timedelta(minutes=7))
    assert trades.latest_candle(token=token, interval=CandleInterval.M1) == second
    assert trades.latest_candle(token=token, interval=CandleInterval.M1, before=second.bucket) == first
