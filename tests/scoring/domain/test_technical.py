"""The technical score: published vectors to the last digit, and each defect of the sources repaired."""

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.domain.policy import DEFAULT_TERMS
from scoring.domain.technical import curve, market_cap, selloff, trading
from scoring.domain.technical.facts import Facts
from scoring.domain.technical.scored import Terms, score
from scoring.domain.technical.selloff import Fall
from scoring.domain.terms import PolicyMalformed, Section
from tests import recordings

D = Decimal
TERMS = Terms.of(Section("technical", DEFAULT_TERMS["technical"]))
NO_FALL = Fall(drop_5m=D(0), drop_15m=D(0), drop_30m=D(0), red=0, minutes=None, recovery=D(1))


def decimals(row: dict[str, Any]) -> dict[str, Decimal]:
    """Return the numbers of ``row`` as they are written."""
    return {name: D(str(value)) for name, value in row.items() if value is not None}


def points(part: Any) -> dict[str, Decimal]:
    """Return each line's points by name."""
    return {line.name: line.points for line in part.components}


def test_market_cap_base_vectors() -> None:
    """Each published market cap gets its published points."""
    for row in map(decimals, recordings.loaded("vectors/technical_mcap.json")):
        part = market_cap.score(TERMS.market_cap, market_cap_usd=row["mcap_usd"], velocity_pct_min=None)
        assert points(part) == {"base": row["base"], "velocity": 0}, row


def test_market_cap_velocity_vectors() -> None:
    """Each published velocity gets its published points."""
    for row in map(decimals, recordings.loaded("vectors/technical_mcap_velocity.json")):
        part = market_cap.score(TERMS.market_cap, market_cap_usd=None, velocity_pct_min=row["v_pct_per_min"])
        assert points(part) == {"base": None, "velocity": row["pts"]}, row


def test_bonding_curve_vectors() -> None:
    """Each published progress and velocity gets its published points; the sources had all steps steady.

    At 29.99 percent the exact points end in a five at the seventh place, which the source's floats rounded either way.
    """
    for row in map(decimals, recordings.loaded("vectors/technical_bc.json")):
        part = curve.score(
            TERMS.bonding_curve, progress_pct=row["progress"], velocity_pct_h=row["velocity_per_h"], steady=D(1)
        )
        assert part.points is not None
        tie = D("0.000001") if row["progress"] == D("29.99") else D(0)
        assert abs(part.points - row["score"]) <= tie, row


def test_trading_health_vectors() -> None:
    """Each published ratio, trend and share gets its published points."""
    for row in map(decimals, recordings.loaded("vectors/technical_health.json")):
        part = trading.score(
            TERMS.trading_health, trades=1, ratio_1h=row["ratio"], trend_pct=row["trend"], largest_share=row["whale"]
        )
        assert part.points == row["score"], row


def test_calibration_vectors() -> None:
    """At each published progress the curve's points at one percent an hour and the market cap's base are the published
    ones, and the market cap is the one that progress in SOL gives (T4)."""
    for row in map(decimals, recordings.loaded("vectors/progress_calibration_check.json")):
        part = curve.score(TERMS.bonding_curve, progress_pct=row["progress"], velocity_pct_h=D(1), steady=D(1))
        assert part.points == row["bc_score_v1"], row
        base = market_cap.score(TERMS.market_cap, market_cap_usd=row["matrix_mcap_usd"], velocity_pct_min=None)
        assert (base.points or D(0)).quantize(D("0.01")) == row["mcap_base"], row
        raised = 85 * row["progress"] / 100
        assert abs((30 + raised) ** 2 / D("32.19") * 200 - row["mcap_if_sol_progress"]) <= D("0.5"), row


def _fall(row: dict[str, Any]) -> Fall:
    told = decimals({name: row[name] for name in ("d5", "d15", "d30", "recovery")})
    return Fall(
        drop_5m=told["d5"],
        drop_15m=told["d15"],
        drop_30m=told["d30"],
        red=row["red"],
        minutes=row["duration_min"],
        recovery=told["recovery"],
    )


def test_selloff_vectors() -> None:
    """The published sell-offs have defect 1 repaired and the others not: terms that say so give each published score."""
    terms = copy.deepcopy(DEFAULT_TERMS["technical"]["selloff_response"])
    terms["share_15m"], terms["crash"]["points_15m"] = "0", "-30"
    as_published = selloff.Terms.of(Section("selloff_response", terms))
    for row in recordings.loaded("vectors/technical_selloff.json"):
        fall = _fall(row)
        assert fall.is_active(as_published) is row["active"], row
        assert selloff.score(as_published, fall).points == row["score"], row


def test_selloff_vectors_repaired() -> None:
    """With every defect repaired just the two published crashes of more than 25 percent in 15 minutes lose ten more."""
    rows = recordings.loaded("vectors/technical_selloff.json")
    moved = {
        (row["d5"], row["d15"]): difference
        for row in rows
        if (difference := (selloff.score(TERMS.selloff_response, _fall(row)).points or D(0)) - row["score"])
    }
    assert moved == {(35, 30): -10, (28, 27): -10}


def test_g2_1_a_calm_token_without_an_event_has_all_points() -> None:
    """G2.1: an absent event is no event, so calm is 75 and not 45."""
    part = selloff.score(TERMS.selloff_response, NO_FALL)
    assert points(part) == {"pressure": 40, "recovery": 35}


def test_g2_2_a_deeper_fall_is_never_better() -> None:
    """G2.2: 30 percent in fifteen minutes is not better than 20, as the source had it (-30 and -40)."""
    deep = replace(NO_FALL, drop_5m=D(35), drop_15m=D(30), recovery=D(0), red=1)
    milder = replace(deep, drop_15m=D(20))
    assert points(selloff.score(TERMS.selloff_response, deep))["pressure"] == -40
    assert points(selloff.score(TERMS.selloff_response, milder))["pressure"] == -40


def test_g2_3_a_crash_that_ended_six_minutes_ago_gives_nothing() -> None:
    """G2.3: 40 percent in fifteen minutes of which none in the last five is a crash, where the source gave +10; from 15
    percent on nothing is earned."""
    ended = replace(NO_FALL, drop_15m=D(40))
    assert points(selloff.score(TERMS.selloff_response, ended))["pressure"] == -40
    for drop in (15, 18, 22, 25):
        pressure = points(selloff.score(TERMS.selloff_response, replace(NO_FALL, drop_15m=D(drop))))["pressure"]
        assert pressure == 10 - 2 * D("0.6") * drop, drop


def test_g2_4_all_red_is_as_many_as_there_are() -> None:
    """G2.4: red minutes are counted from the newest to the first that is not; all red is not none."""
    red, green, still = (D(2), D(1)), (D(1), D(2)), (D(1), D(1))
    counted = [selloff.red_in_a_row(row) for row in ([red] * 4, [red, red, green, red], [green, red], [red, still], [])]
    assert counted == [4, 2, 0, 1, 0]


def test_g2_5_duration_counts_in_whole_points() -> None:
    """G2.5: a point for each two full minutes, twenty at most."""
    lost = [
        points(selloff.score(TERMS.selloff_response, replace(NO_FALL, minutes=minutes))).get("duration")
        for minutes in (0, 1, 2, 3, 39, 40, 60)
    ]
    assert lost == [None, 0, -1, -1, -19, -20, -20]


def test_g3_velocities_are_signed() -> None:
    """G3: a fall from 2 to 1 in ten minutes is -5 percent a minute and earns nothing; the source had +10 and 10 points."""
    fallen = market_cap.velocity(price=D(1), before=D(2), minutes=D(10))
    assert fallen == -5
    assert points(market_cap.score(TERMS.market_cap, market_cap_usd=None, velocity_pct_min=fallen))["velocity"] == 0
    progress = curve.velocity((D(40), D(40), D(40), D(40), D(40), D(39), D("39.5")))
    assert progress == -1
    part = curve.score(TERMS.bonding_curve, progress_pct=D("39.5"), velocity_pct_h=progress, steady=D(1))
    assert points(part)["velocity"] == 0


def test_velocity_needs_two_prices() -> None:
    """One price alone is no movement."""
    assert market_cap.velocity(price=D(1), before=None, minutes=None) is None
    assert curve.velocity((None, None, D(5))) is None
    assert curve.velocity((None, D(4), D(5))) == 12


def test_consistency_is_the_share_of_steps_that_did_not_fall() -> None:
    """Four of the last six five-minute steps without a fall are two thirds of 12.5 points; the source gave all."""
    steady = curve.consistency(tuple(map(D, (1, 2, 1, 1, 3, 2, 2))))
    part = curve.score(TERMS.bonding_curve, progress_pct=D(50), velocity_pct_h=None, steady=steady)
    assert points(part)["consistency"] == D("8.333333")


def test_only_buys_are_the_best_ratio() -> None:
    """Buys without a sell are 999 and earn 30; the source had 1.0 and 10."""
    zero, some = (D(0),) * 4, (D(1), D(0), D(0), D(0))
    weights = TERMS.trading_health.weights
    ratios = [
        trading.ratio(weights, buys=b, sells=s) for b, s in ((some, zero), (zero, some), (zero, zero), (some, some))
    ]
    assert ratios == [999, 0, None, 1]
    assert trading.ratio(weights, buys=(D(0), D(0), D(0), D(5)), sells=some) == 1


def test_silence_is_no_health() -> None:
    """Without trades all three lines are zero; the source gave 30."""
    part = trading.score(TERMS.trading_health, trades=0, ratio_1h=None, trend_pct=D(0), largest_share=None)
    assert points(part) == {"ratio": 0, "trend": 0, "largest": 0}


def test_recovery_without_sells_is_the_best() -> None:
    """Buys without a sell after a fall are a full recovery, so a first small sell cannot earn points."""
    zero, some = (D(0),) * 4, (D(1), D(0), D(0), D(9))
    found = [
        selloff.recovery(TERMS.selloff_response, buys=b, sells=s) for b, s in ((some, zero), (zero, zero), (zero, some))
    ]
    assert found == [999, 1, 0]


def test_unknown_is_unknown() -> None:
    """A token of which nothing is known has no points and nothing available but the health of silence."""
    told = score(TERMS, Facts())
    assert [part.points for part in told.parts] == [0, None, 0, None]
    assert [told.parts[0].available, told.available] == [40, 115]


def test_the_least_and_the_most() -> None:
    """A perfect market has 333 points, and a crash without anything good -47.5 (G1)."""
    buys = (D(10), D(1), D(1), D(1))
    perfect = Facts(
        market_cap_usd=D(30000),
        price=D("1.05"),
        before=D(1),
        before_minutes=D(5),
        progress=tuple(D(50) - D(6 - step) / 24 for step in range(7)),
        buys=buys,
        trades_1h=40,
        largest=D(1),
        first_5m=D(1),
        first_15m=D(1),
        first_30m=D(1),
        first_60m=D(1),
    )
    assert score(TERMS, perfect).total == 333
    crash = Facts(
        market_cap_usd=D(5000),
        price=D(1),
        before=D(2),
        before_minutes=D(5),
        progress=(D(0),) * 7,
        sells=(D(1), D(5), D(5), D(5)),
        trades_1h=4,
        largest=D(16),
        first_5m=D(2),
        first_15m=D(2),
        first_30m=D(2),
        first_60m=D(2),
        red=3,
        selloff_minutes=60,
    )
    assert score(TERMS, crash).total == D("-47.5")


prices = st.decimals("0.01", "100", places=2)
amounts = st.tuples(*[st.decimals("0", "50", places=2)] * 4)
candles = st.lists(st.tuples(prices, prices), min_size=1, max_size=8)


def _answer(rows: list[tuple[Decimal, Decimal]], buys: Any, sells: Any, minutes: int | None) -> Decimal:
    """Return the sell-off points of minutes (open, close), oldest first, all in the last five."""
    facts = Facts(
        price=rows[-1][1],
        buys=buys,
        sells=sells,
        first_5m=rows[0][0],
        first_15m=rows[0][0],
        first_30m=rows[0][0],
        red=selloff.red_in_a_row(reversed(rows)),
        selloff_minutes=minutes,
    )
    return score(TERMS, facts).parts[3].points or D(0)


@given(
    rows=candles,
    buys=amounts,
    sells=amounts,
    minutes=st.none() | st.integers(0, 60),
    sold=st.decimals("0.01", "50", places=2),
    share=st.decimals("0.01", "0.99", places=2),
)
def test_a_red_candle_never_gives_points(
    rows: Any, buys: Any, sells: Any, minutes: int | None, sold: Decimal, share: Decimal
) -> None:
    """Whatever the market did, one more minute of selling below the last price never raises the answer to sell-offs."""
    before = _answer(rows, buys, sells, minutes)
    last = rows[-1][1]
    after = _answer([*rows, (last, last * share)], buys, (sells[0] + sold, *sells[1:]), minutes)
    assert after <= before


@given(
    cap=st.none() | st.decimals("0", "200000", places=2),
    rows=candles,
    progress=st.lists(st.none() | st.decimals("0", "100", places=4), min_size=7, max_size=7),
    buys=amounts,
    sells=amounts,
    minutes=st.none() | st.integers(0, 60),
)
def test_parts_sum_to_the_total(cap: Any, rows: Any, progress: Any, buys: Any, sells: Any, minutes: int | None) -> None:
    """The lines sum to the parts and the parts to the total, within -60 and 333; stored facts give the same again."""
    facts = Facts(
        market_cap_usd=cap,
        price=rows[-1][1],
        before=rows[0][1],
        before_minutes=D(4),
        progress=tuple(progress),
        buys=buys,
        sells=sells,
        trades_1h=3,
        largest=sum(buys, D(0)) / 2,
        first_5m=rows[0][0],
        first_15m=rows[0][0],
        first_30m=rows[0][0],
        red=selloff.red_in_a_row(reversed(rows)),
        selloff_minutes=minutes,
    )
    told = score(TERMS, facts)
    lines = [line.points for part in told.parts for line in part.components if line.points is not None]
    assert sum(lines, D(0)) == sum((part.points or D(0) for part in told.parts), D(0)) == told.total
    assert -60 <= told.total <= told.available <= 333
    assert score(TERMS, Facts.from_json(facts.as_json())).parts == told.parts


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("weights", ["1", "1"], "write 3 weights"), ("weights", ["1", "1", "-1"], "none below zero")],
)
def test_weights_fit_their_ages(key: str, value: Any, said: str) -> None:
    """There is one weight for each age, and none is negative."""
    with pytest.raises(PolicyMalformed, match=said):
        selloff.Terms.of(Section("selloff_response", {**DEFAULT_TERMS["technical"]["selloff_response"], key: value}))


def test_truth_20_silence_gives_no_selloff_points() -> None:
    """Without a trade for an hour calm is no strength: no points of 75, known, and the reason says so."""
    calm = {f"high_{minutes}m": D(1) for minutes in (5, 15, 30, 60)}
    loud = score(TERMS, Facts(price=D(1), trades_1h=1, **calm)).parts[3]
    silent = score(TERMS, Facts(price=D(1), is_silent=True, **calm)).parts[3]
    assert [loud.points, silent.points, silent.available] == [75, 0, 75]
    assert {line.reason for line in silent.components} == {
        "No trade of the last hour forms a price: silence is no strength."
    }
    assert score(TERMS, Facts(is_silent=True)).parts[3].points is None


def test_truth_20_a_silent_curve_is_not_steady() -> None:
    """Nothing fell because nobody traded: no points of 12.5 for steadiness, and its place on the curve counts as before."""
    facts = Facts(price=D(1), progress=(D(20),) * 7)
    loud, silent = (score(TERMS, replace(facts, is_silent=is_silent)).parts[1] for is_silent in (False, True))
    points = [{line.name: line.points for line in part.components} for part in (loud, silent)]
    assert [found["consistency"] for found in points] == [D("12.5"), 0]
    assert points[0]["position"] == points[1]["position"] > 0
    assert silent.available == loud.available


def test_truth_20_a_curve_that_is_over_has_no_block() -> None:
    """After graduation the curve's 83 points are neither given nor to be had."""
    facts = Facts(price=D(1), progress=(D(100),) * 7, is_graduated=True)
    found = score(TERMS, facts)
    assert [found.parts[1].points, found.parts[1].available] == [None, 0]
    assert found.available == score(TERMS, replace(facts, is_graduated=False)).available - 83
    assert {line.reason for line in found.parts[1].components} == {
        "It has graduated: its curve is over and is not scored any more."
    }


@pytest.mark.parametrize("minutes", [D(0), D(-10)])
def test_truth_25_over_no_time_there_is_no_velocity(minutes: Decimal) -> None:
    """A zero span is no division by zero, and a negative one does not turn the sign."""
    assert market_cap.velocity(price=D(1), before=D(2), minutes=minutes) is None
    assert curve.velocity((D(5),)) is None
