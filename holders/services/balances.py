"""Who holds a token and at what cost, from our own trades.

Each wallet's row is derived from all its trades of the token, whatever the order in which they came: where the trades'
digest is still the one of the row, nothing is done, so a late trade and a fork that is taken back cost their wallets' rows
and no others. ``holders.domain.positions`` has the arithmetic.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from holders.domain import ledger
from holders.domain.ledger import Ledger
from holders.domain.positions import Position

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
    is_whole: bool


def _fold(tokens: list[UUID], now: datetime) -> tuple[int, int]:
    """Write the rows of wallets whose trades have changed; return how many, and how many have no trades left."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED, {"tokens": tokens, "now": now})
        stored = {(token, wallet): _Stored(*rest) for token, wallet, *rest in cursor.fetchall()}
    keys, trades = _read(tokens)
    found = ledger.digests(trades).tolist()
    kept = [stored.get(key) for key in keys]
    wanted = np.array(
        [row is None or (row.is_whole and row.digest != digest) for row, digest in zip(kept, found, strict=True)],
        dtype=bool,
    )
    later = ledger.traded_since(trades, [row.chain_slot if row else None for row in kept])
    rows = [
        _row(keys[owner], position, found[owner], later[owner])
        for owner, position in (ledger.positions(ledger.taken(trades, wanted)) if len(keys) else ())
    ]
    missing = stored.keys() - set(keys)
    gone = [key for key in missing if stored[key].is_whole and stored[key].trades]
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(_UPSERT, [*map(_literal, zip(*rows, strict=True)), now, now])
        if gone:
            cursor.execute(_GONE, [[token for token, _ in gone], [wallet for _, wallet in gone], now])
    return len(rows), len(gone)


def _literal(values: Iterable[Any]) -> str:
    """Return an array as PostgreSQL writes it, of values that need no quotes: an adapter looks at each of them."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def _read(tokens: list[UUID]) -> tuple[list[tuple[UUID, str]], Ledger]:
    """Return the wallets of ``tokens`` in order, and their trades as columns."""
    with connection.cursor() as cursor:
        cursor.execute(_TRADES, [tokens])
        whole = {name: value or b"" for (name, _), value in zip(_KINDS, cursor.fetchone() or (), strict=True)}
    column = {name: np.frombuffer(whole[name], dtype=kind) for name, kind in _KINDS}
    begins = np.ones(len(column["wallet"]), dtype=bool)
    for name in ("token", "wallet"):
        begins[1:] &= column[name][1:] == column[name][:-1]
    begins[1:] = ~begins[1:]
    of, wallets = column["token"][begins].tolist(), column["wallet"][begins].tolist()
    keys = [(tokens[place], wallet.decode().rstrip()) for place, wallet in zip(of, wallets, strict=True)]
    amounts = column["raw"].astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)
    fits = not len(amounts) or int(amounts.max()) < 1 << 63
    numbers = {name: column[name].astype(np.int64) for name in ("lamports", "usd_nano", "at_micros", "slot", "digest")}
    return keys, Ledger(
        owner=np.cumsum(begins) - 1,
        buys=column["buys"] != 0,
        raw=amounts.astype(np.int64 if fits else object),
        **numbers,
    )


_KINDS = (
    ("token", ">i4"),
    ("wallet", "S44"),
    ("buys", ">i4"),
    ("at_micros", ">i8"),
    ("slot", ">i8"),
    ("raw", ">i8"),
    ("lamports", ">i8"),
    ("usd_nano", ">i8"),
    ("digest", ">i8"),
)
"""Columns as the database packs them, one string of bytes each: a hundred thousand rows would cost ten times as much."""

_DIGEST = "hash_record_extended(ROW (t.id, t.slot, t.sol_amount, t.sol_amount_usd, k.decimals), 0)"
"""Whatever of a trade a holder's row follows from; the id stands for what never changes under it."""

# Amounts are sent less 2⁶³, so that all of u64 fits; a value that is not known is -1.
_TRADES = f"""
SELECT string_agg(int4send(token), ''), string_agg(convert_to(rpad(wallet, 44), 'UTF8'), ''),
       string_agg(int4send(buys::int), ''), string_agg(timestamptz_send(at), ''), string_agg(int8send(slot), ''),
       string_agg(int8send(raw), ''), string_agg(int8send(lamports), ''), string_agg(int8send(usd), ''),
       string_agg(int8send(digest), '')
  FROM (
    SELECT w.place::int - 1 AS token, t.user_address AS wallet, t.type = 'buy' AS buys, t.block_time AS at, t.slot,
           (CASE t.type WHEN 'buy' THEN t.amount_out ELSE t.amount_in END - 9223372036854775808)::bigint AS raw,
           coalesce(t.sol_amount * 1000000000, -1)::bigint AS lamports,
           coalesce(round(t.sol_amount_usd * 1000000000), -1)::bigint AS usd, {_DIGEST} AS digest
      FROM unnest(%s::uuid[]) WITH ORDINALITY AS w(token_id, place)
      JOIN tokens k ON k.id = w.token_id JOIN transactions t ON t.token_id = k.id
     WHERE t.type IN ('buy', 'sell')
     ORDER BY w.place, t.user_address COLLATE "C", t.slot, coalesce(t.quote_reserves * t.token_reserves, 0),
              t.event_index, t.signature COLLATE "C"
) AS traded
"""

# Of a token without rows the trades are counted only.
_STALE = f"""
SELECT k.id, coalesce(traded.trades, 0) FROM tokens k
  LEFT JOIN LATERAL (
      SELECT sum(transaction_count) AS trades, bit_xor(trades_digest) AS digest
        FROM token_holders WHERE token_mint = k.mint_address AND transaction_count > 0) AS kept ON true
  LEFT JOIN LATERAL (
      SELECT count(*) AS trades, bit_xor(CASE WHEN kept.digest IS NOT NULL THEN {_DIGEST} END) AS digest
        FROM transactions t WHERE t.token_id = k.id AND t.type IN ('buy', 'sell')) AS traded ON true
 WHERE k.mint_address = ANY (%(mints)s)
   AND (traded.trades, traded.digest) IS DISTINCT FROM (coalesce(kept.trades, 0), kept.digest)
 ORDER BY k.id
"""

_STORED = """
SELECT k.id, h.wallet_address, h.trades_digest, h.transaction_count, h.chain_slot,
       h.first_transaction_time IS NULL OR NOT EXISTS (
           SELECT FROM retention_policies p
            WHERE p.table_name = 'transactions' AND h.first_transaction_time < %(now)s - p.drop_after)
  FROM token_holders h JOIN tokens k ON k.mint_address = h.token_mint WHERE k.id = ANY (%(tokens)s)
"""


def _row(key: tuple[UUID, str], position: Position, digest: int, later: int) -> tuple[Any, ...]:
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
        digest,
    )


# Once a token, not once a holder.
_PRICED = """
priced AS MATERIALIZED (
    SELECT k.mint_address AS mint, pool.* FROM tokens k LEFT JOIN LATERAL (
        SELECT CASE WHEN quote_mint = 'So11111111111111111111111111111111111111112' THEN latest_price END AS price,
               latest_price_usd AS price_usd
          FROM pools WHERE token_id = k.id AND pool_type IN ('initial', 'graduated')
         ORDER BY pool_type = 'graduated' DESC, id LIMIT 1) AS pool ON true
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
    " transaction_count, cost_sol, cost_usd, avg_buy_price, avg_sell_price, realized_pnl_sol, realized_pnl,"
    " unrealized_pnl_sol, unrealized_pnl, diamond_hands_score, sold_ratio, trades_digest, last_updated"
)

_UPSERT = f"""
WITH folded AS (
    SELECT f.*, k.mint_address AS mint, ('1e-' || k.decimals)::numeric AS unit, ('1e' || k.decimals)::numeric AS whole,
           h.chain_balance
      FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[],
                  %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::int[],
                  %s::int[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                  %s::bigint[])
           AS f (token, wallet, held, initial, peak, later, first_at, last_at, since, until, bought, sold, untracked,
                 buys, sells, cost, cost_usd, realized, realized_usd, spent, earned, digest)
      JOIN tokens k ON k.id = f.token
      LEFT JOIN token_holders h ON h.token_mint = k.mint_address AND h.wallet_address = f.wallet
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
           realized_usd * 1e-9 AS realized_usd, digest, %s::timestamptz AS as_of,
           div(2 * spent * whole * 1e20 + bought * 1e9, nullif(2 * bought * 1e9, 0)) * 1e-20 AS avg_buy,
           div(2 * earned * whole * 1e20 + sold * 1e9, nullif(2 * sold * 1e9, 0)) * 1e-20 AS avg_sell
      FROM folded
), {_PRICED.format(mint="mint", rows="folded")}
INSERT INTO token_holders (id, token_mint, wallet_address, {_COLUMNS})
SELECT gen_random_uuid(), v.mint, v.wallet, v.current_balance, v.initial_balance, v.peak_balance, v.traded_balance,
       v.first_at, v.last_at, v.held_since, v.held_until, now.hours, v.total_bought, v.total_sold, v.untracked_sold,
       v.buys, v.sells, v.buys + v.sells, v.cost_sol, v.cost_usd, v.avg_buy, v.avg_sell, v.realized_sol, v.realized_usd,
       worth.unrealized_sol, worth.unrealized_usd, worth.diamond, now.sold, v.digest, v.as_of
  FROM v JOIN priced AS pool ON pool.mint = v.mint {_VALUED}
 ORDER BY v.mint, v.wallet
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
    realized_pnl = NULL, unrealized_pnl_sol = NULL, unrealized_pnl = NULL, diamond_hands_score = NULL, sold_ratio = NULL,
    trades_digest = 0, last_updated = %s
  FROM gone WHERE h.id = gone.id AND gone.chain_balance IS NOT NULL
"""
