"""A slot or a time that the chain cannot have reached is nobody's answer: what only moves forward would never move again."""

from datetime import UTC, datetime

from megatron.clients.errors import Malformed
from megatron.core import chain, clock


def possible_slot(slot: int, *, who: str) -> int:
    """Return ``slot``. Raises :class:`Malformed` for one that cannot be."""
    if doubt := chain.doubt(slot=slot, now=clock.utc_now()):
        raise Malformed(f"{who} {doubt}")
    return slot


def possible_time(seconds: int, *, who: str) -> datetime:
    """Return the moment of a block, in UTC, from its unix time. Raises :class:`Malformed` for one that cannot be."""
    if doubt := chain.doubt(block_time=seconds, now=clock.utc_now()):
        raise Malformed(f"{who} {doubt}")
    return datetime.fromtimestamp(seconds, UTC)
