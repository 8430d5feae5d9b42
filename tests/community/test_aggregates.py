"""Continuous aggregates: refreshed, fresh between refreshes, and equal to the candles of the same trades."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.factories import NOON
from tokens.models import PriceCandle1m
from tokens.services import candles

pytestmark = [pytest.mark.community, pytest.mark.own_chunks]

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def licensed(level) -> None:
    """A server that has the licensed features."""
    assert level == "community", "These tests need TimescaleDB's licensed features: run tests/lanes/community."


def trade(pool, second: int, price: str, trader: str = "ann", kind: str = "buy") -> None:
    """Store a trade some seconds after NOON."""
    factories.transaction(
        pool,
        block_time=NOON + second * SECOND,
        slot=420_000_000 + second,
        price_per_token=Decimal(price),
        user_address=factories.address(trader),
        type=kind,
    )


def minutes(sql) -> list[tuple[object, ...]]:
    """Return the aggregate's minutes."""
    return sql(
        "SELECT bucket, open, high, low, close, trade_count, buyer_count FROM price_candles_1m_cagg ORDER BY bucket"
    )


@pytest.mark.django_db(transaction=True)
def test_a_refresh_materialises_exact_counts_and_late_trades_need_another(sql):
    """Distinct traders are exact after a refresh; a late trade only after the next: the table is the truth (C1)."""
    pool = factories.pool()
    for second, trader in ((1, "ann"), (2, "bob"), (3, "ann")):
        trade(pool, second, "0.00000003", trader)
    price = Decimal("0.00000003")
    assert minutes(sql) == [(NOON, *4 * (price,), 3, 2)]  # not refreshed yet: computed when read
    sql("CALL refresh_continuous_aggregate('price_candles_1m_cagg', NULL, %s::timestamptz)", NOON + timedelta(hours=1))
    assert minutes(sql) == [(NOON, *4 * (price,), 3, 2)]
    trade(pool, 30, "0.00000009", "eve")
    assert minutes(sql) == [(NOON, *4 * (price,), 3, 2)]
    sql("CALL refresh_continuous_aggregate('price_candles_1m_cagg', NULL, %s::timestamptz)", NOON + timedelta(hours=1))
    assert minutes(sql) == [(NOON, price, Decimal("0.00000009"), price, Decimal("0.00000009"), 4, 3)]


@pytest.mark.django_db
def test_c1_the_aggregate_equals_the_table(sql):
    """For the same trades the aggregate's minute has the prices, volumes and counts of the candle table."""
    pool = factories.pool()
    for second, price, kind in ((1, "0.00000003", "buy"), (40, "0.00000005", "sell"), (41, "0.00000002", "buy")):
        trade(pool, second, price, kind=kind)
    candles.mark(start=NOON, end=NOON + timedelta(minutes=1), now=NOON)
    candles.roll_all(now=NOON + timedelta(hours=1))
    columns = (
        "open",
        "high",
        "low",
        "close",
        "volume_token",
        "volume_sol",
        "trade_count",
        "buyer_count",
        "seller_count",
    )
    (candle,) = PriceCandle1m.objects.values_list(*columns)
    assert sql(f"SELECT {', '.join(columns)} FROM price_candles_1m_cagg") == [candle]


@pytest.mark.django_db(transaction=True)
def test_the_refresh_job_materialises_its_window(sql):
    """Run by hand, the policy's job stores the minutes between two hours and two minutes ago, and no others."""
    (now,) = sql("SELECT date_trunc('minute', now())")[0]
    for minutes_ago in (0, 60, 300):
        factories.sol_usd(now - timedelta(minutes=minutes_ago))
    ((job, stored),) = sql(
        "SELECT job_id, format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)"
        " FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates c"
        " ON j.hypertable_name IN (view_name, materialization_hypertable_name)"
        " WHERE proc_name = 'policy_refresh_continuous_aggregate' AND view_name = 'sol_usd_candles_1m'"
    )
    sql("CALL run_job(%s)", job)
    assert sql(f"SELECT bucket FROM {stored}") == [(now - timedelta(hours=1),)]
