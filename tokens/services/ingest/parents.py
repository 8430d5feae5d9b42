"""Tokens and pools of a batch: inserted if new, then moved forward under row locks taken in the order of their ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from megatron.core.ids import derived_id
from tokens.choices import PoolStatus, PoolType
from tokens.domain import programs
from tokens.domain.facts import STATUS_RANK, Gathered, KnownPool, Order, PoolFact, TokenFact
from tokens.domain.numbers import PRICE_PLACES, decimal_text, price_scaled, usd_scaled
from tokens.domain.text import sanitised
from tokens.models import Pool
from tokens.services.prices import Window


@lru_cache(maxsize=1 << 16)
def token_id(mint: str) -> UUID:
    """Return the id of a mint's row."""
    return derived_id("token", mint)


@lru_cache(maxsize=1 << 16)
def pool_id(address: str) -> UUID:
    """Return the id of a pool's row."""
    return derived_id("pool", address)


class Sides(NamedTuple):
    """What a trade needs of its pool to become a row."""

    pool_id: UUID
    token_id: UUID
    quote_decimals: int | None
    token_decimals: int
    in_sol: bool
    prices_token: bool
    initial_real_token: int | None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the parents of a batch."""

    sides: dict[str, Sides]
    new_tokens: int
    new_pools: list[str]
    rescaled: list[UUID]
    """Pools that had rows before their decimals were known."""
    remeasured: list[UUID]
    """Pools that had rows before their start was known: their milestones must be found again."""


def known_pools(addresses: Iterable[str]) -> dict[str, KnownPool]:
    """Return the mints of the pools that are stored, by address."""
    rows = Pool.objects.filter(pool_address__in=set(addresses))
    return {a: (b, q, f) for a, b, q, f in rows.values_list("pool_address", "base_mint", "quote_mint", "mints_flipped")}


def write(gathered: Gathered, *, usd: Window) -> Written:
    """Insert what is new and move what is known forward. Must run inside the batch's transaction."""
    new_tokens = _insert_tokens(gathered.tokens)
    decimals = _update_tokens(gathered.tokens)
    new_pools = _insert_pools(gathered.pools)
    return _update_pools(gathered.pools, decimals, new_tokens, set(new_pools), usd)


# -- tokens


def _insert_tokens(facts: dict[str, TokenFact]) -> int:
    rows = sorted((token_id(mint), mint, fact.platform.value) for mint, fact in facts.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tokens (id, mint_address, platform, decimals, is_graduated, metadata)"
            " SELECT n.id, n.mint, n.platform, 6, false, '{}' FROM unnest(%s::uuid[], %s::text[], %s::text[])"
            "   AS n(id, mint, platform)"
            " WHERE NOT EXISTS (SELECT FROM tokens t WHERE t.id = n.id)"
            " ORDER BY n.id ON CONFLICT (id) DO NOTHING",
            _columns(rows, 3),
        )
        return int(cursor.rowcount)


_TOKEN_UPDATE = """
UPDATE tokens t SET
    platform = CASE WHEN t.platform = 'unknown' THEN n.platform ELSE t.platform END,
    decimals = coalesce(n.decimals, t.decimals),
    symbol = coalesce(n.symbol, t.symbol),
    name = coalesce(n.name, t.name),
    uri = coalesce(n.uri, t.uri),
    token_program = coalesce(n.token_program, t.token_program),
    creation_signature = coalesce(n.creation_signature, t.creation_signature),
    creation_timestamp = coalesce(n.creation_timestamp, t.creation_timestamp),
    creator_address = coalesce(n.creator_address, t.creator_address),
    initial_supply = coalesce(n.initial_supply, t.initial_supply),
    metadata = t.metadata || coalesce(n.metadata, '{}'),
    is_graduated = t.is_graduated OR n.graduation_timestamp IS NOT NULL,
    graduation_timestamp = least(t.graduation_timestamp, n.graduation_timestamp),
    graduation_signature = CASE
        WHEN t.graduation_timestamp IS NULL OR (n.graduation_timestamp, n.graduation_signature COLLATE "C")
             < (t.graduation_timestamp, t.graduation_signature COLLATE "C") THEN coalesce(n.graduation_signature, t.graduation_signature)
        ELSE t.graduation_signature END,
    graduation_platform = coalesce(n.graduation_platform, t.graduation_platform)
FROM jsonb_to_recordset(%s) AS n(
    id uuid, platform text, decimals int, symbol text, name text, uri text, token_program text, creation_signature text,
    creation_timestamp timestamptz, creator_address text, initial_supply numeric, metadata jsonb,
    graduation_timestamp timestamptz, graduation_signature text, graduation_platform text)
WHERE t.id = n.id
"""


def _update_tokens(facts: dict[str, TokenFact]) -> dict[UUID, tuple[int, int]]:
    """Write what the batch says about tokens; return each token's decimals before and after."""
    rows = _locked("tokens", "id, decimals, platform", sorted(map(token_id, facts)), lock=False)
    before = {key: (decimals, platform) for key, decimals, platform in rows}
    changed = []
    for mint, fact in facts.items():
        decimals, platform = before[token_id(mint)]
        if (
            fact.creation
            or fact.graduated
            or fact.destination
            or fact.decimals not in (None, decimals)
            or (platform == "unknown" and fact.platform.value != platform)
        ):
            changed.append(_token_record(mint, fact))
    if changed:
        _locked("tokens", "id", sorted(UUID(row["id"]) for row in changed))
        with connection.cursor() as cursor:
            cursor.execute(_TOKEN_UPDATE, [msgspec.json.encode(changed).decode()])
    return {
        token_id(mint): (before[token_id(mint)][0], before[token_id(mint)][0] if fact.decimals is None else fact.decimals)
        for mint, fact in facts.items()
    }


def _token_record(mint: str, fact: TokenFact) -> dict[str, Any]:
    record: dict[str, Any] = {"id": str(token_id(mint)), "platform": fact.platform.value, "decimals": fact.decimals}
    if fact.creation is not None:
        event, fields = fact.creation, fact.creation.fields
        raw = {key: fields.get(key, "") for key in ("name", "symbol", "uri")}
        clean = {key: sanitised(text, limit) for (key, text), limit in zip(raw.items(), (100, 32, 500), strict=True)}
        flags = ("is_mayhem_mode", "is_cashback_enabled", "is_holder_reward", "creator_fee_bps", "depth")
        # JSONB cannot hold NUL, so what the chain really says is kept with it escaped.
        record |= clean | {
            "token_program": fields.get("token_program"),
            "creation_signature": event.signature,
            "creation_timestamp": _iso(event.block_time),
            "creator_address": fields.get("creator") or event.user,
            "initial_supply": fields.get("token_total_supply", fields.get("supply")),
            "metadata": {
                **{f"raw_{key}": text.replace("\0", "\\0") for key, text in raw.items() if text != clean[key]},
                **{key: fields[key] for key in flags if fields.get(key)},
            },
        }
    if fact.graduated is not None:
        at, signature = fact.graduated
        record |= {"graduation_timestamp": _iso(at), "graduation_signature": signature}
    return record | {"graduation_platform": fact.destination}


# -- pools


def _insert_pools(facts: dict[str, PoolFact]) -> list[str]:
    rows = sorted(
        (
            pool_id(address),
            address,
            token_id(fact.mint),
            fact.mint,
            fact.quote_mint,
            fact.quote_decimals,
            fact.flipped,
            fact.venue.value,
            fact.pool_type.value,
            address if fact.pool_type is PoolType.INITIAL and fact.venue.value == "pumpfun" else None,
        )
        for address, fact in facts.items()
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pools (id, pool_address, token_id, base_mint, quote_mint, quote_decimals, mints_flipped, platform,"
            " pool_type, bonding_curve_address, status)"
            " SELECT n.*, 'active' FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::int[],"
            "   %s::boolean[], %s::text[], %s::text[], %s::text[])"
            "   AS n(id, address, token, base, quote, decimals, flipped, platform, type, curve)"
            " WHERE NOT EXISTS (SELECT FROM pools p WHERE p.id = n.id)"
            " ORDER BY n.id ON CONFLICT (id) DO NOTHING RETURNING pool_address",
            _columns(rows, 10),
        )
        return [address for (address,) in cursor.fetchall()]


_STATE = (
    "pool_address, status, quote_decimals, initial_real_token_reserves, quote_target, base_supply, last_slot,"
    " virtual_sol_reserves, virtual_token_reserves, real_sol_reserves, real_token_reserves, last_event_index, last_signature,"
    " last_trade_at, latest_price"
)

_POOL_UPDATE = """
UPDATE pools p SET
    status = n.status, quote_decimals = n.quote_decimals, initial_real_token_reserves = n.initial_real_token_reserves,
    quote_target = n.quote_target, base_supply = n.base_supply, last_slot = n.last_slot,
    virtual_sol_reserves = n.virtual_sol_reserves, virtual_token_reserves = n.virtual_token_reserves,
    real_sol_reserves = n.real_sol_reserves, real_token_reserves = n.real_token_reserves,
    last_event_index = n.last_event_index, last_signature = n.last_signature, last_trade_at = n.last_trade_at,
    latest_price = n.latest_price, latest_price_usd = n.latest_price_usd, market_cap = n.market_cap,
    market_cap_usd = n.market_cap_usd,
    boost_quote_reserves = CASE WHEN p.platform = 'pumpswap' THEN n.virtual_sol_reserves - n.real_sol_reserves END,
    initial_price = coalesce(n.initial_price, p.initial_price),
    initial_base_liquidity = coalesce(n.initial_base_liquidity, p.initial_base_liquidity),
    initial_quote_liquidity = coalesce(n.initial_quote_liquidity, p.initial_quote_liquidity),
    lp_mint = coalesce(n.lp_mint, p.lp_mint), base_vault = coalesce(n.base_vault, p.base_vault),
    quote_vault = coalesce(n.quote_vault, p.quote_vault)
FROM jsonb_to_recordset(%s) AS n(
    id uuid, status text, quote_decimals int, initial_real_token_reserves numeric, quote_target numeric, base_supply numeric,
    last_slot bigint, virtual_sol_reserves numeric, virtual_token_reserves numeric, real_sol_reserves numeric,
    real_token_reserves numeric, last_event_index int, last_signature text, last_trade_at timestamptz, latest_price numeric,
    latest_price_usd numeric, market_cap numeric, market_cap_usd numeric, initial_price numeric,
    initial_base_liquidity numeric, initial_quote_liquidity numeric, lp_mint text, base_vault text, quote_vault text)
WHERE p.id = n.id
"""


def _update_pools(
    facts: dict[str, PoolFact],
    decimals: dict[UUID, tuple[int, int]],
    new_tokens: int,
    new_pools: set[str],
    usd: Window,
) -> Written:
    sides, records, rescaled, remeasured = {}, [], [], []
    for key, *state in _locked("pools", f"id, {_STATE}", sorted(map(pool_id, facts))):
        fact = facts[state[0]]
        merged = _merge(fact, state)
        was, now = decimals[token_id(fact.mint)]
        moved = state[6] is not None
        if moved and (was != now or (state[2] is None and merged["quote_decimals"] is not None)):
            rescaled.append(key)
        if moved and state[3] is None and merged["initial_real_token_reserves"] is not None:
            remeasured.append(key)
        sides[fact.address] = Sides(
            key,
            token_id(fact.mint),
            merged["quote_decimals"],
            now,
            fact.quote_mint == programs.WRAPPED_SOL,
            fact.pool_type is not PoolType.PERMISSIONLESS,
            merged["initial_real_token_reserves"],
        )
        if fact.creation is not None or merged != dict(zip(_NAMES, _comparable(state), strict=True)) or was != now:
            records.append({"id": str(key), **merged, **_priced(fact, merged, now, usd), **_created(fact, merged, now)})
    if records:
        with connection.cursor() as cursor:
            cursor.execute(_POOL_UPDATE, [msgspec.json.encode(records).decode()])
    return Written(sides, new_tokens, sorted(new_pools), rescaled, remeasured)


_NAMES = (
    "status",
    "quote_decimals",
    "initial_real_token_reserves",
    "quote_target",
    "base_supply",
    "last_slot",
    "virtual_sol_reserves",
    "virtual_token_reserves",
    "real_sol_reserves",
    "real_token_reserves",
    "last_event_index",
    "last_signature",
    "last_trade_at",
)


def _comparable(state: Sequence[Any]) -> list[Any]:
    """Return the stored columns of :data:`_NAMES` as the types that :func:`_merge` gives."""
    numbers = {2: int, 3: int, 4: int, 6: int, 7: int, 8: int, 9: int}
    row = [None if v is None else numbers[i](v) if i in numbers else v for i, v in enumerate(state[1:14])]
    row[12] = None if row[12] is None else row[12].astimezone(UTC).isoformat()
    return row


def _merge(fact: PoolFact, state: Sequence[Any]) -> dict[str, Any]:
    """Return the pool's columns after the batch: the newest state, the higher status, and what is known of its start."""
    merged = dict(zip(_NAMES, _comparable(state), strict=True))
    if STATUS_RANK[fact.status] > STATUS_RANK[PoolStatus(merged["status"])]:
        merged["status"] = fact.status.value
    for name, value in (
        ("quote_decimals", fact.quote_decimals),
        ("initial_real_token_reserves", fact.initial_real_token),
        ("quote_target", fact.quote_target),
    ):
        merged[name] = value if value is not None else merged[name]
    event, reserves = fact.newest_event, fact.state
    stored: Order | None = None
    if merged["last_slot"] is not None:
        product = (merged["virtual_sol_reserves"] or 0) * (merged["virtual_token_reserves"] or 0)
        stored = (merged["last_slot"], product, merged["last_event_index"], merged["last_signature"])
    if fact.newest is not None and event is not None and reserves is not None and (stored is None or fact.newest > stored):
        merged |= {
            "last_slot": event.slot,
            "virtual_sol_reserves": reserves.virtual_quote,
            "virtual_token_reserves": reserves.virtual_token,
            "real_sol_reserves": reserves.real_quote,
            "real_token_reserves": reserves.real_token,
            "last_event_index": event.event_index,
            "last_signature": event.signature,
            "last_trade_at": _iso(event.block_time),
            "base_supply": fact.base_supply if fact.base_supply is not None else merged["base_supply"],
        }
    elif merged["base_supply"] is None:
        merged["base_supply"] = fact.base_supply
    return merged


def _priced(fact: PoolFact, merged: dict[str, Any], token_decimals: int, usd: Window) -> dict[str, str | None]:
    """Return spot price and market cap of the merged state, in the quote and, for SOL pools with a fresh price, in USD."""
    quote, token, places = merged["virtual_sol_reserves"], merged["virtual_token_reserves"], merged["quote_decimals"]
    if not quote or not token or places is None:
        return {}
    spot = price_scaled(quote, token, places, token_decimals)
    supply = merged["base_supply"]
    cap = None if supply is None else (2 * spot * supply + 10**token_decimals) // (2 * 10**token_decimals)
    micro = None
    if fact.quote_mint == programs.WRAPPED_SOL:
        micro = usd.at(int(datetime.fromisoformat(merged["last_trade_at"]).timestamp()))
    return {
        "latest_price": decimal_text(spot, PRICE_PLACES),
        "market_cap": None if cap is None else decimal_text(cap, PRICE_PLACES),
        "latest_price_usd": None if micro is None else decimal_text(usd_scaled(spot, PRICE_PLACES, micro), 18),
        "market_cap_usd": None if micro is None or cap is None else decimal_text(usd_scaled(cap, PRICE_PLACES, micro), 18),
    }


def _created(fact: PoolFact, merged: dict[str, Any], token_decimals: int) -> dict[str, Any]:
    """Return the columns that only the pool's creation gives."""
    event = fact.creation
    if event is None:
        return {}
    start = fact.start
    price = None
    if start and start.virtual_quote and start.virtual_token and merged["quote_decimals"] is not None:
        price = decimal_text(
            price_scaled(start.virtual_quote, start.virtual_token, merged["quote_decimals"], token_decimals), PRICE_PLACES
        )
    return {
        "initial_price": price,
        "initial_base_liquidity": start.real_token if start else None,
        "initial_quote_liquidity": start.real_quote if start else None,
        **{name: fact.details.get(name) for name in ("lp_mint", "base_vault", "quote_vault")},
    }


# -- small things


def _locked(table: str, columns: str, keys: list[UUID], *, lock: bool = True) -> list[tuple[Any, ...]]:
    """Return rows by key, locked in the order of their keys so that two batches never wait for each other in a ring."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {table} WHERE id = ANY(%s) ORDER BY id" + (" FOR NO KEY UPDATE" if lock else ""), [keys]
        )
        return list(cursor.fetchall())


def _columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
