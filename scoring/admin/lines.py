"""A score line by line: what each line gave of how much, why, and what nobody knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from megatron.core.admin.panels import Bar
from scoring.admin.words import NAMES, said
from scoring.domain.points import Component, Part, text
from scoring.services.explain import Explanation, PartExplained

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its bar, whether it takes points away, and the reason in words."""

    bar: Bar
    is_loss: bool
    reason: str


@dataclass(frozen=True, slots=True)
class BlockLines:
    """The lines of a block, for example of the bonding curve."""

    label: str
    said: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class PartLines:
    """The blocks of one part; without any, ``note`` says why."""

    key: str
    label: str
    said: str
    at: datetime | None
    note: str
    blocks: Sequence[BlockLines]


def told(explained: Explanation) -> dict[str, Any]:
    """Return what ``console/score_lines.html`` shows: the parts with their lines, and every verdict by how it ended."""
    verdicts = [*explained.multipliers, *explained.flags]
    return {
        "lines": [_part(part) for part in explained.parts],
        "checked": _checked(explained),
        "multipliers": [(said(one.name), one) for one in explained.multipliers if one.holds],
        "flags": [(said(one.name), one) for one in explained.flags if one.holds],
        "calm": [(said(one.name), one) for one in verdicts if one.holds is False],
        "unknown": [(said(one.name), one) for one in verdicts if one.holds is None],
        "undecided": sum(one.holds is None for one in explained.flags),
    }


def _checked(explained: Explanation) -> str:
    """Return what computing the score again from its stored inputs gave, in words; empty when it was the same."""
    if explained.is_same:
        return ""
    return (
        f"Computed again from what was stored beside it, it is {explained.again.adjusted}: "
        f"look at it with manage.py explain_score {explained.token.mint_address}."
    )


def _part(part: PartExplained) -> PartLines:
    told = "unknown" if part.points is None else f"{_number(part.points)} of {text(part.stored.available)}"
    blocks = [
        BlockLines(said(block.name), _block(block), [_line(it) for it in block.components]) for block in part.blocks
    ]
    return PartLines(part.name, NAMES[part.name], told, part.at, _note(part), blocks)


def _note(part: PartExplained) -> str:
    if part.points is None:
        return part.why_unknown
    if not part.blocks:
        return "Its lines are not stored any more; the points are as they were stored."
    if part.stored.points is not None and part.stored.points < 0:
        return f"Counted {_number(part.stored.points)}; what is below zero adds nothing."
    return ""


def _block(block: Part) -> str:
    return "unknown" if block.points is None else f"{_number(block.points)} of {text(block.most)}"


def _line(line: Component) -> Line:
    if line.points is None:
        return Line(Bar(said(line.name), None, 1, "unknown"), is_loss=False, reason=line.reason)
    told = f"{_number(line.points)} of {text(line.most)}" if line.most else f"{line.points:+.2f}"
    # Penalties and bonuses have no most of their own: what they are is drawn whole.
    whole = line.most or abs(line.points) or Decimal(1)
    return Line(Bar(said(line.name), abs(line.points), whole, told), is_loss=line.points < 0, reason=line.reason)


def _number(points: Decimal) -> str:
    return str(text(points.quantize(_CENT)))
