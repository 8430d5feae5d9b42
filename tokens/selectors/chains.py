"""Proof that no trade is missing: on a curve the reserves before a trade are the reserves after the one before it.

Each stored trade carries the reserves after it, and its own amounts give the reserves before it. So a missing trade
shows as a break between two stored ones, without asking any third party, and the size of the break is what the missing
trades moved in sum. A curve's first trade is held against the reserves that it was created with.

Of a mayhem coin the virtual quote proves nothing: its agent sets it anew without an event. What the curve really holds is
moved by trades alone, of its coins as of all others, so there the real reserves are followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from tokens.choices import PoolType, TransactionType, Venue
from tokens.domain.stretches import Stretch
from tokens.models import Pool, PoolChain
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


BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
"""Before any launchpad traded."""
_MOST_BREAKS = 1_000

_ENDS = """
SELECT pool_id, min(slot), max(slot), min(block_time), (array_agg(slot ORDER BY block_time, slot))[1] FROM transactions
WHERE token_id = ANY(%(tokens)s) AND pool_id = ANY(%(pools)s) AND type IN ('buy', 'sell')
  AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
  AND block_time >= %(start)s AND block_time < %(end)s
GROUP BY pool_id
"""
_STANDS = """
SELECT EXISTS (SELECT FROM transactions
    WHERE token_id = %(token)s AND pool_id = %(pool)s AND block_time = %(first_at)s AND slot = %(first_slot)s)
"""


class Chain(NamedTuple):
    """What is stored of one curve's trades: from which slot to which, when the first was, and where some are missing."""

    slots: Stretch
    first_at: datetime
    first_slot: int
    """Of the trade that was first by its time."""
    breaks: Sequence[Stretch]


def start_of(pool: Pool) -> str:
    """Return what is known of the start of ``pool``, a curve that came with its token, against which its first trade is held."""
    token = pool.token
    metadata: Any = token.metadata or {}
    unsold = _apart(pool.virtual_token_reserves, pool.real_token_reserves)
    quote = None if metadata.get("is_mayhem_mode") else _apart(pool.virtual_sol_reserves, pool.real_sol_reserves)
    return f"{quote} {unsold} {pool.initial_real_token_reserves} {token.creation_timestamp}"


def _apart(virtual: Decimal | None, real: Decimal | None) -> int | None:
    return None if virtual is None or real is None else int(virtual) - int(real)


def chains(*, pools: Sequence[Pool], end: datetime) -> dict[UUID, Chain]:
    """Return what the trades of curves before ``end`` prove, by the pools' ids; curves without any are left out.

    Reads only what is newer than what was kept of a curve (:class:`PoolChain`), or all of it where nothing is kept or that is
    void.
    """
    if not pools:
        return {}
    rows = PoolChain.objects.filter(pool_id__in=[pool.pk for pool in pools], judged_until__lt=end)
    by_pool = {pool.pk: pool for pool in pools}
    kept = {row.pool_id: row for row in rows if row.start == start_of(by_pool[row.pool_id])}
    kept = {key: row for key, row in kept.items() if _stands(by_pool[key], row)}
    found = _judged([pool for pool in pools if pool.pk not in kept], BEGINNING, end)
    for key, row in kept.items():
        before = Chain(
            Stretch(row.first_slot, row.last_slot),
            row.first_at,
            row.first_slot,
            [Stretch(first, last) for first, last in row.breaks],
        )
        since = _judged([by_pool[key]], row.judged_until, end).get(key)
        found[key] = before if since is None else _together(before, since)
    return found


def _together(before: Chain, since: Chain) -> Chain:
    slots = Stretch(min(before.slots.first, since.slots.first), max(before.slots.last, since.slots.last))
    return Chain(slots, before.first_at, before.first_slot, [*since.breaks, *before.breaks][:_MOST_BREAKS])


def _stands(pool: Pool, kept: PoolChain) -> bool:
    """Return whether the first trade is still stored: what retention dropped is complete no more."""
    asked: dict[str, Any] = {"token": pool.token_id, "pool": pool.pk}
    asked |= {"first_at": kept.first_at, "first_slot": kept.first_slot}
    with connection.cursor() as cursor:
        cursor.execute(_STANDS, asked)
        return bool(cursor.fetchone()[0])


def _judged(pools: Sequence[Pool], start: datetime, end: datetime) -> dict[UUID, Chain]:
    if not pools:
        return {}
    asked: dict[str, Any] = {"start": start, "end": end}
    asked |= {"tokens": [pool.token_id for pool in pools], "pools": [pool.pk for pool in pools]}
    with connection.cursor() as cursor:
        cursor.execute(_ENDS, asked)
        ends = cursor.fetchall()
    breaks: dict[str, list[Stretch]] = {pool.pool_address: [] for pool in pools}
    for it in gaps(start=start, end=end, limit=_MOST_BREAKS, only=[row[0] for row in ends]) if ends else ():
        breaks[it.pool_address].append(Stretch(min(it.slot_from, it.slot_to), it.slot_to))
    addresses = {pool.pk: pool.pool_address for pool in pools}
    return {
        key: Chain(Stretch(first, last), first_at, first_slot, breaks[addresses[key]])
        for key, first, last, first_at, first_slot in ends
    }


_STRADDLES = """
SELECT max(slot) FILTER (WHERE block_time < %(at)s) >= min(slot) FILTER (WHERE block_time >= %(at)s) FROM transactions
WHERE token_id = %(token)s AND pool_id = %(pool)s AND block_time >= %(start)s AND block_time < %(end)s
"""


def straddles(*, pool: Pool, at: datetime, apart: timedelta) -> bool:
    """Return whether slots of the pool stand on both sides of ``at``, as sources tell their times: no place to divide a chain."""
    asked: dict[str, Any] = {"token": pool.token_id, "pool": pool.pk, "at": at, "start": at - apart, "end": at + apart}
    with connection.cursor() as cursor:
        cursor.execute(_STRADDLES, asked)
        return bool(cursor.fetchone()[0])
