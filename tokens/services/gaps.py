"""Gaps: stretches of slots of which something may be missing. Opened as soon as they are known, healed from the chain."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Count, F, Max, QuerySet
from django.db.models.functions import Greatest

from megatron.clients.errors import ClientError, TryLater
from megatron.clients.ports import ChainReader
from megatron.core import audit, metrics, nudges, queue
from tokens.choices import AlertKind, AlertSeverity, GapCause, GapOutcome, Program
from tokens.domain import programs
from tokens.domain.stretches import LAST_SLOT
from tokens.models import SlotGap, StreamCursor, VenueState
from tokens.services import alerts, backfill, blocks

log = structlog.get_logger(__name__)

REACH = 1_500
"""Slots that are gone through by the list of an address; what is further back goes block by block."""
BLOCKS_AT_ONCE = 50
PAUSE = timedelta(seconds=5)
MAX_ATTEMPTS = 200
"""About a week: a node that is away is no reason to set a gap aside until somebody looks."""


class NotAStretch(ValueError):
    """Somebody asked for slots that do not run forward, or are none."""


class NotThereYet(TryLater):
    """The node lists a transaction and does not give it, or a stretch is not gone through to its end."""


# -- opening


def lost(*, source: str, venue: Program, slot: int, now: datetime) -> None:
    """Open the running gap of a feed that went away, from the last slot that it brought (which may not have been whole)."""
    gap = SlotGap(source=source, venue=venue, cause=GapCause.DISCONNECT, slot_from=slot, detected_at=now, due_at=now)
    # One running gap a source and venue: an earlier one covers this one.
    SlotGap.objects.bulk_create([gap], ignore_conflicts=True)
    _tell(venue, GapCause.DISCONNECT)


def resumed(*, source: str, venue: Program, slot: int, now: datetime) -> None:
    """End the running gap of a feed at the first slot that it brings again.

    A feed without a running gap did not see itself go: its monitor was stopped or killed, and the gap begins at its cursor.
    """
    with transaction.atomic():
        running = SlotGap.objects.filter(source=source, venue=venue, slot_to=None, finished_at=None)
        if not running.update(slot_to=Greatest(F("slot_from"), slot), due_at=now):
            cursor = StreamCursor.objects.filter(source=source, venue=venue, last_slot__lt=slot).first()
            if cursor is None:
                return
            SlotGap.objects.create(
                source=source,
                venue=venue,
                cause=GapCause.RESTART,
                slot_from=cursor.last_slot,
                slot_to=slot,
                detected_at=now,
                due_at=now,
            )
            _tell(venue, GapCause.RESTART)
        nudges.ring("gaps_found")


def ask(*, venue: Program, slot_from: int, slot_to: int, operator: str, reason: str, now: datetime) -> SlotGap:
    """Open a gap by hand, so that the chain is asked again for ``[slot_from, slot_to]``. Leaves an audit entry.

    Raises :class:`NotAStretch` for what are no slots.
    """
    if not 0 <= slot_from <= slot_to <= LAST_SLOT:
        raise NotAStretch(f"{slot_from} to {slot_to} is no stretch of slots.")
    with transaction.atomic():
        gap = SlotGap.objects.create(
            venue=venue,
            cause=GapCause.OPERATOR,
            slot_from=slot_from,
            slot_to=slot_to,
            detected_at=now,
            due_at=now,
        )
        audit.record(
            actor=operator,
            action="slot_gap.ask",
            reason=reason,
            kind="SlotGap",
            key=str(gap.id),
            after={"venue": venue.value, "slot_from": slot_from, "slot_to": slot_to},
            now=now,
        )
        nudges.ring("gaps_found")
    return gap


def found(*, venue: Program, slots: Collection[int], sighted: Collection[int], now: datetime) -> Sequence[SlotGap]:
    """Return the open gaps that cover ``slots``, where the chain has something that no feed brought; open them where needed.

    ``sighted`` are the slots of which at least something came: the others are holes in the coverage, not single losses.
    """
    slots = sorted(set(slots))
    gaps = list(SlotGap.objects.filter(venue=venue, finished_at=None, pool_address=None, slot_to__isnull=False))
    bare = [slot for slot in slots if not any(gap.slot_from <= slot <= (gap.slot_to or slot) for gap in gaps)]
    runs: list[list[int]] = []
    for slot in bare:
        if runs and slot == runs[-1][-1] + 1:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    for run in runs:
        cause = GapCause.MISSED if any(slot in sighted for slot in run) else GapCause.COVERAGE
        gaps.append(
            SlotGap.objects.create(
                venue=venue,
                cause=cause,
                slot_from=run[0],
                slot_to=run[-1],
                detected_at=now,
                due_at=now + queue.LEASE,  # whoever found it heals it now; a worker only if that one dies
            )
        )
        _tell(venue, cause)
    return [gap for gap in gaps if any(gap.slot_from <= slot <= (gap.slot_to or slot) for slot in slots)]


def unproven(*, venue: Program, slot_from: int, slot_to: int, now: datetime) -> None:
    """Open a gap over slots in which the chain has something that the node does not let us read, unless one covers them."""
    covering = SlotGap.objects.filter(venue=venue, finished_at=None, pool_address=None, slot_from__lte=slot_from)
    if covering.filter(slot_to__gte=slot_to).exists():
        return
    SlotGap.objects.create(
        venue=venue,
        cause=GapCause.COVERAGE,
        slot_from=slot_from,
        slot_to=slot_to,
        detected_at=now,
        due_at=now + PAUSE,
    )
    _tell(venue, GapCause.COVERAGE)


def broken(*, venue: Program, pool_address: str, slot_from: int, slot_to: int, now: datetime) -> bool:
    """Open a gap where the reserves of a curve do not follow from its stored trades, once; say whether it is a new one."""
    place = {"cause": GapCause.CONSERVATION, "pool_address": pool_address, "slot_from": slot_from, "slot_to": slot_to}
    if SlotGap.objects.filter(**place).exists():
        return False
    gap = SlotGap(
        venue=venue,
        cause=GapCause.CONSERVATION,
        pool_address=pool_address,
        slot_from=slot_from,
        slot_to=slot_to,
        detected_at=now,
        due_at=now,
    )
    SlotGap.objects.bulk_create([gap], ignore_conflicts=True)
    _tell(venue, GapCause.CONSERVATION)
    nudges.ring("gaps_found")
    return True


def _tell(venue: Program, cause: GapCause) -> None:
    log.warning("gap.opened", venue=venue.value, cause=cause.value)
    transaction.on_commit(partial(metrics.gaps_opened.labels(venue=venue.value, cause=cause.value).inc))


# -- healing


def heal_due(*, chain: ChainReader, now: datetime, limit: int = 50, only: UUID | None = None) -> queue.Drained:
    """Heal gaps that have ended and are due, oldest first; ``only`` names the one that is asked for."""
    further: list[UUID] = []

    def step(gap: SlotGap) -> None:
        before = gap.healed_to
        try:
            heal(gap, chain=chain, now=now)
        finally:
            if gap.healed_to != before:
                further.append(gap.id)

    ended = SlotGap.objects.filter(slot_to__isnull=False).order_by("due_at", "slot_from")
    if only is not None:
        ended = ended.filter(id=only)
    drained = queue.drain(ended, step, now=now, limit=limit, expected=(ClientError,), max_attempts=MAX_ATTEMPTS)
    # A long gap takes many passes; one that gets on is not one that fails.
    SlotGap.objects.filter(id__in=further, finished_at=None, leased_until=None).update(attempts=0, due_at=now)
    for venue in Program:
        advance(venue=venue)
    return drained


def heal(gap: SlotGap, *, chain: ChainReader, now: datetime) -> None:
    """Ask the chain for what it has in the gap, store what we do not have, and say how the gap ended.

    Raises ``TryLater`` while the chain does not give everything that it lists.
    """
    venue, last = Program(gap.venue), gap.slot_to
    if last is None:
        raise NotThereYet("The feed is still away.", retry_after=PAUSE)
    head = chain.get_slot(finalized=True)
    first = gap.slot_from if gap.healed_to is None else gap.healed_to + 1
    if gap.pool_address is None and head - first > REACH and first <= last:
        reached = min(last, head, first + BLOCKS_AT_ONCE - 1)
        _by_blocks(chain, venue, gap, first, reached, now)
        if reached < last:
            raise NotThereYet(f"Gone through to slot {reached}.", retry_after=timedelta(0))
        return
    finalized = head >= last
    address = gap.pool_address or programs.ADDRESSES[venue]
    landed, unread = backfill.listed(
        chain=chain, address=address, after_slot=first - 1, through_slot=last, finalized=finalized
    )
    between = backfill.times_around((one.block_time for one in landed), now=now)
    have = backfill.stored(venue=venue, signatures=[one.signature for one in landed], between=between)
    fetched = backfill.fetch(
        chain=chain, wanted=[one for one in landed if not one.failed and one not in have], finalized=finalized, now=now
    )
    with transaction.atomic():
        note(gap=gap, count=len(backfill.keep(venue=venue, fetched=fetched, now=now)))
    if fetched.unresolved or unread is not None:
        told = f"{len(fetched.unresolved)} listed transactions were not given"
        told += "." if unread is None else f", and one of slots {unread[0]} to {unread[1]} cannot be read."
        raise NotThereYet(told, retry_after=PAUSE)
    if not finalized:
        # What was confirmed may still change; a gap is healed for good when its slots are final.
        raise NotThereYet("What is there is stored; its slots are not final yet.", retry_after=PAUSE)


def _by_blocks(chain: ChainReader, venue: Program, gap: SlotGap, first: int, last: int, now: datetime) -> None:
    """Store what the blocks of ``[first, last]`` have and we do not. Each block is noted with what it brought, as soon as it is
    linked to the one before."""
    for read in blocks.read(chain=chain, after_slot=first - 1, through_slot=last, now=now):
        slot = read.slot
        found, unread = backfill.block(slot=slot, payload=read.payload, finalized=True, now=now)
        mine = {key: one for key, one in found.items() if backfill.concerns(one.decoded, venue=venue)}
        between = backfill.times_told(mine.values(), now=now)
        have = backfill.stored(venue=venue, signatures=mine.keys(), between=between)
        new = backfill.Fetched([one for key, one in mine.items() if not have.has(key, slot)], unread=unread)
        with transaction.atomic():
            count = len(backfill.keep(venue=venue, fetched=new, now=now)) if new.received or unread else 0
            note(gap=gap, count=count, healed_to=slot if not unread else None)
        if unread:
            raise NotThereYet(f"The block of slot {slot} holds what cannot be read.", retry_after=PAUSE)
    note(gap=gap, count=0, healed_to=last)


def note(*, gap: SlotGap, count: int, healed_to: int | None = None) -> None:
    """Write down what came of one pass: the outcome stands when the work row is finished. Belongs into the transaction that
    stores what was found."""
    if healed_to is not None:
        gap.healed_to = healed_to
    mine = SlotGap.objects.filter(id=gap.id)
    mine.update(
        transactions_found=F("transactions_found") + count,
        healed_to=F("healed_to") if healed_to is None else Greatest(F("healed_to"), healed_to),
    )
    gap.transactions_found = mine.values_list("transactions_found", flat=True).get()
    mine.update(outcome=GapOutcome.HEALED if gap.transactions_found else GapOutcome.EMPTY)


def close(*, gaps: QuerySet[SlotGap], now: datetime) -> int:
    """End open gaps whose stretch was compared with the finalized chain; return how many."""
    rows = list(gaps.filter(finished_at=None, slot_to__isnull=False).order_by("id").select_for_update())
    for gap in rows:
        outcome = GapOutcome.HEALED if gap.transactions_found else GapOutcome.EMPTY
        SlotGap.objects.filter(id=gap.id).update(
            finished_at=now, leased_until=None, quarantined_at=None, last_error="", outcome=outcome
        )
        transaction.on_commit(partial(metrics.gaps_healed.labels(venue=gap.venue).inc))
    return len(rows)


def accept(*, gaps: QuerySet[SlotGap], operator: str, reason: str, now: datetime) -> int:
    """Give up on gaps that have ended: the cursors may pass them. Returns how many; each leaves an audit entry."""
    with transaction.atomic():
        rows = list(gaps.filter(finished_at=None, slot_to__isnull=False).order_by("id").select_for_update())
        for gap in rows:
            SlotGap.objects.filter(id=gap.id).update(
                finished_at=now, outcome=GapOutcome.ACCEPTED, leased_until=None, quarantined_at=None
            )
            _skip(gap)
            audit.record(
                actor=operator,
                action="slot_gap.accept",
                reason=reason,
                kind="SlotGap",
                key=str(gap.id),
                before={"slot_from": gap.slot_from, "slot_to": gap.slot_to, "cause": gap.cause},
                after={"outcome": "accepted"},
                now=now,
            )
        for venue in {Program(gap.venue) for gap in rows}:
            advance(venue=venue)
    return len(rows)


def _skip(gap: SlotGap) -> None:
    """Let the comparison pass a gap that was given up, but nothing that no feed has come to yet."""
    cursors = StreamCursor.objects.filter(venue=gap.venue, verified_slot__isnull=False)
    newest = cursors.aggregate(slot=Max("last_slot"))["slot"]
    last = min(gap.slot_to or gap.slot_from, gap.slot_from if newest is None else newest)
    VenueState.objects.filter(venue=gap.venue, settled_slot__gte=gap.slot_from - 1, settled_slot__lt=last).update(
        settled_slot=last
    )


OLD = timedelta(minutes=5)


def alert_about_old(*, now: datetime) -> None:
    """Tell operators of gaps that do not heal, a venue an alert, and when they have."""
    old = SlotGap.objects.filter(finished_at=None, slot_to__isnull=False, detected_at__lt=now - OLD)
    counted = dict(old.values_list("venue").annotate(count=Count("id")).order_by("venue"))
    for venue in Program:
        if count := counted.get(venue.value):
            alerts.raise_alert(
                kind=AlertKind.GAP,
                subject=venue.value,
                severity=AlertSeverity.CRITICAL,
                message=f"{count} gap{'' if count == 1 else 's'} of {venue.label} {'has' if count == 1 else 'have'} not healed "
                f"for more than {OLD.seconds // 60} minutes.",
                now=now,
            )
        else:
            alerts.resolve_alert(kind=AlertKind.GAP, subject=venue.value, now=now)


_ADVANCE = """
UPDATE stream_cursors c SET verified_slot = reach.slot
FROM (
    SELECT cursor.id, least(state.settled_slot, (
        SELECT min(gap.slot_from) - 1 FROM slot_gaps gap
        WHERE gap.finished_at IS NULL AND gap.venue = cursor.venue AND gap.source IN (cursor.source, '')
    )) AS slot
    FROM stream_cursors cursor JOIN venue_states state ON state.venue = cursor.venue
    WHERE cursor.venue = %s AND cursor.verified_slot IS NOT NULL AND state.settled_slot IS NOT NULL
) AS reach
WHERE reach.id = c.id AND reach.slot > c.verified_slot
"""


def advance(*, venue: Program) -> None:
    """Move the venue's cursors up to what was compared with the chain, and to the first open gap at most."""
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, [venue.value])
