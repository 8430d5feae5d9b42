"""Proof that no trade is missing: on a curve the reserves before a trade are the reserves after the one before it.

Each stored trade carries the reserves after it, and its own amounts give the reserves before it. So a missing trade
shows as a break between two stored ones, without asking any third party, and the size of the break is what the missing
trades moved in sum. A curve's first trade is held against the reserves that it was created with.

Of a mayhem coin the virtual quote proves nothing: its agent sets it anew without an event. What the curve really holds is
moved by trades alone, of its coins as of all others, so there the real reserves are followed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from tokens.choices import GapCause, GapOutcome, PoolType, RejectionStatus, TransactionType, Venue, VenueStatus
from tokens.domain import programs
from tokens.domain.stretches import Stretch, joined, without
from tokens.models import Pool, RejectedMessage, SlotGap, VenueState
from tokens.selectors.mayhem import is_mayhem
from tokens.selectors.slots import place_in_slot

_EVER = 2**62
"""Later than any slot."""


# Launch curves only: the fees of an AMM pool stay inside it, so its reserves do not follow from the amounts alone.
# LATERAL, so that the trades of each pool come from the index by token and time. The first trade of the window is held
# against the newest before it, or against the start of the curve where its creation is known. A source that does not tell the
# real quote of a mayhem coin leaves its tokens to compare.
_HELD = """CASE WHEN recent.is_mayhem THEN real_quote_reserves ELSE quote_reserves END AS quote_held,
               CASE WHEN recent.is_mayhem THEN coalesce(real_token_reserves, token_reserves - recent.unsold)
                    ELSE token_reserves END AS token_held"""
_BREAKS = f"""
WITH recent AS (
    SELECT pool.id, pool.token_id, pool.pool_address, pool.base_mint, pool.quote_decimals, token.decimals,
           token.creation_timestamp, token.creation_signature,
           kind.is_mayhem, pool.virtual_token_reserves - pool.real_token_reserves AS unsold,
           CASE WHEN kind.is_mayhem THEN 0 ELSE pool.virtual_sol_reserves - pool.real_sol_reserves END AS start_quote,
           CASE WHEN kind.is_mayhem THEN 0 ELSE pool.virtual_token_reserves - pool.real_token_reserves END
               + pool.initial_real_token_reserves AS start_token
    FROM pools AS pool JOIN tokens AS token ON token.id = pool.token_id
    CROSS JOIN LATERAL (SELECT {is_mayhem("token")} AS is_mayhem) AS kind
    WHERE pool.pool_type = %(initial)s AND pool.last_trade_at >= %(start)s
      AND (%(venue)s::text IS NULL OR pool.platform = %(venue)s)
      AND (%(only)s::uuid[] IS NULL OR pool.id = ANY(%(only)s::uuid[]))
    ORDER BY pool.last_trade_at DESC
    LIMIT %(pools)s
), trades AS (
    SELECT recent.*, trade.*, true AS judged
    FROM recent CROSS JOIN LATERAL (
        SELECT id AS event, slot, event_index, signature, block_time, {_HELD}, {place_in_slot("transactions")} AS place,
               CASE type WHEN %(buy)s THEN amount_in ELSE -amount_out END AS quote_in,
               CASE type WHEN %(buy)s THEN -amount_out ELSE amount_in END AS token_in
        FROM transactions
        WHERE token_id = recent.token_id AND pool_id = recent.id
          AND block_time >= %(start)s AND block_time < %(end)s AND slot <= %(through)s
          AND type IN (%(buy)s, %(sell)s) AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
    ) AS trade
    UNION ALL
    SELECT recent.*, earlier.*, false
    FROM recent CROSS JOIN LATERAL (
        SELECT id, slot, event_index, signature, block_time, {_HELD}, {place_in_slot("transactions")} AS place,
               NULL::numeric, NULL::numeric
        FROM transactions
        WHERE token_id = recent.token_id AND pool_id = recent.id
          AND type IN (%(buy)s, %(sell)s) AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
          -- The second is found first, from the index's end: else all that was ever traded of a coin would be sorted. CASE,
          -- because the planner takes a coin's rows of this pool for few and would read them all.
          AND block_time = (
              SELECT block_time FROM transactions
              WHERE token_id = recent.token_id AND CASE WHEN pool_id = recent.id THEN true END AND block_time < %(start)s
                AND type IN (%(buy)s, %(sell)s) AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
              ORDER BY block_time DESC LIMIT 1
          )
        ORDER BY slot DESC, place DESC, event_index DESC, id DESC
        LIMIT 1
    ) AS earlier
), chained AS (
    SELECT *, lag(slot) OVER chain AS last_slot, lag(signature) OVER chain AS last_signature,
           quote_held - quote_in
               - lag(quote_held, 1, CASE WHEN creation_timestamp IS NOT NULL THEN start_quote END) OVER chain AS quote_moved,
           token_held - token_in
               - lag(token_held, 1, CASE WHEN creation_timestamp IS NOT NULL THEN start_token END) OVER chain AS token_moved
    FROM trades
    WINDOW chain AS (PARTITION BY pool_address ORDER BY slot, place, event_index, event)
)
SELECT pool_address, base_mint,
       -- The slot of the creation is not kept: four slots a second is more than the chain has.
       coalesce(last_slot, slot - 4 * (1 + extract(epoch FROM block_time - creation_timestamp)::bigint)), slot,
       coalesce(last_signature, creation_signature, signature), signature, block_time,
       quote_moved::text, quote_decimals, token_moved::text, decimals
FROM chained
WHERE judged AND (token_moved <> 0 OR quote_moved <> 0) AND token_moved IS NOT NULL
  AND (is_mayhem OR quote_moved IS NOT NULL)
ORDER BY block_time DESC, pool_address, slot DESC
LIMIT %(limit)s
"""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A place in a curve's history where trades are missing, between two stored ones.

    The missing trades happened in slots ``slot_from`` to ``slot_to``, both included. The sums are what they moved in
    base units: positive into the pool; ``quote_sum_raw`` is ``None`` where the source does not tell what a mayhem coin's curve
    held.
    """

    pool_address: str
    mint: str
    slot_from: int
    slot_to: int
    signature_from: str
    signature_to: str
    seen_at: datetime
    quote_sum_raw: int | None
    quote_decimals: int | None
    token_sum_raw: int
    token_decimals: int


def gaps(
    *,
    start: datetime,
    end: datetime,
    pools: int = 500,
    limit: int = 100,
    venue: Venue | None = None,
    through_slot: int | None = None,
    only: Sequence[UUID] | None = None,
) -> Sequence[Gap]:
    """Return breaks among trades in ``[start, end)`` on the ``pools`` most recently traded curves, newest first.

    A curve whose creation is not known is judged from its first stored trade on. ``venue`` asks for one venue's curves,
    ``only`` for some by their ids, ``through_slot`` leaves out what came later than that slot.
    """
    kinds = {"initial": PoolType.INITIAL.value, "buy": TransactionType.BUY.value, "sell": TransactionType.SELL.value}
    asked: dict[str, Any] = {
        "start": start,
        "end": end,
        "pools": pools,
        "limit": limit,
        "venue": venue,
        "through": through_slot or _EVER,
        "only": None if only is None else list(only),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BREAKS, {**kinds, **asked})
        rows = cursor.fetchall()
    return [
        Gap(
            pool_address=row[0],
            mint=row[1],
            slot_from=row[2],
            slot_to=row[3],
            signature_from=row[4],
            signature_to=row[5],
            seen_at=row[6],
            quote_sum_raw=None if row[7] is None else int(row[7]),
            quote_decimals=row[8],
            token_sum_raw=int(row[9]),
            token_decimals=row[10],
        )
        for row in rows
    ]


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


_CHAINS = """
SELECT pool_id, min(slot), max(slot) FROM transactions
WHERE token_id = ANY(%s::uuid[]) AND pool_id = ANY(%s::uuid[]) AND type IN (%s, %s)
  AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
GROUP BY pool_id
"""
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=1)
"""How far the chain's clock may be ahead of ours."""
_MOST_BREAKS = 1_000
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
    chains = _chains(curves)
    breaks = gaps(start=_BEGINNING, end=now + _AHEAD, limit=_MOST_BREAKS, only=list(chains)) if chains else []
    return {
        pool.pk: _judged(
            pool,
            state=states.get(_PROGRAMS.get(Venue(pool.platform), "")),
            chain=chains.get(pool.pk),
            breaks=[_hole(it) for it in breaks if it.pool_address == pool.pool_address],
            gone=[it for it in gone if it.pool_address in (None, pool.pool_address)],
            waiting=waiting,
        )
        for pool in pools
    }


_RELEASE = "release of {}"
"""What kept messages of a quarantined venue wait for."""


def _chains(curves: Sequence[Pool]) -> dict[UUID, Stretch]:
    if not curves:
        return {}
    kinds = [TransactionType.BUY.value, TransactionType.SELL.value]
    with connection.cursor() as cursor:
        cursor.execute(_CHAINS, [[it.token_id for it in curves], [it.pk for it in curves], *kinds])
        return {pool: Stretch(first, last) for pool, first, last in cursor.fetchall()}


def _hole(gap: Gap) -> Hole:
    first = min(gap.slot_from, gap.slot_to)
    return Hole(slot_from=first, slot_to=gap.slot_to, cause=GapCause.CONSERVATION, is_accepted=False)


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
