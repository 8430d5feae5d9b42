"""Who holds a token and at what cost, from our own trades.

Each wallet's row is derived from all its trades of the token, whatever the order in which they came: where the trades'
digest is still the one of the row, nothing is done, so a late trade and a fork that is taken back cost their wallets' rows
and no others. ``holders.domain.positions`` has the arithmetic.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from holders.domain import ledger
from holders.domain.positions import Position
from holders.selectors import trades

_AT_ONCE = 300_000
"""Trades in memory at a time, about 60 MB."""

_LOCK = 7003
"""Which advisory locks of two numbers are those of a token's holders; the second is the mint's hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What a derivation did: tokens whose trades had changed, rows written anew, rows that had no trades left."""

    tokens: int
    written: int
    gone: int


def derive(*, mints: Collection[str], now: datetime) -> Derived:
    """Bring the holders of ``mints`` up to what their trades say, and what they hold up to the newest price.

    One transaction. Mints that we do not know are skipped. A wallet whose first trades have been dropped by retention keeps
    its row as it was: its cost is not to be had from what is left.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        hold(mints)
        cursor.execute("SET LOCAL work_mem = '64MB'")  # a popular token's trades are sorted in memory
        cursor.execute(_STALE, {"mints": sorted(set(mints))})
        stale = cursor.fetchall()
        written = gone = 0
        for batch in _batches(stale):
            wrote, went = _fold(batch, now)
            written, gone = written + wrote, gone + went
        cursor.execute(_REVALUE, {"mints": sorted(set(mints)), "now": now, "again": False})
    return Derived(tokens=len(stale), written=written, gone=gone)


def revalue(*, mints: Collection[str], now: datetime) -> None:
    """Bring what is held up to the newest price after balances were corrected. In the transaction that corrected them."""
    with connection.cursor() as cursor:
        cursor.execute(_REVALUE, {"mints": sorted(set(mints)), "now": now, "again": True})


def hold(mints: Collection[str]) -> None:
    """Wait until nobody else writes holders of ``mints``, and keep others out until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(mint)) FROM unnest(%s::text[]) AS mint",
            [_LOCK, sorted(set(mints))],
        )


def _batches(stale: Sequence[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Yield tokens, as many at a time as fit in memory."""
    batch: list[UUID] = []
    trades = 0
    for token, count in stale:
        if batch and trades + count > _AT_ONCE:
            yield batch
            batch, trades = [], 0
        batch.append(token)
        trades += count
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Stored:
    digest: int
    trades: int
    chain_slot: int | None
    chain_balance: Decimal | None
    is_whole: bool


def _fold(tokens: list[UUID], now: datetime) -> tuple[int, int]:
    """Write the rows of wallets whose trades have changed; return how many, and how many have no trades left."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED, {"tokens": tokens, "now": now})
        stored = {(token, wallet): _Stored(*rest) for token, wallet, *rest in cursor.fetchall()}
    keys, found, table = trades.of_tokens(tokens=tokens)
    kept = [stored.get(key) for key in keys]
    wanted = np.array(
        [row is None or (row.is_whole and row.digest != digest) for row, digest in zip(kept, found, strict=True)],
        dtype=bool,
    )
    later = ledger.traded_since(table, [row.chain_slot if row else None for row in kept])
    rows = []
    for owner, position in ledger.positions(ledger.taken(table, wanted)) if len(keys) else ():
        row = kept[owner]
        rows.append(_row(keys[owner], position, found[owner], later[owner], row.chain_balance if row else None))
    missing = stored.keys() - set(keys)
    gone = [key for key in missing if stored[key].is_whole and stored[key].trades]
    with connection.cursor() as cursor:
        if rows:
            values: list[Any] = [*map(_literal, zip(*rows, strict=True)), now]
            if stored:
                cursor.execute(_UPSERT, [*values, now])
            else:
                cursor.execute(_INSERT, values)
        if gone:
            cursor.execute(_GONE, [[token for token, _ in gone], [wallet for _, wallet in gone], now])
    return len(rows), len(gone)


def _literal(values: Iterable[Any]) -> str:
    """Return an array as PostgreSQL writes it, of values that need no quotes: an adapter looks at each of them."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


# Of a token without rows the trades are counted only.
_STALE = f"""
SELECT k.id, coalesce(traded.trades, 0) FROM tokens k
  LEFT JOIN LATERAL (
      SELECT sum(transaction_count) AS trades, bit_xor(trades_digest) AS digest
        FROM token_holders WHERE token_mint = k.mint_address AND transaction_count > 0) AS kept ON true
  LEFT JOIN LATERAL (
      SELECT count(*) AS trades, bit_xor(CASE WHEN kept.digest IS NOT NULL THEN {trades.DIGEST} END) AS digest
        FROM transactions t WHERE t.token_id = k.id AND t.type IN ('buy', 'sell')) AS traded ON true
 WHERE k.mint_address = ANY (%(mints)s)
   AND (traded.trades, traded.digest) IS DISTINCT FROM (coalesce(kept.trades, 0), kept.digest)
 ORDER BY k.id
"""

_STORED = """
SELECT k.id, h.wallet_address, h.trades_digest, h.transaction_count, h.chain_slot, h.chain_balance,
       h.first_transaction_time IS NULL OR NOT EXISTS (
           SELECT FROM retention_policies p
            WHERE p.table_name = 'transactions' AND h.first_transaction_time < %(now)s - p.drop_after)
  FROM token_holders h JOIN tokens k ON k.mint_address = h.token_mint WHERE k.id = ANY (%(tokens)s)
"""


def _row(
    key: tuple[UUID, str], position: Position, digest: int, later: int, on_chain: Decimal | None
) -> tuple[Any, ...]:
    return (
        *key,
        position.held,
        position.initial,
        position.peak,
        later,
        position.first_at,
        position.last_at,
        position.held_since,
        position.held_until,
        position.bought,
        position.sold,
        position.untracked,
        position.buys,
        position.sells,
        position.cost,
        position.cost_usd,
        position.realized,
        position.realized_usd,
        position.spent,
        position.earned,
        position.sold_cost,
        position.fees,
        position.without_network_fee,
        digest,
        on_chain,
    )


# Once a token, not once a holder.
_PRICED = """
priced AS MATERIALIZED (
    SELECT k.mint_address AS mint, pool.latest_price_usd AS price_usd,
           CASE WHEN pool.quote_mint = 'So11111111111111111111111111111111111111112' THEN pool.latest_price END AS price
      FROM tokens k LEFT JOIN current_pools current ON current.token_id = k.id LEFT JOIN pools pool ON pool.id = current.pool_id
     WHERE k.mint_address IN (SELECT {mint} FROM {rows})
)
"""

# What follows from a row's own columns, the price and the time. The domain's unrealized, hold_hours, sold_ratio and
# diamond_hands: one division each, of exact numbers, so that the rounding is the same.
_VALUED = """
CROSS JOIN LATERAL (
    SELECT least(v.current_balance, v.traded_balance) AS still,
           CASE WHEN v.held_since IS NOT NULL THEN round(greatest(0, extract(epoch FROM
               coalesce(v.held_until, v.as_of) - v.held_since)) / 3600, 4) END AS hours,
           CASE WHEN v.total_bought > 0 THEN least(1, div(2 * v.total_sold * 1000000 + v.total_bought, 2 * v.total_bought)
               * 1e-6) END AS sold
) AS now
CROSS JOIN LATERAL (
    SELECT CASE WHEN now.still = 0 THEN 0 ELSE round(now.still * pool.price, 9)
               - div(v.cost_sol * 1000000000 * now.still, nullif(v.traded_balance, 0)) * 1e-9 END AS unrealized_sol,
           CASE WHEN now.still = 0 THEN 0 ELSE round(now.still * pool.price_usd, 9)
               - div(v.cost_usd * 1000000000 * now.still, nullif(v.traded_balance, 0)) * 1e-9 END AS unrealized_usd,
           round(100 * least(168, now.hours) * (1 - now.sold) / 168, 4) AS diamond
) AS worth
"""

_COLUMNS = (
    "current_balance, initial_balance, peak_balance, traded_balance, first_transaction_time, last_transaction_time,"
    " held_since, held_until, hold_hours, total_bought, total_sold, untracked_sold, buy_count, sell_count,"
    " transaction_count, cost_sol, cost_usd, avg_buy_price, avg_sell_price, realized_pnl_sol, realized_pnl, sold_cost_sol,"
    " fees_sol, network_fees_unknown,"
    " unrealized_pnl_sol, unrealized_pnl, diamond_hands_score, sold_ratio, trades_digest, last_updated"
)

# Of tokens without rows: nobody else writes theirs meanwhile, so that no row is looked up before it is written.
_INSERT = f"""
WITH folded AS (
    SELECT f.*, k.mint_address AS mint, ('1e-' || k.decimals)::numeric AS unit, ('1e' || k.decimals)::numeric AS whole
      FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[],
                  %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::int[],
                  %s::int[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                  %s::numeric[], %s::numeric[], %s::int[], %s::bigint[], %s::numeric[])
           AS f (token, wallet, held, initial, peak, later, first_at, last_at, since, until, bought, sold, untracked,
                 buys, sells, cost, cost_usd, realized, realized_usd, spent, earned, sold_cost, fees, without_network_fee,
                 digest, chain_balance)
      JOIN tokens k ON k.id = f.token
), v AS (
    SELECT token, mint, wallet,
           CASE WHEN chain_balance IS NULL THEN held * unit ELSE greatest(0, chain_balance + later * unit) END
               AS current_balance,
           initial * unit AS initial_balance, peak * unit AS peak_balance, held * unit AS traded_balance,
           timestamptz '2000-01-01 00:00+00' + first_at * interval '1 microsecond' AS first_at,
           timestamptz '2000-01-01 00:00+00' + last_at * interval '1 microsecond' AS last_at,
           timestamptz '2000-01-01 00:00+00' + since * interval '1 microsecond' AS held_since,
           timestamptz '2000-01-01 00:00+00' + until * interval '1 microsecond' AS held_until,
           bought * unit AS total_bought, sold * unit AS total_sold, untracked * unit AS untracked_sold, buys, sells,
           cost * 1e-9 AS cost_sol, cost_usd * 1e-9 AS cost_usd, realized * 1e-9 AS realized_sol,
           realized_usd * 1e-9 AS realized_usd, sold_cost * 1e-9 AS sold_cost_sol, fees * 1e-9 AS fees_sol,
           without_network_fee, digest, %s::timestamptz AS as_of,
           div(2 * spent * whole * 1e20 + bought * 1e9, nullif(2 * bought * 1e9, 0)) * 1e-20 AS avg_buy,
           div(2 * earned * whole * 1e20 + sold * 1e9, nullif(2 * sold * 1e9, 0)) * 1e-20 AS avg_sell
      FROM folded
), {_PRICED.format(mint="mint", rows="folded")}
INSERT INTO token_holders (id, token_mint, wallet_address, {_COLUMNS})
SELECT gen_random_uuid(), v.mint, v.wallet, v.current_balance, v.initial_balance, v.peak_balance, v.traded_balance,
       v.first_at, v.last_at, v.held_since, v.held_until, now.hours, v.total_bought, v.total_sold, v.untracked_sold,
       v.buys, v.sells, v.buys + v.sells, v.cost_sol, v.cost_usd, v.avg_buy, v.avg_sell, v.realized_sol, v.realized_usd,
       v.sold_cost_sol, v.fees_sol, v.without_network_fee,
       worth.unrealized_sol, worth.unrealized_usd, worth.diamond, now.sold, v.digest, v.as_of
  FROM v JOIN priced AS pool ON pool.mint = v.mint {_VALUED}
 ORDER BY v.mint, v.wallet
"""

_UPSERT = f"""{_INSERT}
ON CONFLICT (token_mint, wallet_address) DO UPDATE SET
    {", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS.replace(" ", "").split(","))}, updated_at = %s
"""

# In the order in which others lock these rows.
_REVALUE = f"""
WITH locked AS MATERIALIZED (
    SELECT *, %(now)s::timestamptz AS as_of FROM token_holders
     WHERE token_mint = ANY (%(mints)s) AND traded_balance > 0 AND (%(again)s OR last_updated <> %(now)s)
     ORDER BY token_mint, wallet_address FOR UPDATE
), {_PRICED.format(mint="token_mint", rows="locked")}
UPDATE token_holders h SET hold_hours = fresh.hours, unrealized_pnl_sol = fresh.unrealized_sol,
       unrealized_pnl = fresh.unrealized_usd, diamond_hands_score = fresh.diamond, last_updated = %(now)s,
       updated_at = %(now)s
  FROM (
      SELECT v.id, now.hours, worth.unrealized_sol, worth.unrealized_usd, worth.diamond
        FROM locked AS v JOIN priced AS pool ON pool.mint = v.token_mint {_VALUED}
  ) AS fresh
 WHERE h.id = fresh.id
"""

# A list of holders may still name the wallet: then the row stays, without trades.
_GONE = """
WITH gone AS (
    SELECT h.id, h.chain_balance FROM unnest(%s::uuid[], %s::text[]) AS g(token, wallet)
      JOIN tokens k ON k.id = g.token
      JOIN token_holders h ON h.token_mint = k.mint_address AND h.wallet_address = g.wallet
), removed AS (
    DELETE FROM token_holders h USING gone WHERE h.id = gone.id AND gone.chain_balance IS NULL
)
UPDATE token_holders h SET
    current_balance = gone.chain_balance, initial_balance = NULL, peak_balance = NULL, traded_balance = 0,
    first_transaction_time = NULL, last_transaction_time = NULL, held_since = NULL, held_until = NULL, hold_hours = NULL,
    total_bought = 0, total_sold = 0, untracked_sold = 0, buy_count = 0, sell_count = 0, transaction_count = 0,
    cost_sol = NULL, cost_usd = NULL, avg_buy_price = NULL, avg_sell_price = NULL, realized_pnl_sol = NULL,
    realized_pnl = NULL, sold_cost_sol = NULL, fees_sol = NULL, network_fees_unknown = 0,
    unrealized_pnl_sol = NULL, unrealized_pnl = NULL, diamond_hands_score = NULL, sold_ratio = NULL,
    trades_digest = 0, last_updated = %s
  FROM gone WHERE h.id = gone.id AND gone.chain_balance IS NOT NULL
"""
