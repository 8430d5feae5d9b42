"""Comparing what we have with the finalized chain: what is missing is stored, what was dropped goes, the rest is final.

One pass takes a venue from the slot up to which it was compared to the newest finalized one. It never goes past a
transaction that the chain lists and does not give, nor past a block that is not linked to the one before, so a pass that is
cut short or meets a node that lags, lies or has forgotten is simply made again.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from megatron.clients.errors import ClientError, TryLater
from megatron.clients.ports import ChainReader, Landed
from megatron.core import locks
from megatron.core.chain import AHEAD
from megatron.core.log_cap import A_MINUTE, CappedLog, short
from megatron.core.timescale import chunks
from tokens.choices import GapCause, Program, RejectionReason, RejectionStatus, VenueStatus
from tokens.domain import programs
from tokens.models import RejectedMessage, SlotGap, StreamCursor, VenueState
from tokens.selectors import chains, indexing
from tokens.services import backfill, forks, gaps, ingest, listing, reorgs, streams
from tokens.services.forks import Place
from tokens.services.listing import Page

log = structlog.get_logger(__name__)
failures = CappedLog(log, every=A_MINUTE)

LEASE = timedelta(minutes=1)
"""A worker that is cut off holds a venue up no longer than this. Two at once do no harm: only one moves the slot."""
BUSY, QUIET = timedelta(seconds=15), timedelta(minutes=1)
"""How often a venue is compared while a feed brings something, and while none does."""
_AT_ONCE = 10_000
"""So many listed transactions are compared before the slot moves: what was done is not done again when a pass is cut off."""
_MOST_POOLS, _MOST_BREAKS = 10_000, 500
_SILENT = timedelta(seconds=30)
_EVER = 2**62


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
            failures.info("chain.not_settled", of=venue, venue=venue.value, reason=short(reason))
            VenueState.objects.filter(venue=venue).update(comparison_error=str(reason)[:500])
            continue
        VenueState.objects.filter(venue=venue).exclude(comparison_error="").update(comparison_error="")
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
    lease = _Lease(venue, now)
    if not lease.taken():
        return None
    try:
        kept = RejectedMessage.objects.filter(status=RejectionStatus.WAITING, reason=RejectionReason.QUARANTINED)
        if kept.filter(waits_for=ingest.release_of(venue)).exists():
            return None
        state = VenueState.objects.get(venue=venue)
        return _settle(state, lease, venue, chain, now)
    finally:
        lease.end()


class _Lease:
    """Keeps a venue to one worker for :data:`LEASE` after ``now``, and as long again each time that it is renewed."""

    def __init__(self, venue: Program, now: datetime) -> None:
        self._venue, self._now, self._began = venue, now, time.monotonic()
        self._until = now + LEASE

    def taken(self) -> bool:
        """Take the lease; return whether the venue is watched, live, and nobody else's."""
        free = VenueState.objects.filter(Q(leased_until=None) | Q(leased_until__lte=self._now), venue=self._venue)
        return bool(free.filter(settled_slot__isnull=False, status=VenueStatus.LIVE).update(leased_until=self._until))

    def renewed(self) -> bool:
        """Renew the lease; return whether the venue was still ours."""
        until = self._now + timedelta(seconds=time.monotonic() - self._began) + LEASE
        kept = bool(self._ours().update(leased_until=until))
        self._until = until
        return kept

    def end(self) -> None:
        """Leave the venue to whoever comes next."""
        self._ours().update(leased_until=None)

    def _ours(self) -> QuerySet[VenueState]:
        return VenueState.objects.filter(venue=self._venue, leased_until=self._until)


def _settle(state: VenueState, lease: _Lease, venue: Program, chain: ChainReader, now: datetime) -> Settled | None:
    settled = state.settled_slot or 0
    head = min(chain.get_slot(finalized=True), _heard_to(venue, now))
    if head <= settled:
        return None
    page = listing.read(chain=chain, venue=venue, after_slot=settled, through_slot=head, now=now)
    if page.last < page.first:
        _stop(venue, page, now)
    done: Settled | None = None
    for part in page.parts(_AT_ONCE):
        if not lease.renewed():
            break
        compared = _compare(state, venue, chain, part, now)
        if compared is None:
            break  # a rival came further
        done = compared if done is None else done + compared
        state.refresh_from_db()
    return done


def _compare(state: VenueState, venue: Program, chain: ChainReader, page: Page, now: datetime) -> Settled | None:
    """Compare one part of what is new; ``None`` when somebody else has done so meanwhile."""
    settled = page.first - 1
    between = forks.times_between(page=page, since=state.settled_block_time, now=now)
    have = backfill.stored(venue=venue, signatures=page.landed.keys(), between=between)
    missing = [one for one in page.landed.values() if one not in have]
    dropped, sure, unknown = forks.doubtful(venue=venue, page=page, since=state.settled_block_time, chain=chain)
    heard = _heard_to(venue, now)
    again = (
        forks.said_again(venue=venue, dropped=dropped, page=page, heard=heard, chain=chain, since=between[0])
        if dropped
        else {}
    )
    fetched = _fetch(chain, page, missing, again, now)
    if not again.keys().isdisjoint(one.signature for one in fetched.unresolved):
        # What a fork said is not taken back before all that stands beside it can be said again.
        raise TryLater("A fork was dropped, and what must be stored again is not given.")
    stops = [*(one.slot for one in fetched.unresolved), *unknown]
    if page.hole is not None and page.hole.first <= page.last:
        stops.append(page.hole.first)
    unresolved = min(stops, default=None)
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
            late = backfill.stored(venue=venue, signatures=[one.signature for one in lost], between=between)
            lost = [one for one in lost if one not in late]  # a rival healed it while we asked
            if lost:
                slots = {one.slot for one in lost}
                open_gaps = gaps.found(venue=venue, slots=slots, sighted=have.all_slots, now=now)
    with transaction.atomic():
        locks.hold_until_commit("transactions.update")  # trades of several venues: each would wait for the other's rows
        if not _is_mine(state):
            return None
        if dropped:
            events = [event for one in fetched.received for event in one.decoded.events]
            reorgs.take_back(venue=venue, dropped=dropped, now=now, again=events, since=between[0])
        if fetched.telling:
            new = backfill.keep(venue=venue, fetched=fetched, now=now)
            lost = [one for one in lost if one.signature in new]
        _count(venue, open_gaps, lost, now)
        _finalize([*((one.signature, one.slot) for one in page.landed.values()), *sure], between)
    breaks = _conserve(venue, state, page, through, now)
    # A block can hold an event whose own clock is wrong: what is of the future would make every later pass look at nothing.
    times = [at for at in page.times_through(through) if at <= now + AHEAD]
    with transaction.atomic():
        _close(venue, page, through, now)
        moved = VenueState.objects.filter(id=state.id, settled_slot=settled).update(
            settled_slot=max(through, settled),
            settled_at=now,
            # A pass that stands before a transaction that is not given has compared, and has not come further.
            advanced_at=now if through > settled else indexing.compared_since(state),
            settled_block_time=max([*times, *filter(None, [state.settled_block_time])], default=None),
        )
        if moved:
            streams.forget_sightings(venue=venue, through_slot=through)
            gaps.advance(venue=venue)
    if unresolved is not None and (page.hole is None or unresolved < page.hole.first):
        raise TryLater(f"A transaction of slot {unresolved} is listed and not given.")
    _stop(venue, page, now)
    return Settled(venue, through, len(page.landed), len(lost), len(dropped), breaks)


def _stop(venue: Program, page: Page, now: datetime) -> None:
    """Open a gap where the page has a hole, and raise ``TryLater`` there: what nobody can read is not passed."""
    if page.hole is not None:
        gaps.unproven(venue=venue, slot_from=page.hole.first, slot_to=page.hole.last, now=now)
        raise TryLater(page.hole.reason)


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


def _fetch(
    chain: ChainReader, page: Page, missing: Sequence[Landed], again: Mapping[str, Place], now: datetime
) -> backfill.Fetched:
    """Return the transactions that are to be stored: what is missing, and what must be stored again."""
    final = {one.signature: one for one in missing} | {key: one.landed for key, one in again.items() if one.final}
    wanted = [one for key, one in sorted(final.items()) if key not in page.blocks]
    fetched = backfill.fetch(chain=chain, wanted=wanted, finalized=True, now=now)
    elsewhere = [one.landed for one in again.values() if not one.final]
    newer = backfill.fetch(chain=chain, wanted=elsewhere, finalized=False, now=now)
    fetched.received += newer.received
    fetched.unread += newer.unread
    fetched.unresolved += newer.unresolved
    fetched.received += [page.blocks[key] for key in sorted(final) if key in page.blocks]
    return fetched


_WITHIN = chunks.within("t.token_id", "t.block_time")

_NOT_FINAL = f"""
SELECT t.token_id, t.block_time, t.id FROM transactions t
JOIN unnest(%(signatures)s::text[], %(slots)s::bigint[]) AS n(signature, slot) ON t.signature = n.signature AND t.slot = n.slot
WHERE t.commitment < 2 AND {_WITHIN}
"""

_FINALIZE = f"""
UPDATE transactions t SET commitment = 2
FROM unnest(%(signatures)s::text[], %(slots)s::bigint[]) AS n(signature, slot)
WHERE t.signature = n.signature AND t.slot = n.slot AND t.commitment < 2 AND {_WITHIN}
"""


def _finalize(places: Sequence[tuple[str, int]], between: tuple[datetime, datetime]) -> None:
    """Note that what stands at ``places`` (signature and slot) is final. Of what is compressed it opens a token's batches of
    ten minutes at a time."""
    if not places:
        return
    asked: dict[str, Any] = {"signatures": [one for one, _ in places], "slots": [slot for _, slot in places]}

    def old(first: datetime, last: datetime) -> Sequence[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(_NOT_FINAL, asked | {"key": None, "first": first, "last": last})
            return list(cursor.fetchall())

    with connection.cursor() as cursor:
        for stretch in chunks.spanned(connection, "transactions", *between, old):
            cursor.execute(_FINALIZE, asked | stretch.bounds)


def _conserve(venue: Program, state: VenueState, page: Page, through: int, now: datetime) -> int:
    """Open a gap for each curve whose reserves do not follow, among the slots of this pass; return how many."""
    times = page.times
    if venue is Program.PUMPSWAP or not times:
        return 0
    breaks = chains.gaps(
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
