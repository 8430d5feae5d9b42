"""Taking back a fork that the chain dropped: its rows go, and everything that was derived from them is computed again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pgtrigger
import structlog
from django.db import connection, transaction

from megatron.core import metrics, nudges
from megatron.core.chain import EVER
from megatron.core.timescale import chunks
from tokens.choices import Program
from tokens.domain.events import ChainEvent
from tokens.domain.mayhem import SUPPLY_RAW, TRADED_FOR
from tokens.domain.numbers import PRICE_FORMING_RAW
from tokens.models import ChainReorg, StreamSighting
from tokens.selectors import left
from tokens.selectors.mayhem import is_mayhem
from tokens.selectors.slots import place_in_slot
from tokens.services import aggregates, candles, chains
from tokens.services.ingest import followups, parents, places

log = structlog.get_logger(__name__)

_KEPT = 1_000
"""Signatures that a record names; a fork has at most 32 slots."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """One transaction of a dropped fork, where it stood. ``landed`` is where on the chain it landed again, if it did."""

    signature: str
    slot: int
    landed: int | None

    @property
    def alive(self) -> bool:
        """Return whether it landed again."""
        return self.landed is not None


_WITNESSES = """
SELECT DISTINCT witness FROM pools p JOIN tokens t ON t.id = p.token_id,
    LATERAL (VALUES
        (t.creation_signature), (t.graduation_signature), (p.migration_signature),
        -- The trade that emptied a curve, where a migration in the same second is named as the graduation.
        (CASE WHEN t.is_graduated AND p.pool_type = 'initial' THEN p.last_signature END)
    ) AS w(witness)
WHERE witness IS NOT NULL AND (
    t.creation_signature = ANY(%(dropped)s) OR t.graduation_signature = ANY(%(dropped)s)
    OR p.migration_signature = ANY(%(dropped)s) OR p.last_signature = ANY(%(dropped)s))
UNION
SELECT first.signature FROM pools p CROSS JOIN LATERAL (
    SELECT signature FROM transactions
    WHERE token_id = p.token_id AND pool_id = p.id AND signature <> ALL(%(dropped)s) AND block_time >= %(since)s
    ORDER BY block_time LIMIT 1
) AS first
WHERE p.pool_type = 'graduated' AND p.token_id IN (
    SELECT token_id FROM pools curve JOIN tokens t ON t.id = curve.token_id
    WHERE t.graduation_signature = ANY(%(dropped)s) OR curve.migration_signature = ANY(%(dropped)s)
       OR (curve.migration_slot = ANY(%(slots)s) AND curve.migration_signature IS NULL))
UNION
SELECT earliest.signature FROM tokens t CROSS JOIN LATERAL (
    SELECT x.signature FROM transactions x JOIN pools p ON p.id = x.pool_id AND p.pool_type <> 'permissionless'
    WHERE x.token_id = t.id AND x.signature || ' ' || x.slot <> ALL(%(places)s) AND x.block_time >= %(since)s
    ORDER BY x.block_time, x.slot LIMIT 1
) AS earliest
WHERE t.id IN (SELECT token_id FROM transactions WHERE signature = ANY(%(dropped)s) AND block_time >= %(since)s)
  AND (t.creator_named_slot = ANY(%(slots)s) OR t.creation_signature = ANY(%(dead)s))
"""

# Most of what lands again left rows there too, or came and left none. A row that has none there would go and never come: an
# event has one row in a second, and the second place was in the same.
_UNLIKE = """
WITH stored AS MATERIALIZED (
    SELECT signature, slot, event_index FROM transactions WHERE signature = ANY(%(signatures)s) AND block_time >= %(since)s
)
SELECT DISTINCT gone.signature
FROM unnest(%(signatures)s::text[], %(slots)s::bigint[], %(landed)s::bigint[]) AS moved(signature, slot, landed)
JOIN stored gone ON gone.signature = moved.signature AND gone.slot = moved.slot
LEFT JOIN stored kept
  ON kept.signature = moved.signature AND kept.slot = moved.landed AND kept.event_index = gone.event_index
WHERE kept.signature IS NULL AND NOT EXISTS (
    SELECT FROM stream_sightings seen
    WHERE seen.signature = moved.signature AND seen.slot = moved.landed AND NOT seen.tells
)
"""


def witnesses(*, dropped: Collection[Dropped], since: datetime = EVER) -> set[str]:
    """Return the transactions that must be stored again with :func:`take_back`: what they say is undone along with what the
    dropped ones said, because a row does not tell which of them said it. No row of the fork has a block time before ``since``."""
    asked: dict[str, Any] = {
        "dropped": [one.signature for one in dropped],
        "slots": [one.slot for one in dropped],
        "places": [f"{one.signature} {one.slot}" for one in dropped],
        "dead": [one.signature for one in dropped if not one.alive],
        "since": since,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WITNESSES, asked)
        return {signature for (signature,) in cursor.fetchall()} - {one.signature for one in dropped if not one.alive}


def unlike(*, dropped: Collection[Dropped], since: datetime = EVER) -> set[str]:
    """Return those of ``dropped`` that landed again and of which no rows say so yet: they too must be stored again."""
    alive = [one for one in dropped if one.alive]
    moved: dict[str, Any] = {
        "signatures": [one.signature for one in alive],
        "slots": [one.slot for one in alive],
        "landed": [one.landed for one in alive],
        "since": since,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNLIKE, moved)
        return {signature for (signature,) in cursor.fetchall()}


def take_back(
    *,
    venue: Program,
    dropped: Collection[Dropped],
    now: datetime,
    again: Collection[ChainEvent] = (),
    since: datetime = EVER,
) -> ChainReorg | None:
    """Remove what ``dropped`` transactions left and compute again what was derived from it; ``None`` if they left nothing.

    Must run in the transaction that stores the :func:`witnesses` and the :func:`unlike` ones ``again``. What a transaction
    that landed again had established is undone too. No row of the fork has a block time before ``since``. Rows that are
    compressed by now go token by token, ten minutes and the batches that hold them at a time.
    """
    asked: dict[str, Any] = {
        "dropped": sorted({one.signature for one in dropped}),
        "slots": sorted({one.slot for one in dropped}),
        "places": sorted({f"{one.signature} {one.slot}" for one in dropped}),
        "dead": sorted({one.signature for one in dropped if not one.alive}),
        "now": now,
        "since": since,
        "mayhem": TRADED_FOR,
        "mints": sorted({event.mint for event in again if event.mint is not None}),
        "addresses": sorted({event.pool for event in again if event.pool is not None}),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_TOKENS, asked)
        asked["tokens"] = [token for (token,) in cursor.fetchall()]
        cursor.execute(_LOCK_POOLS, asked)
        cursor.execute(_POOLS, asked)
        pools = [pool for (pool,) in cursor.fetchall()]
        cursor.execute(_UNDO_NAMED_CREATOR, asked)
        cursor.execute(_PLACED, asked)
        placed = cursor.fetchall()
        cursor.execute(_GONE, asked)
        gone = cursor.fetchall()
        _remove_trades(gone, now)
        asked |= {"pools": pools, "day": min((_day(at) for _, at, *_ in gone), default=None), "ever": EVER}
        chains.forget_all(pools=pools)
        places.write_again(placed, now=now)
        cursor.execute(_FORKED, asked)
        forked = left.without_trades("token", [token for (token,) in cursor.fetchall()], since=since)
        for statement in (_UNDO_GRADUATION, _UNDO_CREATION, _FORGET_MILESTONES):
            cursor.execute(statement, asked)
        _restate(asked, since)
        parents.value_by_curve(tokens=asked["tokens"])
        followups.remeasure(pools)
        _remove_parents(forked, pools, since)
        removed = len(forked)
    if not (gone or pools or removed):
        return None
    slots = [*(one.slot for one in dropped if one.slot), *(slot for _, _, _, slot in gone)]
    if not slots:  # creations that left no trade say only when they were; their sightings say where
        seen = StreamSighting.objects.filter(venue=venue, signature__in=asked["dropped"])
        slots = list(seen.values_list("slot", flat=True)) or [0]
    reorg = ChainReorg.objects.create(
        venue=venue,
        slot_from=min(slots),
        slot_to=max(slots),
        detected_at=now,
        trades_removed=len(gone),
        moved=len({one.signature for one in dropped if one.alive}),
        tokens_removed=removed,
        signatures=asked["dropped"][:_KEPT],
    )
    log.warning("chain.reorg", venue=venue.value, slot_from=reorg.slot_from, slot_to=reorg.slot_to, trades=len(gone))
    transaction.on_commit(partial(metrics.reorganisations.labels(venue=venue.value).inc))
    nudges.ring("candles_due")
    return reorg


# All that is taken back or stored again, before anything is written and in the order in which every batch locks: a ring
# of a batch and this would cost both a second.
_LOCK_TOKENS = """
SELECT id FROM tokens WHERE mint_address = ANY(%(mints)s) OR creation_signature = ANY(%(dropped)s)
   OR graduation_signature = ANY(%(dropped)s) OR id IN (
    SELECT token_id FROM transactions WHERE signature = ANY(%(dropped)s) AND block_time >= %(since)s
    UNION SELECT token_id FROM pools
          WHERE pool_address = ANY(%(addresses)s) OR last_signature = ANY(%(dropped)s) OR migration_signature = ANY(%(dropped)s))
ORDER BY id FOR NO KEY UPDATE
"""
_LOCK_POOLS = "SELECT FROM pools WHERE token_id = ANY(%(tokens)s) ORDER BY id FOR NO KEY UPDATE"

_POOLS = """
SELECT p.id FROM pools p WHERE p.token_id = ANY(%(tokens)s) AND p.id IN (
    SELECT pool_id FROM transactions WHERE signature = ANY(%(dropped)s) AND block_time >= %(since)s
    UNION SELECT id FROM pools WHERE last_signature = ANY(%(dropped)s) OR migration_signature = ANY(%(dropped)s)
    UNION SELECT q.id FROM pools q JOIN tokens t ON t.id = q.token_id
          WHERE t.creation_signature = ANY(%(dropped)s) OR t.graduation_signature = ANY(%(dropped)s)
)
"""

# Of mayhem coins: what is left of a slot has other places then.
_PLACED = """
SELECT DISTINCT token_id, pool_id, slot, block_time FROM transactions
WHERE signature = ANY(%(dropped)s) AND signature || ' ' || slot = ANY(%(places)s) AND real_token_reserves IS NOT NULL
  AND block_time >= %(since)s
"""

# A transaction that landed again keeps the rows of where it landed.
_GONE = """
SELECT token_id, block_time, id, slot FROM transactions
WHERE signature = ANY(%(dropped)s) AND signature || ' ' || slot = ANY(%(places)s) AND block_time >= %(since)s
"""

_REMOVE_TRADES = f"""
DELETE FROM transactions t USING unnest(%(ids)s::uuid[], %(ats)s::timestamptz[]) AS k(id, at)
WHERE t.id = k.id AND t.block_time = k.at AND {chunks.within("t.token_id", "t.block_time")}
"""

_MARK_REMOVED = candles.marking("""
SELECT DISTINCT 60, token_id, time_bucket(interval '1 minute', at), %(now)s::timestamptz
FROM unnest(%(tokens)s::uuid[], %(ats)s::timestamptz[]) AS gone(token_id, at)
""")


def _remove_trades(gone: Sequence[tuple[Any, ...]], now: datetime) -> None:
    with connection.cursor() as cursor:
        for stretch in chunks.stretches(connection, "transactions", gone):
            ids, ats = [row[2] for row in stretch.rows], [row[1] for row in stretch.rows]
            cursor.execute(_REMOVE_TRADES, stretch.bounds | {"ids": ids, "ats": ats})
        if gone:
            tokens, ats = [row[0] for row in gone], [row[1] for row in gone]
            cursor.execute(_MARK_REMOVED, {"tokens": tokens, "ats": ats, "now": now})
            aggregates.mark(aggregate=aggregates.MINUTES, times=ats, now=now)  # a token that goes has no minute to roll


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


_UNDO_GRADUATION = """
WITH undone AS (
    UPDATE tokens t SET is_graduated = false, graduation_timestamp = NULL, graduation_signature = NULL,
           graduation_platform = NULL
    FROM pools p
    WHERE p.token_id = t.id AND p.pool_type = 'initial' AND (
        t.graduation_signature = ANY(%(dropped)s) OR p.migration_signature = ANY(%(dropped)s)
        OR (p.migration_slot = ANY(%(slots)s) AND p.migration_signature IS NULL))
    RETURNING t.id
)
UPDATE pools p SET status = CASE p.pool_type WHEN 'initial' THEN 'active' ELSE p.status END,
       migration_slot = NULL, migration_signature = NULL
FROM undone WHERE p.token_id = undone.id AND (p.pool_type = 'initial' OR p.migration_signature = ANY(%(dropped)s))
"""

_UNDO_CREATION = """
UPDATE tokens SET creation_signature = NULL, creation_timestamp = NULL, creator_address = NULL, creator_named_slot = NULL,
       launch_wallets = '{}', initial_supply = NULL
WHERE creation_signature = ANY(%(dropped)s)
"""

# Whom a trade of the fork named as creator, the earliest trade that is left may name too: it is one of the witnesses.
_UNDO_NAMED_CREATOR = """
UPDATE tokens SET creator_address = NULL, creator_named_slot = NULL
WHERE creator_named_slot = ANY(%(slots)s)
  AND id IN (SELECT token_id FROM transactions WHERE signature = ANY(%(dropped)s) AND block_time >= %(since)s)
"""

_FORGET_MILESTONES = "DELETE FROM pool_milestones WHERE signature = ANY(%(dropped)s)"

# On a pool the distance between virtual and real reserves stays, so the newest trade left tells both; of a mayhem coin, where
# it does not, the trade itself says what the curve held.
_RESTATE = f"""
WITH newest AS (
    SELECT DISTINCT ON (t.pool_id) t.pool_id, t.slot, t.event_index, t.signature, t.block_time,
           t.quote_reserves AS quote, t.token_reserves AS token, t.real_quote_reserves, t.real_token_reserves
    FROM pools p JOIN transactions t ON t.token_id = p.token_id AND t.pool_id = p.id
    WHERE p.id = ANY(%(pools)s) AND p.last_signature = ANY(%(dropped)s)
      AND t.quote_reserves IS NOT NULL AND t.token_reserves IS NOT NULL
      AND t.block_time >= %(start)s AND t.block_time < %(end)s
    ORDER BY t.pool_id, t.slot DESC, {place_in_slot("t")} DESC, t.event_index DESC,
             t.signature COLLATE "C" DESC
), priced AS (
    -- What there is of a mayhem coin its age tells, as in merging.of_mayhem.
    SELECT n.*, k.decimals,
           CASE WHEN NOT ({is_mayhem("k")} AND p.platform = 'pumpfun' AND p.pool_type = 'initial') THEN p.base_supply
                WHEN n.block_time < k.creation_timestamp + %(mayhem)s THEN {SUPPLY_RAW} END AS base_supply,
           quote_usd_at(p.quote_mint, n.block_time) AS usd,
           CASE WHEN least(n.token, n.quote) >= {PRICE_FORMING_RAW}
                THEN round(n.quote * power(10::numeric, 20 + k.decimals - p.quote_decimals) / n.token) / 1e20 END AS price
    FROM newest n JOIN pools p ON p.id = n.pool_id JOIN tokens k ON k.id = p.token_id
)
UPDATE pools p SET
    real_sol_reserves = coalesce(n.real_quote_reserves, p.real_sol_reserves + n.quote - p.virtual_sol_reserves),
    real_token_reserves = coalesce(n.real_token_reserves, p.real_token_reserves + n.token - p.virtual_token_reserves),
    virtual_sol_reserves = n.quote, virtual_token_reserves = n.token,
    last_slot = n.slot, last_event_index = n.event_index, last_signature = n.signature, last_trade_at = n.block_time,
    base_supply = n.base_supply, latest_price = n.price,
    market_cap = round(n.price * n.base_supply / power(10::numeric, n.decimals), 20),
    latest_price_usd = n.price * n.usd,
    market_cap_usd = round(n.price * n.base_supply / power(10::numeric, n.decimals), 20) * n.usd
FROM priced n WHERE p.id = n.pool_id
RETURNING p.id
"""

_ON_FORK = "SELECT id FROM pools WHERE id = ANY(%(pools)s) AND last_signature = ANY(%(dropped)s)"

# Nothing is left but the creation, which is stored again (or nothing at all, then the parents go).
_EMPTY = """
UPDATE pools p SET last_slot = NULL, last_event_index = NULL, last_signature = NULL, last_trade_at = NULL,
       virtual_sol_reserves = NULL, virtual_token_reserves = NULL, real_sol_reserves = NULL, real_token_reserves = NULL,
       latest_price = NULL, market_cap = NULL, latest_price_usd = NULL, market_cap_usd = NULL
WHERE p.id = ANY(%(empty)s::uuid[])
"""


def _restate(asked: dict[str, Any], since: datetime) -> None:
    """Let pools that stand where the fork left them stand where the newest trade that is left did."""
    with connection.cursor() as cursor:
        cursor.execute(_ON_FORK, asked)
        pools = {pool for (pool,) in cursor.fetchall()}
        for start, end in left.steps(since):
            if pools:
                cursor.execute(_RESTATE, asked | {"pools": sorted(pools), "start": start, "end": end})
                pools -= {pool for (pool,) in cursor.fetchall()}
        cursor.execute(_EMPTY, {"empty": left.without_trades("pool", pools, since=since)})


# Created on the fork and nowhere else, or known only from trades on the fork. A trade that is left proves that the token
# exists all the same, and so does a candle of an earlier day.
_FORKED = """
SELECT t.id FROM tokens t
WHERE (t.creation_signature = ANY(%(dead)s) OR (
        t.creation_signature IS NULL AND NOT t.is_graduated
        AND t.id IN (SELECT token_id FROM pools WHERE id = ANY(%(pools)s::uuid[]))
        AND NOT EXISTS (SELECT FROM price_candles_1d c
                        WHERE c.token_id = t.id AND c.bucket >= %(ever)s AND c.bucket < %(day)s)))
"""

_CANDLES = "SELECT token_id, bucket FROM {table} WHERE token_id = ANY(%(tokens)s::uuid[]) AND bucket >= %(since)s"

_REMOVE_CANDLES = (
    f"DELETE FROM {{table}} WHERE token_id = ANY(%(tokens)s::uuid[]) AND {chunks.within('token_id', 'bucket')}"
)


def _remove_candles(tokens: list[Any], since: datetime) -> None:
    with connection.cursor() as cursor:
        for width, table in candles.TABLES.items():
            # The day's candle begins before the fork.
            asked: dict[str, Any] = {"tokens": tokens, "since": since - timedelta(days=1)}
            cursor.execute(_CANDLES.format(table=table), asked)
            span = timedelta(seconds=chunks.RUN * width.value)
            for stretch in chunks.stretches(connection, table, cursor.fetchall(), span=span):
                cursor.execute(_REMOVE_CANDLES.format(table=table), asked | stretch.bounds)


def _remove_parents(tokens: list[Any], pools: list[Any], since: datetime) -> None:
    """Remove tokens that only a dead fork created, and pools of which nothing is left, with all that hangs on them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM pools WHERE token_id = ANY(%s)", [tokens])
        gone = [pool for (pool,) in cursor.fetchall()]
        orphans = "SELECT id FROM pools WHERE id = ANY(%s) AND pool_type <> 'initial' AND last_slot IS NULL"
        cursor.execute(orphans, [list(set(pools) - set(gone))])
        gone += left.without_trades("pool", [pool for (pool,) in cursor.fetchall()], since=since)
        if not gone and not tokens:
            return
        # Whoever makes their candles holds them, and passes them by from here on: nothing is left without its token.
        cursor.execute("SELECT FROM tokens WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [tokens])
        cursor.execute("UPDATE pools SET successor_id = NULL WHERE successor_id = ANY(%s)", [gone])
        cursor.execute("DELETE FROM pool_milestones WHERE pool_id = ANY(%s)", [gone])
        _remove_candles(tokens, since)
        chains.forget_all(pools=gone)
        for table in _HANGS_ON_TOKENS:
            cursor.execute(f"DELETE FROM {table} WHERE token_id = ANY(%s)", [tokens])
        with pgtrigger.ignore("tokens.Pool:kept_for_ever", "tokens.Token:kept_for_ever"):
            cursor.execute("DELETE FROM pools WHERE id = ANY(%s)", [gone])
            cursor.execute("DELETE FROM tokens WHERE id = ANY(%s)", [tokens])


_HANGS_ON_TOKENS = (
    "candles_due",
    "token_metadata",
    "tokens_traded",
)
