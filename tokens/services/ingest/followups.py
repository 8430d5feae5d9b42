"""What a batch leaves to do, written with it: milestones, candles that are due, cursors."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from megatron.core import ids
from tokens.choices import CandleInterval, PoolType, Program, TransactionType
from tokens.domain.facts import Order, TradeFact
from tokens.domain.milestones import THRESHOLDS, reached
from tokens.services.ingest.parents import Sides, Written
from tokens.services.ingest.rows import Row

_CANDLE_TYPES = frozenset({TransactionType.BUY, TransactionType.SELL})

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

_REMEASURE = f"""
INSERT INTO pool_milestones (id, pool_id, threshold_pct, reached_at, slot, invariant, event_index, signature)
SELECT gen_random_uuid(), found.* FROM (
    SELECT DISTINCT ON (t.pool_id, threshold) t.pool_id, threshold, t.block_time, t.slot,
           t.quote_reserves * t.token_reserves AS invariant, t.event_index, t.signature
    FROM transactions t JOIN pools p ON p.id = t.pool_id CROSS JOIN unnest(%s::int[]) AS threshold
    WHERE t.pool_id = ANY(%s) AND t.token_id = p.token_id AND t.type IN ('buy', 'sell')
      -- A curve keeps the distance between its virtual and its real tokens, so any two states tell it.
      AND (p.initial_real_token_reserves - (t.token_reserves - (p.virtual_token_reserves - p.real_token_reserves))) * 100
          >= threshold * p.initial_real_token_reserves
    ORDER BY t.pool_id, threshold, t.slot, invariant, t.event_index, t.signature COLLATE "C"
) AS found
ORDER BY 2, 3
{_KEEP_EARLIEST}
"""


def write_milestones(facts: Iterable[TradeFact], written: Written) -> None:
    """Record the first time each curve reached a threshold; an earlier event that comes late takes over."""
    first: dict[tuple[UUID, int], tuple[Order, TradeFact]] = {}
    for fact in facts:
        side = written.sides[fact.pool]
        left, start = fact.after.real_token, side.initial_real_token
        if left is None or not start or fact.event.slot is None or fact.type not in _CANDLE_TYPES:
            continue
        order = (fact.event.slot, fact.invariant, fact.event.event_index, fact.event.signature)
        for threshold in THRESHOLDS[: reached(left, start)]:
            key = (side.pool_id, threshold)
            if key not in first or order < first[key][0]:
                first[key] = (order, fact)
    rows = [
        (ids.new_id(), pool, threshold, _at(fact), *order) for (pool, threshold), (order, fact) in sorted(first.items())
    ]
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(_MILESTONES, [list(column) for column in zip(*rows, strict=True)])
        if written.remeasured:
            cursor.execute(_REMEASURE, [list(THRESHOLDS), written.remeasured])


_DUE = """
INSERT INTO candles_due (interval, token_id, bucket, marked_at)
SELECT interval, token, to_timestamp(bucket), %s FROM unnest(%s::int[], %s::uuid[], %s::bigint[]) AS n(interval, token, bucket)
ORDER BY interval, token, bucket
ON CONFLICT (interval, token_id, bucket) DO UPDATE SET marked_at = candles_due.marked_at
"""


def mark_candles(rows: Iterable[Row], sides: dict[str, Sides], *, now: datetime) -> int:
    """Make the candles of newly stored trades due; return how many.

    The upsert touches an existing mark on purpose: the row lock makes ``candles.roll`` wait for our commit, so that it can
    never delete a mark whose trades it did not see.
    """
    minutes = {
        (sides[row.fact.pool].token_id, (row.fact.event.block_time or 0) // 60 * 60)
        for row in rows
        if row.fact.type in _CANDLE_TYPES and sides[row.fact.pool].prices_token
    }
    if not minutes:
        return 0
    due = {(width.value, token, minute // width * width) for token, minute in minutes for width in CandleInterval}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [now, *([list(column) for column in zip(*due, strict=True)])])
    return len(due)


_RESCALE = """
WITH scaled AS (
    UPDATE transactions t SET
        amount_in_decimals = CASE WHEN given THEN p.quote_decimals ELSE k.decimals END,
        amount_out_decimals = CASE WHEN given THEN k.decimals ELSE p.quote_decimals END,
        token_amount = token_raw / power(10::numeric, k.decimals),
        price_per_token = CASE WHEN token_raw > 0
            THEN round(quote_raw * power(10::numeric, 20 + k.decimals - p.quote_decimals) / token_raw) / 1e20 END,
        price_per_token_usd = NULL, sol_amount_usd = NULL
    FROM (
        SELECT id, block_time, pool_id, type IN ('buy', 'add_liquidity') AS given,
               CASE WHEN type IN ('buy', 'add_liquidity') THEN amount_in ELSE amount_out END AS quote_raw,
               CASE WHEN type IN ('buy', 'add_liquidity') THEN amount_out ELSE amount_in END AS token_raw
        FROM transactions WHERE pool_id = ANY(%s) AND token_id IN (SELECT token_id FROM pools WHERE id = ANY(%s))
    ) AS old JOIN pools p ON p.id = old.pool_id JOIN tokens k ON k.id = p.token_id
    WHERE t.id = old.id AND t.block_time = old.block_time
    RETURNING t.token_id, t.block_time, p.pool_type
)
INSERT INTO candles_due (interval, token_id, bucket, marked_at)
SELECT DISTINCT width, token_id, time_bucket(make_interval(secs => width), block_time), %s::timestamptz
FROM scaled CROSS JOIN unnest(%s::int[]) AS width WHERE pool_type <> %s
ORDER BY 1, 2, 3
ON CONFLICT (interval, token_id, bucket) DO UPDATE SET marked_at = candles_due.marked_at
"""


def rescale(pools: Sequence[UUID], *, now: datetime) -> None:
    """Compute the normalised columns of stored rows again, once the decimals of a pool's mints became known."""
    if pools:
        with connection.cursor() as cursor:
            cursor.execute(
                _RESCALE, [list(pools), list(pools), now, CandleInterval.values, PoolType.PERMISSIONLESS.value]
            )


_CURSOR = """
INSERT INTO stream_cursors (id, source, venue, first_slot, last_slot, last_block_time, last_signature, messages, events, observed_at)
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


def move_cursors(rows: Sequence[Row], *, feed: str, now: datetime) -> None:
    """Say how far ``feed`` has been stored, a venue at a time, in the transaction that stores it."""
    by_venue: dict[Program, list[TradeFact]] = {}
    for row in rows:
        by_venue.setdefault(row.fact.event.program, []).append(row.fact)
    with connection.cursor() as cursor:
        for venue, facts in sorted(by_venue.items()):
            slots = [fact.event.slot or 0 for fact in facts]
            newest = max(facts, key=lambda fact: (fact.event.slot or 0, fact.event.signature))
            values: list[Any] = [ids.new_id(), feed, venue.value, min(slots), max(slots), max(map(_at, facts))]
            values += [newest.event.signature, len({fact.event.signature for fact in facts}), len(facts), now]
            cursor.execute(_CURSOR, values)


def _at(fact: TradeFact) -> datetime:
    return datetime.fromtimestamp(fact.event.block_time or 0, UTC)
