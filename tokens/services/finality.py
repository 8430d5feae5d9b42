"""Comparing what we have with the finalized chain: what is missing is stored, what was dropped goes, the rest is final.

One pass takes a venue from the slot up to which it was compared to the newest finalized one. It never goes past a
transaction that the chain lists and does not give, so a pass that is cut short or meets a lagging node is simply made
again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, Q

from megatron.clients.errors import ClientError, TryLater
from megatron.clients.ports import ChainReader, Landed
from tokens.choices import GapCause, Program, RejectionReason, RejectionStatus, VenueStatus
from tokens.domain import programs
from tokens.models import RejectedMessage, SlotGap, StreamCursor, StreamSighting, VenueState
from tokens.selectors import completeness
from tokens.services import backfill, gaps, ingest, listing, reorgs, streams
from tokens.services.listing import Page
from tokens.services.reorgs import Dropped

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=1)
"""A worker that is cut off holds a venue up no longer than this. Two at once do no harm: only one moves the slot."""
BUSY, QUIET = timedelta(seconds=15), timedelta(minutes=1)
"""How often a venue is compared while a feed brings something, and while none does."""
_STATUSES = 256
_AT_ONCE = 10_000
"""So many listed transactions are compared before the slot moves: what was done is not done again when a pass is cut off."""
_MOST_POOLS, _MOST_BREAKS = 10_000, 500
_SILENT = timedelta(seconds=30)
_EVER = 2**62
_SLACK = timedelta(minutes=1)
"""How far a fork's clock may be from the chain's: a row of the slots in question is not looked for further away."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one pass did. ``through_slot`` is how far the venue is compared now; the other figures are transactions."""

    venue: Program
    through_slot: int
    listed: int = 0
    missing: int = 0
    dropped: int = 0
    breaks: int = 0

    def __add__(self, later: "Settled") -> "Settled":
        return Settled(
            self.venue,
            later.through_slot,
            self.listed + later.listed,
            self.missing + later.missing,
            self.dropped + later.dropped,
            self.breaks + later.breaks,
        )


def settle_all(*, chain: ChainReader, now: datetime) -> Sequence[Settled]:
    """Make one pass for each venue whose turn it is; one that cannot be compared now does not hold up the others."""
    passes = []
    for venue in _due(now):
        try:
            done = settle(venue=venue, chain=chain, now=now)
        except ClientError as reason:
            log.info("chain.not_settled", venue=venue.value, reason=str(reason))
            continue
        if done is not None:
            passes.append(done)
    return passes


def _due(now: datetime) -> Sequence[Program]:
    """Return the venues that were not compared for a while, which is longer where nothing comes: each pass costs credits."""
    cursors = StreamCursor.objects.filter(venue=OuterRef("venue"), verified_slot__isnull=False)
    flowing = cursors.filter(observed_at__gt=now - _SILENT)
    behind = VenueState.objects.filter(settled_slot__isnull=False).filter(
        Q(settled_at=None) | Q(settled_at__lte=now - QUIET) | Q(Exists(flowing), settled_at__lte=now - BUSY)
    )
    return [Program(venue) for venue in behind.order_by("venue").values_list("venue", flat=True)]


def settle(*, venue: Program, chain: ChainReader, now: datetime) -> Settled | None:
    """Compare a venue with the finalized chain; ``None`` when it is not watched, somebody else does it, or nothing is new.

    Nor is a quarantined venue compared, nor one that is released before what was kept of it is played: all of that would be
    asked for and count as missing. It is made up for afterwards.

    Raises ``TryLater`` from a node that lags behind or does not give what it lists; nothing is passed over then.
    """
    mine = VenueState.objects.filter(Q(leased_until=None) | Q(leased_until__lte=now), venue=venue)
    if not mine.filter(settled_slot__isnull=False, status=VenueStatus.LIVE).update(leased_until=now + LEASE):
        return None
    try:
        kept = RejectedMessage.objects.filter(status=RejectionStatus.WAITING, reason=RejectionReason.QUARANTINED)
        if kept.filter(waits_for=ingest.release_of(venue)).exists():
            return None
        state = VenueState.objects.get(venue=venue)
        return _settle(state, venue, chain, now)
    finally:
        VenueState.objects.filter(venue=venue, leased_until=now + LEASE).update(leased_until=None)


def _settle(state: VenueState, venue: Program, chain: ChainReader, now: datetime) -> Settled | None:
    settled = state.settled_slot or 0
    head = min(chain.get_slot(finalized=True), _heard_to(venue, now))
    if head <= settled:
        return None
    page = listing.read(chain=chain, venue=venue, after_slot=settled, through_slot=head)
    done: Settled | None = None
    for part in page.parts(_AT_ONCE):
        compared = _compare(state, venue, chain, part, now)
        if compared is None:
            break  # a rival came further
        done = compared if done is None else done + compared
        state.refresh_from_db()
    return done


def _compare(state: VenueState, venue: Program, chain: ChainReader, page: Page, now: datetime) -> Settled | None:
    """Compare one part of what is new; ``None`` when somebody else has done so meanwhile."""
    settled = page.first - 1
    have = backfill.stored(venue=venue, signatures=page.landed.keys(), since=state.settled_block_time)
    missing = [one for one in page.landed.values() if one not in have]
    dropped, sure = _doubtful(venue, page, state, chain)
    again = _said_again(venue, dropped, page, chain) if dropped else {}
    fetched = _fetch(chain, page, missing, again)
    if not again.keys().isdisjoint(one.signature for one in fetched.unresolved):
        # What a fork said is not taken back before all that stands beside it can be said again.
        raise TryLater("A fork was dropped, and what must be stored again is not given.")
    unresolved = min((one.slot for one in fetched.unresolved), default=None)
    through = page.last if unresolved is None else max(unresolved - 1, settled)

    # What is stored where a fork had it did come, if elsewhere; the rest of what is missing never came. What is not given
    # now is told when it is.
    waiting = {one.signature for one in fetched.unresolved}
    came = have.slots.keys() | have.partly | waiting
    lost = [one for one in missing if one.signature not in came]
    open_gaps: Sequence[SlotGap] = []
    if lost:
        with transaction.atomic():
            if not _is_mine(state):
                return None
            late = backfill.stored(venue=venue, signatures=[one.signature for one in lost], since=None)
            lost = [one for one in lost if one not in late]  # a rival healed it while we asked
            if lost:
                slots = {one.slot for one in lost}
                open_gaps = gaps.found(venue=venue, slots=slots, sighted=have.all_slots, now=now)
    with transaction.atomic():
        if not _is_mine(state):
            return None
        if dropped:
            events = [event for one in fetched.received for event in one.decoded.events]
            reorgs.take_back(venue=venue, dropped=dropped, now=now, again=events)
        if fetched.received:
            new = backfill.keep(venue=venue, fetched=fetched, now=now)
            lost = [one for one in lost if one.signature in new]
        _count(venue, open_gaps, lost, now)
        _finalize([*((one.signature, one.slot) for one in page.landed.values()), *sure], state)
    breaks = _conserve(venue, state, page, through, now)
    with transaction.atomic():
        _close(venue, page, through, now)
        moved = VenueState.objects.filter(id=state.id, settled_slot=settled).update(
            settled_slot=max(through, settled),
            settled_at=now,
            settled_block_time=max(
                [*page.times_through(through), *filter(None, [state.settled_block_time])], default=None
            ),
        )
        if moved:
            streams.forget_sightings(venue=venue, through_slot=through)
            gaps.advance(venue=venue)
    if unresolved is not None:
        raise TryLater(f"A transaction of slot {unresolved} is listed and not given.")
    return Settled(venue, through, len(page.landed), len(lost), len(dropped), breaks)


def _is_mine(state: VenueState) -> bool:
    """Say whether nobody has come further, and keep it so to the transaction's end: a lease may run out in mid-pass."""
    return VenueState.objects.select_for_update().filter(id=state.id, settled_slot=state.settled_slot).exists()


def _heard_to(venue: Program, now: datetime) -> int:
    """Return how far the feeds that bring something now have come.

    What they are still about to store is not missing. A feed that is silent or gone does not hold the comparison up.
    """
    flowing = StreamCursor.objects.filter(venue=venue, verified_slot__isnull=False, observed_at__gt=now - _SILENT)
    slowest = flowing.aggregate(slot=Min("last_slot"))["slot"]
    return _EVER if slowest is None else int(slowest) - 1  # of the last slot there may be more to come


# -- what the chain says


class Place(NamedTuple):
    """Where a transaction landed, and whether that slot is final."""

    landed: Landed
    final: bool


def _said_again(venue: Program, dropped: Sequence[Dropped], page: Page, chain: ChainReader) -> dict[str, Place]:
    """Return where the transactions landed that must be stored again with the fork that is taken back, by signature.

    These are the witnesses of what is undone, and what came since the fork began and told a fact: rows may have kept what
    the fork said instead of it. What is on no list was settled before, is not final yet, or is of a fork itself, perhaps one
    that another venue has yet to compare: the chain is asked. Raises ``TryLater`` from a node that does not know what is on
    the chain, or may be.
    """
    since = min(one.slot for one in dropped)
    told = StreamSighting.objects.filter(venue=venue, slot__gte=since, tells=True)
    witnesses = reorgs.witnesses(dropped=dropped)
    signatures = witnesses.union(told.values_list("signature", flat=True))
    signatures -= {one.signature for one in dropped if not one.alive}
    places = {one: Place(landed, final=True) for one in signatures if (landed := page.find(one)) is not None}
    doubted = sorted(signatures - places.keys())
    seen = _seen(doubted)
    for start in range(0, len(doubted), _STATUSES):
        some = doubted[start : start + _STATUSES]
        answered_at, statuses = chain.get_statuses(some)
        for one, status in zip(some, statuses, strict=True):
            if status is None:
                slot, final = seen.get(one, (page.last, one in witnesses))
                if final or max(slot, page.last) > answered_at:
                    raise TryLater(f"Transaction {one} must be stored again, and the node does not know it.")
            elif not status.failed:
                places[one] = Place(Landed(one, status.slot, False, None), status.finalized)
    return places


_SEEN = """
SELECT signature, max(slot), bool_or(final) FROM (
    SELECT signature, slot, commitment = 2 AS final FROM transactions WHERE signature = ANY(%(signatures)s)
    UNION ALL SELECT signature, slot, false FROM stream_sightings WHERE signature = ANY(%(signatures)s)
) AS places GROUP BY signature
"""


def _seen(signatures: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Return the newest slot in which each signature was seen by any venue, and whether it has final rows."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"signatures": list(signatures)})
        return {signature: (slot, final) for signature, slot, final in cursor.fetchall()}


def _fetch(chain: ChainReader, page: Page, missing: Sequence[Landed], again: Mapping[str, Place]) -> backfill.Fetched:
    """Return the transactions that are to be stored: what is missing, and what must be stored again."""
    final = {one.signature: one for one in missing} | {key: one.landed for key, one in again.items() if one.final}
    wanted = [one for key, one in sorted(final.items()) if key not in page.blocks]
    fetched = backfill.fetch(chain=chain, wanted=wanted, finalized=True)
    newer = backfill.fetch(chain=chain, wanted=[one.landed for one in again.values() if not one.final], finalized=False)
    fetched.received += newer.received
    fetched.unresolved += newer.unresolved
    fetched.received += [page.blocks[key] for key in sorted(final) if key in page.blocks]
    return fetched


# What a token remembers of its launch and its graduation has no slot of its own; it is judged where its transaction was last
# seen, and not before a node must know that slot: one that lags says of every newer one that there is none. What it said
# where it was seen before may be what is remembered.
# The rows of the window first: joined the other way round, a pool at a time, they would be gone through for each pool.
_DOUBTFUL = """
WITH recent AS MATERIALIZED (
    SELECT DISTINCT signature, slot, pool_id FROM transactions
    WHERE commitment < 2 AND slot <= %(last)s AND block_time >= %(since)s AND block_time <= %(until)s
)
SELECT DISTINCT t.signature, t.slot FROM recent t JOIN pools p ON p.id = t.pool_id WHERE p.platform = %(platform)s
UNION
SELECT told.signature, seen.slot FROM (
    SELECT creation_signature AS signature, creation_timestamp AS at FROM tokens
    WHERE creation_timestamp >= %(since)s AND creation_timestamp <= %(until)s AND %(launches)s AND platform = %(platform)s
    UNION
    SELECT graduation_signature, graduation_timestamp FROM tokens
    WHERE is_graduated AND graduation_timestamp >= %(since)s AND graduation_timestamp <= %(until)s
      AND %(launches)s AND platform = %(platform)s
) AS told LEFT JOIN LATERAL (
    SELECT slot, max(slot) OVER () AS newest FROM (
        SELECT slot FROM transactions t WHERE t.signature = told.signature
        UNION SELECT slot FROM stream_sightings s WHERE s.venue = %(venue)s AND s.signature = told.signature
    ) AS places
) AS seen ON true
WHERE told.signature IS NOT NULL AND (seen.newest <= %(last)s OR (seen.newest IS NULL AND told.at <= %(passed)s))
UNION
SELECT migration_signature, migration_slot FROM pools
WHERE migration_signature IS NOT NULL AND migration_slot > %(first)s AND migration_slot <= %(last)s
  AND platform = %(platform)s
"""


def _doubtful(
    venue: Program, page: Page, state: VenueState, chain: ChainReader
) -> tuple[list[Dropped], list[tuple[str, int]]]:
    """Return what we believed and the finalized chain does not have where we have it, and what is final after all.

    Absence from a list proves nothing by itself (a row of our pools may come from another program's transaction): the
    chain is asked for each such signature.
    """
    times = page.times or [time for time in (state.settled_block_time,) if time is not None]
    if not times:
        return [], []
    since = min([*times, *filter(None, [state.settled_block_time])]) - _SLACK
    asked: dict[str, Any] = {
        "platform": programs.VENUES[venue].value,
        "launches": venue is not Program.PUMPSWAP,
        "first": page.first - 1,
        "last": page.last,
        "since": since,
        "until": max(times) + _SLACK,
        "venue": venue.value,
        "passed": max(times) - _SLACK,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DOUBTFUL, asked)
        believed = cursor.fetchall()
    dropped: list[Dropped] = []
    doubted: list[tuple[str, int | None]] = []
    for signature, slot in believed:
        landed = page.find(signature)
        if landed is None:
            doubted.append((signature, slot))
        elif slot not in (None, landed.slot):
            dropped.append(Dropped(signature, slot, alive=True))
    sure: list[tuple[str, int]] = []
    for start in range(0, len(doubted), _STATUSES):
        some = doubted[start : start + _STATUSES]
        answered_at, statuses = chain.get_statuses([signature for signature, _ in some])
        if answered_at < page.last:
            raise TryLater(f"The node answers as of slot {answered_at}, not of {page.last}.")
        for (signature, slot), status in zip(some, statuses, strict=True):
            if status is None or status.failed:
                dropped.append(Dropped(signature, slot or 0, alive=False))
            elif slot not in (None, status.slot):
                dropped.append(Dropped(signature, slot or 0, alive=True))
            elif status.finalized:
                sure.append((signature, status.slot))
    return dropped, sure


_FINALIZE = """
UPDATE transactions t SET commitment = 2
FROM unnest(%s::text[], %s::bigint[]) AS n(signature, slot)
WHERE t.signature = n.signature AND t.slot = n.slot AND t.commitment < 2
  AND (%s::timestamptz IS NULL OR t.block_time >= %s)
"""


def _finalize(places: Sequence[tuple[str, int]], state: VenueState) -> None:
    if places:
        since = state.settled_block_time and state.settled_block_time - _SLACK
        with connection.cursor() as cursor:
            cursor.execute(_FINALIZE, [[one for one, _ in places], [slot for _, slot in places], since, since])


def _conserve(venue: Program, state: VenueState, page: Page, through: int, now: datetime) -> int:
    """Open a gap for each curve whose reserves do not follow, among the slots of this pass; return how many."""
    times = page.times
    if venue is Program.PUMPSWAP or not times:
        return 0
    breaks = completeness.gaps(
        start=min([*times, *filter(None, [state.settled_block_time])]),
        end=max(times) + timedelta(seconds=1),
        pools=_MOST_POOLS,
        limit=_MOST_BREAKS,
        venue=programs.VENUES[venue],
        through_slot=through,
    )
    opened = 0
    for one in breaks:
        if one.slot_from < (state.watched_from_slot or 0) or one.slot_to < page.first:
            continue  # before we watched, or judged by an earlier pass
        opened += gaps.broken(
            venue=venue, pool_address=one.pool_address, slot_from=one.slot_from, slot_to=one.slot_to, now=now
        )
    return opened


def _count(venue: Program, found: Sequence[SlotGap], lost: Sequence[Landed], now: datetime) -> None:
    """Account for what was missing, in the transaction that stores it."""
    if lost:
        streams.missed(venue=venue, slots=[one.slot for one in lost], now=now)
        for gap in found:
            inside = sum(gap.slot_from <= one.slot <= (gap.slot_to or one.slot) for one in lost)
            gaps.note(gap=gap, count=inside)


def _close(venue: Program, page: Page, through: int, now: datetime) -> None:
    """End the gaps whose whole stretch is compared now; whatever was missing in them is stored.

    Where an operator wants the chain to be asked again, an earlier comparison is not enough.
    """
    compared = SlotGap.objects.filter(venue=venue, finished_at=None, pool_address=None, slot_to__lte=through)
    gaps.close(gaps=compared.exclude(cause=GapCause.OPERATOR, slot_from__lt=page.first), now=now)
