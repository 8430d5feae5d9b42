"""Risks: the published vectors, what is unknown never looks safe, signs and cautions in words."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.choices import RiskLevel
from scoring.domain import risk, signs, stored
from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.risk import Facts, Rules
from scoring.domain.signs import Signs
from scoring.domain.terms import PolicyMalformed, Section
from tests import recordings

VECTORS = recordings.loaded("vectors/holder_risk.json")
RULES = Rules.of(Policy.of(1, DEFAULT_TERMS).risk)

CALM = Facts(
    total_holders=900,
    gini=Decimal("0.3"),
    top_1_pct=Decimal(3),
    top_10_pct=Decimal(20),
    bot_ratio=Decimal("0.02"),
    mev_ratio=Decimal(0),
    new_wallet_ratio=Decimal("0.05"),
    smart_money_ratio=Decimal("0.02"),
    avg_wallet_age_days=Decimal(60),
    holder_score=Decimal(200),
    confidence_pct=Decimal(80),
)
QUIET = Signs(
    traders=900,
    creator="creator",
    insiders=0,
    whales=(),
    joint_buyers=1,
    pump_at="2026-07-03T12:00:00+00:00",
    pump_low_before=Decimal("0.9"),
    pump_high=Decimal(1),
    pump_low_after=Decimal("0.95"),
    pools=0,
    round_trippers=0,
    born=90,
    born_together=3,
    sold_active=9,
    sells_of_those=18,
)
"""Everything is known of both, and nothing speaks against the token."""

ratios = st.none() | st.decimals(0, 1, places=6)
counts = st.none() | st.integers(0, 5_000)
facts = st.builds(
    Facts,
    total_holders=counts,
    gini=ratios,
    top_1_pct=st.none() | st.decimals(0, 100, places=4),
    top_10_pct=st.none() | st.decimals(0, 100, places=4),
    bot_ratio=ratios,
    mev_ratio=ratios,
    new_wallet_ratio=ratios,
    smart_money_ratio=ratios,
    avg_wallet_age_days=st.none() | st.decimals(0, 1_000, places=2),
    holder_score=st.none() | st.decimals(0, 333, places=2),
    confidence_pct=st.none() | st.decimals(0, 100, places=2),
)
figures = st.builds(
    Signs,
    traders=counts,
    creator=st.none() | st.just("creator"),
    creator_sold_raw=counts,
    creator_peak_raw=counts,
    insiders=counts,
    insiders_sold_raw=counts,
    insiders_peak_raw=counts,
    whales=st.none() | st.lists(st.text("abc", min_size=1), max_size=4).map(tuple),
    whales_sol=st.none() | st.decimals(0, 100, places=9),
    joint_buyers=counts,
    pump_low_before=st.none() | st.decimals(0, 10, places=8),
    pump_high=st.none() | st.decimals("0.001", 10, places=8),
    pump_low_after=st.none() | st.decimals(0, 10, places=8),
    pools=counts,
    removed_raw=counts,
    reserve_raw=counts,
    alike=st.lists(st.tuples(st.integers(11, 50), st.integers(2, 5_000)), max_size=3).map(tuple),
    round_trippers=counts,
    born=counts,
    born_together=counts,
    sold_active=counts,
    sells_of_those=counts,
)


def seed_overall(found: risk.Assessment) -> Decimal:
    """The seed's rule as a program would use it: the greatest of the known scores, 0 where nothing is known."""
    return found.overall or Decimal(0)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["gini"]))
def test_the_published_risks(vector: dict[str, Any]) -> None:
    """Concentration, bots, rug and liquidity are exactly those of the published vectors."""
    known = Facts(
        total_holders=vector["n"],
        gini=Decimal(str(vector["gini"])),
        top_1_pct=Decimal(str(vector["top1"])),
        bot_ratio=Decimal(str(vector["bot_ratio"])),
        new_wallet_ratio=Decimal(str(vector["new_ratio"])),
    )
    found = risk.assess(known, Signs(), RULES)
    names = {
        "concentration": "concentration_risk",
        "bots": "bot_risk",
        "rug": "rug_risk",
        "liquidity": "liquidity_risk",
    }
    assert {name: found.score(name) for name in names} == {
        name: Decimal(str(vector[published])) for name, published in names.items()
    }


def test_g8_little_known_is_not_low() -> None:
    """Of a token of which only calm trades are known the seed's overall is 0; ours says that too little is known."""
    found = risk.assess(Facts(), QUIET, RULES)
    assert seed_overall(found) == 0
    assert found.level is RiskLevel.UNKNOWN
    assert (found.completeness, found.confidence) == (Decimal(20), None)


def test_g8_a_known_danger_needs_nothing_else() -> None:
    """One score above 80 is critical, however little else is known."""
    found = risk.assess(Facts(gini=Decimal("0.95")), Signs(), RULES)
    assert (found.overall, found.level, found.completeness) == (100, RiskLevel.CRITICAL, Decimal("33.3333"))


def test_a_calm_token_that_is_known_is_low() -> None:
    """Everything known and nothing against it: low, with the weighted mean of the six scores."""
    found = risk.assess(CALM, QUIET, RULES)
    assert (found.overall, found.weighted, found.completeness) == (26, Decimal("12.35"), 100)
    assert (found.level, found.confidence) == (RiskLevel.LOW, 80)
    assert {name: sign.seen for name, sign in found.signs.items()} == dict.fromkeys(found.signs, False)


@given(facts, figures)
def test_scores_stay_within_bounds(known: Facts, seen: Signs) -> None:
    """Whatever is known, each score is between 0 and 100 and low is never said of what is mostly unknown."""
    found = risk.assess(known, seen, RULES)
    scores = [*(one.score for one in found.risks.values()), found.overall, found.weighted]
    assert all(0 <= score <= 100 for score in scores if score is not None)
    assert 0 <= found.completeness <= 100
    assert found.level is not RiskLevel.LOW or found.completeness >= 60


@given(facts, figures, st.sampled_from(["gini", "bot_ratio", "top_1_pct", "new_wallet_ratio", "total_holders"]))
def test_g8_taking_a_figure_away_never_makes_a_token_low(known: Facts, seen: Signs, name: str) -> None:
    """A token that is not low with a figure is not low without it, unless enough else is known to say so."""
    less = risk.assess(replace(known, **{name: None}), seen, RULES)
    assert less.completeness <= risk.assess(known, seen, RULES).completeness
    assert (less.overall or 0) <= (risk.assess(known, seen, RULES).overall or 0)


@given(facts, figures)
def test_risks_are_computed_again_from_what_was_stored(known: Facts, seen: Signs) -> None:
    """What was stored as JSON gives the same facts and figures, and so the same assessment."""
    again = (
        stored.from_json(Facts, json.loads(json.dumps(stored.as_json(known)))),
        stored.from_json(Signs, json.loads(json.dumps(stored.as_json(seen)))),
    )
    assert again == (known, seen)
    assert risk.assess(*again, RULES) == risk.assess(known, seen, RULES)


@pytest.mark.parametrize(
    ("gini", "score"), [("0.6", "24"), ("0.6001", "40"), ("0.7", "40"), ("0.8", "60"), ("0.9", "80"), ("0.9001", "100")]
)
def test_concentration_has_its_bounds(gini: str, score: str) -> None:
    """Up to 0.6 in a straight line, then in steps that begin above their bound."""
    assert risk.assess(Facts(gini=Decimal(gini)), Signs(), RULES).score("concentration") == Decimal(score)


def test_wash_trading_counts_its_three_signs() -> None:
    """Two numbers of trades shared by many, wallets of one hour and round trips make 20 + 20 + 30 + 30."""
    washed = replace(
        QUIET, traders=100, alike=((12, 11), (20, 40), (33, 10)), round_trippers=31, born=50, born_together=11
    )
    assert risk.assess(CALM, washed, RULES).score("wash_trading") == 100
    assert risk.assess(CALM, replace(washed, round_trippers=30), RULES).score("wash_trading") == 70
    assert risk.assess(CALM, replace(washed, born_together=10), RULES).score("wash_trading") == 70
    assert risk.assess(CALM, replace(washed, alike=((33, 10),)), RULES).score("wash_trading") == 60


def test_volatility_counts_those_who_sell() -> None:
    """Half of the traders sold of late, four times each: 25 and 20."""
    selling = replace(QUIET, traders=100, sold_active=50, sells_of_those=200)
    assert risk.assess(CALM, selling, RULES).score("volatility") == 45


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"pools": 0}, 0),
        ({"pools": 1, "removed_raw": 30, "reserve_raw": 70}, 30),
        ({"pools": 1, "removed_raw": 100, "reserve_raw": 0}, 100),
        ({"pools": 1, "removed_raw": 30, "reserve_raw": None}, None),
        ({"pools": None}, None),
    ],
)
def test_liquidity_removal_is_what_was_taken_out(changes: Any, score: int | None) -> None:
    """The part of the quote that was taken out; a curve's cannot be, and unknown reserves make it unknown."""
    assert risk.assess(CALM, replace(QUIET, **changes), RULES).score("liquidity_removal") == score


def test_pump_and_dump_has_four_signs() -> None:
    """Rise 30, joint buyers 20, insiders 20, fall 30; insiders are unknown when neither they nor the creator are."""
    pumped = replace(QUIET, pump_low_before=Decimal("0.5"), pump_low_after=Decimal("0.5"), joint_buyers=5)
    sold = replace(pumped, creator_peak_raw=100, creator_sold_raw=21)
    assert risk.assess(CALM, pumped, RULES).score("pump_dump") == 80
    assert risk.assess(CALM, sold, RULES).score("pump_dump") == 100
    unknown = risk.assess(CALM, replace(pumped, insiders=None), RULES).risks["pump_dump"]
    assert (unknown.score, unknown.known) == (80, Decimal("0.75"))


@pytest.mark.parametrize(
    ("name", "known", "seen", "sign"),
    [
        ("single_wallet_dominance", {"top_1_pct": Decimal(15)}, {}, False),
        ("single_wallet_dominance", {"top_1_pct": Decimal("15.01")}, {}, True),
        ("single_wallet_dominance", {"top_1_pct": None}, {}, None),
        ("bot_swarm_detected", {"bot_ratio": Decimal("0.5")}, {}, False),
        ("bot_swarm_detected", {"bot_ratio": Decimal("0.51")}, {}, True),
        ("bot_swarm_detected", {"bot_ratio": None}, {}, None),
        ("whale_coordination_detected", {}, {"whales": ("a", "b", "c"), "whales_sol": Decimal(10)}, False),
        ("whale_coordination_detected", {}, {"whales": ("a", "b", "c"), "whales_sol": Decimal("10.1")}, True),
        ("whale_coordination_detected", {}, {"whales": ("a", "b"), "whales_sol": Decimal(99)}, False),
        ("whale_coordination_detected", {}, {"whales": None}, None),
        ("creator_dumping", {}, {"creator_sold_raw": 20, "creator_peak_raw": 100}, False),
        ("creator_dumping", {}, {"creator_sold_raw": 21, "creator_peak_raw": 100}, True),
        ("creator_dumping", {}, {"creator": None}, None),
        ("insider_selling", {}, {"insiders": 2, "insiders_sold_raw": 30, "insiders_peak_raw": 100}, False),
        ("insider_selling", {}, {"insiders": 2, "insiders_sold_raw": 31, "insiders_peak_raw": 100}, True),
        ("insider_selling", {}, {"insiders": None}, None),
        ("coordinated_buying", {}, {"joint_buyers": 4}, False),
        ("coordinated_buying", {}, {"joint_buyers": 5}, True),
        ("pump_dump_pattern", {}, {"pump_low_before": Decimal("0.5"), "pump_low_after": Decimal("0.5")}, True),
        ("pump_dump_pattern", {}, {"pump_low_before": Decimal("0.5"), "pump_low_after": Decimal("0.51")}, False),
        ("pump_dump_pattern", {}, {"pump_low_before": Decimal("0.51"), "pump_low_after": Decimal("0.5")}, False),
        ("pump_dump_pattern", {}, {"pump_high": None}, None),
    ],
)
def test_a_sign_is_seen_beyond_its_limit(name: str, known: Any, seen: Any, sign: bool | None) -> None:
    """Each boolean is true beyond its limit only, and unknown without its figures."""
    found = risk.assess(replace(CALM, **known), replace(QUIET, **seen), RULES)
    assert found.signs[name].seen is sign


def test_without_trades_no_sign_of_them_is_known() -> None:
    """Where no trade is stored nothing that trades tell is false: it is unknown, with the reason."""
    found = risk.assess(CALM, Signs(), RULES)
    assert {name for name, sign in found.signs.items() if sign.seen is None} == {
        "whale_coordination_detected",
        "creator_dumping",
        "insider_selling",
        "pump_dump_pattern",
        "coordinated_buying",
    }
    assert found.signs["coordinated_buying"].words == "Unknown: no trade is stored"


def test_signs_and_cautions_speak_in_words() -> None:
    """An operator reads what was seen, how much of it, and from where on it counts."""
    bad = replace(CALM, top_1_pct=Decimal(22), bot_ratio=Decimal("0.25"), avg_wallet_age_days=Decimal(3))
    found = risk.assess(bad, replace(QUIET, creator_peak_raw=1000, creator_sold_raw=500), RULES)
    said = found.signs["creator_dumping"].words
    assert said == "The creator sold 50 % of his peak in 60 minutes; a sign is more than 20 %"
    assert [(caution.level, caution.words) for caution in found.cautions] == [
        ("warning", "One wallet holds 22 %, more than 20 %"),
        ("warning", "The wallets are 3 days old on average, below 7"),
        ("red", "One wallet holds 22 %, more than 15 %"),
        ("yellow", "25 % of the analysed wallets are bots, more than 20 %"),
        ("yellow", "The wallets are 3 days old on average, below 7"),
    ]


def test_good_news_is_told_too() -> None:
    """Smart money above a tenth and a holder score above 250 are positive alerts."""
    found = risk.assess(replace(CALM, smart_money_ratio=Decimal("0.11"), holder_score=Decimal(251)), QUIET, RULES)
    assert [(caution.level, caution.code) for caution in found.cautions] == [
        ("positive", "smart_money_ratio_above"),
        ("positive", "holder_score_above"),
    ]


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"weights": {**risk.DEFAULTS["weights"], "bots": "0.3"}}, "add up to 1"),
        ({"bots": {"for_all": "-1"}}, "no negative numbers"),
        ({"signs": {**signs.DEFAULTS, "pump_times": "0"}}, "above zero"),
        ({"liquidity": [{"points": "101"}]}, "from 0 to 100"),
    ],
)
def test_terms_that_cannot_be_are_refused(terms: Any, says: str) -> None:
    """A policy under which a risk would leave 0 to 100 says what to write instead."""
    with pytest.raises(PolicyMalformed, match=says):
        Rules.of(Section("risk", {**risk.DEFAULTS, **terms}))


def test_truth_21_every_creation_hour_above_a_fifth_counts() -> None:
    """Two hours with more than a fifth of the wallets each make 60, an hour of exactly a fifth none; the reason names both."""
    crowded = replace(QUIET, born=50, born_together=12, born_hours=(12, 11, 10, 4))
    found = risk.assess(CALM, crowded, RULES).risks["wash_trading"]
    assert found.score == 60
    (line,) = [line for line in found.part.components if line.name == "born_together"]
    assert line.reason == "24 %, 22 % of 50 wallets were created within one hour each"
    assert risk.assess(CALM, replace(crowded, born_hours=(10,)), RULES).score("wash_trading") == 0


@pytest.mark.parametrize(
    ("washed", "points"), [(0, "0"), (20, "0"), (21, "10.5"), (95, "47.5"), (100, "50")]
)  # fmt: skip
def test_truth_21_the_share_of_the_volume_counts(washed: int, points: str) -> None:
    """Above a fifth the volume that is wash counts by its share, and alone never reaches the flag that disqualifies."""
    found = risk.assess(CALM, replace(QUIET, volume_raw=100, wash_volume_raw=washed), RULES).risks["wash_trading"]
    assert (found.score, found.known) == (Decimal(points), 1)
    assert Decimal(points) < Decimal(DEFAULT_TERMS["total"]["flags"]["wash_trading"]["score"])


def test_truth_21_figures_from_before_are_rated_as_they_were() -> None:
    """Figures that tell no volume have three lines; those of a token without volume have a fourth that is not known."""
    lines = risk.assess(CALM, QUIET, RULES).risks["wash_trading"].part.components
    assert [line.name for line in lines] == ["alike", "round_trips", "born_together"]
    assert risk.assess(CALM, replace(QUIET, volume_raw=0), RULES).risks["wash_trading"].known == Decimal("0.75")
