"""Scores in words and as lines to draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scoring.domain import total
from scoring.domain.points import text
from scoring.models import TokenScore
from scoring.selectors.standing import Point

NAMES = {"technical": "Technical", "holder": "Holders", "social": "Social"}
"""The three parts as people call them."""

_ARC, _GAP = Decimal(321), Decimal(6)
"""A part's third of the dial's 999, and what is left free at each end of it."""


@dataclass(frozen=True, slots=True)
class PartShown:
    """One part of a score: its points and its arc on the dial, in 999ths of the circle."""

    key: str
    label: str
    points: Decimal | None
    most: Decimal
    start: Decimal
    length: Decimal
    track: Decimal = _ARC


def parts(score: TokenScore) -> list[PartShown]:
    """Return the three parts of ``score``."""
    found = []
    for place, (key, label) in enumerate(NAMES.items()):
        points: Decimal | None = getattr(score, f"{key}_score")
        length = (points or Decimal(0)) / total.PART_MOST * _ARC
        found.append(PartShown(key, label, points, total.PART_MOST, -(place * total.PART_MOST + _GAP), length))
    return found


def of_dial(score: TokenScore) -> str:
    """Return what the dial shows to those who cannot see it."""
    told = ", ".join(f"{part.label} {_points(part)}" for part in parts(score))
    return f"{score.total_adjusted} of {score.available_max} points that were to be had: {told}."


def said(name: str) -> str:
    """Return the name of a multiplier, flag or line as people write it: ``wash_trading`` is "Wash trading"."""
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"


def chart(course: Sequence[Point]) -> dict[str, Any]:
    """Return the lines of a score's course: total and parts."""
    times = [int(at.timestamp()) for at, *_ in course]
    columns = list(zip(*(values for _, *values in course), strict=True))
    names = (("Total", "main"), *((label, key) for key, label in NAMES.items()))
    lines = [
        {
            "name": name,
            "tone": tone,
            "points": [[at, text(value)] for at, value in zip(times, column, strict=True) if value is not None],
        }
        for (name, tone), column in zip(names, columns, strict=True)
    ]
    return {"whole": False, "lines": [line for line in lines if line["points"]]}


def of_course(course: Sequence[Point]) -> str:
    """Return what the chart of a course shows to those who cannot see it."""
    totals = [row[1] for row in course]
    return (
        f"Total and parts of {len(totals)} scores: first {totals[0]}, lowest {min(totals)}, highest {max(totals)}, "
        f"now {totals[-1]}."
    )


def _points(part: PartShown) -> str:
    return "unknown" if part.points is None else f"{text(part.points)} of {part.most}"
