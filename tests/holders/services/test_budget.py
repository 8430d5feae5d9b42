"""The credits of look-ups: what a month still allows, what is set aside, what an operator hears."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from holders.domain.budget import Light
from holders.services import budget
from tests.factories import NOON
from tests.holders.building import job, usage
from tokens.models import OperatorAlert

pytestmark = pytest.mark.django_db

LAST_DAY = datetime(2026, 7, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def thousand(settings: Any) -> None:
    settings.CREDITS_PER_MONTH = {"helius": 1_000}


def told() -> list[tuple[str, str, str]]:
    """Return subject, severity and message of the open alerts."""
    rows = OperatorAlert.objects.filter(resolved_at=None).order_by("subject")
    return [(row.subject, row.severity, row.message) for row in rows]


def test_a_purse_counts_this_month_today_and_the_last_hour() -> None:
    """Only this provider's credits of this calendar month; paid analyses of an hour, without the job that asks."""
    usage(timestamp=NOON - timedelta(hours=13), credits_used=100)
    usage(timestamp=NOON, credits_used=20)
    usage(timestamp=NOON - timedelta(days=3), credits_used=500)  # of June
    usage(timestamp=NOON, credits_used=7, api_provider="jupiter")
    mine = job(paid_at=NOON, credits_used=3)
    job(paid_at=NOON - timedelta(minutes=59), credits_used=3)
    job(paid_at=NOON - timedelta(minutes=61), credits_used=3)
    known = budget.purse(now=NOON, without=mine)
    assert (known.limit, known.used, known.today, known.paid_last_hour) == (1_000, 120, 20, 1)
    assert budget.purse(now=NOON).paid_last_hour == 2


def test_what_is_set_aside_is_replaced_by_what_was_paid() -> None:
    """A killed worker's spending counts by what was set aside for it; a live one's by what it did cost."""
    row = job()
    budget.set_aside(job=row, credits_planned=310, now=NOON)
    row.refresh_from_db()
    assert (row.paid_at, row.credits_used) == (NOON, 310)
    budget.settle(job=row, credits_planned=310, credits_paid=42)
    row.refresh_from_db()
    assert (row.paid_at, row.credits_used) == (NOON, 42)


def test_an_operator_hears_at_75_and_at_85_percent_and_when_it_is_over() -> None:
    """A warning, then a critical alert of the same row, which ends by itself with the month."""
    usage(timestamp=LAST_DAY - timedelta(days=5), credits_used=749)
    assert (budget.watch(now=LAST_DAY), told()) == ({"helius": Light.GREEN}, [])
    usage(timestamp=LAST_DAY - timedelta(days=5), credits_used=1)
    assert budget.watch(now=LAST_DAY) == {"helius": Light.WARN}
    said = "helius: 750 of 1,000 credits (75%) of this month are used; look-ups stop at 85%."
    assert told() == [("helius", "warning", said)]
    usage(timestamp=LAST_DAY - timedelta(days=5), credits_used=100)
    assert budget.watch(now=LAST_DAY) == {"helius": Light.STOP}
    said = (
        "helius: 850 of 1,000 credits (85%) of this month are used; no look-up is paid for until the month ends, "
        "holders are analysed from our own trades."
    )
    assert told() == [("helius", "critical", said)]
    assert budget.watch(now=LAST_DAY + timedelta(days=1)) == {"helius": Light.GREEN}
    assert told() == []


def test_an_operator_hears_of_a_dear_day() -> None:
    """More than three percent of the month since midnight UTC; the next day it is over."""
    usage(timestamp=NOON, credits_used=30)
    budget.watch(now=NOON)
    assert told() == []
    usage(timestamp=NOON, credits_used=1)
    budget.watch(now=NOON)
    assert told() == [("helius today", "warning", "helius: today cost 31 credits; a day of this budget has 30.")]
    budget.watch(now=NOON + timedelta(days=1))
    assert told() == []


def test_without_a_limit_nobody_is_told(settings: Any) -> None:
    """Nobody set a budget, so nothing can run short."""
    settings.CREDITS_PER_MONTH = {}
    usage(credits_used=10**6)
    assert (budget.watch(now=NOON), told()) == ({}, [])


def test_many_budgets_are_read_at_once(settings: Any, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """Four statements for the figures of all providers and what was told of them, however many there are."""
    settings.CREDITS_PER_MONTH = {f"provider {number}": 1_000 for number in range(3)}
    usage(api_provider="provider 0", credits_used=1)
    with django_assert_num_queries(4):
        budget.watch(now=NOON)
