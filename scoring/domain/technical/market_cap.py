"""The market cap's 100 points: how large it is (60) and how fast it moves (40). Formulas of document 3, version 021."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from scoring.domain.points import Component, Part, Ramp, Steps, rounded, text
from scoring.domain.terms import Section

DEFAULTS: dict[str, Any] = {
    # USD, fully diluted. The jumps at 5,800, 25,000 and 100,000 are the source's.
    "base": [
        {"below": "5800", "points": "0"},
        {"below": "8000", "first": "7.25", "last": "10"},
        {"below": "15000", "first": "10", "last": "25"},
        {"below": "25000", "first": "25", "last": "45"},
        {"to": "45000", "points": "60"},
        {"to": "60000", "first": "60", "last": "30"},
        {"to": "100000", "first": "30", "last": "14"},
        {"points": "5"},
    ],
    # Percent a minute.
    "velocity": [
        {"to": "0", "points": "0"},
        {"below": "0.2", "points": "10"},
        {"below": "0.5", "points": "25"},
        {"to": "2", "points": "40"},
        {"to": "3", "points": "25"},
        {"points": "10"},
    ],
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The section of a policy that this part reads, read once."""

    base: Ramp
    velocity: Steps

    @classmethod
    def of(cls, section: Section) -> Self:
        """Return the terms in ``section``."""
        return cls(
            Ramp.of(section.rows("base"), name=f"{section.name}.base"),
            Steps.of(section.rows("velocity"), name=f"{section.name}.velocity"),
        )


def velocity(*, price: Decimal | None, before: Decimal | None, minutes: Decimal | None) -> Decimal | None:
    """Return percent a minute between two prices, signed: a crash is no rally (G3). None without a second price, and
    over no time."""
    if price is None or not before or minutes is None or minutes <= 0:
        return None
    return (price - before) / before * 100 / minutes


def score(terms: Terms, *, market_cap_usd: Decimal | None, velocity_pct_min: Decimal | None) -> Part:
    """Return both lines. A market cap that nobody can price is unknown; no movement to measure is no velocity."""
    return Part(
        "market_cap",
        (_base(terms, market_cap_usd), _velocity(terms, velocity_pct_min)),
        terms.base.most + terms.velocity.most,
    )


def _base(terms: Terms, market_cap_usd: Decimal | None) -> Component:
    inputs = {"market_cap_usd": text(market_cap_usd)}
    if market_cap_usd is None:
        return Component("base", None, terms.base.most, "The market cap in USD is not known.", inputs)
    read = terms.base.at(market_cap_usd)
    reason = f"A market cap of ${market_cap_usd:,.0f} is {read.words}."
    return Component("base", rounded(read.points), terms.base.most, reason, inputs)


def _velocity(terms: Terms, pct_min: Decimal | None) -> Component:
    inputs = {"velocity_pct_min": text(pct_min)}
    read = terms.velocity.at(pct_min or Decimal(0))
    reason = (
        "There are no two prices within ten minutes to compare."
        if pct_min is None
        else f"The price moves {pct_min:+.3f} % a minute, which is {read.words}."
    )
    return Component("velocity", rounded(read.points), terms.velocity.most, reason, inputs)
