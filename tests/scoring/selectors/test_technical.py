"""What a technical score is computed from, of many tokens with one statement."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring.selectors import technical
from scoring.selectors.technical import Market
from tests import factories
from tests.scoring.market import CONSTANT, NOW, rolled, trade
from tokens.choices import PoolStatus, PoolType, TransactionType, Venue
from tokens.models import Pool

pytestmark = pytest.mark.django_db
D = Decimal


def market(of: Pool) -> Market:
    """Return what is known of the token of ``of``."""
    rolled()
    (found,) = technical.markets(mints=[of.token.mint_address], now=NOW)
    return found


def test_prices_of_the_windows() -> None:
    """A window's first price is the close of the newest minute that had ended when it began; the speed is measured from
    the oldest of the last four whole minutes of ten."""
    pool = factories.pool()
    for ago, price in (("70", "100"), ("40", "110"), ("20", "120"), ("7", "90"), ("3.5", "80")):
        trade(pool, ago, price)
    facts = market(pool).facts
    assert [facts.price, facts.first_5m, facts.first_15m, facts.first_30m, facts.first_60m] == [80, 90, 120, 110, 100]
    assert [facts.before, facts.before_minutes] == [90, D("6.5")]


def test_the_speed_is_measured_over_five_prices() -> None:
    """With a trade each minute the fourth-newest whole minute is the first of five prices."""
    pool = factories.pool()
    for ago in range(9):
        trade(pool, f"{ago}.1", str(100 - ago))
    facts = market(pool).facts
    assert [facts.price, facts.before, facts.before_minutes] == [100, 96, D("3.5")]


def test_a_young_token_is_measured_from_its_first_price() -> None:
    """Without a minute before a window its first price is the token's first, the open of its first minute."""
    pool = factories.pool()
    trade(pool, "3.4", "50")
    trade(pool, "3.1", "40")
    facts = market(pool).facts
    assert [facts.price, facts.first_5m, facts.first_60m] == [40, 50, 50]


def test_red_minutes_in_a_row() -> None:
    """Red minutes are counted from the newest back to the first that is not, over minutes without a trade."""
    pool = factories.pool()
    for ago, prices in (("12", ("9", "8")), ("9", ("8", "9")), ("5", ("9", "7")), ("2", ("7", "6"))):
        trade(pool, ago, prices[0], slot=1)
        trade(pool, ago, prices[1], slot=2)
    assert market(pool).facts.red == 2


def test_all_red_minutes() -> None:
    """G2.4 in the statement: when every minute is red, all count."""
    pool = factories.pool()
    for ago in ("12", "5", "2"):
        trade(pool, ago, "9", slot=1)
        trade(pool, ago, "8", slot=2)
    assert market(pool).facts.red == 3


def test_amounts_by_age_and_wallet() -> None:
    """Buys and sells of an hour by age, the busiest wallet's both sides together, liquidity and side pools left out."""
    pool = factories.pool()
    for ago, sol, kind, by in (
        ("0.5", "1", "buy", "a"),
        ("3", "2", "sell", "b"),
        ("10", "4", "buy", "b"),
        ("20", "8", "sell", "c"),
        ("45", "16", "buy", "a"),
        ("61", "99", "buy", "a"),
    ):
        trade(pool, ago, "1", sol=sol, kind=kind, by=by)
    trade(pool, "2", "1", sol="500", kind="add_liquidity")
    side = factories.pool(pool.token, pool_type=PoolType.PERMISSIONLESS, platform=Venue.METEORA)
    trade(side, "2", "1", sol="500")
    found = market(pool)
    assert [*found.facts.buys, *found.facts.sells] == [1, 4, 0, 16, 2, 0, 8, 0]
    assert [found.facts.trades_1h, found.traders_1h, found.facts.largest] == [5, 3, 17]
    assert found.activity == {
        "unique_buyers_1h": 2,
        "unique_sellers_1h": 2,
        "buys_1h": 3,
        "sells_1h": 2,
        "buys_5m": 1,
        "sells_5m": 1,
        "buys_1m": 1,
        "sells_1m": 0,
        "net_flow_1m": 1,
        "net_flow_5m": -1,
        "net_flow_1h": 11,
        "avg_buy_size_sol": 7,
        "avg_sell_size_sol": 5,
        "largest_buy_sol": 16,
        "largest_sell_sol": 8,
    }


def test_another_quote_counts_in_itself() -> None:
    """A coin quoted in USDC has its amounts in USDC, and no SOL in its activity."""
    pool = factories.pool(quote_mint=factories.USDC, quote_decimals=6)
    trade(pool, "2", "0.5", sol_amount=None, token_amount=D(30))
    found = market(pool)
    assert [found.facts.buys[0], found.activity["net_flow_1h"], found.activity["avg_buy_size_sol"]] == [15, 0, None]


def test_progress_of_half_an_hour() -> None:
    """Progress is that after the newest trade by each five minutes, of the quote (T4); before the curve it was none."""
    token = factories.token(creation_timestamp=NOW - timedelta(minutes=22))
    pool = factories.pool(token, quote_target=100_000_000_000, real_sol_reserves=40_000_000_000)
    Pool.objects.filter(pk=pool.pk).update(virtual_sol_reserves=CONSTANT + 40_000_000_000)
    trade(pool, "21", "1", quote_reserves=CONSTANT + 10_000_000_000)
    trade(pool, "9", "1", quote_reserves=CONSTANT + 45_000_000_000)
    trade(pool, "2", "1", quote_reserves=CONSTANT + 40_000_000_000, type=TransactionType.SELL)
    found = market(pool)
    assert [*found.facts.progress] == [0, 0, 10, 10, 10, 45, 40]
    assert found.sold_pct == 25


def test_a_complete_curve_stands_at_100() -> None:
    """What migration takes out of a complete curve is no fall."""
    pool = factories.pool(status=PoolStatus.MIGRATED, real_sol_reserves=0)
    trade(pool, "2", "1")
    assert market(pool).facts.progress[-1] == 100


def test_without_a_target_progress_is_unknown() -> None:
    """A curve whose target nobody knows has no progress, and neither has a token without a curve."""
    assert market(factories.pool(quote_target=None)).facts.progress == (None,) * 7
    amm = factories.pool(pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    assert market(amm).facts.progress == (None,) * 7


def test_volume_of_a_day() -> None:
    """The day's volume is that of whole hours and of the minutes around them, in USD; unknown when nobody had a price."""
    pool = factories.pool()
    for ago, sol in (("0.5", "1"), ("70", "2"), ("1400", "4"), ("1500", "8")):
        factories.sol_usd(NOW - timedelta(minutes=float(ago)))
        trade(pool, ago, "1", sol=sol)
    silent = factories.pool()
    assert [market(pool).volume_24h_usd, market(silent).volume_24h_usd] == [7 * 150, None]


def test_a_silent_token_keeps_its_price() -> None:
    """Without a trade in the hour the last price of the day, or else the pool's, is the price of all windows."""
    pool, older = factories.pool(), factories.pool()
    trade(pool, "100", "7")
    facts, other = market(pool).facts, market(older).facts
    assert [facts.price, facts.first_5m, facts.first_60m, facts.before, facts.red] == [7, 7, 7, None, 0]
    assert [other.price, other.first_5m] == [older.latest_price, older.latest_price]


def test_one_statement_for_any_number() -> None:
    """Three tokens ask as many queries as one; unknown mints are passed over."""
    mints = [factories.pool().token.mint_address for _ in range(3)]
    with CaptureQueriesContext(connection) as asked:
        found = technical.markets(mints=[*mints, factories.address("nobody")], now=NOW)
    assert (len(asked), {it.mint for it in found}) == (1, set(mints))


def _drops(mint: str, now: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM detect_selloff(%s, %s)", [mint, now])
        (row,) = cursor.fetchall()
        return tuple(row)


def test_detect_selloff_sees_the_same_falls() -> None:
    """The function of the database tells the falls that the statement does, whether they are a sell-off, and how bad."""
    pool = factories.pool()
    for ago, price in (("70", "100"), ("40", "110"), ("20", "125"), ("7", "100"), ("3.5", "80")):
        trade(pool, ago, price)
    rolled()
    assert _drops(pool.token.mint_address, NOW)[:3] == (True, 20, 36)
    assert _drops(pool.token.mint_address, NOW)[4] == "severe"
    calm = factories.pool()
    trade(calm, "3", "5")
    rolled()
    assert _drops(calm.token.mint_address, NOW) == (False, 0, 0, 0, "none")
    assert _drops(factories.address("nobody"), NOW) == (False, None, None, None, None)


def _called(function: str, mint: str, interval: timedelta) -> Decimal | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s::interval, %s)", [mint, str(interval), NOW])
        (value,) = cursor.fetchone()
        return None if value is None else D(value)


def test_velocities_of_the_database_are_signed() -> None:
    """G3: a price that halves in half an hour moves by -100 percent an hour, progress that falls by ten points by -20."""
    pool = factories.pool(quote_target=100_000_000_000, real_sol_reserves=7_000_000_000)
    trade(pool, "45", "2", quote_reserves=CONSTANT + 30_000_000_000)
    trade(pool, "2", "1", kind="sell", quote_reserves=CONSTANT + 20_000_000_000)
    rolled()
    mint, half = pool.token.mint_address, timedelta(minutes=30)
    assert _called("calculate_market_cap_velocity", mint, half) == -100
    assert _called("calculate_progress_velocity", mint, half) == -20
    assert _called("calculate_market_cap_velocity", factories.address("nobody"), half) is None
    assert _called("calculate_progress_velocity", factories.address("nobody"), half) is None


@pytest.mark.parametrize("interval", ["0", "-30 minutes", "1 mon -30 days", "infinity"])
def test_truth_25_over_no_time_the_database_has_no_velocity(interval: str) -> None:
    """A zero interval is no division by zero, a negative one does not turn the sign, an endless one is no standstill."""
    pool = factories.pool(quote_target=100_000_000_000, real_sol_reserves=7_000_000_000)
    trade(pool, "45", "2", quote_reserves=CONSTANT + 30_000_000_000)
    trade(pool, "2", "1", kind="sell", quote_reserves=CONSTANT + 20_000_000_000)
    rolled()
    with connection.cursor() as cursor:
        if interval == "infinity" and connection.pg_version < 170_000:
            pytest.skip("PostgreSQL knows endless intervals from 17 on")
        for function in ("calculate_market_cap_velocity", "calculate_progress_velocity"):
            cursor.execute(f"SELECT {function}(%s, %s::interval, %s)", [pool.token.mint_address, interval, NOW])
            assert cursor.fetchone() == (None,)
