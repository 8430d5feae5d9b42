"""Stretches of slots, ends included: what is left of them, and what they are together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

LAST_SLOT = 2**53
"""Later than any slot for ten million years, and what every node can read."""


class Stretch(NamedTuple):
    """The slots from ``first`` to ``last``, both included; ``first`` is not above ``last``."""

    first: int
    last: int

    def touches(self, other: "Stretch") -> bool:
        """Say whether the two share a slot."""
        return self.first <= other.last and other.first <= self.last

    def holds(self, other: "Stretch") -> bool:
        """Say whether all of ``other`` lies inside."""
        return self.first <= other.first and other.last <= self.last


def without(whole: Stretch, holes: Iterable[Stretch]) -> Sequence[Stretch]:
    """Return what is left of ``whole`` when ``holes``, in any order, are taken out, in order."""
    left: list[Stretch] = []
    start = whole.first
    for hole in sorted(holes):
        if hole.last < start or hole.first > whole.last:
            continue
        if hole.first > start:
            left.append(Stretch(start, hole.first - 1))
        start = hole.last + 1
    if start <= whole.last:
        left.append(Stretch(start, whole.last))
    return left


def joined(pieces: Iterable[Stretch]) -> Sequence[Stretch]:
    """Return ``pieces``, in any order, with those that overlap or follow on each other as one, in order."""
    together: list[Stretch] = []
    for piece in sorted(pieces):
        if together and piece.first <= together[-1].last + 1:
            together[-1] = Stretch(together[-1].first, max(together[-1].last, piece.last))
        else:
            together.append(piece)
    return together
