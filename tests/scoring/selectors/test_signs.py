"""Risk signs from trades: each by its smallest example, many tokens with one statement, and nothing from the future."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from holders.models import TokenHolder, WalletAnalysis
from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.risk import Facts, Rules, assess
from scoring.domain.signs import Signs, creator_dumping
from scoring.selectors import signs
from tests import factories, recordings
from tests.factories import NOON, address
from tests.tokens.services.capture import play
from tokens.choices import PoolType, TransactionType, Venue
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Pool, Token, Transaction

pytestmark = pytest.mark.django_db

RULES = Rules.of(Policy.of(1, DEFAULT_TERMS).risk)
MILLION = 10**12
"""Base units of a million tokens; five percent of the supply are fifty of them."""
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
_places = count()


@pytest.fixture
def curve() -> Pool:
    """A launch curve without trades."""
    return factories.pool()


def trade(pool: Pool, wallet: str, at: datetime, *, tokens: int = MILLION, sol: str = "1", sells: bool = False) -> None:
    """Create a buy or a sale of ``tokens`` base units for ``sol``, after all trades before it."""
    lamports = int(Decimal(sol) * 10**9)
    given_, got = (tokens, lamports) if sells else (lamports, tokens)
    factories.transaction(
        pool,
        block_time=at,
        slot=420_000_000 + int((at - NOON) / SECOND),
        event_index=next(_places),
        type=TransactionType.SELL if sells else TransactionType.BUY,
        user_address=address(wallet),
        amount_in=given_,
        amount_out=got,
        sol_amount=Decimal(sol),
    )


def read(token: Token, at: datetime = NOON) -> Signs:
    """Return the figures of one token."""
    return signs.read(asked=[(token.mint_address, at)], rules=RULES)[0]


def insider(token: Token, wallet: str, judged_at: datetime = NOON) -> None:
    """Say of a wallet that it is an insider of the token."""
    TokenHolder.objects.create(
        token_mint=token.mint_address,
        wallet_address=address(wallet),
        current_balance=0,
        is_insider=True,
        flags={},
        flagged_at=judged_at,
        last_updated=judged_at,
    )


def test_of_a_mint_without_trades_nothing_is_known(curve: Pool) -> None:
    """No trades: traders are unknown, not none; of a mint that is no token not even the pools are known."""
    assert read(curve.token) == Signs(creator=curve.token.creator_address, whales=(), pools=0)
    assert signs.read(asked=[(address("nobody"), NOON)], rules=RULES) == [Signs()]


def test_what_the_creator_sold_is_a_part_of_his_peak(curve: Pool) -> None:
    """He bought 10 and 30 and sold 5 two hours and 8 half an hour ago: 8 of a peak of 40 count."""
    creator = curve.token.creator_address or ""
    for minutes, tokens, sells in ((240, 10, False), (180, 30, False), (120, 5, True), (30, 8, True)):
        factories.transaction(
            curve,
            block_time=NOON - minutes * MINUTE,
            slot=420_000_000 - minutes,
            event_index=next(_places),
            type="sell" if sells else "buy",
            user_address=creator,
            amount_in=tokens if sells else 1,
            amount_out=1 if sells else tokens,
        )
    found = read(curve.token)
    assert (found.creator_sold_raw, found.creator_peak_raw) == (8, 40)


def test_who_was_given_his_tokens_has_a_peak_too(curve: Pool) -> None:
    """An insider that bought nothing and sold 3 had at least 3: all of it is sold."""
    insider(curve.token, "friend")
    trade(curve, "friend", NOON - MINUTE, tokens=3, sells=True)
    found = read(curve.token)
    assert (found.insiders, found.insiders_sold_raw, found.insiders_peak_raw) == (1, 3, 3)


def test_insiders_are_unknown_until_somebody_looked(curve: Pool) -> None:
    """A flag of a later snapshot is not read, and no flag at all means unknown, not none."""
    trade(curve, "friend", NOON - MINUTE)
    insider(curve.token, "friend", judged_at=NOON + SECOND)
    assert read(curve.token).insiders is None
    assert read(curve.token, NOON + SECOND).insiders == 1


def test_whales_act_together_within_a_minute(curve: Pool) -> None:
    """Three holders of five percent that sell within sixty seconds are a group, with their SOL and their names."""
    for wallet in ("w1", "w2", "w3", "w4"):
        trade(curve, wallet, NOON - 3 * HOUR, tokens=50 * MILLION)
    trade(curve, "small", NOON - 3 * HOUR, tokens=50 * MILLION - 1)
    for wallet, seconds in (("w1", 60), ("w2", 30), ("w3", 0), ("w4", 121), ("small", 20)):
        trade(curve, wallet, NOON - MINUTE - seconds * SECOND, sol="4", sells=True)
    found = read(curve.token)
    assert found.whales == tuple(sorted(map(address, ("w1", "w2", "w3"))))
    assert (found.whales_bought, found.whales_sol) == (False, 12)
    assert found.whales_at == (NOON - 2 * MINUTE).isoformat()


@pytest.mark.parametrize(("supply", "known"), [(None, False), (2 * 10**15, True)])
def test_truth_05_whales_of_a_mayhem_coin_are_told_by_a_known_supply_alone(
    curve: Pool, supply: int | None, known: bool
) -> None:
    """What it began with is no supply once its agent may have burned some: then whales are unknown, not none."""
    curve.token.metadata, curve.token.initial_supply = {"is_mayhem_mode": True}, 2 * 10**15
    curve.token.save()
    curve.base_supply = supply
    curve.save()
    trade(curve, address("ann"), NOON)
    assert (read(curve.token).whales is not None) is known


def test_whales_on_both_sides_are_no_group(curve: Pool) -> None:
    """Two that sell and one that buys in the same minute do not act together; nor do three long ago."""
    for wallet in ("w1", "w2", "w3"):
        trade(curve, wallet, NOON - 3 * HOUR, tokens=50 * MILLION)
    for wallet, sells in (("w1", True), ("w2", True), ("w3", False)):
        trade(curve, wallet, NOON - MINUTE, sol="9", sells=sells)
    assert read(curve.token).whales == ()


def test_first_buys_close_in_time_and_amount_are_joint(curve: Pool) -> None:
    """Five wallets within ten seconds and two percent; one later, one dearer and one that bought before do not count."""
    trade(curve, "old", NOON - HOUR, sol="5")
    for place, sol in enumerate(("1.00", "1.01", "1.02", "1.005", "1.015")):
        trade(curve, f"joint {place}", NOON - MINUTE + (2 * place + 1) * SECOND, sol=sol)
    trade(curve, "late", NOON - MINUTE + 12 * SECOND, sol="1.00")
    trade(curve, "dear", NOON - MINUTE + 5 * SECOND, sol="1.021")
    trade(curve, "old", NOON - MINUTE + 5 * SECOND, sol="1.00")
    found = read(curve.token)
    assert (found.joint_buyers, found.joint_at) == (5, (NOON - MINUTE + SECOND).isoformat())
    assert (found.joint_least_raw, found.joint_most_raw) == (1_000_000_000, 1_020_000_000)


def test_a_pump_and_its_dump_are_found_in_minutes(curve: Pool) -> None:
    """From 1 up to 2.5 within half an hour and down to 1.1 within the next: the figures of that minute."""
    prices = ((60, "1", "1", "1", "1"), (40, "1.2", "2.5", "1.2", "2.4"), (20, "2.2", "2.2", "1.1", "1.2"))
    for minutes, opened, high, low, closed in prices:
        factories.candle(
            curve.token,
            bucket=NOON - minutes * MINUTE,
            open=Decimal(opened),
            high=Decimal(high),
            low=Decimal(low),
            close=Decimal(closed),
        )
    trade(curve, "anybody", NOON - HOUR)
    found = read(curve.token)
    assert found.pump_at == (NOON - 40 * MINUTE).isoformat()
    assert (found.pump_low_before, found.pump_high, found.pump_low_after) == (1, Decimal("2.5"), Decimal("1.1"))


def test_a_slow_rise_is_no_pump(curve: Pool) -> None:
    """What doubles within two hours never doubles within half an hour."""
    for minutes, price in ((150, "1"), (100, "1.5"), (50, "2.2")):
        steady = dict.fromkeys(("open", "high", "low", "close"), Decimal(price))
        factories.candle(curve.token, bucket=NOON - minutes * MINUTE, **steady)
    found = read(curve.token)
    assert found.pump_high == found.pump_low_before == found.pump_low_after


def test_liquidity_is_taken_out_of_graduated_pools_only(curve: Pool) -> None:
    """A curve has none to take; of a graduated pool what was taken in a day counts against what is left."""
    pool = factories.pool(curve.token, pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    assert read(curve.token).pools == 0
    for hours, kind, amount, left in (
        (30, "add_liquidity", 100, 100),
        (25, "remove_liquidity", 10, 90),
        (1, "remove_liquidity", 60, 30),
    ):
        factories.transaction(
            pool,
            block_time=NOON - hours * HOUR,
            slot=420_000_000 - hours,
            type=kind,
            amount_in=amount,
            amount_out=amount,
            quote_reserves=left,
            token_reserves=1,
        )
    found = read(curve.token)
    assert (found.pools, found.removed_raw, found.reserve_raw) == (1, 60, 30)


def test_truth_09_what_is_left_of_a_pool_is_that_of_its_newest_trade_in_the_slot(curve: Pool) -> None:
    """By the one order inside a slot, not by a trade's place in its own transaction."""
    pool = factories.pool(curve.token, pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    for index, left in ((200_001, 40), (1, 50)):
        factories.transaction(
            pool, block_time=NOON - HOUR, slot=420_000_000, event_index=index, quote_reserves=left, token_reserves=1
        )
    assert read(curve.token).reserve_raw == 50


def test_traders_are_counted_by_how_they_trade(curve: Pool) -> None:
    """Two with eleven trades each are alike, one with six buys and six sales trips round, sellers of the day are counted."""
    for wallet in ("a", "b"):
        for place in range(11):
            trade(curve, wallet, NOON - 2 * HOUR + place * MINUTE)
    for place in range(12):
        trade(curve, "round", NOON - HOUR + place * SECOND, sells=bool(place % 2))
    for hours in (25, 26):
        trade(curve, "gone", NOON - hours * HOUR, sells=hours == 25)
    found = read(curve.token)
    assert (found.traders, found.alike, found.round_trippers) == (4, ((11, 2),), 1)
    assert (found.sold_active, found.sells_of_those) == (1, 6)


def test_holders_born_in_one_hour_are_counted_where_their_birth_is_known(curve: Pool) -> None:
    """Three of four known holders come from one hour; one who sold everything and one of unknown birth do not count."""
    births = {"a": 5, "b": 20, "c": 59, "d": 61, "sold": 5}
    for wallet in (*births, "unknown"):
        trade(curve, wallet, NOON - HOUR)
    trade(curve, "sold", NOON - MINUTE, sells=True)
    for wallet, minutes in births.items():
        WalletAnalysis.objects.create(
            wallet_address=address(wallet),
            first_seen_at=NOON - 48 * HOUR + minutes * MINUTE,
            last_seen_at=NOON,
            from_start=True,
            source="own",
            last_analyzed=NOON,
            valid_until=NOON + HOUR,
        )
    found = read(curve.token)
    assert (found.born, found.born_together) == (4, 3)


@pytest.fixture
def busy(curve: Pool) -> Pool:
    """A token of which each kind of figure is known at :data:`NOON`."""
    for place in range(6):
        trade(curve, f"first {place}", NOON - HOUR + place * SECOND, tokens=60 * MILLION)
    for place in range(3):
        trade(curve, f"first {place}", NOON - MINUTE, sol="5", sells=True)
    trade(curve, f"creator of {curve.token.mint_address}", NOON - HOUR, sol="2")
    for minutes, price in ((50, "1"), (40, "3"), (30, "1")):
        steady = dict.fromkeys(("open", "high", "low", "close"), Decimal(price))
        factories.candle(curve.token, bucket=NOON - minutes * MINUTE, **steady)
    insider(curve.token, "first 0", judged_at=NOON - MINUTE)
    return curve


def test_nothing_later_is_in_the_figures(busy: Pool) -> None:
    """Whatever happens after a time, the figures at that time stay the same: trades, minutes, flags."""
    before = read(busy.token)
    assert before.whales is not None
    assert (len(before.whales), before.joint_buyers, before.pump_high, before.insiders) == (3, 6, 3, 1)
    for place in range(6):
        trade(busy, f"first {place}", NOON + SECOND, tokens=60 * MILLION, sells=True)
        trade(busy, f"later {place}", NOON + SECOND, tokens=70 * MILLION, sol="9")
    trade(busy, "anybody", NOON + MINUTE)
    soaring = dict.fromkeys(("open", "high", "low", "close"), Decimal(90))
    factories.candle(busy.token, bucket=NOON - 30 * SECOND, **soaring)  # it ends after noon
    insider(busy.token, "first 1", judged_at=NOON + SECOND)
    assert read(busy.token) == before
    assert read(busy.token, NOON + 2 * MINUTE) != before


def test_many_tokens_take_one_statement_and_are_not_mixed(busy: Pool, curve: Pool) -> None:
    """Fifty tokens and times are asked at once, in their order, each as if it were asked alone."""
    others = [factories.pool() for _ in range(20)]
    for place, other in enumerate(others):
        for number in range(place % 7):
            trade(other, f"first {number}", NOON - HOUR + number * SECOND, tokens=60 * MILLION)
    asked = [(pool.token.mint_address, NOON - hours * HOUR) for pool in (busy, *others) for hours in (0, 1)]
    with CaptureQueriesContext(connection) as queries:
        together = signs.read(asked=asked, rules=RULES)
    assert len(queries) == 1
    assert together == [signs.read(asked=[one], rules=RULES)[0] for one in asked]
    assert {found.joint_buyers for found in together} == {None, 1, 2, 3, 4, 5, 6}


buys = st.lists(st.tuples(st.integers(0, 40), st.integers(95, 110)), min_size=1, max_size=14)


def largest_group(first_buys: list[tuple[int, int]], *, within: int = 10) -> int:
    """The rule in plain Python: the most first buys within ten seconds of which the dearest is two percent above."""
    return max(
        sum(
            start <= at <= start + within and least <= amount and amount * 100 <= least * 102
            for at, amount in first_buys
        )
        for start, _ in first_buys
        for _, least in first_buys
    )


class Joint(TestCase):
    """Hypothesis gives each example a transaction of its own."""

    @given(buys)
    def test_joint_buys_equal_plain_python(self, first_buys: list[tuple[int, int]]) -> None:
        """For any first buys the largest group is that of comparing all with all."""
        pool = factories.pool()
        for place, (seconds, amount) in enumerate(first_buys):
            trade(pool, f"buyer {place}", NOON + seconds * SECOND, sol=f"0.{amount:09d}")
        assert read(pool.token, NOON + HOUR).joint_buyers == largest_group(first_buys)


CASES = ("c62_launcher_dumps_other", "c62_launcher_dumps_self")


@pytest.mark.parametrize("name", CASES)
def test_truth_08_a_launchers_dump_is_the_creators_whomever_the_creation_names(name: str) -> None:
    """Who signed the creation and bought in it sells all he has: the sign of a dumping creator is seen, before it is not."""
    play((name, line) for line in recordings.lines(f"cases/{name}.jsonl"))
    token = Token.objects.get()
    dump = Transaction.objects.filter(type=TransactionType.SELL, user_address=token.launch_wallets[0]).latest(
        "block_time"
    )
    before, after = read(token, dump.block_time - SECOND), read(token, dump.block_time)
    assert (before.creator_sold_raw, after.creator_sold_raw) == (0, dump.amount_in)
    assert after.creator_peak_raw == dump.amount_in
    assert [creator_dumping(found, RULES.signs).seen for found in (before, after)] == [False, True]


def test_truth_08_a_named_creator_who_keeps_much_hides_no_dump(curve: Pool) -> None:
    """The launcher sold all of his twenty million beside a creator who keeps a hundred: his dump counts alone."""
    launcher = address("launcher")
    Token.objects.update(launch_wallets=[launcher])
    curve.refresh_from_db()
    for wallet, tokens, minutes, sells in (
        (curve.token.creator_address or "", 100, 90, False),
        (launcher, 20, 90, False),
        (launcher, 20, 5, True),
    ):
        factories.transaction(
            curve,
            block_time=NOON - minutes * MINUTE,
            slot=420_000_000 - minutes,
            event_index=next(_places),
            type="sell" if sells else "buy",
            user_address=wallet,
            amount_in=tokens * MILLION if sells else 1,
            amount_out=1 if sells else tokens * MILLION,
        )
    found = read(curve.token)
    assert (found.creator_sold_raw, found.creator_peak_raw) == (20 * MILLION, 20 * MILLION)


def test_truth_08_a_dev_wallets_dust_is_no_dump(curve: Pool) -> None:
    """A thousandth of the supply is the least whose sale alone counts; all dev wallets together count always."""
    launcher = address("launcher")
    Token.objects.update(launch_wallets=[launcher])
    curve.refresh_from_db()
    creator = curve.token.creator_address or ""
    for wallet, tokens, minutes, sells in ((creator, 99, 90, False), (launcher, 1, 90, False), (launcher, 1, 5, True)):
        factories.transaction(
            curve,
            block_time=NOON - minutes * MINUTE,
            slot=420_000_000 - minutes,
            event_index=next(_places),
            type="sell" if sells else "buy",
            user_address=wallet,
            amount_in=tokens if sells else 1,
            amount_out=1 if sells else tokens,
        )
    found = read(curve.token)
    assert (found.creator_sold_raw, found.creator_peak_raw) == (1, 100)


def test_truth_21_the_hours_of_creation_are_all_told(curve: Pool) -> None:
    """Three wallets of one hour and two of another are both told, the larger first."""
    for wallet, minutes in {"a": 5, "b": 20, "c": 59, "d": 61, "e": 62}.items():
        trade(curve, wallet, NOON - HOUR)
        WalletAnalysis.objects.create(
            wallet_address=address(wallet),
            first_seen_at=NOON - 48 * HOUR + minutes * MINUTE,
            last_seen_at=NOON,
            from_start=True,
            source="own",
            last_analyzed=NOON,
            valid_until=NOON + HOUR,
        )
    found = read(curve.token)
    assert (found.born, found.born_together, found.born_hours) == (5, 3, (3, 2))


def test_truth_21_round_trips_of_one_wallet_are_wash_volume(curve: Pool) -> None:
    """A wallet that buys and sells in one transaction makes 19 of 20 SOL; what it keeps is not wash, nor is a slow sale."""
    for second in range(19):
        trade(curve, "bot", NOON - HOUR + second * MINUTE, sol="0.5")
        trade(curve, "bot", NOON - HOUR + second * MINUTE, sol="0.5", sells=True)
    trade(curve, "buyer", NOON - HOUR, sol="0.6")
    trade(curve, "buyer", NOON - MINUTE, sol="0.4", sells=True)
    found = read(curve.token)
    assert (found.volume_raw, found.wash_volume_raw) == (20 * 10**9, 19 * 10**9)
    wash = assess(Facts(), found, RULES).risks["wash_trading"]
    assert [line.points for line in wash.part.components if line.name == "volume"] == [Decimal("47.5")]


@pytest.mark.parametrize(("apart", "washed"), [(60, 15 * 10**8), (61, 0)])
def test_truth_21_a_round_is_as_long_as_its_trades_are_close(curve: Pool, apart: int, washed: int) -> None:
    """Trades a minute apart are one round, over any minute of the clock: half of what was bought was sold again in it."""
    trade(curve, "bot", NOON - HOUR + 30 * SECOND, tokens=2 * MILLION, sol="2")
    trade(curve, "bot", NOON - HOUR + (30 + apart) * SECOND, sol="0.5", sells=True)
    assert read(curve.token).wash_volume_raw == washed


def test_truth_05_the_mayhem_agent_is_nobody(curve: Pool) -> None:
    """The agent's trades are no trader, no round trip and no volume."""
    trade(curve, "buyer", NOON - HOUR)
    for place in range(14):
        factories.transaction(
            curve, block_time=NOON - HOUR, event_index=10_000 + place, user_address=MAYHEM_AGENT,
            type=TransactionType.SELL if place % 2 else TransactionType.BUY,
        )  # fmt: skip
    found = read(curve.token)
    assert (found.traders, found.round_trippers, found.volume_raw, found.wash_volume_raw) == (1, 0, 10**9, 0)


def test_truth_17_dust_is_no_pump(curve: Pool) -> None:
    """A minute that has no price is passed over: neither a rise nor a fall."""
    for minute, price in ((-50, "1"), (-40, "1"), (-30, "1")):
        flat = {name: Decimal(price) for name in ("open", "high", "low", "close")}
        factories.candle(curve.token, bucket=NOON + minute * MINUTE, **flat)
    nothing = dict.fromkeys(("open", "high", "low", "close"))
    factories.candle(curve.token, bucket=NOON - 35 * MINUTE, **nothing)
    found = read(curve.token)
    assert (found.pump_low_before, found.pump_high, found.pump_low_after) == (1, 1, 1)
