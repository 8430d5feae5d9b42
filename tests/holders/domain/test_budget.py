"""What may be spent on look-ups, at every border."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from holders.domain import budget
from holders.domain.budget import Light, Purse

DAY_10 = datetime(2026, 7, 10, 12, tzinfo=UTC)
LAST_DAY = datetime(2026, 7, 31, 23, tzinfo=UTC)
"""What is used then is what the month will have used."""


def purse(**known: Any) -> Purse:
    return Purse(**{"limit": 10_000_000, "used": 0, "today": 0, "paid_last_hour": 0, "now": LAST_DAY, **known})


@pytest.mark.parametrize(
    ("holders", "wallets", "credits_asked"), [(0, 0, 0), (1, 0, 1), (1_000, 0, 1), (1_001, 0, 2), (10_000, 500, 1_010)]
)
def test_a_look_up_costs_what_the_model_says(holders: int, wallets: int, credits_asked: int) -> None:
    """One credit for a thousand holders or part of them, and two for each wallet that is not known."""
    assert budget.cost(holders=holders, wallets=wallets) == credits_asked


def test_a_provider_may_ask_other_prices() -> None:
    """Helius counts ten for a page, and a wallet costs what its source says."""
    assert budget.cost(holders=1_001, wallets=3, a_page=10, a_wallet=20) == 80


@pytest.mark.parametrize(
    ("percent", "pace", "price"),
    [
        (0, 100, 1),
        (39, 100, 1),
        (40, 75, 2),
        (50, 50, 2),
        (59, 50, 2),
        (60, 30, 4),
        (70, 20, 4),
        (75, 20, 10),
        (80, 10, 10),
        (84, 10, 10),
        (85, 0, 10),
    ],
)
def test_the_more_is_used_the_fewer_and_the_dearer(percent: int, pace: int, price: int) -> None:
    """Below 40 % of use 100 analyses an hour at a point a credit, from 80 % on ten at ten, from 85 % none."""
    use = Fraction(percent, 100)
    assert (budget.analyses_per_hour(use), budget.price_of_a_credit(use)) == (pace, price)


@pytest.mark.parametrize(
    ("used", "light", "left"),
    [
        (7_499_999, Light.GREEN, 1_000_001),
        (7_500_000, Light.WARN, 1_000_000),
        (8_499_999, Light.WARN, 1),
        (8_500_000, Light.STOP, 0),
        (9_900_000, Light.STOP, 0),
    ],
)
def test_a_month_warns_at_75_and_stops_at_85_percent(used: int, light: Light, left: int) -> None:
    """Each border to the credit, and what is left until the stop."""
    state = purse(used=used)
    assert (state.light, state.left) == (light, left)


def test_no_credit_is_spent_from_the_hard_stop_on() -> None:
    """The most urgent work gets nothing at 85 %, and a credit before it gets no more than what is left."""
    assert purse(used=8_500_000).credits_for(2_000) == 0
    assert purse(used=8_499_999).credits_for(2_000) == 1


def test_a_credit_has_to_buy_its_price() -> None:
    """Work gets as many credits as buy the price of one each, in points of its priority."""
    assert [purse(used=0).credits_for(it) for it in (1_000, 50)] == [1_000, 50]
    assert [purse(used=7_600_000).credits_for(it) for it in (1_000, 50)] == [100, 5]


def test_an_hour_pays_for_so_many_analyses() -> None:
    """The hundredth analysis of an hour is paid for, the next goes on without a call."""
    assert purse(paid_last_hour=99).credits_for(500) == 500
    assert purse(paid_last_hour=100).credits_for(500) == 0


def test_a_month_that_will_cost_too_much_is_spent_slowly_but_never_stopped() -> None:
    """At a tenth of the budget on the first day the month is expected to be spent three times: ten an hour, not none."""
    state = purse(used=1_000_000, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert budget.projected_month(used=1_000_000, now=state.now) == 31_000_000
    assert (state.light, state.per_hour, state.credits_for(1_000)) == (Light.GREEN, 10, 100)


def test_a_projection_counts_the_days_so_far() -> None:
    """used / day of month * days, as the seed has it."""
    assert budget.projected_month(used=1_000, now=DAY_10) == 3_100


def test_a_day_above_three_percent_is_dear() -> None:
    """Of ten million a month 300,000 a day is the most that is not told of."""
    assert [purse(today=today).is_day_dear for today in (300_000, 300_001)] == [False, True]


def test_without_a_limit_everything_is_allowed() -> None:
    """Nobody set a budget: no figure is made up."""
    state = purse(limit=None, used=10**9, today=10**9, paid_last_hour=10**6)
    assert (state.light, state.left, state.per_hour, state.credits_for(1)) == (Light.GREEN, None, None, None)
    assert not state.is_day_dear


def test_value_is_priority_a_credit() -> None:
    """Points that a credit buys, to the hundredth; nothing paid has no value."""
    assert [budget.value(priority=1_000, paid=it) for it in (3, 0)] == [Decimal("333.33"), None]
