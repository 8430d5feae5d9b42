"""From which slot to which a pool is complete: by its own reserves, and by the comparison of its venue with the chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Q

from tokens.choices import GapCause, GapOutcome, PoolType, RejectionStatus, Venue, VenueStatus
from tokens.domain import programs
from tokens.domain.stretches import Stretch, joined, without
from tokens.models import Pool, RejectedMessage, SlotGap, VenueState
from tokens.selectors.chains import chains


class Evidence(StrEnum):
    """Why we believe that nothing is missing."""

    CONSERVATION = "conservation"
    COVERAGE = "coverage"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Every trade of the pool in slots ``slot_from`` to ``slot_to``, both included, is stored. ``from_start``: and none
    came before ``slot_from`` either, for the curve began there."""

    slot_from: int
    slot_to: int
    by: Sequence[Evidence]
    from_start: bool


@dataclass(frozen=True, kw_only=True)
class Hole:
    """Slots, ends included, of which a trade of the pool may be missing. ``is_accepted``: an operator gave up on it."""

    slot_from: int
    slot_to: int
    cause: GapCause
    is_accepted: bool


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """What is known of one pool. ``waiting`` is how many rejected messages wait for it, or for its token.

    ``is_watched``: its venue is compared with the chain; ``is_held``: that proves nothing now, because the venue is
    quarantined or what was kept meanwhile is not played yet.
    """

    span: Span | None
    holes: Sequence[Hole]
    waiting: int
    is_watched: bool
    is_held: bool


_AHEAD = timedelta(hours=1)
"""How far the chain's clock may be ahead of ours."""
_PROGRAMS = {venue: program for program, venue in programs.VENUES.items()}


def span(*, pool: Pool, now: datetime) -> Completeness:
    """Return from which slot to which ``pool`` is complete; see :func:`spans`."""
    return spans(pools=[pool], now=now)[pool.pk]


def spans(*, pools: Sequence[Pool], now: datetime) -> Mapping[UUID, Completeness]:
    """Return of each pool, by its id, the newest stretch of slots in which none of its trades is missing, and the holes.

    Two kinds of evidence count, and what either of them proves is proven:

    * *coverage*: the pool's venue was compared with the finalized chain, from ``watched_from_slot`` to ``settled_slot``. Open
      gaps of the venue that have ended are left out, and those that an operator accepted. A feed that is away at the
      moment takes nothing from slots that are settled. A venue that is quarantined, or of which kept messages still wait
      to be played, has no coverage.
    * *conservation*, launch curves only: each stored trade follows from the one before, from the first stored one to the
      newest; from the start of the curve where its creation is known. So the trades of a gap that the chain of reserves
      bridges are all there, whatever else is missing in those slots.

    A break in the reserves contradicts both. ``span`` is ``None`` where nothing is proven or where a rejected message
    about the pool waits: unknown means no. ``pools`` come with their tokens.
    """
    venues = {_PROGRAMS[venue] for pool in pools if (venue := Venue(pool.platform)) in _PROGRAMS}
    states = {state.venue: state for state in VenueState.objects.filter(venue__in=venues)}
    addresses = [pool.pool_address for pool in pools]
    gone = list(
        SlotGap.objects.filter(
            Q(pool_address=None) | Q(pool_address__in=addresses),
            Q(finished_at=None) | Q(outcome=GapOutcome.ACCEPTED),
            venue__in=venues,
            slot_to__isnull=False,
        )
    )
    keys = {*addresses, *(pool.base_mint for pool in pools), *(_RELEASE.format(venue) for venue in venues)}
    messages = RejectedMessage.objects.filter(status=RejectionStatus.WAITING, waits_for__in=keys)
    waiting = dict(messages.values_list("waits_for").annotate(Count("id")).order_by("waits_for"))
    curves = [pool for pool in pools if pool.pool_type == PoolType.INITIAL]
    proven = chains(pools=curves, end=now + _AHEAD)
    return {
        pool.pk: _judged(
            pool,
            state=states.get(_PROGRAMS.get(Venue(pool.platform), "")),
            chain=proven[pool.pk].slots if pool.pk in proven else None,
            breaks=[_hole(broken) for broken in proven[pool.pk].breaks] if pool.pk in proven else [],
            gone=[it for it in gone if it.pool_address in (None, pool.pool_address)],
            waiting=waiting,
        )
        for pool in pools
    }


_RELEASE = "release of {}"
"""What kept messages of a quarantined venue wait for."""


def _hole(broken: Stretch) -> Hole:
    return Hole(slot_from=broken.first, slot_to=broken.last, cause=GapCause.CONSERVATION, is_accepted=False)


def _judged(
    pool: Pool,
    *,
    state: VenueState | None,
    chain: Stretch | None,
    breaks: Sequence[Hole],
    gone: Sequence[SlotGap],
    waiting: Mapping[str, int],
) -> Completeness:
    is_watched = state is not None and state.settled_slot is not None
    is_held = state is not None and (state.status == VenueStatus.QUARANTINED or _RELEASE.format(state.venue) in waiting)
    holes = {
        (gap.slot_from, gap.slot_to or gap.slot_from): Hole(
            slot_from=gap.slot_from,
            slot_to=gap.slot_to or gap.slot_from,
            cause=GapCause(gap.cause),
            is_accepted=gap.outcome == GapOutcome.ACCEPTED,
        )
        for gap in gone
        if state is not None and gap.venue == state.venue
    }
    broken = [Stretch(it.slot_from, it.slot_to) for it in breaks]
    proven: dict[Evidence, Sequence[Stretch]] = {}
    if chain is not None:
        proven[Evidence.CONSERVATION] = without(chain, broken)
    if state is not None and is_watched and not is_held:
        watched = Stretch(state.watched_from_slot or 0, state.settled_slot or 0)
        if watched.first <= watched.last:
            proven[Evidence.COVERAGE] = without(watched, [*broken, *(Stretch(*place) for place in holes)])
    told = waiting.get(pool.pool_address, 0) + waiting.get(pool.base_mint, 0)
    together = joined(piece for pieces in proven.values() for piece in pieces)
    known = {**holes, **{(it.slot_from, it.slot_to): it for it in breaks if (it.slot_from, it.slot_to) not in holes}}
    found = _span(pool, together[-1], proven, chain) if together else None
    # What was missing before the curve began is no loss of its.
    begins = chain.first if found is not None and found.from_start and chain is not None else 0
    return Completeness(
        span=None if told else found,
        holes=[
            known[first, last]
            for first, last in sorted(known)
            if last >= begins and not any(it.holds(Stretch(first, last)) for it in together)
        ],
        waiting=told,
        is_watched=is_watched,
        is_held=is_held,
    )


def _span(pool: Pool, newest: Stretch, proven: Mapping[Evidence, Sequence[Stretch]], chain: Stretch | None) -> Span:
    links = proven.get(Evidence.CONSERVATION, ())
    # The first trade is held against the start of the curve only where both its creation and its reserves are known.
    start = (pool.virtual_sol_reserves, pool.real_sol_reserves, pool.virtual_token_reserves, pool.real_token_reserves,
             pool.initial_real_token_reserves, pool.token.creation_timestamp)  # fmt: skip
    judged = chain is not None and None not in start and any(link.first == chain.first for link in links)
    return Span(
        slot_from=newest.first,
        slot_to=newest.last,
        by=[kind for kind in Evidence if any(newest.holds(piece) for piece in proven.get(kind, ()))],
        from_start=judged and chain is not None and newest.first <= chain.first <= newest.last,
    )
