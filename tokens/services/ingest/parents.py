"""Tokens and pools of a batch: inserted if new, then moved forward under row locks taken in the order of their ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from megatron.core.ids import derived_id
from tokens.choices import PoolType, Venue
from tokens.domain import mayhem, programs
from tokens.domain.facts import Gathered, KnownPool, Order, PoolFact, Unstorable
from tokens.models import Pool
from tokens.selectors.mayhem import is_mayhem
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
    fees_in_token: bool = False
    """The program takes its fees from what it calls the quote, which is our token."""


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
    launches: set[str]
    """The signatures of the creations of the batch's tokens, as far as these are known."""


def known_pools(addresses: Iterable[str]) -> dict[str, KnownPool]:
    """Return the mints of the pools that are stored, by address."""
    rows = Pool.objects.filter(pool_address__in=set(addresses))
    return {a: (b, q, f) for a, b, q, f in rows.values_list("pool_address", "base_mint", "quote_mint", "mints_flipped")}


def write(gathered: Gathered, *, usd: Window) -> Written:
    """Insert what is new and move what is known forward. Must run inside the batch's transaction."""
    told = tokens.write(gathered.tokens)
    states = _locked_pools(gathered.pools)
    absent = [fact for address, fact in gathered.pools.items() if address not in states]
    if absent:
        tokens.hold(fact.mint for fact in absent)
    new_pools = _insert_pools(absent)
    if absent:
        states |= _locked_pools({fact.address: fact for fact in absent})
    return _update_pools(gathered.pools, states, told, new_pools, usd)


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
       virtual_sol_reserves, virtual_token_reserves, real_sol_reserves, real_token_reserves, boost_quote_reserves, base_vault,
       quote_vault, lp_mint, last_event_index, last_signature,
       extract(epoch FROM last_trade_at)::bigint, liquidity_slot, migration_slot, migration_signature, milestones_reached
FROM pools WHERE id = ANY(string_to_array(%s, ',')::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""

_WRITE = """
WITH n AS MATERIALIZED (SELECT string_to_array(line, E'\t', '\\N') AS a FROM string_to_table(%s, E'\n') AS line)
UPDATE pools p SET
    status = a[2], quote_decimals = a[3]::int, initial_real_token_reserves = a[4]::numeric, quote_target = a[5]::numeric,
    base_supply = a[6]::numeric, last_slot = a[7]::bigint, virtual_sol_reserves = a[8]::numeric,
    virtual_token_reserves = a[9]::numeric, real_sol_reserves = a[10]::numeric, real_token_reserves = a[11]::numeric,
    boost_quote_reserves = a[12]::numeric, base_vault = a[13], quote_vault = a[14], lp_mint = a[15],
    last_event_index = a[16]::int, last_signature = a[17], last_trade_at = to_timestamp(a[18]::bigint),
    liquidity_slot = a[19]::bigint, migration_slot = a[20]::bigint, migration_signature = a[21],
    latest_price = a[22]::numeric, latest_price_usd = a[23]::numeric, market_cap = a[24]::numeric,
    market_cap_usd = a[25]::numeric, initial_price = coalesce(a[26]::numeric, p.initial_price),
    initial_base_liquidity = coalesce(a[27]::numeric, p.initial_base_liquidity),
    initial_quote_liquidity = coalesce(a[28]::numeric, p.initial_quote_liquidity), updated_at = statement_timestamp()
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
    told: tokens.Written,
    new_pools: list[str],
    usd: Window,
) -> Written:
    sides: dict[str, Sides] = {}
    lines, rescaled, remeasured = [], [], []
    valued: set[str] = set()
    related = {pool_id(address) for address in new_pools if facts[address].pool_type is not PoolType.PERMISSIONLESS}
    for address, fact in facts.items():
        mint, *columns = states[address]
        if mint != fact.mint:
            raise Unstorable(f"Pool {address} is one of {mint}, not of {fact.mint}")
        state = merging.State(*columns)
        before = merging.order(state)
        merged = _merged(fact, state, before, told)
        was, now = told.decimals[fact.mint]
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
            fact.flipped,
        )
        if fact.pool_type is PoolType.GRADUATED and _migration(merged) != _migration(state):
            related.add(pool_id(address))
        if (
            merged.base_supply != state.base_supply
            if fact.pool_type is PoolType.INITIAL
            else merged.base_supply is None
        ):
            valued.add(token_id(fact.mint))
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
    if valued:
        value_by_curve(tokens=sorted(valued))
    return Written(sides, told.new, sorted(new_pools), sorted(rescaled), sorted(remeasured), told.launches)


def _merged(fact: PoolFact, state: merging.State, before: Order | None, told: tokens.Written) -> merging.State:
    """Return the pool's columns after the batch."""
    merged = merging.merge(fact, state, before)
    if fact.mint in told.mayhem and fact.venue is Venue.PUMPFUN:
        return merging.of_mayhem(merged, created_at=told.mayhem[fact.mint])
    return merged


def _migration(state: merging.State) -> tuple[int | None, str | None]:
    return state.migration_slot, state.migration_signature


_VALUE = f"""
WITH valued AS MATERIALIZED (
    -- What there is of a mayhem coin nobody knows once its agent may have burned some of it.
    SELECT g.id, CASE WHEN NOT {is_mayhem("k")} OR g.last_trade_at < k.creation_timestamp + %(mayhem)s
        THEN round(g.latest_price * c.base_supply * power(10::numeric, -k.decimals), 20) END AS cap
    FROM pools c JOIN tokens k ON k.id = c.token_id
    JOIN pools g ON g.token_id = c.token_id AND g.pool_type <> 'initial' AND g.base_supply IS NULL
    WHERE c.token_id = ANY(%(tokens)s::uuid[]) AND c.pool_type = 'initial'
    ORDER BY g.id FOR NO KEY UPDATE OF g
)
UPDATE pools g SET market_cap = v.cap,
    market_cap_usd = CASE WHEN g.latest_price_usd IS NOT NULL THEN v.cap * quote_usd_at(g.quote_mint, g.last_trade_at) END
FROM valued v WHERE g.id = v.id AND g.market_cap IS DISTINCT FROM v.cap
"""


def value_by_curve(*, tokens: Sequence[Any]) -> None:
    """Give AMM pools of ``tokens`` (ids) whose own events name no supply the market cap by the supply that the curve knew.

    Whoever makes a token graduated, or creates it, has locked its row before, so of two batches that each bring one half the
    second sees the first one's.
    """
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"tokens": list(tokens), "mayhem": mayhem.TRADED_FOR}
        cursor.execute(_VALUE, asked)


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
