"""The holder score: the published vectors, what is unknown, the window, how far it can be believed."""

import json
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.choices import Confidence
from scoring.domain import holder, stored
from scoring.domain.holder import Facts, Rules
from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.terms import PolicyMalformed, Section
from tests import recordings

VECTORS = recordings.loaded("vectors/holder_score.json")
POLICY = Policy.of(1, DEFAULT_TERMS)
RULES = Rules.of(POLICY.holder)

GOOD = Facts(
    total_holders=400,
    gini=Decimal("0.25"),
    top_1_pct=Decimal(4),
    bot_ratio=Decimal("0.05"),
    smart_money_ratio=Decimal("0.12"),
    avg_wallet_age_days=Decimal(120),
    active_holders=400,
    organic=Decimal(1),
    velocity=Decimal(1),
    holders_fetched=400,
    wallets_sampled=100,
    wallets_enriched=100,
    has_trades=True,
)
"""All points there are, all known."""

ratios = st.none() | st.decimals(0, 1, places=6)
facts = st.builds(
    Facts,
    total_holders=st.none() | st.integers(0, 10**6),
    gini=ratios,
    top_1_pct=st.none() | st.decimals(0, 100, places=4),
    bot_ratio=ratios,
    smart_money_ratio=ratios,
    avg_wallet_age_days=st.none() | st.decimals(0, 10_000, places=2),
    active_holders=st.none() | st.integers(0, 10**6),
    organic=ratios,
    velocity=ratios,
    holders_fetched=st.none() | st.integers(0, 10**6),
    wallets_sampled=st.none() | st.integers(0, 1_000),
    wallets_enriched=st.none() | st.integers(0, 1_000),
    has_trades=st.none() | st.booleans(),
)


def number(value: Any) -> Decimal:
    return Decimal(str(value))


def why(**changes: Any) -> str | None:
    given_ = {"progress_quote_pct": Decimal(50), "total_holders": 50, "is_graduated": False, **changes}
    return holder.why_not_active(terms=POLICY.holder, **given_)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["total"]))
def test_the_published_scores(vector: dict[str, Any]) -> None:
    """Each block and the total are exactly those of the published vectors."""
    score = holder.score(
        Facts(
            gini=number(vector["gini"]),
            top_1_pct=number(vector["top1"]),
            total_holders=vector["n"],
            bot_ratio=number(vector["bot"]),
            smart_money_ratio=number(vector["smart"]),
            avg_wallet_age_days=number(vector["age"]),
            active_holders=vector["active24"],
            organic=number(vector["organic"]),
            velocity=number(vector["velocity"]),
        ),
        RULES,
    )
    points = [part.points for part in score.parts]
    assert points == [number(vector[name]) for name in ("distribution", "quality", "activity")]
    assert (score.total, score.available) == (number(vector["total"]), 333)


@given(facts)
def test_the_lines_add_up_within_their_bounds(known: Facts) -> None:
    """Lines add up to blocks and blocks to the total; each is at most what was available, whatever is unknown."""
    score = holder.score(known, RULES)
    lines = [line.points for part in score.parts for line in part.components if line.points is not None]
    assert score.total == (sum(lines) if lines else None)
    assert (score.total or 0) <= score.available <= 333
    assert all(0 <= part.points <= part.available <= 111 for part in score.parts if part.points is not None)
    assert 0 <= score.confidence <= score.completeness <= 100


@given(facts)
def test_a_score_is_computed_again_from_what_was_stored(known: Facts) -> None:
    """What was stored as JSON gives the same facts, and so the same score with the same reasons."""
    again = stored.from_json(Facts, json.loads(json.dumps(stored.as_json(known))))
    assert again == known
    assert holder.score(again, RULES) == holder.score(known, RULES)


@given(facts, st.sampled_from([field.name for field in fields(Facts)]))
def test_what_becomes_unknown_never_adds_points(known: Facts, name: str) -> None:
    """Taking one figure away takes its points and what they could have been, and gives none elsewhere."""
    if name != "total_holders":  # few holders lessen the other lines
        less = holder.score(replace(known, **{name: None}), RULES)
        assert (less.total or 0) <= (holder.score(known, RULES).total or 0)
        assert less.completeness <= holder.score(known, RULES).completeness


def test_unknown_is_neither_good_nor_bad() -> None:
    """Without any wallet analysed the quality is unknown, not 0: 111 points less were to be had."""
    score = holder.score(replace(GOOD, bot_ratio=None, smart_money_ratio=None, avg_wallet_age_days=None), RULES)
    assert (score.quality.points, score.total, score.available) == (None, 222, 222)
    assert score.quality.components[0].reason == "Unknown: the part of bots"


@pytest.mark.parametrize(
    ("age", "points"), [("0", 5), ("7", 5), ("7.01", 10), ("14", 10), ("30", 15), ("60", 20), ("90", 25), ("90.01", 31)]
)
def test_a_wallets_age_has_its_bounds(age: str, points: int) -> None:
    """A step begins above its bound, and the youngest wallets get the five points of the configuration."""
    score = holder.score(Facts(avg_wallet_age_days=Decimal(age)), RULES)
    assert score.quality.points == points


@pytest.mark.parametrize(("gini", "points"), [("0.2999", 40), ("0.3", 30), ("0.5", 20), ("0.7", 10), ("0.8", 0)])
def test_a_gini_coefficient_has_its_bounds(gini: str, points: int) -> None:
    """A step ends below its bound."""
    assert holder.score(Facts(gini=Decimal(gini)), RULES).distribution.points == points


@pytest.mark.parametrize(
    ("holders", "points"), [(0, 0), (1, "0.6"), (9, "16.2"), (10, 1), (309, 30), (310, 31), (10**6, 31)]
)
def test_few_holders_count_less(holders: int, points: Any) -> None:
    """Below ten holders two points each, lessened by their number; from ten on a point for each ten, 31 at most."""
    assert holder.score(Facts(total_holders=holders), RULES).distribution.points == Decimal(points)


def test_one_who_owns_everything_gets_next_to_nothing() -> None:
    """One holder of all has no points for distribution but those of being somebody."""
    alone = Facts(total_holders=1, gini=Decimal(0), top_1_pct=Decimal(100))
    lines = {line.name: line.points for line in holder.score(alone, RULES).distribution.components}
    assert lines == {"gini": Decimal("12.00"), "top_1": 0, "holders": Decimal("0.60")}


def test_more_holders_of_the_same_shape_never_score_less() -> None:
    """From ten holders on, more of them and everything else the same never takes points away."""
    totals = [holder.score(replace(GOOD, total_holders=n, active_holders=n), RULES).total or 0 for n in range(10, 400)]
    assert totals == sorted(totals)


@pytest.mark.parametrize(
    ("changes", "confidence", "level"),
    [
        ({}, "100", Confidence.HIGH),
        ({"wallets_sampled": 80, "wallets_enriched": 80}, "80", Confidence.HIGH),
        ({"wallets_enriched": 49}, "79.6", Confidence.MEDIUM),
        ({"holders_fetched": 100}, "70", Confidence.MEDIUM),
        ({"wallets_sampled": 49, "wallets_enriched": 49}, "49", Confidence.LOW),
        ({"wallets_sampled": None}, "0", Confidence.LOW),
    ],
)
def test_confidence_is_completeness_of_a_large_enough_sample(changes: Any, confidence: str, level: Confidence) -> None:
    """40 % holders fetched, 40 % wallets enriched, 20 % trades, less below a hundred sampled; 80 is high, 50 medium."""
    score = holder.score(replace(GOOD, **changes), RULES)
    assert (score.confidence, score.level) == (Decimal(confidence), level)


@pytest.mark.parametrize("progress", ["5", "9.99", "99.9999"])
def test_g4_the_window_begins_at_five_percent(progress: str) -> None:
    """From 5 % of the quote target up to graduation holders are scored; the seed began at 10 %."""
    assert why(progress_quote_pct=Decimal(progress)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"progress_quote_pct": None}, "Its progress is not known"),
        ({"progress_quote_pct": Decimal("4.99")}, "Its progress of 4.99 % is below 5 %"),
        ({"progress_quote_pct": Decimal(100)}, "Its progress of 100 % has reached 100 %"),
        ({"total_holders": 4}, "It has 4 holders, fewer than 5"),
        ({"total_holders": None}, "The number of its holders is not known"),
        ({"is_graduated": True}, "It has graduated: the score that it had then is frozen"),
    ],
)
def test_g4_what_is_outside_the_window_says_why(changes: Any, reason: str) -> None:
    """Too early, too few, graduated or unknown: the reason is in words, and unknown means no."""
    assert why(**changes) == reason


@pytest.mark.parametrize(
    ("road", "value", "says"),
    [
        (("velocity", "most"), "32", "at most 111"),
        (("organic", "points_for_all"), "-1", "no negative number"),
        (("few_holders", "least_factor"), "1.5", "from 0 to 1"),
        (("completeness", "trades"), "30", "add up to 100"),
        (("holders", "a_point_for"), "0", "above zero"),
    ],
)
def test_terms_that_cannot_be_are_refused(road: tuple[str, str], value: str, says: str) -> None:
    """A policy whose blocks would not stay within 111 points says what to write instead."""
    group, name = road
    terms = {**holder.DEFAULTS, group: {**holder.DEFAULTS[group], name: value}}
    with pytest.raises(PolicyMalformed, match=says):
        Rules.of(Section("holder", terms))
