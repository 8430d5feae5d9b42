"""Tokens and pools of a batch: inserted if new, then moved forward under row locks taken in the order of their ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from megatron.core.ids import derived_id
from tokens.choices import PoolStatus, PoolType, Venue
from tokens.domain import programs
from tokens.domain.facts import STATUS_RANK, Gathered, KnownPool, Order, PoolFact, TokenFact
from tokens.domain.numbers import PRICE_PLACES, USD_PLACES, decimal_text, price_scaled, usd_scaled
from tokens.domain.text import sanitised
from tokens.models import Pool
from tokens.services.prices import Window


@lru_cache(maxsize=1 << 16)
def token_id(mint: str) -> str:
    """Return the id of a mint's row, as text: thousands go through each batch."""
    return str(derived_id("token", mint))


@lru_cache(maxsize=1 << 16)
def pool_id(address: str) -> str:
    """Return the id of a pool's row, as text."""
    return str(derived_id("pool", address))


class Sides(NamedTuple):
    """What a trade needs of its pool to become a row."""

    pool_id: str
    token_id: str
    quote_decimals: int | None
    token_decimals: int
    in_sol: bool
    prices_token: bool
    initial_real_token: int | None
    milestones_reached: int
    newest: Order | None
    """How far the pool had come before the batch."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the parents of a batch."""

    sides: dict[str, Sides]
    new_tokens: int
    new_pools: list[str]
    rescaled: list[str]
    """Pools that had rows before their decimals were known."""
    remeasured: list[str]
    """Pools that had rows before their start was known: their milestones must be found again."""


def known_pools(addresses: Iterable[str]) -> dict[str, KnownPool]:
    """Return the mints of the pools that are stored, by address."""
    rows = Pool.objects.filter(pool_address__in=set(addresses))
    return {a: (b, q, f) for a, b, q, f in rows.values_list("pool_address", "base_mint", "quote_mint", "mints_flipped")}


def write(gathered: Gathered, *, usd: Window) -> Written:
    """Insert what is new and move what is known forward. Must run inside the batch's transaction."""
    stored = _stored_tokens(gathered.tokens)
    missing = [fact for mint, fact in gathered.tokens.items() if token_id(mint) not in stored]
    new_tokens = _insert_tokens(missing)
    if missing:
        stored = _stored_tokens(gathered.tokens)
    decimals = _update_tokens(gathered.tokens, stored)
    states = _locked_pools(gathered.pools)
    absent = [fact for address, fact in gathered.pools.items() if address not in states]
    new_pools = _insert_pools(absent)
    if absent:
        states |= _locked_pools({fact.address: fact for fact in absent})
    return _update_pools(gathered.pools, states, decimals, new_tokens, new_pools, usd)


# -- tokens


def _stored_tokens(facts: dict[str, TokenFact]) -> dict[str, tuple[int, str]]:
    """Return (decimals, platform) of the tokens that are stored, by id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, decimals, platform FROM tokens WHERE id = ANY(string_to_array(%s, ',')::uuid[])",
            [",".join(map(token_id, facts))],
        )
        return {key: (decimals, platform) for key, decimals, platform in cursor.fetchall()}


def _insert_tokens(facts: list[TokenFact]) -> int:
    rows = sorted((token_id(fact.mint), fact.mint, fact.platform.value) for fact in facts)
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tokens (id, mint_address, platform, decimals, is_graduated, metadata)"
            " SELECT n.id, n.mint, n.platform, 6, false, '{}' FROM unnest(%s::uuid[], %s::text[], %s::text[])"
            "   AS n(id, mint, platform) ORDER BY n.id ON CONFLICT (id) DO NOTHING",
            _columns(rows),
        )
        return int(cursor.rowcount)


_TOKEN_LOCK = "SELECT FROM tokens WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"

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
             < (t.graduation_timestamp, t.graduation_signature COLLATE "C")
        THEN coalesce(n.graduation_signature, t.graduation_signature)
        ELSE t.graduation_signature END,
    graduation_platform = coalesce(n.graduation_platform, t.graduation_platform)
FROM jsonb_to_recordset(%s) AS n(
    id uuid, platform text, decimals int, symbol text, name text, uri text, token_program text, creation_signature text,
    creation_timestamp timestamptz, creator_address text, initial_supply numeric, metadata jsonb,
    graduation_timestamp timestamptz, graduation_signature text, graduation_platform text)
WHERE t.id = n.id
"""


def _update_tokens(facts: dict[str, TokenFact], stored: dict[str, tuple[int, str]]) -> dict[str, tuple[int, int]]:
    """Write what the batch says about tokens; return each token's decimals before and after, by mint."""
    changed, decimals = [], {}
    for mint, fact in facts.items():
        was, platform = stored[token_id(mint)]
        decimals[mint] = (was, was if fact.decimals is None else fact.decimals)
        if (
            fact.creation
            or fact.graduated
            or fact.destination
            or fact.decimals not in (None, was)
            or (platform == "unknown" and fact.platform.value != platform)
        ):
            changed.append(_token_record(mint, fact))
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(_TOKEN_LOCK, [[record["id"] for record in changed]])
            cursor.execute(_TOKEN_UPDATE, [msgspec.json.encode(changed).decode()])
    return decimals


def _token_record(mint: str, fact: TokenFact) -> dict[str, Any]:
    record: dict[str, Any] = {"id": token_id(mint), "platform": fact.platform.value, "decimals": fact.decimals}
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


def _insert_pools(facts: list[PoolFact]) -> list[str]:
    rows = sorted(
        (
            pool_id(fact.address),
            fact.address,
            token_id(fact.mint),
            fact.mint,
            fact.quote_mint,
            fact.quote_decimals,
            fact.flipped,
            fact.venue.value,
            fact.pool_type.value,
            fact.address if fact.venue is Venue.PUMPFUN else None,
        )
        for fact in facts
    )
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pools (id, pool_address, token_id, base_mint, quote_mint, quote_decimals, mints_flipped, platform,"
            " pool_type, bonding_curve_address, status)"
            " SELECT n.*, 'active' FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::int[],"
            "   %s::boolean[], %s::text[], %s::text[], %s::text[])"
            "   AS n(id, address, token, base, quote, decimals, flipped, platform, type, curve)"
            " ORDER BY n.id ON CONFLICT (id) DO NOTHING RETURNING pool_address",
            _columns(rows),
        )
        return [address for (address,) in cursor.fetchall()]


_READ = """
SELECT pool_address, base_mint, status, quote_decimals, initial_real_token_reserves, quote_target, base_supply, last_slot,
       virtual_sol_reserves, virtual_token_reserves, real_sol_reserves, real_token_reserves, last_event_index, last_signature,
       extract(epoch FROM last_trade_at)::bigint, milestones_reached
FROM pools WHERE id = ANY(string_to_array(%s, ',')::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""

_WRITE = """
WITH n AS MATERIALIZED (SELECT string_to_array(line, E'\t', '\\N') AS a FROM string_to_table(%s, E'\n') AS line)
UPDATE pools p SET
    status = a[2], quote_decimals = a[3]::int, initial_real_token_reserves = a[4]::numeric, quote_target = a[5]::numeric,
    base_supply = a[6]::numeric, last_slot = a[7]::bigint, virtual_sol_reserves = a[8]::numeric,
    virtual_token_reserves = a[9]::numeric, real_sol_reserves = a[10]::numeric, real_token_reserves = a[11]::numeric,
    last_event_index = a[12]::int, last_signature = a[13], last_trade_at = to_timestamp(a[14]::bigint),
    latest_price = a[15]::numeric, latest_price_usd = a[16]::numeric, market_cap = a[17]::numeric,
    market_cap_usd = a[18]::numeric, initial_price = coalesce(a[19]::numeric, p.initial_price),
    initial_base_liquidity = coalesce(a[20]::numeric, p.initial_base_liquidity),
    initial_quote_liquidity = coalesce(a[21]::numeric, p.initial_quote_liquidity), lp_mint = coalesce(a[22], p.lp_mint),
    updated_at = statement_timestamp(),
    boost_quote_reserves = CASE WHEN p.platform = 'pumpswap' THEN a[8]::numeric - a[10]::numeric END
FROM n WHERE p.id = a[1]::uuid
"""


def _locked_pools(facts: dict[str, PoolFact]) -> dict[str, Sequence[Any]]:
    """Return the stored state of pools by address, locked in the order of ids so that two batches never wait in a ring."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [",".join(map(pool_id, facts))])
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _update_pools(
    facts: dict[str, PoolFact],
    states: dict[str, Sequence[Any]],
    decimals: dict[str, tuple[int, int]],
    new_tokens: int,
    new_pools: list[str],
    usd: Window,
) -> Written:
    sides: dict[str, Sides] = {}
    lines, rescaled, remeasured = [], [], []
    for address, fact in facts.items():
        mint, *columns = states[address]
        if mint != fact.mint:
            raise ValueError(f"Pool {address} is one of {mint}, not of {fact.mint}")
        state = State(*columns)
        before = _order(state)
        merged = _merge(fact, state, before)
        was, now = decimals[fact.mint]
        if state.last_slot is not None:
            if was != now or (state.quote_decimals is None and merged.quote_decimals is not None):
                rescaled.append(pool_id(address))
            if state.initial_real is None and merged.initial_real is not None:
                remeasured.append(pool_id(address))
        sides[address] = Sides(
            pool_id(address),
            token_id(fact.mint),
            merged.quote_decimals,
            now,
            fact.quote_mint == programs.WRAPPED_SOL,
            fact.pool_type is not PoolType.PERMISSIONLESS,
            merged.initial_real,
            merged.milestones_reached,
            before,
        )
        if fact.creation is not None or merged != state or was != now:
            values = (pool_id(address), *merged[:-1], *_priced(fact, merged, now, usd), *_created(fact, merged, now))
            lines.append("\t".join("\\N" if value is None else str(value) for value in values))
    if lines:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, ["\n".join(lines)])
    return Written(sides, new_tokens, sorted(new_pools), sorted(rescaled), sorted(remeasured))


class State(NamedTuple):
    """The columns of a pool that a batch can move. Amounts come as ``Decimal`` from the database and compare as numbers."""

    status: str
    quote_decimals: int | None
    initial_real: int | None
    quote_target: int | None
    base_supply: int | None
    last_slot: int | None
    virtual_quote: int | None
    virtual_token: int | None
    real_quote: int | None
    real_token: int | None
    last_event_index: int | None
    last_signature: str | None
    last_trade_at: int | None
    milestones_reached: int


def _order(state: State) -> Order | None:
    """Return where on the chain a stored state stands."""
    if state.last_slot is None or state.last_event_index is None or state.last_signature is None:
        return None
    product = int(state.virtual_quote or 0) * int(state.virtual_token or 0)
    return (state.last_slot, product, state.last_event_index, state.last_signature)


def _merge(fact: PoolFact, state: State, stored: Order | None) -> State:
    """Return the pool's columns after the batch: the newest state, the higher status, and what is known of its start."""
    status, supply = state.status, state.base_supply
    if fact.status is not PoolStatus.ACTIVE and STATUS_RANK[fact.status] > STATUS_RANK[PoolStatus(status)]:
        status = fact.status.value
    decimals = state.quote_decimals if fact.quote_decimals is None else fact.quote_decimals
    start = state.initial_real if fact.initial_real_token is None else fact.initial_real_token
    target = state.quote_target if fact.quote_target is None else fact.quote_target
    event, after = fact.newest_event, fact.state
    if event is None or after is None or fact.newest is None or (stored is not None and fact.newest <= stored):
        supply = fact.base_supply if supply is None else supply
        return State(status, decimals, start, target, supply, *state[5:])
    supply = supply if fact.base_supply is None else fact.base_supply
    return State(
        status,
        decimals,
        start,
        target,
        supply,
        event.slot,
        after.virtual_quote,
        after.virtual_token,
        after.real_quote,
        after.real_token,
        event.event_index,
        event.signature,
        event.block_time,
        state.milestones_reached,
    )


def _priced(fact: PoolFact, pool: State, token_decimals: int, usd: Window) -> tuple[str | None, ...]:
    """Return spot price and market cap of a state, each in the quote and, for SOL pools with a fresh price, in USD."""
    if not pool.virtual_quote or not pool.virtual_token or pool.quote_decimals is None:
        return (None,) * 4
    spot = price_scaled(int(pool.virtual_quote), int(pool.virtual_token), pool.quote_decimals, token_decimals)
    unit = 10**token_decimals
    cap = None if pool.base_supply is None else (2 * spot * int(pool.base_supply) + unit) // (2 * unit)
    micro = usd.at(pool.last_trade_at) if fact.quote_mint == programs.WRAPPED_SOL and pool.last_trade_at else None
    return (
        decimal_text(spot, PRICE_PLACES),
        None if micro is None else decimal_text(usd_scaled(spot, PRICE_PLACES, micro), USD_PLACES),
        None if cap is None else decimal_text(cap, PRICE_PLACES),
        None if micro is None or cap is None else decimal_text(usd_scaled(cap, PRICE_PLACES, micro), USD_PLACES),
    )


def _created(fact: PoolFact, pool: State, token_decimals: int) -> tuple[Any, ...]:
    """Return what only the pool's creation gives: initial price, both initial liquidities, LP mint."""
    start = fact.start
    if start is None:
        return (None,) * 4
    price = None
    if start.virtual_quote and start.virtual_token and pool.quote_decimals is not None:
        scaled = price_scaled(start.virtual_quote, start.virtual_token, pool.quote_decimals, token_decimals)
        price = decimal_text(scaled, PRICE_PLACES)
    return price, start.real_token, start.real_quote, fact.details.get("lp_mint")


# -- small things


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
