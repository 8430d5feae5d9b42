"""Consecutive blocks of the finalized chain, each linked to the one before it: what a node lacks is not taken for skipped."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from megatron.clients.errors import Malformed, NotGiven, TryLater
from megatron.clients.ports import ChainReader
from megatron.core import chain as bounds

MOST_LEFT_OUT = 100
"""So many blocks in a row that a list left out are read by their links."""
_AHEAD = (64, 4_096, 400_000)
"""Slots behind a stretch that are looked through for the next block, which proves how the stretch ends."""


class _Head(msgspec.Struct, rename="camel"):
    parent_slot: int
    block_time: int | None = None


_head = msgspec.json.Decoder(_Head)


class Block(NamedTuple):
    """One block as ``getBlock`` gives it. ``block_time`` is ``None`` where the block has none, or one that cannot be."""

    slot: int
    payload: bytes
    block_time: datetime | None = None


class Unlinked(TryLater):
    """The chain has blocks among slots ``first`` to ``last`` that this node does not give."""

    def __init__(self, first: int, last: int, reason: str) -> None:
        super().__init__(f"The blocks of slots {first} to {last} are not linked to those before: {reason}")
        self.first, self.last = first, last


def read(*, chain: ChainReader, after_slot: int, through_slot: int, now: datetime) -> Iterator[Block]:
    """Yield the blocks behind ``after_slot`` up to ``through_slot``, ascending; all that there are, once it ends.

    A node says of a slot that was skipped and of a block that it lacks the same, and its list may leave one out. So each block
    must name the one before as its parent; one that is left out is asked for by its child, and how the stretch ends the
    next block behind it tells. A time that lies beyond ``now`` is none. Raises :class:`Unlinked` where a parent is not to be
    had, and ``TryLater`` from a node that has not come as far.
    """
    last = after_slot
    if through_slot > after_slot:
        for slot in chain.get_blocks(after_slot + 1, through_slot):
            for block in _linked(chain, last, slot, now):
                yield block
                last = block.slot
    if last < through_slot:
        for block in _linked(chain, last, _next(chain, through_slot), now):
            if block.slot <= through_slot:
                yield block


def _linked(chain: ChainReader, last: int, slot: int, now: datetime) -> Iterator[Block]:
    """Yield the blocks between ``last``, the newest that is linked, and ``slot``, which has one, ascending."""
    found: list[Block] = []
    wanted = slot
    while wanted > last:
        if len(found) > MOST_LEFT_OUT:
            raise Unlinked(last + 1, wanted, f"more than {MOST_LEFT_OUT} blocks were left out of the list")
        try:
            payload = chain.get_block(wanted, finalized=True)
        except NotGiven as error:
            raise Unlinked(last + 1, wanted, str(error)) from error
        if payload is None:
            raise Unlinked(last + 1, wanted, f"the node says that slot {wanted}, which has a block, has none")
        head = _parse_head(wanted, payload)
        found.append(Block(wanted, payload, _moment(head.block_time, now)))
        wanted = head.parent_slot
    yield from reversed(found)


def _parse_head(slot: int, payload: bytes) -> _Head:
    try:
        head = _head.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"What should be the block of slot {slot} names no parent: {error}.") from error
    if not 0 <= head.parent_slot < slot:
        raise Malformed(f"The block of slot {slot} names slot {head.parent_slot} as its parent.")
    return head


def _moment(seconds: int | None, now: datetime) -> datetime | None:
    if seconds is None or bounds.doubt(block_time=seconds, now=now):
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _next(chain: ChainReader, slot: int) -> int:
    """Return the next slot behind ``slot`` that has a block."""
    head = chain.get_slot(finalized=True)
    for ahead in _AHEAD:
        end = min(head, slot + ahead)
        if end > slot and (found := chain.get_blocks(slot + 1, end)):
            return found[0]
        if end >= head:
            break
    raise TryLater(f"No block behind slot {slot} is final yet that proves what there is before it.")
