"""How hard a token is being sold, in a word: what an operator looks at first among sell-offs.

The worst of three signs counts: the fall, what was sold in five minutes, and the largest sale among it.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from scoring.choices import SellPressure

WINDOW = timedelta(minutes=5)
"""Sales so young are counted."""
MINUTE = timedelta(minutes=1)
MANY = 5
"""More sales than this in a minute are pressure, however small they are."""

# Above one of these: percent of the price, SOL sold in all, SOL in one sale.
_LEVELS = (
    (SellPressure.CRITICAL, Decimal(30), Decimal(10), Decimal(5)),
    (SellPressure.HIGH, Decimal(20), Decimal(5), None),
    (SellPressure.MEDIUM, Decimal(10), Decimal(2), None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """The sales of the newest five minutes; amounts in SOL, ``None`` when none of them is known."""

    sold: Decimal | None = None
    largest: Decimal | None = None
    in_minute: int = 0
    """How many sales the newest minute had."""


def of(*, drop: Decimal, sales: Sales) -> SellPressure:
    """Return the pressure of a fall by ``drop`` percent from the first to the lowest price."""
    sold, largest = sales.sold or Decimal(0), sales.largest or Decimal(0)
    for level, most_drop, most_sold, most_at_once in _LEVELS:
        if drop > most_drop or sold > most_sold or (most_at_once is not None and largest > most_at_once):
            return level
    return SellPressure.MEDIUM if sales.in_minute > MANY else SellPressure.LOW
