"""What a technical score is computed from, of many tokens with one statement."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.technical.facts import Facts
from scoring.domain.technical.scored import Terms, measure
from scoring.domain.technical.scored import score as score_facts
from scoring.selectors import technical
from scoring.selectors.technical import Market
from tests import factories
from tests.scoring.market import CONSTANT, NOW, rolled, trade
from tokens.choices import PoolStatus, PoolType, TransactionType, Venue
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Pool

pytestmark = pytest.mark.django_db
D = Decimal


def market(of: Pool) -> Market:
    """Return what is known of the token of ``of``."""
    rolled()
    (found,) = technical.markets(mints=[of.token.mint_address], now=NOW)
    return found


def test_prices_of_the_windows() -> None:
    """A window's price is its highest, the close of the newest minute that had ended when it began included; the speed is
    measured from the oldest of the last four whole minutes of ten."""
    pool = factories.pool()
    for ago, price in (("70", "100"), ("40", "110"), ("20", "120"), ("7", "90"), ("3.5", "80")):
        trade(pool, ago, price)
    facts = market(pool).facts
    assert [facts.price, facts.high_5m, facts.high_15m, facts.high_30m, facts.high_60m] == [80, 90, 120, 120, 120]
    assert [facts.before, facts.before_minutes] == [90, D("6.5")]


def test_the_speed_is_measured_over_five_prices() -> None:
    """With a trade each minute the fourth-newest whole minute is the first of five prices."""
    pool = factories.pool()
    for ago in range(9):
        trade(pool, f"{ago}.1", str(100 - ago))
    facts = market(pool).facts
    assert [facts.price, facts.before, facts.before_minutes] == [100, 96, D("3.5")]


def test_a_young_token_is_measured_from_its_first_price() -> None:
    """Without a minute before a window its highest price is that of the minutes in it."""
    pool = factories.pool()
    trade(pool, "3.4", "50")
    trade(pool, "3.1", "40")
    facts = market(pool).facts
    assert [facts.price, facts.high_5m, facts.high_60m] == [40, 50, 50]


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
    assert [facts.price, facts.high_5m, facts.high_60m, facts.before, facts.red] == [7, 7, 7, None, 0]
    assert [other.price, other.high_5m] == [older.latest_price, older.latest_price]


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


def _series(random: Random) -> list[tuple[str, str, str]]:
    """Return trades as (minutes ago, price, kind), oldest first, over a bit more than a day and some in the last hour."""
    long_ago = [random.uniform(62, 1_600) for _ in range(random.randint(0, 2))]
    ago = sorted([*long_ago, *(random.uniform(0.1, 60) for _ in range(random.randint(0, 12)))], reverse=True)
    return [(f"{minutes:.2f}", str(random.randint(1, 200)), random.choice(("buy", "sell"))) for minutes in ago]


def _plain_drop(trades: list[tuple[str, str, str]], window: int) -> Decimal | None:
    """Return the fall from the highest price of ``window`` minutes, in whole minutes, from the trades themselves."""
    start = NOW - timedelta(minutes=window + 1)
    minutes: dict[Any, list[Decimal]] = {}
    for ago, price, _ in trades:
        at = (NOW - timedelta(minutes=float(ago))).replace(second=0, microsecond=0)
        if at > NOW - timedelta(minutes=1_501):
            minutes.setdefault(at, []).append(D(price))
    if not minutes:
        return None
    before = [prices[-1] for at, prices in sorted(minutes.items()) if at <= start]
    highs = [max(prices) for at, prices in minutes.items() if at > start]
    top, last = max([*before[-1:], *highs]), minutes[max(minutes)][-1]
    return max(D(0), (top - last) / top * 100)


@pytest.mark.parametrize("seed", range(12))
def test_truth_18_three_ways_tell_the_same_falls_of_any_series(seed: int) -> None:
    """The function of the database, the statement for many tokens and plain Python measure the same falls from the top."""
    random = Random(seed)
    pool = factories.pool()
    trades = _series(random)
    for ago, price, kind in trades:
        trade(pool, ago, price, kind=kind)
    found = measure(Terms.of(Policy.of(1, DEFAULT_TERMS).technical), market(pool).facts)
    told = [found.drop_5m, found.drop_15m, found.drop_30m]
    plain = [_plain_drop(trades, window) for window in (5, 15, 30)]
    in_sql = _drops(pool.token.mint_address, NOW)[1:4]
    assert in_sql == tuple(pytest.approx(drop, abs=D("1e-12")) if drop is not None else None for drop in plain)
    if trades:
        assert [*told, found.drop_60m] == pytest.approx([*plain, _plain_drop(trades, 60)], abs=D("1e-12"))


def test_truth_17_dust_is_no_price_of_any_window() -> None:
    """A base unit at a thousand times the price changes no price, fall, speed or red minute, and is counted."""
    pool = factories.pool()
    for ago, price in (("40", "100"), ("7", "90"), ("3.5", "80"), ("1.2", "79")):
        trade(pool, ago, price)
    even = market(pool)
    reserves = {"quote_reserves": 79 * 10**15, "token_reserves": 10**12}
    for ago in ("5.5", "3.4", "0.1"):
        trade(pool, ago, "100000", amount_in=1, amount_out=1, sol="0.000000001", **reserves)
    dusty = market(pool)
    for name in ("price", "high_5m", "high_15m", "high_30m", "high_60m", "red"):
        assert getattr(dusty.facts, name) == getattr(even.facts, name)
    assert (even.facts.trades_1h, dusty.facts.trades_1h) == (4, 7)


def test_truth_05_the_agents_trades_are_no_demand() -> None:
    """What the mayhem agent trades is in no buys, sells, wallets, speed or progress of them, and is said."""
    target = {"quote_target": 100_000_000_000, "real_sol_reserves": 40_000_000_000}
    pool = factories.pool(factories.token(creation_timestamp=NOW - timedelta(hours=9)), **target)
    Pool.objects.filter(pk=pool.pk).update(virtual_sol_reserves=CONSTANT + 40_000_000_000)
    agent = {"user_address": MAYHEM_AGENT}
    trade(pool, "29", "1", sol="1", quote_reserves=CONSTANT + 20_000_000_000)
    trade(pool, "9", "1", sol="5", kind="sell", by="other", quote_reserves=CONSTANT + 15_000_000_000)
    trade(pool, "7", "2", sol="20", quote_reserves=CONSTANT + 35_000_000_000, amount_in=20 * 10**9, **agent)
    trade(pool, "2", "3", sol="5", quote_reserves=CONSTANT + 40_000_000_000)
    trade(pool, "1.2", "9", sol="2", kind="sell", amount_out=2 * 10**9, **agent)
    found = market(pool)
    facts = found.facts
    assert [*facts.buys, *facts.sells] == [5, 0, 1, 0, 0, 5, 0, 0]
    assert [facts.trades_1h, found.traders_1h, facts.largest] == [3, 2, 6]
    assert [facts.left_out_trades, facts.left_out_volume] == [2, 22]
    assert [found.activity["buys_1h"], found.activity["net_flow_1h"], found.activity["sells_5m"]] == [2, 1, 0]
    measured = measure(Terms.of(Policy.of(1, DEFAULT_TERMS).technical), facts)
    assert [facts.price, facts.demand_price, facts.before, measured.velocity_pct_min] == [9, 3, 1, D(200) / D("8.5")]
    assert facts.left_out_progress == (0, 0, 0, 0, 0, 20, 18)
    assert measured.progress_velocity_pct_h == (D(40 - 18) - D(20)) * 60 / 25
    assert Facts.from_json(facts.as_json()) == facts
    part = score_facts(Terms.of(Policy.of(1, DEFAULT_TERMS).technical), facts).parts[2]
    assert {"left_out_trades": "2", "left_out_volume": "22"}.items() <= part.components[0].inputs.items()
    assert "mayhem agent's 2 trades over 22 are left out" in part.components[1].reason


def test_truth_05_the_price_of_demand_is_that_of_the_last_place_in_the_slot() -> None:
    """After the agent set the virtual quote anew the later trade has the smaller product: its place tells the order."""
    pool = factories.pool(factories.token(creation_timestamp=NOW - timedelta(hours=9)))
    trade(pool, "9", "1", user_address=MAYHEM_AGENT)
    trade(pool, "2", "5", slot=7, quote_reserves=CONSTANT + 40_000_000_000, slot_place=1)
    trade(pool, "2", "3", slot=7, by="other", quote_reserves=CONSTANT + 20_000_000_000, slot_place=2)
    assert market(pool).facts.demand_price == 3


def test_truth_05_where_only_the_agent_trades_nobody_does() -> None:
    """Buys of the agent alone are no trade of anybody: no ratio, no speed, no points for calm."""
    pool = factories.pool()
    for ago, price in (("8", "1"), ("4", "2"), ("1.5", "4")):
        trade(pool, ago, price, user_address=MAYHEM_AGENT)
    facts = market(pool).facts
    found = score_facts(Terms.of(Policy.of(1, DEFAULT_TERMS).technical), facts)
    assert [facts.trades_1h, facts.is_silent, facts.left_out_trades] == [0, True, 3]
    assert [found.measured.buy_sell_ratio, found.measured.velocity_pct_min] == [None, None]
    assert [part.points for part in found.parts[2:]] == [0, 0]


def test_truth_20_silence_and_graduation_are_told() -> None:
    """Whether an hour was silent and whether the curve is over are facts: by the token or by its curve."""
    silent, dusty, loud = factories.pool(), factories.pool(), factories.pool()
    trade(silent, "61", "1")
    trade(dusty, "5", "1", amount_in=1)
    trade(loud, "59", "1")
    assert [market(pool).facts.is_silent for pool in (silent, dusty, loud)] == [True, True, False]
    over = factories.pool(factories.token(is_graduated=True, graduation_timestamp=NOW - timedelta(minutes=1)))
    later = factories.pool(factories.token(is_graduated=True, graduation_timestamp=NOW + timedelta(minutes=1)))
    complete = factories.pool(status=PoolStatus.COMPLETE)
    graduated = [market(pool).facts.is_graduated for pool in (over, later, complete, loud)]
    assert graduated == [True, False, True, False]


def test_truth_21_the_days_volume_is_net_of_wash_volume() -> None:
    """What a wallet buys and sells within a minute is not in the day's volume; the candle has both."""
    pool = factories.pool()
    round_trips = (
        ("70", "buy", "a"),
        ("70", "sell", "a"),
        ("69", "buy", "b"),
        ("0.4", "buy", "c"),
        ("0.3", "sell", "c"),
    )
    for ago, kind, by in round_trips:
        factories.sol_usd(NOW - timedelta(minutes=float(ago)), source="hermes" if kind == "buy" else "pyth")
        trade(pool, ago, "1", kind=kind, by=by, amount_in=10**9, amount_out=10**9)
    assert market(pool).volume_24h_usd == 150


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
