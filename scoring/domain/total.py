"""The total of 999 points: what the three parts give, what raises it, and what makes it 0.

What nobody knows is not 0. A total says how many points were to be had (``available_max``: 999 with every part whole, 666
without social, 333 for one part) and is judged by its ratio of them (G5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import prod
from typing import Any, Self

from scoring.domain import verdicts
from scoring.domain.points import ZERO, text
from scoring.domain.stored import from_json
from scoring.domain.terms import PolicyMalformed, Section
from scoring.domain.verdicts import Facts, Verdict

PARTS = ("technical", "holder", "social")
PART_MOST = Decimal(333)
MOST = PART_MOST * len(PARTS)

DEFAULTS: dict[str, Any] = {
    "high_ratio": "0.70",
    "multipliers": verdicts.MULTIPLIERS,
    "flags": verdicts.FLAGS,
}

_ONE = Decimal(1)
_CENT, _TEN_THOUSANDTH = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class PartPoints:
    """What one part brings to a total."""

    points: Decimal | None
    """Signed as the part counts them; None when the part is unknown."""
    available: Decimal = PART_MOST
    """The most that its known lines can give."""
    completeness: Decimal = _ONE
    """The ratio of its data that was there, 0 to 1."""

    def as_json(self) -> dict[str, str | None]:
        """Return what :meth:`from_json` reads."""
        return {
            "points": text(self.points),
            "available": text(self.available),
            "completeness": text(self.completeness),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what :meth:`as_json` wrote."""
        points = stored["points"]
        return cls(
            None if points is None else Decimal(points), Decimal(stored["available"]), Decimal(stored["completeness"])
        )


UNKNOWN = PartPoints(None, ZERO, ZERO)
_NO_FACTS = Facts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything a total is computed from."""

    technical: PartPoints = UNKNOWN
    holder: PartPoints = UNKNOWN
    social: PartPoints = UNKNOWN
    facts: Facts = _NO_FACTS

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads: unknown parts are null, numbers are text."""
        parts = {name: None if _is_unknown(part) else part.as_json() for name, part in self._parts()}
        return {**parts, "facts": self.facts.as_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what :meth:`as_json` wrote; what else stands in ``stored`` is passed over."""
        parts = {name: PartPoints.from_json(stored[name]) for name in PARTS if stored[name] is not None}
        return cls(facts=from_json(Facts, stored["facts"]), **parts)

    def _parts(self) -> tuple[tuple[str, PartPoints], ...]:
        return tuple((name, getattr(self, name)) for name in PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A token's score. The parts are clamped to what they may give (G1) and rounded to a cent; None is unknown."""

    technical: Decimal | None
    holder: Decimal | None
    social: Decimal | None
    available_max: int
    completeness: Decimal
    """Percent of the data for all 999 points that was there."""
    multiplier: Decimal
    multipliers: tuple[Verdict, ...]
    flags: tuple[Verdict, ...]

    @property
    def raw(self) -> Decimal:
        """The sum of the known parts."""
        return sum((part for part in (self.technical, self.holder, self.social) if part is not None), ZERO)

    @property
    def is_disqualified(self) -> bool:
        """Whether a hard red flag is raised."""
        return any(flag.hard for flag in self.raised)

    @property
    def raised(self) -> tuple[Verdict, ...]:
        """The red flags that hold."""
        return tuple(flag for flag in self.flags if flag.holds)

    @property
    def adjusted(self) -> int:
        """The sum times the multiplier, rounded half up, at most ``available_max``; 0 under a hard red flag (G6)."""
        if self.is_disqualified:
            return 0
        return min(self.available_max, int((self.raw * self.multiplier).to_integral_value(ROUND_HALF_UP)))

    @property
    def ratio(self) -> Decimal | None:
        """``adjusted`` of ``available_max``, 0 to 1 with four decimals: what thresholds are compared with (G5)."""
        if not self.available_max:
            return None
        return (Decimal(self.adjusted) / self.available_max).quantize(_TEN_THOUSANDTH, ROUND_HALF_UP)


def score(inputs: Inputs, terms: Section) -> Total | None:
    """Return the total of ``inputs`` by the section ``total`` of a policy.

    None when no part is known, for then there is nothing to say.
    """
    parts = {name: part for name, part in inputs._parts() if not _is_unknown(part)}
    if not parts:
        return None
    raising = verdicts.multipliers(inputs.facts, terms.section("multipliers"))
    product = prod((one.factor for one in raising if one.holds and one.factor), start=_ONE)
    available = {name: _between(part.available, PART_MOST) for name, part in parts.items()}
    known = sum((available[name] * _between(part.completeness, _ONE) for name, part in parts.items()), ZERO)
    return Total(
        **{name: clamped(parts[name].points, available[name]) if name in parts else None for name in PARTS},
        available_max=int(sum(available.values())),
        completeness=(known / MOST * 100).quantize(_TEN_THOUSANDTH, ROUND_HALF_UP),
        multiplier=product.quantize(_TEN_THOUSANDTH, ROUND_HALF_UP),
        multipliers=raising,
        flags=verdicts.flags(inputs.facts, terms.section("flags")),
    )


def clamped(points: Decimal | None, available: Decimal) -> Decimal | None:
    """Return what ``points`` add to a total: at least 0 (G1), at most ``available``, in cents; None stays."""
    if points is None:
        return None
    return _between(points, available).quantize(_CENT, ROUND_HALF_UP)


def is_high(ratio: Decimal | None, terms: Section) -> bool:
    """Return whether a total with ``ratio`` of what was to be had counts as high; an unknown one does not."""
    return ratio is not None and ratio > terms.number("high_ratio")


def check(terms: Section) -> None:
    """Refuse terms whose values make no sense though their shape does: ``PolicyMalformed`` says what to write."""
    if not 0 < terms.number("high_ratio") <= 1:
        raise PolicyMalformed(f"{terms.name}.high_ratio: write a ratio above 0 and at most 1.")
    for name in verdicts.MULTIPLIERS:
        verdicts.factor(terms.section("multipliers").section(name))


def _between(value: Decimal, most: Decimal) -> Decimal:
    return min(max(value, ZERO), most)


def _is_unknown(part: PartPoints) -> bool:
    return part.points is None
