"""Trades of mayhem coins that share a slot: put in the order in which they ran, which their own amounts tell."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from megatron.core.timescale import chunks
from tokens.domain import mayhem
from tokens.domain.facts import TradeFact
from tokens.domain.mayhem import Step
from tokens.domain.numbers import PRICE_FORMING_RAW
from tokens.selectors.slots import place_in_slot
from tokens.services import candles
from tokens.services.ingest import followups
from tokens.services.ingest.parents import Sides

_APART = timedelta(seconds=2)
"""One slot has one time; sources that say another are this far off at most."""
_AHEAD = timedelta(hours=1)
"""How far the chain's clock may be ahead of ours."""

_BEFORE = """CASE t.type WHEN 'buy' THEN t.real_quote_reserves - t.amount_in ELSE t.real_quote_reserves + t.amount_out END,
       CASE t.type WHEN 'buy' THEN t.real_token_reserves + t.amount_out ELSE t.real_token_reserves - t.amount_in END,
       CASE t.type WHEN 'buy' THEN t.quote_reserves - t.amount_in ELSE t.quote_reserves + t.amount_out END"""

# The slots of the new trades, and the next one of each pool: what its first trade found may be known only now.
_TRADES = f"""
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%(tokens)s::uuid[], %(pools)s::uuid[], %(slots)s::bigint[], %(ats)s::timestamptz[])
        AS k(token_id, pool_id, slot, at)
), slots AS MATERIALIZED (
    SELECT * FROM asked
    UNION
    SELECT k.token_id, k.pool_id, later.slot, later.block_time FROM asked k CROSS JOIN LATERAL (
        SELECT slot, block_time FROM transactions t
        WHERE t.token_id = k.token_id AND t.pool_id = k.pool_id AND t.slot > k.slot AND t.type IN ('buy', 'sell')
          AND t.block_time >= k.at AND t.block_time >= %(start)s AND t.block_time <= %(until)s
        ORDER BY t.block_time, t.slot LIMIT 1
    ) AS later
)
SELECT k.token_id, k.pool_id, k.slot, t.id, t.block_time, t.event_index, t.signature, t.transaction_index, t.slot_place,
       t.quote_reserves, t.token_reserves, t.real_quote_reserves, t.real_token_reserves, {_BEFORE}
FROM slots k JOIN transactions t ON t.token_id = k.token_id AND t.pool_id = k.pool_id AND t.slot = k.slot
  AND t.block_time >= k.at - %(apart)s AND t.block_time <= k.at + %(apart)s
WHERE t.type IN ('buy', 'sell') AND t.block_time >= %(start)s AND t.block_time <= %(until)s + %(apart)s
"""

_HELD_BEFORE = f"""
SELECT k.pool_id, k.slot, earlier.slot,
       CASE WHEN earlier.slot IS NOT NULL THEN earlier.token
            WHEN c.creation_timestamp IS NOT NULL THEN p.initial_real_token_reserves END,
       CASE WHEN earlier.slot IS NOT NULL THEN earlier.quote ELSE 0 END
FROM unnest(%(pools)s::uuid[], %(slots)s::bigint[], %(ats)s::timestamptz[]) AS k(pool_id, slot, at)
JOIN pools p ON p.id = k.pool_id JOIN tokens c ON c.id = p.token_id
LEFT JOIN LATERAL (
    SELECT t.slot, t.real_token_reserves AS token, t.real_quote_reserves AS quote FROM transactions t
    WHERE t.token_id = p.token_id AND t.pool_id = k.pool_id AND t.slot < k.slot AND t.type IN ('buy', 'sell')
      AND t.block_time <= k.at AND t.block_time <= %(end)s AND t.block_time >= %(start)s
    ORDER BY t.block_time DESC, t.slot DESC, {place_in_slot("t")} DESC, t.event_index DESC, t.signature COLLATE "C" DESC
    LIMIT 1
) AS earlier ON true
"""

_PLACE = f"""
UPDATE transactions t SET slot_place = n.place
FROM unnest(%(ids)s::uuid[], %(ats)s::timestamptz[], %(places)s::int[]) AS n(id, at, place)
WHERE t.id = n.id AND t.block_time = n.at AND {chunks.within("t.token_id", "t.block_time")}
"""

_MARK = candles.marking("""
SELECT 60, token_id, time_bucket('1 minute', at), %(now)s::timestamptz
FROM (SELECT DISTINCT * FROM unnest(%(tokens)s::uuid[], %(ats)s::timestamptz[]) AS n(token_id, at)) AS moved
GROUP BY 2, 3
""")

_FORGET_MILESTONES = """
DELETE FROM pool_milestones m USING unnest(%(pools)s::uuid[], %(slots)s::bigint[]) AS k(pool_id, slot)
WHERE m.pool_id = k.pool_id AND m.slot = k.slot RETURNING m.pool_id
"""

# A pool whose newest event is none of the trades and no creation was set anew by an event without a trade: a trade came later
# only if it found what that event left.
_RESTATE = f"""
WITH last AS (
    SELECT * FROM unnest(%(pools)s::uuid[], %(slots)s::bigint[], %(ats)s::timestamptz[], %(signatures)s::text[],
        %(indexes)s::int[], %(quotes)s::numeric[], %(token_amounts)s::numeric[], %(real_quotes)s::numeric[],
        %(real_tokens)s::numeric[], %(quotes_found)s::numeric[], %(others)s::text[])
        AS n(pool_id, slot, at, signature, event_index, quote, token, real_quote, real_token, quote_found, others)
), priced AS (
    SELECT n.*, quote_usd_at(p.quote_mint, n.at) AS usd, p.base_supply * ('1e-' || k.decimals)::numeric AS supply,
           CASE WHEN least(n.token, n.quote) >= {PRICE_FORMING_RAW}
                THEN round(n.quote * power(10::numeric, 20 + k.decimals - p.quote_decimals) / n.token) / 1e20 END AS price
    FROM last n JOIN pools p ON p.id = n.pool_id JOIN tokens k ON k.id = p.token_id
    WHERE p.last_slot = n.slot AND (p.last_signature, p.last_event_index) <> (n.signature, n.event_index)
      AND (p.last_signature = ANY(string_to_array(n.others, ' ')) OR p.last_signature = k.creation_signature
           OR p.virtual_sol_reserves = n.quote_found)
)
UPDATE pools p SET
    virtual_sol_reserves = n.quote, virtual_token_reserves = n.token, real_sol_reserves = n.real_quote,
    real_token_reserves = n.real_token, last_event_index = n.event_index, last_signature = n.signature,
    last_trade_at = n.at, latest_price = n.price, latest_price_usd = n.price * n.usd,
    market_cap = round(n.price * n.supply, 20), market_cap_usd = round(n.price * n.supply * n.usd, 18),
    updated_at = statement_timestamp()
FROM priced n WHERE p.id = n.pool_id
"""


class _Row(NamedTuple):
    token_id: Any
    pool_id: Any
    slot: int
    id: Any
    at: datetime
    event_index: int
    signature: str
    position: int | None
    place: int | None
    quote: int
    token: int
    real_quote: int | None
    real_token: int | None
    quote_before: int | None
    token_before: int | None
    virtual_quote_before: int

    @property
    def step(self) -> Step:
        """Return the row as what is put in order."""
        return Step(
            str(self.id),
            (int(self.token_before or 0), int(self.quote_before or 0)),
            (int(self.real_token or 0), int(self.real_quote or 0)),
            int(self.virtual_quote_before),
            int(self.quote),
            self.position,
            self.event_index,
            self.signature,
        )


_Slot = tuple[Any, int]
"""A pool's id and a slot."""
Key = tuple[Any, Any, int, datetime]
"""A token's id, its pool's id, and a slot with its time."""


def write(new: Iterable[TradeFact], sides: dict[str, Sides], *, now: datetime) -> None:
    """Find the places of mayhem coins' trades in the slots of ``new`` ones, and what follows from them: milestones, candles
    and the pools' newest state. Must run inside the batch's transaction, which holds the pools."""
    ordered = _placed(
        {
            (
                sides[fact.pool].token_id,
                sides[fact.pool].pool_id,
                fact.slot,
                datetime.fromtimestamp(fact.block_time, UTC),
            )
            for fact in new
            if fact.real is not None
        },
        now,
    )
    _restate(ordered)


def write_again(keys: Collection[Key], *, now: datetime) -> None:
    """Find the places of what is left in slots of which trades of mayhem coins were taken back, and of what came next."""
    _placed(keys, now)


def _placed(keys: Collection[Key], now: datetime) -> dict[_Slot, list[_Row]]:
    """Write the places of the trades in the slots ``keys`` and in the next ones; return them in their order."""
    if not keys:
        return {}
    times = [at for *_, at in keys]
    asked: dict[str, Any] = {
        "tokens": [token for token, *_ in keys],
        "pools": [pool for _, pool, *_ in keys],
        "slots": [slot for _, _, slot, _ in keys],
        "ats": times,
        "start": min(times) - _APART,
        "until": max(now, *times) + _AHEAD,
        "apart": _APART,
    }
    slots: dict[_Slot, list[_Row]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_TRADES, asked)
        for row in map(_Row._make, cursor.fetchall()):
            slots[row.pool_id, row.slot].append(row)
    known = {key: rows for key, rows in slots.items() if all(row.real_token is not None for row in rows)}
    ordered = _ordered(known)
    _place(ordered, now)
    return ordered


def _ordered(slots: dict[_Slot, list[_Row]]) -> dict[_Slot, list[_Row]]:
    """Return the rows of each slot in their order; the earlier slot of a pool first, for the later one follows from it."""
    ordered: dict[_Slot, list[_Row]] = {}
    earlier = _held_before({key: rows for key, rows in slots.items() if len(rows) > 1})
    for key in sorted(slots, key=lambda key: (str(key[0]), key[1])):
        rows = slots[key]
        if len(rows) > 1:
            slot, start = earlier[key]
            if slot is not None and (before := ordered.get((key[0], slot))):
                start = before[-1].step.after
            by_id = {str(row.id): row for row in rows}
            rows = [by_id[step.key] for step in mayhem.order([row.step for row in rows], start)]
        ordered[key] = rows
    return ordered


def _held_before(slots: dict[_Slot, list[_Row]]) -> dict[_Slot, tuple[int | None, mayhem.Held | None]]:
    """Return the slot of the newest trade before each of ``slots`` and what the curve held then: after that trade, or at its
    creation; ``None`` where neither is known."""
    if not slots:
        return {}
    times = [rows[0].at for rows in slots.values()]
    asked: dict[str, Any] = {
        "pools": [pool for pool, _ in slots],
        "slots": [slot for _, slot in slots],
        "ats": times,
        "end": max(times),
    }
    asked["start"], _ = followups.traded_between(asked["pools"])
    with connection.cursor() as cursor:
        cursor.execute(_HELD_BEFORE, asked)
        return {
            (pool, slot): (earlier, None if None in (token, quote) else (int(token), int(quote)))
            for pool, slot, earlier, token, quote in cursor.fetchall()
        }


def _place(ordered: dict[_Slot, list[_Row]], now: datetime) -> None:
    """Write the places that changed, and have what follows from them computed again."""
    moved: list[tuple[_Row, int | None]] = []
    slots: list[_Slot] = []
    for key, rows in ordered.items():
        places = range(1, len(rows) + 1) if len(rows) > 1 else (None,)
        changed = [(row, place) for row, place in zip(rows, places, strict=True) if row.place != place]
        if changed:
            moved += changed
            slots.append(key)
    if not moved:
        return
    times = [row.at for row, _ in moved]
    placed = [(row.token_id, row.at, row.id, place) for row, place in moved]
    with connection.cursor() as cursor:
        for stretch in chunks.stretches(connection, "transactions", placed):
            _, ats, ids, numbers = (list(column) for column in zip(*stretch.rows, strict=True))
            cursor.execute(_PLACE, stretch.bounds | {"ids": ids, "ats": ats, "places": numbers})
        cursor.execute(_MARK, {"tokens": [row.token_id for row, _ in moved], "ats": times, "now": now})
        cursor.execute(_FORGET_MILESTONES, {"pools": [pool for pool, _ in slots], "slots": [slot for _, slot in slots]})
        pools = sorted({pool for (pool,) in cursor.fetchall()})
    followups.remeasure(pools)


def _restate(ordered: dict[_Slot, list[_Row]]) -> None:
    """Let each pool stand where the last trade of its newest slot left it, which the product of its reserves cannot tell."""
    if not ordered:
        return
    last: Sequence[tuple[_Row, str]] = [
        (rows[-1], " ".join(row.signature for row in rows)) for _, rows in sorted(ordered.items(), key=str)
    ]
    asked: dict[str, Any] = {
        "pools": [row.pool_id for row, _ in last],
        "slots": [row.slot for row, _ in last],
        "ats": [row.at for row, _ in last],
        "signatures": [row.signature for row, _ in last],
        "indexes": [row.event_index for row, _ in last],
        "quotes": [row.quote for row, _ in last],
        "token_amounts": [row.token for row, _ in last],
        "real_quotes": [row.real_quote for row, _ in last],
        "real_tokens": [row.real_token for row, _ in last],
        "quotes_found": [row.virtual_quote_before for row, _ in last],
        "others": [others for _, others in last],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RESTATE, asked)
