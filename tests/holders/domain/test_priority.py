"""Which tier a token is in, at what interval and how urgent, at every border of the tables."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from holders.choices import Tier
from holders.domain import priority
from holders.domain.priority import DEPTHS, RULES, Depth, Standing

AWAY = "3"
"""Percent at which the curve's place decides nothing."""


def standing(progress: str = AWAY, **known: Any) -> Standing:
    return Standing(
        progress_pct=Decimal(progress),
        **{name: None if value is None else Decimal(str(value)) for name, value in known.items()},
    )


def test_the_table_is_that_of_version_024() -> None:
    """Seven tiers, each with its interval in seconds and its priority."""
    assert [(rule.tier.value, rule.interval.total_seconds(), rule.priority) for rule in RULES] == [
        ("ultra_critical", 30, 1000),
        ("critical", 60, 800),
        ("high", 120, 600),
        ("elevated", 180, 400),
        ("standard", 300, 200),
        ("low", 600, 100),
        ("minimal", 1800, 50),
    ]


@pytest.mark.parametrize(
    ("it", "tier"),
    [
        (standing(technical=250, holder=250), Tier.ULTRA_CRITICAL),
        (standing(technical="249.99", holder=250), Tier.CRITICAL),
        (standing(technical=200, holder=200, momentum="20.01"), Tier.ULTRA_CRITICAL),
        (standing(technical=200, holder=200, momentum=20), Tier.CRITICAL),
        (standing("15", technical=280), Tier.ULTRA_CRITICAL),
        (standing("40", technical=280), Tier.ULTRA_CRITICAL),
        (standing("14.9999", technical=280), Tier.HIGH),
        (standing("40.0001", technical=280), Tier.HIGH),
        (standing("15", technical="279.99"), Tier.HIGH),
        (standing(technical=180, holder=170, momentum="15.01"), Tier.CRITICAL),
        (standing(technical=180, holder=170, momentum=15), Tier.HIGH),
        (standing(technical=250, holder=150), Tier.CRITICAL),
        (standing(technical=249, holder=150), Tier.HIGH),
        (standing(technical=250, holder="149.99", momentum=0), Tier.HIGH),
        (standing("70"), Tier.CRITICAL),
        (standing("84"), Tier.CRITICAL),
        (standing("69.9999"), Tier.MINIMAL),
        (standing("84.0001"), Tier.MINIMAL),
        (standing(technical=150, holder=150, momentum="10.01"), Tier.HIGH),
        (standing(technical=150, holder=150, momentum=10), Tier.ELEVATED),
        (standing("10", technical=200), Tier.HIGH),
        (standing("50", technical=200), Tier.HIGH),
        (standing("9.9999", technical=200), Tier.ELEVATED),
        (standing("50.0001", technical=200), Tier.ELEVATED),
        (standing(technical=180), Tier.ELEVATED),
        (standing(technical="179.99"), Tier.LOW),
        (standing(technical=100, holder=100), Tier.STANDARD),
        (standing("15"), Tier.STANDARD),
        (standing("40"), Tier.STANDARD),
        (standing("40.0001"), Tier.MINIMAL),
        (standing(technical=100), Tier.LOW),
        (standing(technical="99.99"), Tier.MINIMAL),
        (standing(), Tier.MINIMAL),
        (standing(technical=-40, holder=100), Tier.LOW),
    ],
)
def test_a_tier_begins_where_the_table_says(it: Standing, tier: Tier) -> None:
    """Each condition on both sides of its border; what is unknown fulfils none, and a negative part takes nothing away."""
    assert priority.turn_of(it).tier is tier


@pytest.mark.parametrize(
    ("it", "urgency"),
    [
        (standing("70"), 1100),
        (standing("84"), 1100),
        (standing("85"), 50),
        (standing("75", technical=333, holder=200), 1300),
    ],
)
def test_a_curve_about_to_graduate_is_raised_by_300(it: Standing, urgency: int) -> None:
    """From 70 to 84 % a token is critical at least, and 300 more urgent than its tier."""
    assert priority.turn_of(it).priority == urgency


MINUTES = (None, 3, 3.01, 5, 5.01)


@pytest.mark.parametrize(
    ("it", "at_once"),
    [
        (standing(technical="149.99"), (False, False, False, False, False)),
        (standing(technical=150), (True, False, False, False, False)),
        (standing(technical=150, holder=0), (False, False, False, False, False)),
        (standing(technical=180), (True, False, False, False, True)),
        (standing(technical=200), (True, False, True, True, True)),
        (standing(), (False, False, False, False, False)),
    ],
)
def test_an_analysis_is_instant_by_version_025(it: Standing, at_once: tuple[bool, ...]) -> None:
    """From 150 points without a holder score; from 200 after more than three, from 180 after more than five minutes."""
    ages = [None if age is None else timedelta(minutes=age) for age in MINUTES]
    assert tuple(priority.is_instant(it, since_analysis=age) for age in ages) == at_once


def test_milestones_stand_on_the_one_scale() -> None:
    """The code's 1, 2, 3 and 5 are 900, 800, 500 and 300; larger is more urgent."""
    thresholds = (10, 15, 25, 50, 75, 90, 95, 100)
    assert [priority.milestone_priority(it) for it in thresholds] == [500, 300, 300, 300, 800, 900, 900, 900]


@pytest.mark.parametrize(
    ("points_15m", "points_1h", "urgency"),
    [("5", "10", None), ("5.01", None, 800), (None, "10.01", 500), ("5.01", "10.01", 800), (None, None, None)],
)
def test_a_curve_that_moves_fast_is_urgent(points_15m: str | None, points_1h: str | None, urgency: int | None) -> None:
    """More than five points in 15 minutes: 800; more than ten in an hour: 500; the more urgent of the two."""
    gained = [None if it is None else Decimal(it) for it in (points_15m, points_1h)]
    assert priority.velocity_priority(points_15m=gained[0], points_1h=gained[1]) == urgency


@pytest.mark.parametrize(
    ("progress", "holders", "inside"),
    [
        ("4.9999", 5, False),
        ("5", 5, True),
        ("99.9999", 5, True),
        ("100", 5, False),
        ("5", 4, False),
        (None, 5, False),
        ("5", None, False),
    ],
)
def test_the_window_is_half_open_and_needs_five_holders(
    progress: str | None, holders: int | None, inside: bool
) -> None:
    """Decision G4: from 5 % below 100 % of the quote target with five holders; what is unknown is outside."""
    pct = None if progress is None else Decimal(progress)
    assert priority.is_in_window(progress_quote_pct=pct, holders=holders) is inside


def test_depth_follows_the_tier() -> None:
    """A job's priority says as which tier it counts, and that how many holders and wallets are looked at."""
    depths = {
        urgency: DEPTHS[priority.tier_of(urgency)] for urgency in (2000, 1000, 900, 600, 599, 300, 200, 199, 50, 1)
    }
    assert depths == {
        2000: Depth(10_000, 500),
        1000: Depth(10_000, 500),
        900: Depth(10_000, 500),
        600: Depth(10_000, 500),
        599: Depth(5_000, 250),
        300: Depth(5_000, 250),
        200: Depth(5_000, 250),
        199: Depth(2_000, 100),
        50: Depth(2_000, 100),
        1: Depth(2_000, 100),
    }
