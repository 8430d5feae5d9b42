"""The views of the time series: newest prices, and the one-minute aggregates."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import PoolType, TransactionType, Venue

pytestmark = [pytest.mark.django_db, pytest.mark.community]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def test_latest_sol_usd_prices_has_the_newest_of_each_source(sql):
    """One row a source that has ever spoken, its newest sample, in the order in which sources are believed."""
    for source, age, usd in (("birdeye", 0, 153), ("hermes", 60, 150), ("hermes", 30, 151), ("pyth", 86_400, 99)):
        factories.sol_usd(NOON - age * SECOND, source=source, price_usd=Decimal(usd))
    rows = sql("SELECT source, price_time, price_usd FROM latest_sol_usd_prices ORDER BY priority")
    assert rows == [
        ("hermes", NOON - 30 * SECOND, 151),
        ("pyth", NOON - 86_400 * SECOND, 99),
        ("birdeye", NOON, 153),
    ]


def test_t14_the_launch_curve_prices_a_token_before_graduation(sql):
    """Without a graduated pool the curve's price counts, never a side pool's however new it is."""
    token = factories.token()
    curve = factories.pool(token, latest_price=Decimal("0.00000003"))
    factories.pool(
        token,
        pool_type=PoolType.PERMISSIONLESS,
        platform=Venue.PUMPSWAP,
        latest_price=Decimal(7),
        last_trade_at=NOON + MINUTE,
    )
    rows = sql("SELECT mint_address, pool_id, latest_price FROM latest_token_prices WHERE token_id = %s", token.pk)
    assert rows == [(token.mint_address, curve.pk, Decimal("0.00000003"))]


def test_t14_the_graduated_pool_prices_a_token_after_it(sql):
    """With a graduated pool its price counts, even when the curve saw the later event."""
    token = factories.token(is_graduated=True, graduation_timestamp=NOON)
    factories.pool(token, last_trade_at=NOON + MINUTE)
    graduated = factories.pool(
        token,
        pool_type=PoolType.GRADUATED,
        platform=Venue.PUMPSWAP,
        latest_price=Decimal("0.0000004"),
        last_trade_at=NOON,
    )
    columns = (
        "pool_address, latest_price, latest_price_usd, market_cap, market_cap_usd, bonding_curve_progress, "
        "last_trade_at"
    )
    (row,) = sql(f"SELECT {columns} FROM latest_token_prices WHERE token_id = %s", token.pk)
    graduated.refresh_from_db()
    assert row == tuple(getattr(graduated, name) for name in columns.split(", "))


def test_t14_of_two_graduated_pools_the_one_traded_last_counts(sql):
    """Of several graduated pools the one with the newest event prices the token; one never traded comes last."""
    token = factories.token(is_graduated=True, graduation_timestamp=NOON)
    pools = [
        factories.pool(token, pool_type=PoolType.GRADUATED, platform=platform, **state)
        for platform, state in (
            (Venue.PUMPSWAP, {"last_trade_at": NOON}),
            (Venue.RAYDIUM, {"last_trade_at": NOON + SECOND}),
            (
                Venue.METEORA,
                {"last_trade_at": None, "last_slot": None, "last_event_index": None, "last_signature": None},
            ),
        )
    ]
    assert sql("SELECT pool_id FROM latest_token_prices WHERE token_id = %s", token.pk) == [(pools[1].pk,)]


def store_trades(pool) -> None:
    """Store a minute and a half of trades, out of order and with two rows that no candle counts."""
    spec = (
        # second, slot, quote reserves, type, trader, price
        (30, 102, 33, "sell", "bob", "0.00000004"),
        (0, 100, 31, "buy", "ann", "0.00000003"),
        (0, 100, 30, "buy", "bob", "0.000000028"),  # the first of its slot by the product of the reserves
        (59, 103, 34, "buy", "ann", "0.000000035"),
        (60, 104, 35, "sell", "ann", "0.000000036"),
        (10, 101, 32, "add_liquidity", "ann", "0.00000009"),
        (20, 101, 32, "buy", "ann", "0"),
    )
    for second, slot, reserves, kind, trader, price in spec:
        factories.transaction(
            pool,
            block_time=NOON + second * SECOND,
            slot=slot,
            type=TransactionType(kind),
            user_address=factories.address(trader),
            price_per_token=Decimal(price),
            quote_reserves=reserves,
            token_reserves=10,
        )


def test_c3_the_aggregate_counts_what_candles_count(sql):
    """A minute of price_candles_1m_cagg has chain order, trades with a price only and each trader once a side."""
    pool = factories.pool()
    store_trades(pool)
    columns = "bucket, open, high, low, close, volume_token, volume_sol, trade_count, buyer_count, seller_count"
    rows = sql(f"SELECT {columns} FROM price_candles_1m_cagg WHERE token_id = %s ORDER BY bucket", pool.token_id)
    first = ("0.000000028", "0.00000004", "0.000000028", "0.000000035")
    assert rows == [
        (NOON, *map(Decimal, first), Decimal(140_000_000), Decimal(4), 4, 2, 1),
        (NOON + MINUTE, *4 * (Decimal("0.000000036"),), Decimal(35_000_000), Decimal(1), 1, 0, 1),
    ]


def test_t14_the_aggregate_leaves_side_pools_out(sql):
    """A trade in a side pool, which anyone can open at any price, is not in the token's candles."""
    token = factories.token()
    factories.transaction(factories.pool(token))
    side = factories.pool(token, pool_type=PoolType.PERMISSIONLESS, platform=Venue.PUMPSWAP)
    factories.transaction(side, price_per_token=Decimal(7))
    assert sql("SELECT trade_count, high FROM price_candles_1m_cagg WHERE token_id = %s", token.pk) == [
        (1, Decimal("0.00000002857142857143"))
    ]


def test_sol_usd_candles_are_a_minute_of_one_source(sql):
    """A minute of sol_usd_candles_1m has one source's first, highest, lowest, last and average price."""
    for second, source, usd in ((0, "hermes", "150"), (30, "hermes", "154"), (59, "hermes", "149"), (1, "pyth", "151")):
        factories.sol_usd(NOON + second * SECOND, source=source, price_usd=Decimal(usd))
    columns = "bucket, source, open, high, low, close, average, sample_count"
    assert sql(f"SELECT {columns} FROM sol_usd_candles_1m ORDER BY source") == [
        (NOON, "hermes", 150, 154, 149, 149, 151, 3),
        (NOON, "pyth", 151, 151, 151, 151, 151, 1),
    ]


COLUMNS = {
    "price_candles_1m_cagg": (
        "token_id bucket open high low close volume_token volume_sol trade_count buyer_count seller_count"
    ),
    "sol_usd_candles_1m": "bucket open high low close average sample_count source",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_c1_the_aggregates_have_the_seeds_columns(sql, view):
    """Each aggregate has the seed's columns in the seed's order on every server."""
    rows = sql("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", view)
    assert [name for (name,) in rows] == COLUMNS[view].split()


def test_truth_17_the_aggregate_takes_no_price_from_dust(sql):
    """A trade of fewer than 100 base units on either side counts and is no price of the minute; alone it stands at the spot."""
    pool = factories.pool()
    spot = {"quote_reserves": 30 * 10**9, "token_reserves": 1_000 * 10**12}
    factories.transaction(pool, price_per_token=Decimal("0.00000003"))
    factories.transaction(pool, price_per_token=Decimal(1), amount_out=99)
    factories.transaction(pool, price_per_token=Decimal("1e-15"), amount_in=99, block_time=NOON + MINUTE, **spot)
    columns = "bucket, open, high, low, close, trade_count"
    assert sql(f"SELECT {columns} FROM price_candles_1m_cagg WHERE token_id = %s ORDER BY bucket", pool.token_id) == [
        (NOON, *4 * (Decimal("0.00000003"),), 2),
        (NOON + MINUTE, *4 * (Decimal("0.00000003"),), 1),
    ]
