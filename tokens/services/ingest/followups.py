"""What a batch leaves to do, written with it: milestones, candles that are due, cursors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from megatron.core import ids
from megatron.core.chain import EVER
from megatron.core.timescale import chunks
from tokens.choices import CandleInterval, PoolType, TransactionType
from tokens.domain.facts import Order, TradeFact
from tokens.domain.milestones import THRESHOLDS, reached
from tokens.selectors.slots import place_in_slot
from tokens.services import candles
from tokens.services.ingest.parents import Sides, Written

_CANDLE_TYPES = frozenset({TransactionType.BUY.value, TransactionType.SELL.value})

_KEEP_EARLIEST = """
ON CONFLICT (pool_id, threshold_pct) DO UPDATE SET
    reached_at = EXCLUDED.reached_at, slot = EXCLUDED.slot, invariant = EXCLUDED.invariant,
    event_index = EXCLUDED.event_index, signature = EXCLUDED.signature
WHERE (EXCLUDED.slot, EXCLUDED.invariant, EXCLUDED.event_index, EXCLUDED.signature COLLATE "C")
    < (pool_milestones.slot, pool_milestones.invariant, pool_milestones.event_index, pool_milestones.signature COLLATE "C")
"""

_MILESTONES = f"""
INSERT INTO pool_milestones (id, pool_id, threshold_pct, reached_at, slot, invariant, event_index, signature)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[], %s::bigint[], %s::numeric[], %s::int[], %s::text[])
    AS n(id, pool, threshold, reached_at, slot, invariant, event_index, signature)
ORDER BY pool, threshold
{_KEEP_EARLIEST}
"""

_COUNT = """
UPDATE pools p SET milestones_reached = counted.reached
FROM (
    SELECT id, (SELECT count(*) FROM pool_milestones m WHERE m.pool_id = pool.id) AS reached
    FROM pools pool WHERE id = ANY(%s::uuid[])
) AS counted
WHERE p.id = counted.id AND p.milestones_reached <> counted.reached
"""

_REMEASURE = f"""
INSERT INTO pool_milestones (id, pool_id, threshold_pct, reached_at, slot, invariant, event_index, signature)
SELECT gen_random_uuid(), found.* FROM (
    SELECT DISTINCT ON (t.pool_id, threshold) t.pool_id, threshold, t.block_time, t.slot,
           {place_in_slot("t")} AS invariant, t.event_index, t.signature
    FROM transactions t JOIN pools p ON p.id = t.pool_id CROSS JOIN unnest(%s::int[]) AS threshold
    WHERE t.pool_id = ANY(%s::uuid[]) AND t.token_id = p.token_id AND t.type IN ('buy', 'sell')
      AND t.block_time >= %s AND t.block_time <= %s
      -- A curve keeps the distance between its virtual and its real tokens, so any two states tell it.
      AND (p.initial_real_token_reserves - (t.token_reserves - (p.virtual_token_reserves - p.real_token_reserves))) * 100
          >= threshold * p.initial_real_token_reserves
    ORDER BY t.pool_id, threshold, t.slot, invariant, t.event_index, t.signature COLLATE "C"
) AS found
ORDER BY 2, 3
{_KEEP_EARLIEST}
"""


_OFF = timedelta(days=1)
"""How far the times of a token's creation and of its pools' newest trade may be from those of its other trades, whose sources
have other clocks, with much to spare."""

First = dict[tuple[str, int], tuple[Order, TradeFact]]
"""The earliest trade of a batch that reached each (pool id, threshold)."""


@dataclass(frozen=True, slots=True)
class Followups:
    """What the new rows of a batch leave to do: worked out while the server digests the rows, written after them."""

    milestones: First
    minutes: set[str]
    """``token id`` and unix minute of each candle that is due."""
    cursors: list[list[Any]]


def prepare(facts: Sequence[TradeFact], sides: dict[str, Sides], *, feed: str, now: datetime) -> Followups:
    """Work out what new rows leave to do. Touches no database."""
    return Followups(_milestones(facts, sides), _minutes(facts, sides), _cursors(facts, feed, now))


def write(prepared: Followups, written: Written, *, now: datetime) -> None:
    """Write what :func:`prepare` worked out, in the transaction of the rows it speaks of."""
    _write_milestones(prepared.milestones, written.remeasured)
    with connection.cursor() as cursor:
        if prepared.minutes:
            cursor.execute(_DUE, [now, "\n".join(prepared.minutes)])
        for values in prepared.cursors:
            cursor.execute(_CURSOR, values)


def _milestones(facts: Sequence[TradeFact], sides: dict[str, Sides]) -> First:
    first: First = {}
    bounds = {address: _bound(side) for address, side in sides.items() if side.initial_real_token}
    for fact in facts:
        left = fact.after.real_token
        bound = bounds.get(fact.pool)
        # Nearly every trade comes after all that is stored and leaves more tokens than the next threshold: seen at a glance.
        if (
            bound is None
            or left is None
            or (left > bound[0] and fact.slot > bound[1])
            or fact.type not in _CANDLE_TYPES
        ):
            continue
        side = sides[fact.pool]
        start, newest = side.initial_real_token or 0, side.newest
        # Beyond the pool's newest state only thresholds that nobody reached yet can be news.
        known = side.milestones_reached
        if newest is not None and fact.slot <= newest[0]:
            known = known if _order(fact) > newest else 0
        if known == len(THRESHOLDS) or (start - left) * 100 < THRESHOLDS[known] * start:
            continue
        order = _order(fact)
        for threshold in THRESHOLDS[known : reached(left, start)]:
            key = (side.pool_id, threshold)
            if key not in first or order < first[key][0]:
                first[key] = (order, fact)
    return first


def _bound(side: Sides) -> tuple[int, int]:
    """Return how many tokens are left when the curve reaches its next threshold, and the slot of its newest stored state."""
    start, known = side.initial_real_token or 0, side.milestones_reached
    left = start * (100 - THRESHOLDS[known]) // 100 if known < len(THRESHOLDS) else -1
    return left, side.newest[0] if side.newest is not None else -1


def _write_milestones(first: First, remeasured: list[str]) -> None:
    """Record the first time each curve reached a threshold; an earlier event that comes late takes over."""
    with connection.cursor() as cursor:
        if first:
            rows = [
                (ids.new_id(), pool, threshold, datetime.fromtimestamp(fact.block_time, UTC), *order)
                for (pool, threshold), (order, fact) in sorted(first.items(), key=lambda item: item[0])
            ]
            cursor.execute(_MILESTONES, [list(column) for column in zip(*rows, strict=True)])
            cursor.execute(_COUNT, [sorted({pool for pool, _ in first})])
    remeasure(remeasured)


def remeasure(pools: list[Any]) -> None:
    """Find the milestones of pools again among their stored trades; earlier ones stay."""
    if pools:
        with connection.cursor() as cursor:
            cursor.execute(_REMEASURE, [list(THRESHOLDS), pools, *traded_between(pools)])
            cursor.execute(_COUNT, [pools])


_TRADED_BETWEEN = """
SELECT min(coalesce(t.creation_timestamp, %s)), max(p.last_trade_at)
FROM pools p JOIN tokens t ON t.id = p.token_id WHERE p.id = ANY(%s::uuid[])
"""


def traded_between(pools: Sequence[Any]) -> tuple[datetime, datetime]:
    """Return between which block times the trades of some pools stand, as far as their rows know."""
    with connection.cursor() as cursor:
        cursor.execute(_TRADED_BETWEEN, [EVER, list(pools)])
        first, last = cursor.fetchone()
    return (first or EVER) - _OFF, (last or EVER) + _OFF


_DUE = candles.marking(r"""
SELECT 60, split_part(line, ' ', 1)::uuid, to_timestamp(split_part(line, ' ', 2)::bigint), %s
FROM string_to_table(%s, E'\n') AS line
""")


def _minutes(facts: Sequence[TradeFact], sides: dict[str, Sides]) -> set[str]:
    """Return the minutes of new trades. A rolled minute makes its longer candles due."""
    minutes = {(fact.pool, fact.block_time // 60) for fact in facts if fact.type in _CANDLE_TYPES}
    return {f"{sides[pool].token_id} {minute * 60}" for pool, minute in minutes if sides[pool].prices_token}


_MARK_SCALED = candles.marking("""
SELECT DISTINCT width, token_id, time_bucket(make_interval(secs => width), block_time), %(now)s::timestamptz
FROM scaled CROSS JOIN unnest(%(widths)s::int[]) AS width WHERE pool_type <> %(beside)s
""")

_WITHIN = chunks.within("t.token_id", "t.block_time")

_OF_POOLS = f"""t.pool_id = ANY(%(pools)s::uuid[])
    AND t.token_id IN (SELECT token_id FROM pools WHERE id = ANY(%(pools)s::uuid[])) AND {_WITHIN}"""

_SCALABLE = f"SELECT DISTINCT t.token_id, t.block_time FROM transactions t WHERE {_OF_POOLS}"

_GIVEN = "t.type IN ('buy', 'add_liquidity')"
_QUOTE_RAW = f"CASE WHEN {_GIVEN} THEN t.amount_in ELSE t.amount_out END"
_TOKEN_RAW = f"CASE WHEN {_GIVEN} THEN t.amount_out ELSE t.amount_in END"

_PRICE = f"""CASE WHEN {_TOKEN_RAW} > 0 THEN
            round({_QUOTE_RAW} * power(10::numeric, 20 + k.decimals - p.quote_decimals) / {_TOKEN_RAW}) / 1e20 END"""

# What was moved is worth the same whatever the coin's decimals are, and says at which price of the quote: nobody would fill it
# again where it is older than an hour. It does not read what it writes, see prices.fill.
_RESCALE = f"""
WITH scaled AS (
    UPDATE transactions t SET
        amount_in_decimals = CASE WHEN {_GIVEN} THEN p.quote_decimals ELSE k.decimals END,
        amount_out_decimals = CASE WHEN {_GIVEN} THEN k.decimals ELSE p.quote_decimals END,
        token_amount = {_TOKEN_RAW} / power(10::numeric, k.decimals),
        price_per_token = {_PRICE},
        price_per_token_usd = CASE WHEN t.sol_amount_usd IS NOT NULL THEN {_PRICE} * coalesce(
            round(t.sol_amount_usd * power(10::numeric, p.quote_decimals) / nullif({_QUOTE_RAW}, 0), 6), 0) END
    FROM pools p JOIN tokens k ON k.id = p.token_id
    WHERE p.id = t.pool_id AND {_OF_POOLS}
    RETURNING t.token_id, t.block_time, p.pool_type
)
{_MARK_SCALED}"""


def rescale(pools: Sequence[str], *, now: datetime) -> None:
    """Compute the normalised columns of stored rows again, once the decimals of a pool's mints became known.

    Of what is compressed it opens a token's batches of ten minutes at a time.
    """
    if not pools:
        return
    asked: dict[str, Any] = {
        "pools": list(pools),
        "now": now,
        "widths": CandleInterval.values,
        "beside": PoolType.PERMISSIONLESS.value,
    }

    def old(first: datetime, last: datetime) -> Sequence[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(_SCALABLE, asked | {"key": None, "first": first, "last": last})
            return list(cursor.fetchall())

    with connection.cursor() as cursor:
        for stretch in chunks.spanned(connection, "transactions", *traded_between(pools), old):
            cursor.execute(_RESCALE, asked | stretch.bounds)


_CURSOR = """
INSERT INTO stream_cursors
    (id, source, venue, first_slot, last_slot, last_block_time, last_signature, messages, events, observed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (source, venue) DO UPDATE SET
    first_slot = least(stream_cursors.first_slot, EXCLUDED.first_slot),
    last_slot = greatest(stream_cursors.last_slot, EXCLUDED.last_slot),
    last_block_time = greatest(stream_cursors.last_block_time, EXCLUDED.last_block_time),
    last_signature = CASE WHEN (EXCLUDED.last_slot, EXCLUDED.last_signature COLLATE "C")
        > (stream_cursors.last_slot, stream_cursors.last_signature COLLATE "C")
        THEN EXCLUDED.last_signature ELSE stream_cursors.last_signature END,
    messages = stream_cursors.messages + EXCLUDED.messages,
    events = stream_cursors.events + EXCLUDED.events,
    observed_at = EXCLUDED.observed_at
"""


def _cursors(stored: Sequence[TradeFact], feed: str, now: datetime) -> list[list[Any]]:
    """Return how far ``feed`` has come, a venue at a time, as the values of :data:`_CURSOR`."""
    cursors: list[list[Any]] = []
    for venue in sorted({fact.event.program for fact in stored}):
        facts = [fact for fact in stored if fact.event.program is venue]
        slots = [fact.slot for fact in facts]
        last = max(slots)
        newest = max(fact.event.signature for fact in facts if fact.slot == last)
        at = datetime.fromtimestamp(max(fact.block_time for fact in facts), UTC)
        signatures = len({fact.event.signature for fact in facts})
        cursors.append([ids.new_id(), feed, venue.value, min(slots), last, at, newest, signatures, len(facts), now])
    return cursors


def _order(fact: TradeFact) -> Order:
    return (fact.slot, fact.invariant, fact.event.event_index, fact.event.signature)
