"""Joins transactions with the times of their blocks, which come later and on their own."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

PATIENCE_SECONDS: Final = 2.0
MOST_WAITING: Final = 5_000
MOST_TIMES: Final = 512

T = TypeVar("T")


class BlockTimes(Generic[T]):
    """Holds transactions until the time of their slot is known, for two seconds and up to ``most``; what waits longer
    goes without a time, which whoever needs it asks the chain for."""

    def __init__(self, *, most: int = MOST_WAITING, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = most, now
        self._waiting: OrderedDict[int, tuple[float, list[T]]] = OrderedDict()
        self._count = 0
        self._times: OrderedDict[int, int | None] = OrderedDict()

    def add(self, slot: int, transaction: T) -> Iterator[tuple[T, int | None]]:
        """Take a transaction; yield it at once if the time is known, and those that must not wait any longer."""
        if slot in self._times:
            yield transaction, self._times[slot]
            return
        _, held = self._waiting.setdefault(slot, (self._now(), []))
        held.append(transaction)
        self._count += 1
        while self._count > self._most:
            yield from self._released(next(iter(self._waiting)), None)

    def know(self, slot: int, seconds: int | None) -> Iterator[tuple[T, int | None]]:
        """Learn the time of a slot; yield the transactions that waited for it, in their order."""
        self._times[slot] = seconds
        while len(self._times) > MOST_TIMES:
            self._times.popitem(last=False)
        if slot in self._waiting:
            yield from self._released(slot, seconds)

    def overdue(self) -> Iterator[tuple[T, int | None]]:
        """Yield what has waited too long."""
        until = self._now() - PATIENCE_SECONDS
        for slot in [slot for slot, (since, _) in self._waiting.items() if since <= until]:
            yield from self._released(slot, None)

    def rest(self) -> Iterator[tuple[T, int | None]]:
        """Yield all that waits: no more will be known."""
        for slot in list(self._waiting):
            yield from self._released(slot, None)

    def _released(self, slot: int, seconds: int | None) -> Iterator[tuple[T, int | None]]:
        _, held = self._waiting.pop(slot)
        self._count -= len(held)
        for transaction in held:
            yield transaction, seconds
