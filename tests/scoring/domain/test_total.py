"""The total of 999 points: its parts, what was to be had, multipliers, red flags and their reasons."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from scoring.domain import total
from scoring.domain.terms import PolicyMalformed, Section
from scoring.domain.total import Inputs, PartPoints, Total
from scoring.domain.verdicts import Facts

TERMS = Section("total", total.DEFAULTS)

GROWN = {"holders": Decimal(150), "holders_before": Decimal(100), "holders_hours": Decimal(2)}
STRONG = {"progress_pct": Decimal(70), "reached_pct": Decimal(70), "reached_after_hours": Decimal("5.99")}
KNOWN = {"known_ratio": Decimal("0.61"), "top_1_pct": Decimal(5)}
CHEERED = {"sentiment": Decimal("0.61")}


def scored(terms: Section = TERMS, facts: dict[str, Any] | None = None, **parts: str) -> Total:
    """Return the total of whole parts."""
    found = total.score(
        Inputs(facts=Facts(**(facts or {})), **{name: PartPoints(Decimal(it)) for name, it in parts.items()}), terms
    )
    assert found is not None
    return found


def with_terms(road: str, value: Any) -> Section:
    """Return the default terms with one changed."""
    terms = deepcopy(total.DEFAULTS)
    *groups, last = road.split(".")
    inner = terms
    for group in groups:
        inner = inner[group]
    inner[last] = value
    return Section("total", terms)


def test_the_total_is_the_sum_of_its_parts() -> None:
    """200.25 + 150.5 + 99.75 are 450.5 of 999, 451 in whole points."""
    found = scored(technical="200.25", holder="150.5", social="99.75")
    assert (found.raw, found.available_max, found.adjusted, found.ratio) == (
        Decimal("450.50"),
        999,
        451,
        Decimal("0.4515"),
    )


def test_g1_what_is_below_zero_adds_nothing() -> None:
    """A technical score of −47.5 leaves the 250 points of the holders; the seed's sum would be 202.5."""
    found = scored(technical="-47.5", holder="250")
    assert (found.technical, found.raw, found.available_max) == (Decimal(0), Decimal(250), 666)


def test_g5_a_high_score_is_a_ratio_of_what_was_to_be_had() -> None:
    """500 of 666 is high and 500 of 999 is not; above 700, the seed's rule, no token without social ever comes."""
    without, whole = scored(technical="250", holder="250"), scored(technical="250", holder="250", social="0")
    assert (without.available_max, whole.available_max) == (666, 999)
    assert (total.is_high(without.ratio, TERMS), total.is_high(whole.ratio, TERMS)) == (True, False)
    best = scored(technical="333", holder="333")
    assert (best.adjusted, best.adjusted > 700, total.is_high(best.ratio, TERMS)) == (666, False, True)


def test_g5_an_unknown_part_is_not_zero() -> None:
    """Without social nothing is said of it; with zero points it is said to be bad."""
    assert (scored(holder="100").social, scored(holder="100", social="0").social) == (None, Decimal(0))
    assert (scored(holder="100").ratio, scored(holder="100", social="0").ratio) == (
        Decimal("0.3003"),
        Decimal("0.1502"),
    )


def test_a_part_of_which_only_lines_are_known_is_measured_by_them() -> None:
    """80 points of the 111 that were to be had; completeness counts the data behind them."""
    inputs = Inputs(holder=PartPoints(Decimal(80), Decimal(111), Decimal("0.5")))
    found = total.score(inputs, TERMS)
    assert found is not None
    assert (found.available_max, found.ratio, found.completeness) == (111, Decimal("0.7207"), Decimal("5.5556"))


def test_nothing_known_is_no_total() -> None:
    """Without a known part there is no row to write."""
    assert total.score(Inputs(facts=Facts(holders=Decimal(10))), TERMS) is None


@pytest.mark.parametrize(
    ("facts", "factor", "adjusted"),
    [
        (GROWN, "1.2000", 120),
        (STRONG, "1.1500", 115),
        (KNOWN, "1.1000", 110),
        (CHEERED, "1.1000", 110),
        (GROWN | STRONG | KNOWN | CHEERED, "1.6698", 167),
        ({**GROWN, "holders": Decimal(149)}, "1.0000", 100),
        ({**GROWN, "holders_hours": Decimal("2.01")}, "1.0000", 100),
        ({**STRONG, "reached_after_hours": Decimal(6)}, "1.0000", 100),
        ({**STRONG, "progress_pct": Decimal("69.9")}, "1.0000", 100),
        ({**KNOWN, "known_ratio": Decimal("0.6")}, "1.0000", 100),
        ({**KNOWN, "top_1_pct": Decimal("5.01")}, "1.0000", 100),
        ({"sentiment": Decimal("0.6")}, "1.0000", 100),
    ],
)
def test_g6_the_multiplier_is_in_the_total(facts: dict[str, Any], factor: str, adjusted: int) -> None:
    """Each multiplier at its edge; 100 points become what the factor says. The seed's total stays 100."""
    found = scored(facts=facts, holder="100")
    assert (found.multiplier, found.adjusted, found.raw) == (Decimal(factor), adjusted, Decimal(100))


def test_g6_no_total_is_above_what_was_to_be_had() -> None:
    """300 × 1.2 of 333 are 333."""
    assert scored(facts=GROWN, holder="300").adjusted == 333


@pytest.mark.parametrize(
    ("facts", "adjusted", "raised"),
    [
        ({"mint_authority": True}, 0, ["mint_authority"]),
        ({"honeypot": True}, 0, ["honeypot"]),
        ({"wash_trading_score": Decimal(60)}, 0, ["wash_trading"]),
        ({"wash_trading_score": Decimal("59.9")}, 100, []),
        ({"top_1_pct": Decimal("10.01")}, 100, ["large_wallet"]),
        ({"top_1_pct": Decimal(10), "top_5_pct": Decimal("30.1")}, 100, ["top_5_wallets"]),
        ({"mentions_24h": Decimal(500), "engagement_pct": Decimal("0.05")}, 100, ["social_manipulation"]),
        ({"creator_dumping": True, "bot_swarm": False}, 100, ["creator_dumping"]),
    ],
)
def test_g6_a_hard_flag_makes_it_zero_and_a_soft_one_is_named(
    facts: dict[str, Any], adjusted: int, raised: list[str]
) -> None:
    """What disqualifies leaves the parts as they are and the total 0."""
    found = scored(facts=facts, holder="100")
    assert (found.adjusted, [flag.name for flag in found.raised], found.raw) == (adjusted, raised, Decimal(100))


def test_every_verdict_says_why() -> None:
    """Reasons have the values that decided, or say what is unknown."""
    found = scored(facts={**GROWN, "honeypot": False}, holder="100")
    said = {one.name: one.reason for one in (*found.multipliers, *found.flags)}
    assert (
        said["organic_growth"]
        == "Holders went from 100 to 150 in 2 hours, 50 %; asked is at least 50 % within 2 hours."
    )
    assert said["honeypot"] == "What is bought can be sold."
    assert said["social_momentum"] == "Unknown: no source tells the sentiment."


def test_stored_inputs_give_the_same_total() -> None:
    """What is written as JSON reads back as it was."""
    inputs = Inputs(
        technical=PartPoints(Decimal("-12.5"), Decimal("290.5")), facts=Facts(**GROWN, honeypot=False, top_5_pct=None)
    )
    assert Inputs.from_json(inputs.as_json()) == inputs


@pytest.mark.parametrize(
    ("road", "value", "said"),
    [
        ("multipliers.organic_growth.factor", "0", "factor is 0: write a number from 0.1 to 2."),
        ("multipliers.strong_curve.factor", "1e9", "write a number from 0.1 to 2."),
        ("multipliers.strong_curve.factor", "NaN", 'write a number as text, for example "12.5".'),
        ("high_ratio", "1.5", "write a ratio above 0 and at most 1."),
    ],
)
def test_terms_that_make_no_sense_are_refused_in_words(road: str, value: str, said: str) -> None:
    """The message names the term and what to write."""
    with pytest.raises(PolicyMalformed) as refusal:
        total.check(with_terms(road, value))
    assert said in str(refusal.value)


_points = some.decimals(-1000, 5000, places=3)


@given(
    points=some.tuples(*[some.none() | _points] * 3),
    available=some.tuples(*[some.decimals(-10, 2000, places=2)] * 3),
    factor=some.sampled_from(["0.1", "1.2", "2"]),
)
def test_adversarial_parts_and_terms_stay_within_999(
    points: tuple[Any, ...], available: tuple[Decimal, ...], factor: str
) -> None:
    """Whatever parts claim and policies multiply, 0 ≤ total ≤ what was to be had ≤ 999 and each part ≤ 333."""
    terms = with_terms("multipliers.organic_growth.factor", factor)
    parts = dict(zip(total.PARTS, map(PartPoints, points, available), strict=True))
    found = total.score(Inputs(facts=Facts(**GROWN), **parts), terms)
    if found is None:
        assert points == (None, None, None)
        return
    assert 0 <= found.adjusted <= found.available_max <= 999
    assert all(part is None or 0 <= part <= 333 for part in (found.technical, found.holder, found.social))
