"""Tokens and pools of a batch: inserted if new, then moved forward under row locks taken in the order of their ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from megatron.core.ids import derived_id
from tokens.choices import PoolType, Venue
from tokens.domain import programs
from tokens.domain.facts import Gathered, KnownPool, Order, PoolFact, TokenFact
from tokens.domain.text import sanitised
from tokens.models import Pool
from tokens.services.ingest import merging
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
    quote_mint: str = programs.WRAPPED_SOL


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


class StoredToken(NamedTuple):
    """What tells whether a batch has news about a token."""

    decimals: int
    platform: str
    is_graduated: bool
    graduation_platform: str | None


def _stored_tokens(facts: dict[str, TokenFact]) -> dict[str, StoredToken]:
    """Return the tokens that are stored, by id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, decimals, platform, is_graduated, graduation_platform FROM tokens"
            " WHERE id = ANY(string_to_array(%s, ',')::uuid[])",
            [",".join(map(token_id, facts))],
        )
        return {key: StoredToken(*columns) for key, *columns in cursor.fetchall()}


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
    is_graduated = t.is_graduated OR n.is_graduated,
    graduation_timestamp = least(t.graduation_timestamp, n.graduation_timestamp),
    graduation_signature = CASE
        WHEN t.graduation_timestamp IS NULL OR (n.graduation_timestamp, n.graduation_signature COLLATE "C")
             < (t.graduation_timestamp, t.graduation_signature COLLATE "C")
        THEN coalesce(n.graduation_signature, t.graduation_signature)
        ELSE t.graduation_signature END,
    graduation_platform = least(n.graduation_platform, t.graduation_platform)
FROM jsonb_to_recordset(%s) AS n(
    id uuid, platform text, decimals int, symbol text, name text, uri text, token_program text, creation_signature text,
    creation_timestamp timestamptz, creator_address text, initial_supply numeric, metadata jsonb,
    is_graduated boolean, graduation_timestamp timestamptz, graduation_signature text, graduation_platform text)
WHERE t.id = n.id
"""


def _update_tokens(facts: dict[str, TokenFact], stored: dict[str, StoredToken]) -> dict[str, tuple[int, int]]:
    """Write what the batch says about tokens; return each token's decimals before and after, by mint."""
    changed, decimals = [], {}
    for mint, fact in facts.items():
        row = stored[token_id(mint)]
        decimals[mint] = (row.decimals, row.decimals if fact.decimals is None else fact.decimals)
        if (
            fact.creation
            or fact.graduated
            or (fact.is_graduated and not row.is_graduated)
            or (fact.destination and fact.destination != row.graduation_platform)
            or fact.decimals not in (None, row.decimals)
            or (row.platform == "unknown" and fact.platform.value != row.platform)
        ):
            changed.append(_token_record(mint, fact))
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(_TOKEN_LOCK, [[record["id"] for record in changed]])
            cursor.execute(_TOKEN_UPDATE, [msgspec.json.encode(changed).decode()])
    return decimals


def _token_record(mint: str, fact: TokenFact) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": token_id(mint),
        "platform": fact.platform.value,
        "decimals": fact.decimals,
        "is_graduated": fact.is_graduated,
    }
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
       extract(epoch FROM last_trade_at)::bigint, liquidity_slot, migration_slot, migration_signature, milestones_reached
FROM pools WHERE id = ANY(string_to_array(%s, ',')::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""

_WRITE = """
WITH n AS MATERIALIZED (SELECT string_to_array(line, E'\t', '\\N') AS a FROM string_to_table(%s, E'\n') AS line)
UPDATE pools p SET
    status = a[2], quote_decimals = a[3]::int, initial_real_token_reserves = a[4]::numeric, quote_target = a[5]::numeric,
    base_supply = a[6]::numeric, last_slot = a[7]::bigint, virtual_sol_reserves = a[8]::numeric,
    virtual_token_reserves = a[9]::numeric, real_sol_reserves = a[10]::numeric, real_token_reserves = a[11]::numeric,
    last_event_index = a[12]::int, last_signature = a[13], last_trade_at = to_timestamp(a[14]::bigint),
    liquidity_slot = a[15]::bigint, migration_slot = a[16]::bigint, migration_signature = a[17],
    latest_price = a[18]::numeric, latest_price_usd = a[19]::numeric, market_cap = a[20]::numeric,
    market_cap_usd = a[21]::numeric, initial_price = coalesce(a[22]::numeric, p.initial_price),
    initial_base_liquidity = coalesce(a[23]::numeric, p.initial_base_liquidity),
    initial_quote_liquidity = coalesce(a[24]::numeric, p.initial_quote_liquidity), lp_mint = coalesce(a[25], p.lp_mint),
    updated_at = statement_timestamp(),
    -- Known only from one event that tells both what prices the pool and what it holds.
    boost_quote_reserves = CASE WHEN p.platform = 'pumpswap' AND a[15] IS NULL THEN a[8]::numeric - a[10]::numeric END
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
    related = {pool_id(address) for address in new_pools if facts[address].pool_type is not PoolType.PERMISSIONLESS}
    for address, fact in facts.items():
        mint, *columns = states[address]
        if mint != fact.mint:
            raise ValueError(f"Pool {address} is one of {mint}, not of {fact.mint}")
        state = merging.State(*columns)
        before = merging.order(state)
        merged = merging.merge(fact, state, before)
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
            fact.quote_mint,
        )
        if fact.pool_type is PoolType.GRADUATED and merged[-3:-1] != state[-3:-1]:  # its migration
            related.add(pool_id(address))
        if fact.creation is not None or merged != state or was != now:
            values = (
                pool_id(address),
                *merged[:-1],
                *merging.priced(fact, merged, now, usd),
                *merging.created(fact, merged, now),
            )
            lines.append("\t".join("\\N" if value is None else str(value) for value in values))
    if lines:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, ["\n".join(lines)])
    if related:
        _succeed(sorted(related))
    return Written(sides, new_tokens, sorted(new_pools), sorted(rescaled), sorted(remeasured))


_SUCCEED = """
WITH linked AS MATERIALIZED (
    SELECT c.id AS curve, g.id AS successor, g.migration_slot AS slot, g.migration_signature AS signature
    FROM pools c JOIN pools g ON g.token_id = c.token_id AND g.pool_type = 'graduated'
    WHERE c.pool_type = 'initial' AND c.token_id IN (SELECT token_id FROM pools WHERE id = ANY(%s::uuid[]))
    ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE pools c SET
    successor_id = least(c.successor_id, l.successor),
    status = CASE WHEN l.slot IS NULL THEN c.status ELSE 'migrated' END,
    (migration_slot, migration_signature) = (
        SELECT slot, signature FROM (VALUES (c.migration_slot, c.migration_signature), (l.slot, l.signature))
            AS shown(slot, signature)
        ORDER BY slot IS NULL, signature IS NULL, slot, signature COLLATE "C" LIMIT 1)
FROM linked l WHERE c.id = l.curve
"""


def _succeed(pools: list[str]) -> None:
    """Link curves to the pools that they became, whichever was known first, and let a curve learn that it has migrated.

    Whoever makes a token graduated has locked its row before, so of two batches that each bring one half the second sees
    the first one's.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SUCCEED, [pools])


# -- small things


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
