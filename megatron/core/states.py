"""The life of a row as a table of allowed moves, checked in one place."""

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

S = TypeVar("S", bound=str)


class MoveNotAllowed(ValueError):
    """A status would change in a way that its lifecycle does not have. Read the row again: somebody else moved it, or
    the caller is wrong."""


class Lifecycle(Generic[S]):
    """The statuses of one kind of row and the moves between them. Every status is a key; one without moves is final."""

    def __init__(self, moves: Mapping[S, Collection[S]]) -> None:
        unknown = {after for afters in moves.values() for after in afters} - set(moves)
        if unknown:
            raise ValueError(f"These statuses can be reached but have no row in the table: {sorted(unknown)}")
        self._moves = {before: frozenset(afters) for before, afters in moves.items()}

    def allows(self, before: S, after: S) -> bool:
        """Return whether the table has the move."""
        return after in self._moves[before]

    def check(self, before: S, after: S) -> None:
        """Raise :class:`MoveNotAllowed` unless the table has the move."""
        if not self.allows(before, after):
            allowed = ", ".join(sorted(self._moves[before])) or "nothing: it is final"
            raise MoveNotAllowed(f"{before} cannot become {after}; it can become {allowed}.")

    def sources_of(self, after: S) -> frozenset[S]:
        """Return the statuses from which ``after`` can be reached, for the WHERE of an update that claims the move."""
        return frozenset(before for before, afters in self._moves.items() if after in afters)

    def is_final(self, status: S) -> bool:
        """Return whether nothing follows ``status``."""
        return not self._moves[status]
