"""Proof that no trade is missing: on a curve the reserves before a trade are the reserves after the one before it.

Each stored trade carries the reserves after it, and its own amounts give the reserves before it. So a missing trade
shows as a break between two stored ones, without asking any third party, and the size of the break is what the missing
trades moved in sum. The product of the reserves only grows on a constant-product curve (rounding favours the curve),
which gives the order of trades inside one slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from tokens.choices import PoolType, TransactionType, Venue

_EVER = 2**62
"""Later than any slot."""


# Launch curves only: the fees of an AMM pool stay inside it, so its reserves do not follow from the amounts alone.
# LATERAL, so that the trades of each pool come from the index by token and time. The first trade of the window is held
# against the newest before it, or against the start of the curve where its creation is known.
_BREAKS = """
WITH recent AS (
    SELECT pool.id, pool.token_id, pool.pool_address, pool.base_mint, pool.quote_decimals, token.decimals,
           token.creation_timestamp, token.creation_signature,
           pool.virtual_sol_reserves - pool.real_sol_reserves AS start_quote,
           pool.virtual_token_reserves - pool.real_token_reserves + pool.initial_real_token_reserves AS start_token
    FROM pools AS pool JOIN tokens AS token ON token.id = pool.token_id
    WHERE pool.pool_type = %(initial)s AND pool.last_trade_at >= %(start)s
      AND (%(venue)s::text IS NULL OR pool.platform = %(venue)s)
    ORDER BY pool.last_trade_at DESC
    LIMIT %(pools)s
), trades AS (
    SELECT recent.*, trade.*, true AS judged
    FROM recent CROSS JOIN LATERAL (
        SELECT id AS event, slot, event_index, signature, block_time, quote_reserves, token_reserves,
               quote_reserves - CASE type WHEN %(buy)s THEN amount_in ELSE -amount_out END AS quote_before,
               token_reserves + CASE type WHEN %(buy)s THEN amount_out ELSE -amount_in END AS token_before
        FROM transactions
        WHERE token_id = recent.token_id AND pool_id = recent.id
          AND block_time >= %(start)s AND block_time < %(end)s AND slot <= %(through)s
          AND type IN (%(buy)s, %(sell)s) AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
    ) AS trade
    UNION ALL
    SELECT recent.*, earlier.*, false
    FROM recent CROSS JOIN LATERAL (
        SELECT id, slot, event_index, signature, block_time, quote_reserves, token_reserves, NULL::numeric, NULL::numeric
        FROM transactions
        WHERE token_id = recent.token_id AND pool_id = recent.id AND block_time < %(start)s
          AND type IN (%(buy)s, %(sell)s) AND quote_reserves IS NOT NULL AND token_reserves IS NOT NULL
        ORDER BY block_time DESC, slot DESC, quote_reserves * token_reserves DESC
        LIMIT 1
    ) AS earlier
), chained AS (
    SELECT *, lag(slot) OVER chain AS last_slot, lag(signature) OVER chain AS last_signature,
           lag(quote_reserves, 1, CASE WHEN creation_timestamp IS NOT NULL THEN start_quote END) OVER chain AS last_quote,
           lag(token_reserves, 1, CASE WHEN creation_timestamp IS NOT NULL THEN start_token END) OVER chain AS last_token
    FROM trades
    WINDOW chain AS (PARTITION BY pool_address ORDER BY slot, quote_reserves * token_reserves, event_index, event)
)
SELECT pool_address, base_mint,
       -- The slot of the creation is not kept: four slots a second is more than the chain has.
       coalesce(last_slot, slot - 4 * (1 + extract(epoch FROM block_time - creation_timestamp)::bigint)), slot,
       coalesce(last_signature, creation_signature, signature), signature, block_time,
       (quote_before - last_quote)::text, quote_decimals, (token_before - last_token)::text, decimals
FROM chained
WHERE judged AND last_quote IS NOT NULL AND last_token IS NOT NULL
  AND (quote_before, token_before) IS DISTINCT FROM (last_quote, last_token)
ORDER BY block_time DESC, pool_address, slot DESC
LIMIT %(limit)s
"""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A place in a curve's history where trades are missing, between two stored ones.

    The missing trades happened in slots ``slot_from`` to ``slot_to``, both included. The sums are what they moved in
    base units: positive into the pool.
    """

    pool_address: str
    mint: str
    slot_from: int
    slot_to: int
    signature_from: str
    signature_to: str
    seen_at: datetime
    quote_sum_raw: int
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
) -> Sequence[Gap]:
    """Return breaks among trades in ``[start, end)`` on the ``pools`` most recently traded curves, newest first.

    A curve whose creation is not known is judged from its first stored trade on. ``venue`` asks for one venue's curves,
    ``through_slot`` leaves out what came later than that slot.
    """
    kinds = {"initial": PoolType.INITIAL.value, "buy": TransactionType.BUY.value, "sell": TransactionType.SELL.value}
    asked: dict[str, Any] = {
        "start": start,
        "end": end,
        "pools": pools,
        "limit": limit,
        "venue": venue,
        "through": through_slot or _EVER,
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
            quote_sum_raw=int(row[7]),
            quote_decimals=row[8],
            token_sum_raw=int(row[9]),
            token_decimals=row[10],
        )
        for row in rows
    ]
