"""How hard a token is being sold: the bounds, and what is not known."""

from decimal import Decimal
from typing import Any

import pytest

from scoring.choices import SellPressure
from scoring.domain.technical import pressure
from scoring.domain.technical.pressure import Sales

D = Decimal


@pytest.mark.parametrize(
    ("drop", "sales", "level"),
    [
        ("30", {}, SellPressure.HIGH),
        ("30.01", {}, SellPressure.CRITICAL),
        ("20", {}, SellPressure.MEDIUM),
        ("20.01", {}, SellPressure.HIGH),
        ("10", {}, SellPressure.LOW),
        ("10.01", {}, SellPressure.MEDIUM),
        ("6", {"sold": D(10)}, SellPressure.HIGH),
        ("6", {"sold": D("10.1")}, SellPressure.CRITICAL),
        ("6", {"sold": D("5.1"), "largest": D("5.1")}, SellPressure.CRITICAL),
        ("6", {"sold": D(5), "largest": D(5)}, SellPressure.MEDIUM),
        ("6", {"sold": D(2)}, SellPressure.LOW),
        ("6", {"sold": D("2.1")}, SellPressure.MEDIUM),
        ("6", {"sold": D(1), "in_minute": 5}, SellPressure.LOW),
        ("6", {"sold": D(1), "in_minute": 6}, SellPressure.MEDIUM),
        ("25", {"in_minute": 6}, SellPressure.HIGH),
    ],
)
def test_the_worst_sign_counts(drop: str, sales: dict[str, Any], level: SellPressure) -> None:
    """Each bound is exclusive, many small sales raise low to medium and no further, and unknown sales say nothing."""
    assert pressure.of(drop=D(drop), sales=Sales(**sales)) is level
