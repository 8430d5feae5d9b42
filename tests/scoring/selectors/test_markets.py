"""Sell-offs with what is being sold of their tokens."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from scoring.choices import SelloffStatus, SellPressure
from scoring.models import SelloffEvent
from scoring.selectors import desk, markets
from tests import factories
from tests.factories import NOON
from tests.scoring import shown
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Pool

pytestmark = pytest.mark.django_db


def sell(pool: Pool, sol: str | None, *, ago: int, **fields: Any) -> None:
    """Let somebody sell for ``sol``, ``ago`` seconds before NOON."""
    amount = None if sol is None else Decimal(sol)
    fields = {"type": "sell", "sol_amount": amount, "block_time": NOON - timedelta(seconds=ago), **fields}
    factories.transaction(pool, **fields)


def test_the_sales_of_five_minutes_say_how_hard_it_is_sold() -> None:
    """Buys, older sales and those of other tokens do not count; amounts are added up exactly."""
    pool, other = factories.pool(), factories.pool()
    sell(pool, "3.000000001", ago=299)
    sell(pool, "2.000000000", ago=61)
    sell(pool, "9", ago=300)
    sell(pool, "9", ago=10, type="buy")
    sell(other, "99", ago=10)
    calm = shown.selloff(pool.token, lowest_price="0.000000029")
    (row,) = markets.with_sales(SelloffEvent.objects.filter(pk=calm.pk), now=NOON)
    assert row.sales == {"sold": "5.000000001", "largest": "3.000000001", "in_minute": 0}  # type: ignore[attr-defined]
    assert markets.pressure_of(row) is SellPressure.HIGH


def test_many_small_sales_and_sales_of_unknown_worth() -> None:
    """Sales without a value in SOL count as sales and not as SOL."""
    pool = factories.pool()
    for second in range(6):
        sell(pool, None, ago=second)
    shown.selloff(pool.token, lowest_price="0.000000029")
    (row,) = desk.selloffs_now(now=NOON)
    assert row.sales == {"sold": None, "largest": None, "in_minute": 6}  # type: ignore[attr-defined]
    assert row.pressure is SellPressure.MEDIUM  # type: ignore[attr-defined]


def test_a_selloff_that_is_over_has_no_pressure() -> None:
    """What is sold now has nothing to do with it."""
    pool = factories.pool()
    sell(pool, "50", ago=1)
    shown.selloff(pool.token, status=SelloffStatus.EXPIRED, ended_at=NOON, duration_minutes=60)
    (row,) = markets.with_sales(SelloffEvent.objects.all(), now=NOON)
    assert markets.pressure_of(row) is None


def test_truth_05_the_mayhem_agent_sells_nothing() -> None:
    """What the agent sells is no pressure of anybody."""
    pool = factories.pool()
    sell(pool, "50", ago=1, user_address=MAYHEM_AGENT)
    sell(pool, "1", ago=2)
    shown.selloff(pool.token, lowest_price="0.000000029")
    (row,) = desk.selloffs_now(now=NOON)
    assert row.sales == {"sold": "1.000000000", "largest": "1.000000000", "in_minute": 1}  # type: ignore[attr-defined]
