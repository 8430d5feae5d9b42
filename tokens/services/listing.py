"""The finalized chain between two slots, as far as one venue is concerned: read from the list of its program, or from blocks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from megatron.clients.errors import TryLater
from megatron.clients.ports import ChainReader, Landed
from tokens.choices import Program
from tokens.domain import programs
from tokens.services import backfill, blocks, gaps, ingest

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_SKIPPED = 16
"""So many slots in a row are asked for a time before the node is said to have none."""


class Hole(NamedTuple):
    """Slots, both included, in which the chain has something that this node does not let us read, and why."""

    first: int
    last: int
    reason: str


@dataclass(slots=True)
class Page:
    """The finalized chain between two slots, as far as one venue is concerned."""

    first: int
    last: int
    landed: Mapping[str, Landed]
    failed: Collection[str] = ()
    blocks: Mapping[str, ingest.Received] = field(default_factory=dict)
    """Transactions that came with the list, where it was made from blocks."""
    later: Mapping[str, Landed] = field(default_factory=dict)
    """What is listed beyond the last slot: of a fork's transactions some landed there."""
    clock: Sequence[tuple[int, datetime]] = ()
    """Slots of the page and the times of their blocks, where these are known without a transaction of the venue."""
    hole: Hole | None = None
    """Where the comparison must stop, on this page or just behind it."""

    def find(self, signature: str) -> Landed | None:
        """Return where a transaction landed, as far as the list goes."""
        return self.landed.get(signature) or self.later.get(signature)

    @property
    def times(self) -> list[datetime]:
        return self.times_through(self.last)

    def parts(self, most: int) -> Iterator["Page"]:
        """Yield the page in parts of about ``most`` transactions each, whole slots, the oldest first."""
        first, slots = self.first, sorted(one.slot for one in self.landed.values())
        for end in (*slots[most - 1 : -1 : most], self.last):
            if end >= first:
                landed = {key: one for key, one in self.landed.items() if first <= one.slot <= end}
                later = {key: one for key, one in self.landed.items() if one.slot > end}
                clock = [(slot, at) for slot, at in self.clock if first <= slot <= end]
                yield Page(first, end, landed, self.failed, self.blocks, later, clock, self._hole_of(end))
                first = end + 1

    def _hole_of(self, end: int) -> Hole | None:
        """Return the hole if it begins in the part that ends with slot ``end``, or behind the page."""
        return self.hole if self.hole is not None and (self.hole.first <= end or end == self.last) else None

    def times_through(self, slot: int) -> list[datetime]:
        """Return the times of what landed, and of the blocks that were read, up to a slot."""
        landed = (one for one in self.landed.values() if one.slot <= slot)
        times = [one.block_time for one in landed if one.block_time is not None]
        return times + [at for at_slot, at in self.clock if at_slot <= slot]


def read(*, chain: ChainReader, venue: Program, after_slot: int, through_slot: int, now: datetime) -> Page:
    """Return what the finalized chain has of ``venue`` after a slot, up to another or less far, and where the first hole in it
    is. Raises ``TryLater``."""
    if through_slot - after_slot > gaps.REACH:
        return _by_blocks(chain, venue, after_slot, through_slot, now)
    return _by_list(chain, venue, after_slot, through_slot)


def _by_list(chain: ChainReader, venue: Program, settled: int, head: int) -> Page:
    landed, unread = backfill.listed(
        chain=chain, address=programs.ADDRESSES[venue], after_slot=settled, through_slot=head, finalized=True
    )
    timed = any(one.block_time is not None for one in landed if not one.failed)
    return Page(
        settled + 1,
        head,
        {one.signature: one for one in landed if not one.failed},
        {one.signature for one in landed if one.failed},
        clock=() if timed else _clock(chain, settled, head),
        hole=None if unread is None else Hole(*unread, "a transaction is listed in a form that cannot be read"),
    )


def _clock(chain: ChainReader, settled: int, head: int) -> Sequence[tuple[int, datetime]]:
    """Return the newest slot that has a block and its time: where nothing landed that says it, a fork may have had something
    all the same, and is looked for between times. Raises ``TryLater`` where no slot up to ``head`` has a time."""
    for slot in range(head, max(settled, head - _MOST_SKIPPED), -1):
        if (at := chain.get_block_time(slot)) is not None:
            return [(slot, at)]
    if head - settled < _MOST_SKIPPED:
        return ()  # all were skipped, perhaps: nothing of a fork can be told from so little, and a later pass is longer
    raise TryLater(f"None of the slots up to {head} has a time.")


def _by_blocks(chain: ChainReader, venue: Program, settled: int, head: int, now: datetime) -> Page:
    """Read some blocks, oldest first: after a long absence the list of an address would be read from its newest end."""
    last = min(head, settled + gaps.BLOCKS_AT_ONCE)
    found: dict[str, ingest.Received] = {}
    clock: list[tuple[int, datetime]] = []
    hole: Hole | None = None
    try:
        for block in blocks.read(chain=chain, after_slot=settled, through_slot=last, now=now):
            readable, unread = backfill.block(slot=block.slot, payload=block.payload, finalized=True, now=now)
            if unread:
                hole, last = (
                    Hole(block.slot, block.slot, f"The block of slot {block.slot} cannot be read"),
                    block.slot - 1,
                )
                break
            found |= readable
            if block.block_time is not None:
                clock.append((block.slot, block.block_time))
    except blocks.Unlinked as missing:
        hole = Hole(missing.first, missing.last, str(missing))
        last = missing.first - 1
    landed = {}
    for signature, received in found.items():
        if backfill.concerns(received.decoded, venue=venue):
            at = min((e.block_time for e in received.decoded.events if e.block_time is not None), default=None)
            time = None if at is None else _UNIX + timedelta(seconds=at)
            landed[signature] = Landed(signature, received.decoded.slot or 0, False, time)
    return Page(settled + 1, last, landed, blocks=found, clock=clock, hole=hole)
