"""Points with their reasons: what one line of a score is, and the tables from which lines get their points."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple, Self

from scoring.domain.terms import PolicyMalformed, decimal

ZERO = Decimal(0)


def text(number: Decimal | int | None) -> str | None:
    """Return ``number`` as it is written in stored inputs and reasons: no exponent, no trailing zeros; None stays."""
    if number is None:
        return None
    shown = str(number)
    if "E" in shown:
        shown = f"{number:f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


@dataclass(frozen=True, slots=True)
class Component:
    """One line of an explanation. ``points`` is None when an input is unknown, which is not zero points."""

    name: str
    points: Decimal | None
    most: Decimal
    """What the line adds to the points that can be had: 0 for penalties and for bonuses that a limit takes back."""
    reason: str
    """In words, with the values that decided."""
    inputs: Mapping[str, str | None]
    """Numbers as text, None for unknown: enough to compute the line again."""

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return {
            "name": self.name,
            "points": text(self.points),
            "most": text(self.most),
            "reason": self.reason,
            "inputs": dict(self.inputs),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the line that :meth:`as_json` wrote."""
        points = stored["points"]
        return cls(
            name=stored["name"],
            points=None if points is None else Decimal(points),
            most=Decimal(stored["most"]),
            reason=stored["reason"],
            inputs=stored["inputs"],
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that make one part of a score, for example the bonding curve's 83 points."""

    name: str
    components: tuple[Component, ...]
    most: Decimal

    @property
    def points(self) -> Decimal | None:
        """The sum of the known lines; None when all are unknown."""
        known = [line.points for line in self.components if line.points is not None]
        return sum(known, ZERO) if known else None

    @property
    def available(self) -> Decimal:
        """What the known lines can give at most."""
        return sum((line.most for line in self.components if line.points is not None), ZERO)

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads, with the sum for other readers."""
        return {
            "name": self.name,
            "points": text(self.points),
            "most": text(self.most),
            "components": [line.as_json() for line in self.components],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the part that :meth:`as_json` wrote."""
        lines = tuple(Component.from_json(line) for line in stored["components"])
        return cls(name=stored["name"], components=lines, most=Decimal(stored["most"]))


def stated(name: str, said: tuple[Decimal, str] | None, most: Decimal, unknown: str) -> Component:
    """Return a line of points and their reason, or the unknown one of which ``unknown`` says what is not known."""
    if said is None:
        return Component(name, None, most, f"Unknown: {unknown}", {})
    points, words = said
    return Component(name, points, most, f"{words[:1].upper()}{words[1:]}", {})


SIXTH = Decimal("0.000001")
"""Points are rounded once, a line at a time, to so much; sums of lines are exact."""


def rounded(points: Decimal) -> Decimal:
    """Return ``points`` with six decimals, half to even."""
    return points.quantize(SIXTH)


class Read(NamedTuple):
    """What a table says of a value: its points, and where in the table the value is, in words after "is"."""

    points: Decimal
    words: str


@dataclass(frozen=True, slots=True)
class _Piece:
    low: Decimal | None
    high: Decimal | None
    to_high: bool
    """Whether the high bound itself belongs to this piece."""
    first: Decimal
    last: Decimal
    words: str

    def holds(self, value: Decimal) -> bool:
        return self.high is None or value < self.high or (self.to_high and value == self.high)

    def points(self, value: Decimal) -> Decimal:
        if self.first == self.last or self.low is None or self.high is None:
            return self.first
        way = (max(value, self.low) - self.low) / (self.high - self.low)
        return self.first + (self.last - self.first) * way


@dataclass(frozen=True, slots=True)
class Ramp:
    """A piecewise linear table.

    A row is ``{"below": "8000", "first": "7.25", "last": "10"}`` (values below 8000, from the row before on; the points
    go in a straight line from ``first`` to ``last``), or ``{"to": "45000", "points": "60"}`` (45000 itself belongs to
    it; the same points everywhere). The last row has no bound and one number of points. ``"since"`` in the first row is
    where its line begins; values below that get ``first``.
    """

    pieces: tuple[_Piece, ...]
    most: Decimal
    """The most points that the table gives."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], *, name: str) -> Self:
        """Return the table of ``rows``; ``PolicyMalformed`` names what is wrong with ``name``."""
        pieces = tuple(_pieces(rows, name))
        for before, after in pairwise(pieces):
            if before.high is None or (after.high is not None and after.high <= before.high):
                raise PolicyMalformed(f"{name}: order the rows by their bounds; only the last row has none.")
        if not pieces or pieces[-1].high is not None:
            raise PolicyMalformed(f"{name}: end with a row that has points and no bound.")
        return cls(pieces, max(max(piece.first, piece.last) for piece in pieces))

    def at(self, value: Decimal) -> Read:
        """Return the points of ``value`` and where in the table it is."""
        for piece in self.pieces:
            if piece.holds(value):
                return Read(piece.points(value), piece.words)
        raise AssertionError("The last row of a table has no bound.")


@dataclass(frozen=True, slots=True)
class Steps(Ramp):
    """A piecewise constant table: a :class:`Ramp` of which each row has ``points``."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], *, name: str) -> Self:
        if any("points" not in row for row in rows):
            raise PolicyMalformed(f'{name}: give each row "points"; this table has no slopes.')
        table = Ramp.of(rows, name=name)
        return cls(table.pieces, table.most)


def _pieces(rows: Sequence[Mapping[str, Any]], name: str) -> Iterable[_Piece]:
    low: Decimal | None = None
    above_low = False
    for place, row in enumerate(rows):
        where = f"{name}[{place}]"
        if unknown := set(row) - {"below", "to", "points", "first", "last", "since"}:
            raise PolicyMalformed(f"{where}: {', '.join(sorted(unknown))} means nothing; see the rows around it.")
        if "below" in row and "to" in row:
            raise PolicyMalformed(f'{where}: give one bound, "below" (without it) or "to" (with it).')
        bound = row.get("below", row.get("to"))
        high = None if bound is None else decimal(bound, name=f"{where} bound")
        if "since" in row:
            if place:
                raise PolicyMalformed(f'{where}: only the first row has "since"; others begin where one ends.')
            low = decimal(row["since"], name=f"{where} since")
        first, last = _ends(row, where)
        if first != last and (low is None or high is None or low >= high):
            raise PolicyMalformed(f"{where}: a slope needs a beginning and a greater end.")
        yield _Piece(low, high, "to" in row, first, last, _words(low, above_low, high, "to" in row))
        low, above_low = high, "to" in row


def _words(low: Decimal | None, above_low: bool, high: Decimal | None, to_high: bool) -> str:
    bounds = []
    if low is not None:
        bounds.append(f"{'above' if above_low else 'at least'} {low:f}")
    if high is not None:
        bounds.append(f"{'at most' if to_high else 'below'} {high:f}")
    return " and ".join(bounds) or "any value"


def _ends(row: Mapping[str, Any], where: str) -> tuple[Decimal, Decimal]:
    if "points" in row and not {"first", "last"} & set(row):
        points = decimal(row["points"], name=f"{where} points")
        return points, points
    if "points" in row or not {"first", "last"} <= set(row):
        raise PolicyMalformed(f'{where}: give either "points" or both "first" and "last".')
    return decimal(row["first"], name=f"{where} first"), decimal(row["last"], name=f"{where} last")
