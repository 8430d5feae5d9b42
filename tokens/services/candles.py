"""Candles from trades: due buckets are computed again from scratch, so any order of arrival gives the same candle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from megatron.core import nudges
from megatron.core.chain import EVER
from megatron.core.timescale import chunks
from tokens.choices import CandleInterval
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import RetentionPolicy
from tokens.selectors import counting
from tokens.selectors.slots import place_in_slot
from tokens.services import aggregates

TABLES = {
    CandleInterval.M1: "price_candles_1m",
    CandleInterval.M5: "price_candles_5m",
    CandleInterval.H1: "price_candles_1h",
    CandleInterval.D1: "price_candles_1d",
}

_OLD = 1_440
"""So many buckets of one token at most are computed together where they are compressed: a day of minutes, which two batches
hold."""

_LONGER = [width.value for width in CandleInterval if width is not CandleInterval.M1]

BIG_SOL = 5
"""A trade of more SOL is told to rooms above apart: they answer it at once."""

PATIENCE = {
    CandleInterval.M1: timedelta(0),
    CandleInterval.M5: timedelta(seconds=10),
    CandleInterval.H1: timedelta(minutes=2),
    CandleInterval.D1: timedelta(minutes=30),
}
"""How long a due candle may wait for more trades: a day's candle need not be read again for every trade of the day."""

# Picked once: as a part of the join it could be run again for each row, and then takes more than its limit. Candles have no
# foreign key: their tokens are held here, all at once (ADR 9). A token that a fork takes back at this moment is passed by, so
# that neither waits for the other, and its marks stay.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT interval, token_id, bucket FROM candles_due
    WHERE interval = %s AND marked_at <= %s
    ORDER BY marked_at, token_id, bucket LIMIT %s
    FOR UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT id FROM tokens WHERE id IN (SELECT token_id FROM picked) ORDER BY id FOR KEY SHARE SKIP LOCKED
)
DELETE FROM candles_due d USING picked JOIN held ON held.id = picked.token_id
WHERE d.interval = picked.interval AND d.token_id = picked.token_id AND d.bucket = picked.bucket
RETURNING d.token_id, d.bucket
"""

_DUE_TRADES = """
    FROM due d
    JOIN transactions t ON t.token_id = d.token_id AND t.block_time >= d.bucket AND t.block_time < d.bucket + %(width)s
     AND t.block_time >= %(first)s AND t.block_time < %(until)s
    JOIN pools p ON p.id = t.pool_id AND p.pool_type <> 'permissionless'
    WHERE t.type IN ('buy', 'sell') AND t.price_per_token > 0
"""

# The bounds are for TimescaleDB: a delete that only a join bounds opens every compressed chunk.
_GONE = f"""
empty AS MATERIALIZED (
    SELECT token_id, bucket FROM due EXCEPT SELECT token_id, bucket FROM summed
), gone AS (
    DELETE FROM {{table}} c USING empty d
    WHERE c.token_id = d.token_id AND c.bucket = d.bucket AND c.bucket >= %(kept_since)s
      AND {chunks.within("c.token_id", "c.bucket")}
)
"""

# The mayhem agent's trades are in all sums; it is no buyer and no seller (T15).
_TRADERS = """
traders AS (
    SELECT token_id, bucket, count(*) FILTER (WHERE bought AND user_address <> %(agent)s) AS buyer_count,
           count(*) FILTER (WHERE sold AND user_address <> %(agent)s) AS seller_count{sums}
    FROM (
        SELECT token_id, bucket, user_address, {figures}
        FROM traded GROUP BY token_id, bucket, user_address
    ) AS each_trader
    GROUP BY token_id, bucket
)
"""

_SIDES = "bool_or(buys) AS bought, NOT bool_and(buys) AS sold"

# Where no trade has a USD value, the wash volume has none either.
_SUMS = f""",
        {counting.WASH_SOL} AS wash_volume_sol,
        CASE WHEN count(bought_for_usd) + count(sold_for_usd) > 0 THEN {counting.WASH_USD} END AS wash_volume_usd"""

# The planner takes a step's rows for one and would hold each of thousands against each, in millions of comparisons; a full
# outer join it can only hash or merge. Nothing is added by it: what stands on one side only stands among the due, or is left
# out by a condition that must not refuse NULL, or the join would be an inner one again.

# Rooms above hear of it in the transaction of the candles: what they are told of, they can read.
_HEARD = """
heard AS (
    INSERT INTO tokens_traded AS h (token_id, traded_at, big_at)
    SELECT d.token_id, least(%(now)s, max(d.bucket) + %(width)s), max(s.big_at)
    FROM due d FULL JOIN summed s USING (token_id, bucket) GROUP BY d.token_id ORDER BY d.token_id
    ON CONFLICT (token_id) DO UPDATE SET
        traded_at = greatest(h.traded_at, EXCLUDED.traded_at), big_at = greatest(h.big_at, EXCLUDED.big_at)
)
"""

# All of them in one order, before the stretches write: two workers would wait for each other.
_HOLD_HEARD = """
INSERT INTO tokens_traded AS h (token_id, traded_at)
SELECT token_id, least(%(now)s, max(bucket) + %(width)s)
FROM unnest(%(tokens)s::uuid[], %(buckets)s::timestamptz[]) AS d(token_id, bucket)
GROUP BY token_id ORDER BY token_id
ON CONFLICT (token_id) DO UPDATE SET traded_at = greatest(h.traded_at, EXCLUDED.traded_at)
"""

# Only the first and the last slot of a minute have to be put in order, so the rows are hashed and not sorted. Inside a slot
# the order is that of docs/adr/0006-order-inside-a-slot.md.
_ORDER = 'slot, invariant, event_index, signature COLLATE "C"'

_REVERSED = 'slot DESC, invariant DESC, event_index DESC, signature COLLATE "C" DESC'

_MINUTES = f"""
WITH due AS MATERIALIZED (
    SELECT * FROM unnest(%(tokens)s::uuid[], %(buckets)s::timestamptz[]) AS d(token_id, bucket)
), traded AS MATERIALIZED (
    SELECT d.token_id, d.bucket, t.slot, {place_in_slot("t")} AS invariant, t.event_index,
           t.signature, t.block_time, t.type = 'buy' AS buys, t.user_address,
           CASE WHEN t.type = 'buy' THEN t.amount_out ELSE t.amount_in END AS token_raw,
           CASE WHEN {counting.FORMS_PRICE} THEN t.price_per_token END AS price,
           CASE WHEN {counting.FORMS_PRICE} THEN t.price_per_token_usd END AS dollars,
           CASE WHEN NOT {counting.FORMS_PRICE} THEN {counting.SPOT} END AS spot, t.token_amount, t.sol_amount, t.sol_amount_usd
    {_DUE_TRADES}
), summed AS MATERIALIZED (
    SELECT token_id, bucket, min(slot) FILTER (WHERE price IS NOT NULL) AS first_slot,
        max(slot) FILTER (WHERE price IS NOT NULL) AS last_slot,
        min(slot) FILTER (WHERE dollars IS NOT NULL) AS first_usd_slot,
        max(slot) FILTER (WHERE dollars IS NOT NULL) AS last_usd_slot,
        max(price) AS high, min(price) AS low, max(dollars) AS high_usd, min(dollars) AS low_usd,
        coalesce(sum(token_amount), 0) AS volume_token, coalesce(sum(sol_amount), 0) AS volume_sol,
        sum(sol_amount_usd) AS volume_usd, count(*) AS trade_count,
        max(block_time) FILTER (WHERE sol_amount > %(big_sol)s) AS big_at
    FROM traded GROUP BY token_id, bucket
), edges AS (
    SELECT token_id, bucket,
        (array_agg(price ORDER BY {_ORDER}) FILTER (WHERE slot = first_slot AND price IS NOT NULL))[1] AS open,
        (array_agg(price ORDER BY {_REVERSED}) FILTER (WHERE slot = last_slot AND price IS NOT NULL))[1] AS close,
        (array_agg(dollars ORDER BY {_ORDER}) FILTER (WHERE slot = first_usd_slot AND dollars IS NOT NULL))[1] AS open_usd,
        (array_agg(dollars ORDER BY {_REVERSED}) FILTER (WHERE slot = last_usd_slot AND dollars IS NOT NULL))[1]
            AS close_usd
    FROM traded FULL JOIN summed USING (token_id, bucket)
    WHERE coalesce(slot IN (first_slot, last_slot, first_usd_slot, last_usd_slot), false)
    GROUP BY token_id, bucket
), {_TRADERS.format(figures=counting.GROUP_FIGURES, sums=_SUMS)}, flat AS (
    -- A minute without a trade that forms a price stands where its last trade left the pool.
    SELECT DISTINCT ON (token_id, bucket) token_id, bucket, spot
    FROM traded WHERE spot IS NOT NULL ORDER BY token_id, bucket, {_REVERSED}
), {_HEARD}, {_GONE}
"""

# Prices and volumes add up from the minutes, which are exact; distinct traders do not and are counted again.
_LONGER_CANDLES = f"""
WITH due AS MATERIALIZED (
    SELECT * FROM unnest(%(tokens)s::uuid[], %(buckets)s::timestamptz[]) AS d(token_id, bucket)
), minutes AS MATERIALIZED (
    SELECT d.token_id, d.bucket, m.bucket AS minute, m.open, m.high, m.low, m.close, m.open_usd, m.high_usd, m.low_usd,
           m.close_usd, m.volume_token, m.volume_sol, m.volume_usd, m.wash_volume_sol, m.wash_volume_usd, m.trade_count
    FROM due d
    JOIN price_candles_1m m ON m.token_id = d.token_id AND m.bucket >= d.bucket AND m.bucket < d.bucket + %(width)s
     AND m.bucket >= %(first)s AND m.bucket < %(until)s
), summed AS MATERIALIZED (
    SELECT token_id, bucket, max(high) AS high, min(low) AS low, max(high_usd) AS high_usd, min(low_usd) AS low_usd,
        sum(volume_token) AS volume_token, sum(volume_sol) AS volume_sol, sum(volume_usd) AS volume_usd,
        sum(trade_count) AS trade_count,
        -- Minutes from before it was computed have no wash volume, and then nothing longer has one.
        CASE WHEN bool_and(wash_volume_sol IS NOT NULL) THEN sum(wash_volume_sol) END AS wash_volume_sol,
        CASE WHEN bool_and(wash_volume_sol IS NOT NULL) THEN sum(wash_volume_usd) END AS wash_volume_usd
    FROM minutes GROUP BY token_id, bucket
), edges AS (
    SELECT token_id, bucket,
        (array_agg(open ORDER BY minute) FILTER (WHERE open IS NOT NULL))[1] AS open,
        (array_agg(close ORDER BY minute DESC) FILTER (WHERE close IS NOT NULL))[1] AS close,
        (array_agg(open_usd ORDER BY minute) FILTER (WHERE open_usd IS NOT NULL))[1] AS open_usd,
        (array_agg(close_usd ORDER BY minute DESC) FILTER (WHERE close_usd IS NOT NULL))[1] AS close_usd
    FROM minutes GROUP BY token_id, bucket
), flat AS (
    SELECT NULL::uuid AS token_id, NULL::timestamptz AS bucket, NULL::numeric AS spot WHERE false
), traded AS (
    SELECT d.token_id, d.bucket, t.type = 'buy' AS buys, t.user_address
    {_DUE_TRADES}
), {_TRADERS.format(figures=_SIDES, sums="")}, {_GONE}
"""

_UPSERT = """
INSERT INTO {table} AS c (id, token_id, bucket, open, high, low, close, open_usd, high_usd, low_usd, close_usd,
                          volume_token, volume_sol, volume_usd, wash_volume_sol, wash_volume_usd, trade_count, buyer_count,
                          seller_count)
SELECT event_id(bucket, token_id::text), token_id, bucket, coalesce(open, spot), coalesce(high, spot), coalesce(low, spot),
       coalesce(close, spot), open_usd, high_usd, low_usd, close_usd,
       volume_token, volume_sol, volume_usd, wash_volume_sol, wash_volume_usd, trade_count, buyer_count, seller_count
FROM summed FULL JOIN edges USING (token_id, bucket) FULL JOIN traders USING (token_id, bucket)
FULL JOIN flat USING (token_id, bucket)
WHERE coalesce(trade_count, 0) > 0
ORDER BY token_id, bucket
ON CONFLICT (token_id, bucket) DO UPDATE SET
    open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
    open_usd = EXCLUDED.open_usd, high_usd = EXCLUDED.high_usd, low_usd = EXCLUDED.low_usd, close_usd = EXCLUDED.close_usd,
    volume_token = EXCLUDED.volume_token, volume_sol = EXCLUDED.volume_sol, volume_usd = EXCLUDED.volume_usd,
    wash_volume_sol = EXCLUDED.wash_volume_sol, wash_volume_usd = EXCLUDED.wash_volume_usd,
    trade_count = EXCLUDED.trade_count, buyer_count = EXCLUDED.buyer_count, seller_count = EXCLUDED.seller_count
WHERE c.bucket >= %(kept_since)s OR EXCLUDED.trade_count >= c.trade_count
"""
# Older than the trades' retention, some of a bucket's trades may be gone: a candle of more trades is then the better one.


_Due = Sequence[tuple[UUID, datetime]]


@dataclass(frozen=True, slots=True)
class Rolled:
    """How many due buckets were computed, by interval."""

    buckets: dict[CandleInterval, int]

    @property
    def total(self) -> int:
        """Return the buckets of all intervals."""
        return sum(self.buckets.values())


def roll(*, now: datetime, limit: int = 2_000, patient: bool = True) -> Rolled:
    """Compute up to ``limit`` due buckets of each interval, a transaction an interval; return how many.

    With ``patient`` a bucket of a longer interval waits a little for more trades (:data:`PATIENCE`). The marks are taken
    away first and the trades are read by a later statement: a batch that commits in between has put its mark back.
    """
    return Rolled(
        {width: _roll(width, now, now - PATIENCE[width] if patient else now, limit) for width in CandleInterval}
    )


def roll_all(*, now: datetime, limit: int = 2_000) -> int:
    """Compute every due bucket, however long it has been waiting; return how many.

    Minutes first: they make the longer candles due, which then are computed once.
    """
    total = 0
    for width in CandleInterval:
        while count := _roll(width, now, now, limit):
            total += count
    return total


def marking(rows: str) -> str:
    """Return the SQL that makes due what the query ``rows`` selects: interval, token id, bucket and ``marked_at``.

    In one order, so that two who mark the same candles wait for each other. A mark that is there keeps its time, but is
    touched on purpose: the row lock makes :func:`roll` wait for our commit, so that it can never delete a mark whose
    trades it did not see.
    """
    return f"""
INSERT INTO candles_due (interval, token_id, bucket, marked_at)
{rows.strip()}
ORDER BY 1, 2, 3
ON CONFLICT (interval, token_id, bucket) DO UPDATE SET marked_at = candles_due.marked_at
"""


_MARK_LONGER = marking("""
SELECT DISTINCT width, token_id, time_bucket(make_interval(secs => width), minute), %s::timestamptz
FROM unnest(%s::uuid[], %s::timestamptz[]) AS m(token_id, minute) CROSS JOIN unnest(%s::int[]) AS width
""")


def _kept_since(table: str, now: datetime) -> datetime:
    """Return the time from which on nothing of ``table`` can have been dropped."""
    policy = RetentionPolicy.objects.filter(table_name=table, drop_after__isnull=False).first()
    return EVER if policy is None or policy.drop_after is None else now - policy.drop_after


# Minutes are dropped before the trades that they are made of, so what comes for an old day would be added up from its own
# minutes alone. Retention leaves them until the longer candles are made.
_LACKING = f"""
WITH due AS MATERIALIZED (
    SELECT * FROM unnest(%(tokens)s::uuid[], %(buckets)s::timestamptz[]) AS d(token_id, bucket)
)
SELECT DISTINCT d.token_id, time_bucket(interval '1 minute', t.block_time) {_DUE_TRADES}
  AND NOT EXISTS (
    SELECT FROM price_candles_1m m
    WHERE m.token_id = t.token_id AND m.bucket = time_bucket(interval '1 minute', t.block_time)
      AND m.bucket >= %(first)s AND m.bucket < %(until)s)
"""


def _roll(width: CandleInterval, now: datetime, marked_until: datetime, limit: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [width.value, marked_until, limit])
        due = cursor.fetchall()
        if due:
            cursor.execute("SET LOCAL megatron.parents_known = 'on'")
            if width is CandleInterval.M1:
                _compute(width, due, now)
                tokens, buckets = _columns(due)
                cursor.execute(_MARK_LONGER, [now, tokens, buckets, _LONGER])
                aggregates.mark(aggregate=aggregates.MINUTES, times=buckets, now=now)
                nudges.ring("tokens_traded")
            else:
                _compute(CandleInterval.M1, _lacking(width, due, now), now)
                _compute(width, due, now)
    return len(due)


def _lacking(width: CandleInterval, due: _Due, now: datetime) -> _Due:
    """Return the minutes that were dropped and whose trades were not, of those that longer candles are made of."""
    since, until = _kept_since("transactions", now), _kept_since(TABLES[CandleInterval.M1], now)
    old = [row for row in due if since <= row[1] < until]
    if not old:
        return []
    length = timedelta(seconds=width.value)
    tokens, buckets = _columns(old)
    asked: dict[str, Any] = {"tokens": tokens, "buckets": buckets, "width": length}
    asked |= {"first": min(buckets), "until": max(buckets) + length}
    with connection.cursor() as cursor:
        cursor.execute(_LACKING, asked)
        return list(cursor.fetchall())


def _compute(width: CandleInterval, due: _Due, now: datetime) -> None:
    """Compute candles of one width from what they are made of."""
    if not due:
        return
    length = timedelta(seconds=width.value)
    statement = (_MINUTES if width is CandleInterval.M1 else _LONGER_CANDLES) + _UPSERT
    parameters: dict[str, Any] = {
        "width": length,
        "now": now,
        "big_sol": BIG_SOL,
        "agent": MAYHEM_AGENT,
        "kept_since": _kept_since("transactions", now),
    }
    parts = list(chunks.stretches(connection, TABLES[width], due, span=_OLD * length))
    with connection.cursor() as cursor:
        if width is CandleInterval.M1 and len(parts) > 1:
            tokens, buckets = _columns(due)
            cursor.execute(_HOLD_HEARD, parameters | {"tokens": tokens, "buckets": buckets})
        for part in parts:
            tokens, buckets = _columns(part.rows)
            asked = part.bounds | {"tokens": tokens, "buckets": buckets, "until": part.last + length}
            cursor.execute(statement.format(table=TABLES[width]), parameters | asked)


def _columns(due: _Due) -> tuple[list[UUID], list[datetime]]:
    return [token for token, _ in due], [bucket for _, bucket in due]


_MARK_ALL = marking("""
SELECT DISTINCT width, token_id, time_bucket(make_interval(secs => width), block_time), %s::timestamptz
FROM transactions CROSS JOIN unnest(%s::int[]) AS width
WHERE block_time >= %s AND block_time < %s AND (%s::uuid IS NULL OR token_id = %s::uuid)
""")

_MARK_EMPTY = marking("""
SELECT %s, token_id, bucket, %s::timestamptz FROM {table}
WHERE bucket >= %s AND bucket < %s AND (%s::uuid IS NULL OR token_id = %s::uuid)
""")


def mark(*, start: datetime, end: datetime, now: datetime, token_id: UUID | None = None) -> None:
    """Make every candle with trades in ``[start, end)`` due again, and every stored candle that begins there.

    One transaction: callers choose windows of a size they can afford.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MARK_ALL, [now, CandleInterval.values, start, end, token_id, token_id])
        for width, table in TABLES.items():
            cursor.execute(_MARK_EMPTY.format(table=table), [width.value, now, start, end, token_id, token_id])
