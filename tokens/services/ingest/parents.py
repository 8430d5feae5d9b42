"""Tokens and pools of a batch: inserted if new, then moved forward under row locks taken in the order of their ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from megatron.core.ids import derived_id
from tokens.choices import PoolType, Venue
from tokens.domain import programs
from tokens.domain.facts import Gathered, KnownPool, Order, PoolFact
from tokens.models import Pool
from tokens.services.ingest import merging, tokens
from tokens.services.ingest.tokens import token_id
from tokens.services.prices import Window


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
    new_tokens, decimals, coins = tokens.write(gathered.tokens)
    states = _locked_pools(gathered.pools)
    absent = [fact for address, fact in gathered.pools.items() if address not in states]
    if absent:
        tokens.hold(fact.mint for fact in absent)
    new_pools = _insert_pools(absent)
    if absent:
        states |= _locked_pools({fact.address: fact for fact in absent})
    return _update_pools(gathered.pools, states, decimals, coins, new_tokens, new_pools, usd)


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
            [list(column) for column in zip(*rows, strict=True)],
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
    coins: dict[str, int | None],
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
        if fact.mint in coins and fact.venue is Venue.PUMPFUN:
            merged = merging.of_mayhem(merged, created_at=coins[fact.mint])
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
