"""What is spent, at what pace, and what is left."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holders import selectors
from holders.selectors import Budget, Spent, gauges
from tests.factories import NOON
from tests.holders.building import usage

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MID_MONTH = datetime(2026, 7, 16, tzinfo=UTC)
"""Fifteen days of July are over and sixteen are left."""


def test_an_endpoint_is_told_today_in_seven_and_in_thirty_days() -> None:
    """Today is since midnight UTC; failed calls and the mean time of all calls stand beside it."""
    usage(timestamp=NOON, credits_used=1, calls=3, response_time_ms=100)
    usage(timestamp=NOON - 13 * timedelta(hours=1), credits_used=10, status_code=None, error_message="ReadTimeout")
    usage(timestamp=NOON - 8 * DAY, credits_used=100, response_time_ms=None)
    usage(timestamp=NOON - 31 * DAY, credits_used=1000)
    usage(api_provider="jupiter", endpoint="/price/v3", credits_used=1, response_time_ms=40)
    assert list(selectors.spent(now=NOON)) == [
        Spent(
            provider="helius",
            endpoint="getTransaction",
            today=1,
            week=11,
            month=111,
            calls=5,
            failed=1,
            mean_ms=105,
        ),
        Spent(provider="jupiter", endpoint="/price/v3", today=1, week=1, month=1, calls=1, failed=0, mean_ms=40),
    ]


def test_a_budget_tells_what_is_used_left_and_coming(settings: Any) -> None:
    """The projection is what is used and the last seven days' pace until the month ends."""
    settings.CREDITS_PER_MONTH = {"helius": 1_000}
    usage(timestamp=MID_MONTH - 10 * DAY, credits_used=100)
    usage(timestamp=MID_MONTH - DAY, credits_used=70)
    usage(timestamp=MID_MONTH - 16 * DAY, credits_used=500)  # of June
    usage(timestamp=MID_MONTH - DAY, credits_used=7, api_provider="jupiter")
    helius, jupiter = selectors.budgets(now=MID_MONTH)
    assert helius == Budget(provider="helius", limit=1_000, used=170, projected=330)
    assert (helius.left, helius.used_ratio) == (830, 0.17)
    assert jupiter == Budget(provider="jupiter", limit=None, used=7, projected=23)
    assert (jupiter.left, jupiter.used_ratio) == (None, None)


def test_what_is_left_never_goes_below_nothing(settings: Any) -> None:
    """A planner that asks after the budget is spent gets zero, and one without a limit gets none."""
    settings.CREDITS_PER_MONTH = {"helius": 15}
    assert selectors.left(provider="helius", now=MID_MONTH) == 15
    usage(timestamp=MID_MONTH)
    assert selectors.left(provider="helius", now=MID_MONTH) == 5
    usage(timestamp=MID_MONTH)
    assert selectors.left(provider="helius", now=MID_MONTH) == 0
    assert selectors.left(provider="jupiter", now=MID_MONTH) is None


def test_days_are_utcs() -> None:
    """The credits of a day and provider add up; a day without calls is left out."""
    usage(timestamp=MID_MONTH, credits_used=1)
    usage(timestamp=MID_MONTH + timedelta(hours=23), credits_used=2)
    usage(timestamp=MID_MONTH + 2 * DAY, credits_used=4)
    days = selectors.daily(start=MID_MONTH, end=MID_MONTH + 5 * DAY)
    assert list(days) == [(MID_MONTH, "helius", 3), (MID_MONTH + 2 * DAY, "helius", 4)]


def test_gauges_tell_what_is_spent_of_each_budget(settings: Any) -> None:
    """Used credits of every provider, and parts of the budget where there is one."""
    settings.CREDITS_PER_MONTH = {"helius": 100}
    usage(timestamp=MID_MONTH - 8 * DAY)
    usage(timestamp=MID_MONTH - 8 * DAY, api_provider="jupiter", credits_used=1)
    found = {gauge.name: list(gauge.values) for gauge in gauges.read(now=MID_MONTH) if "credits" in gauge.name}
    assert found == {
        "credits_used_month": [({"provider": "helius"}, 10.0), ({"provider": "jupiter"}, 1.0)],
        "credits_used_ratio": [({"provider": "helius"}, 0.1)],
        "credits_projected_ratio": [({"provider": "helius"}, 0.1)],
    }
