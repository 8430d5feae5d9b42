"""What live feeds brought, beside the rows themselves: how far each came, what left no trade, who was first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from megatron.core import ids
from tokens.choices import Program
from tokens.models import SlotGap, StreamCursor, StreamSighting, VenueState


def begin(*, venue: Program, slot: int, block_time: datetime | None) -> None:
    """Begin to watch a venue behind ``slot``, the first that a live feed brought (perhaps not all of it): from there on
    everything is compared with the chain. Later calls change nothing."""
    state, _ = VenueState.objects.get_or_create(venue=venue)
    VenueState.objects.filter(id=state.id, watched_from_slot=None).update(
        watched_from_slot=slot + 1, settled_slot=slot, settled_block_time=block_time
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one source has come. ``block_time`` and ``signature`` are of the newest event that it brought, if any."""

    source: str
    venue: Program
    first_slot: int
    last_slot: int
    block_time: datetime | None
    signature: str | None


# A feed may begin while older gaps of its venue are open: it is verified up to the first of them at most.
_FIRST = """least(%(first_slot)s - 1, (
    SELECT min(gap.slot_from) - 1 FROM slot_gaps gap
    WHERE gap.finished_at IS NULL AND gap.venue = %(venue)s AND gap.source IN (%(source)s, '')
))"""

_MOVE = f"""
UPDATE stream_cursors SET
    first_slot = least(first_slot, %(first_slot)s),
    last_slot = greatest(last_slot, %(last_slot)s),
    last_block_time = greatest(last_block_time, %(block_time)s::timestamptz),
    verified_slot = coalesce(verified_slot, {_FIRST}), observed_at = %(now)s
WHERE source = %(source)s AND venue = %(venue)s
"""

_BEGIN = f"""
INSERT INTO stream_cursors
    (id, source, venue, first_slot, last_slot, last_block_time, last_signature, messages, events, observed_at, verified_slot)
VALUES (%(id)s, %(source)s, %(venue)s, %(first_slot)s, %(last_slot)s, %(block_time)s, %(signature)s, 0, 0, %(now)s,
        {_FIRST})
ON CONFLICT (source, venue) DO NOTHING
"""


def moved(*, progress: Iterable[Progress], now: datetime) -> None:
    """Move the cursors of sources that were heard, whether what they brought was new or not.

    A cursor begins with the first event whose time is known.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for one in sorted(progress, key=lambda one: (one.source, one.venue)):
            values: dict[str, Any] = {
                "id": ids.new_id(),
                "source": one.source,
                "venue": one.venue.value,
                "first_slot": one.first_slot,
                "last_slot": one.last_slot,
                "block_time": one.block_time,
                "signature": one.signature,
                "now": now,
            }
            cursor.execute(_MOVE, values)
            if not cursor.rowcount and one.block_time is not None and one.signature is not None:
                cursor.execute(_BEGIN, values)


def sighted(*, venue: Program, seen: Sequence[tuple[str, int, bool]]) -> None:
    """Remember where transactions came that left no trade or told more than that, as (signature, slot, whether they told a
    fact)."""
    if seen:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO stream_sightings (venue, signature, slot, tells)"
                " SELECT %s, n.signature, n.slot, bool_or(n.tells)"
                " FROM unnest(%s::text[], %s::bigint[], %s::bool[]) AS n(signature, slot, tells)"
                " GROUP BY n.signature, n.slot ORDER BY n.signature, n.slot"
                " ON CONFLICT (venue, signature, slot) DO UPDATE SET tells = true"
                " WHERE EXCLUDED.tells AND NOT stream_sightings.tells",
                [venue.value, *map(list, zip(*seen, strict=True))],
            )


def forget_sightings(*, venue: Program, through_slot: int) -> None:
    """Forget the sightings of slots that are compared with the chain."""
    StreamSighting.objects.filter(venue=venue, slot__lte=through_slot).delete()


@dataclass(slots=True)
class Tally:
    """What one source brought of one venue since the last time it was written down."""

    frames: int = 0
    bytes: int = 0
    transactions: int = 0
    first: int = 0
    missed: int = 0
    lead_ms: int = 0
    disconnects: int = 0

    @property
    def empty(self) -> bool:
        return not (self.frames or self.missed or self.disconnects)


_TALLY = """
INSERT INTO source_tallies AS t (id, source, venue, hour, frames, bytes, transactions, first, missed, lead_ms, disconnects)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (source, venue, hour) DO UPDATE SET
    frames = t.frames + EXCLUDED.frames, bytes = t.bytes + EXCLUDED.bytes,
    transactions = t.transactions + EXCLUDED.transactions, first = t.first + EXCLUDED.first,
    missed = t.missed + EXCLUDED.missed, lead_ms = t.lead_ms + EXCLUDED.lead_ms,
    disconnects = t.disconnects + EXCLUDED.disconnects
"""


def tally(*, tallies: Iterable[tuple[str, Program, Tally]], now: datetime) -> None:
    """Add what sources brought, as (source, venue, what), to their hour."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    rows: list[tuple[Any, ...]] = [
        (ids.new_id(), source, venue.value, hour, it.frames, it.bytes, it.transactions, it.first, it.missed, it.lead_ms,
         it.disconnects)
        for source, venue, it in tallies
        if not it.empty
    ]  # fmt: skip
    rows.sort(key=lambda row: (row[1], row[2]))  # two writers take the rows in the same order
    if rows:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_TALLY, rows)


def missed(*, venue: Program, slots: Sequence[int], now: datetime) -> None:
    """Add transactions of ``slots``, which no source brought, to what each of the venue's complete sources missed.

    A source that is away misses nothing from there on: a feed that was given up for good would miss everything for ever.
    """
    sources = StreamCursor.objects.filter(venue=venue, verified_slot__isnull=False).values_list("source", flat=True)
    running = SlotGap.objects.filter(venue=venue, slot_to=None, finished_at=None)
    away = dict(running.values_list("source", "slot_from"))
    counts = {source: sum(slot <= away.get(source, slot) for slot in slots) for source in sources}
    tally(tallies=[(source, venue, Tally(missed=count)) for source, count in counts.items()], now=now)
