"""The bonding curve's 83 points: speed (33), consistency (12.5) and position (37.5). Progress is the quote's: real quote
raised of the target (T4). Formulas of document 3, version 021."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Self

from scoring.domain.points import Component, Part, Ramp, Steps, rounded, text
from scoring.domain.terms import Section

STEP_MINUTES = 5
"""Progress is looked at every so many minutes of the last half hour."""

DEFAULTS: dict[str, Any] = {
    # Percent points an hour.
    "velocity": [
        {"to": "0", "points": "0"},
        {"below": "0.3", "points": "8"},
        {"below": "0.5", "points": "25"},
        {"to": "2", "points": "33"},
        {"to": "3", "points": "20"},
        {"to": "5", "points": "10"},
        {"points": "0"},
    ],
    "consistency": "12.5",
    # Percent of the quote target; the jumps at 45 and 85 are the source's.
    "position": [
        {"since": "0", "below": "5", "first": "0", "last": "2.5"},
        {"below": "15", "first": "2.5", "last": "10"},
        {"below": "35", "first": "10", "last": "22.5"},
        {"below": "45", "first": "22.5", "last": "35"},
        {"to": "55", "points": "37.5"},
        {"to": "65", "first": "37.5", "last": "27.5"},
        {"to": "75", "first": "27.5", "last": "12.5"},
        {"to": "85", "first": "12.5", "last": "5"},
        {"points": "3"},
    ],
    # What an unproven curve's points are multiplied with.
    "proven_position": [
        {"below": "10", "points": "0.3"},
        {"below": "20", "points": "0.6"},
        {"below": "30", "points": "0.85"},
        {"points": "1"},
    ],
    "proven_velocity": [
        {"below": "10", "points": "0.5"},
        {"below": "20", "points": "0.75"},
        {"points": "1"},
    ],
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The section of a policy that this part reads, read once."""

    velocity: Steps
    consistency: Decimal
    position: Ramp
    proven_position: Steps
    proven_velocity: Steps

    @classmethod
    def of(cls, section: Section) -> Self:
        """Return the terms in ``section``."""
        return cls(
            velocity=Steps.of(section.rows("velocity"), name=f"{section.name}.velocity"),
            consistency=section.number("consistency"),
            position=Ramp.of(section.rows("position"), name=f"{section.name}.position"),
            proven_position=Steps.of(section.rows("proven_position"), name=f"{section.name}.proven_position"),
            proven_velocity=Steps.of(section.rows("proven_velocity"), name=f"{section.name}.proven_velocity"),
        )

    @property
    def most(self) -> Decimal:
        """The most points of the part."""
        return self.velocity.most + self.consistency + self.position.most


def velocity(steps: Sequence[Decimal | None]) -> Decimal | None:
    """Return percent points an hour over ``steps`` (every five minutes, oldest first, the last is now), signed (G3).

    Measured from the oldest known step; None when fewer than two are known or now is not.
    """
    known = next((place for place, step in enumerate(steps) if step is not None), len(steps))
    first, last, between = steps[known] if known < len(steps) else None, steps[-1], len(steps) - 1 - known
    if first is None or last is None or not between:
        return None
    return (last - first) * 60 / (between * STEP_MINUTES)


def consistency(steps: Sequence[Decimal | None]) -> Decimal | None:
    """Return the share of five-minute steps in which progress did not fall, 0 to 1; None when no step is known."""
    changes = [after - before for before, after in pairwise(steps) if before is not None and after is not None]
    return Decimal(sum(change >= 0 for change in changes)) / len(changes) if changes else None


def score(
    terms: Terms,
    *,
    progress_pct: Decimal | None,
    velocity_pct_h: Decimal | None,
    steady: Decimal | None,
    is_graduated: bool = False,
    is_silent: bool = False,
) -> Part:
    """Return the three lines. ``steady`` is :func:`consistency`. What is not known is unknown, except that no movement
    to measure is no velocity. A curve that is over (``is_graduated``) has no points to be had, and one in which nobody traded for
    an hour (``is_silent``) is not steady (G16)."""
    if progress_pct is None or is_graduated:
        lines = (
            ("velocity", terms.velocity.most),
            ("consistency", terms.consistency),
            ("position", terms.position.most),
        )
        reason = "The progress of its curve is not known."
        if is_graduated:
            reason = "It has graduated: its curve is over and is not scored any more."
        unknown = {"progress_quote_pct": text(progress_pct)}
        return Part("bonding_curve", tuple(Component(n, None, most, reason, unknown) for n, most in lines), terms.most)
    lines_known = (
        _velocity(terms, progress_pct, velocity_pct_h),
        _consistency(terms, steady, is_silent=is_silent),
        _position(terms, progress_pct),
    )
    return Part("bonding_curve", lines_known, terms.most)


def _velocity(terms: Terms, progress_pct: Decimal, pct_h: Decimal | None) -> Component:
    read, factor = terms.velocity.at(pct_h or Decimal(0)), terms.proven_velocity.at(progress_pct)
    reason = (
        "There are no two moments within half an hour to compare."
        if pct_h is None
        else f"Progress of {pct_h:+.2f} points an hour is {read.words}{_doubt(progress_pct, factor.points)}."
    )
    inputs = {"progress_velocity_pct_h": text(pct_h), "progress_quote_pct": text(progress_pct)}
    return Component("velocity", rounded(read.points * factor.points), terms.velocity.most, reason, inputs)


def _consistency(terms: Terms, steady: Decimal | None, *, is_silent: bool) -> Component:
    inputs = {"progress_consistency": text(steady)}
    if is_silent:
        reason = "No trade of the last hour forms a price: silence is no steadiness."
        return Component("consistency", Decimal(0), terms.consistency, reason, inputs | {"is_silent": "true"})
    if steady is None:
        reason = "The progress of the last half hour is not known."
        return Component("consistency", None, terms.consistency, reason, inputs)
    reason = f"Progress did not fall in {steady * 100:.0f} % of the last half hour's five-minute steps."
    return Component("consistency", rounded(terms.consistency * steady), terms.consistency, reason, inputs)


def _position(terms: Terms, progress_pct: Decimal) -> Component:
    read, factor = terms.position.at(progress_pct), terms.proven_position.at(progress_pct)
    reason = f"{progress_pct:.2f} % of the target is {read.words}{_doubt(progress_pct, factor.points)}."
    inputs = {"progress_quote_pct": text(progress_pct)}
    return Component("position", rounded(read.points * factor.points), terms.position.most, reason, inputs)


def _doubt(progress_pct: Decimal, factor: Decimal) -> str:
    return "" if factor == 1 else f"; a curve at {progress_pct:.2f} % is unproven, which counts {factor} of it"
