"""Which of several sources brought a transaction first, and which did not bring it at all."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta

from tokens.services.streams import Tally

GRACE = timedelta(seconds=30)
"""A source that has not brought after so long what another brought has missed it."""
MOST = 200_000


class _Sight:
    """One landing of a transaction: where, who brought it first and when, and who else did (a bit a source)."""

    __slots__ = ("at", "first", "seen", "slot")

    def __init__(self, first: int, slot: int | None, at: datetime) -> None:
        self.first, self.slot, self.at, self.seen = first, slot, at, 1 << first


class Scoreboard:
    """Compares the ``count`` sources of one monitor; ``tallies`` has one tally a source."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._sights: OrderedDict[str, _Sight] = OrderedDict()
        self.tallies = [Tally() for _ in range(count)]

    def saw(self, source: int, signature: str, slot: int | None, at: datetime) -> bool:
        """Note that a source brought a successful transaction; return whether it is the first to.

        After a fork a transaction can land again in another slot, which counts as another one.
        """
        sight = self._sights.get(signature)
        tally = self.tallies[source]
        if sight is None or (slot is not None and sight.slot is not None and slot != sight.slot):
            self._sights[signature] = _Sight(source, slot, at)
            tally.transactions += 1
            tally.first += 1
            return True
        if sight.slot is None:
            sight.slot = slot
        if not sight.seen >> source & 1:
            tally.transactions += 1
            if sight.seen == 1 << sight.first:  # the second to bring it says how far the first was ahead
                self.tallies[sight.first].lead_ms += max(0, round((at - sight.at) / timedelta(milliseconds=1)))
            sight.seen |= 1 << source
        return False

    def close_before(self, now: datetime, *, listening: list[bool]) -> None:
        """Settle what is older than :data:`GRACE`: who listens and did not bring it has missed it."""
        for sight in self._older_than(now - GRACE):
            for source in range(self._count):
                if listening[source] and not sight.seen >> source & 1:
                    self.tallies[source].missed += 1

    def _older_than(self, at: datetime) -> Iterator[_Sight]:
        while self._sights:
            _, sight = next(iter(self._sights.items()))
            if sight.at > at and len(self._sights) <= MOST:
                return
            self._sights.popitem(last=False)
            yield sight

    def take(self) -> list[Tally]:
        """Return the tallies and begin new ones."""
        taken, self.tallies = self.tallies, [Tally() for _ in range(self._count)]
        return taken
