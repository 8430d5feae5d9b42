"""The columns of a pool that move: merged so that the order of arrival does not matter. Touches no database."""

from typing import Any, NamedTuple

from tokens.choices import PoolStatus, Venue
from tokens.domain import mayhem
from tokens.domain.facts import STATUS_RANK, Holdings, Migrated, Order, PoolFact
from tokens.domain.numbers import PRICE_PLACES, USD_PLACES, forms_price, price_scaled, usd_scaled
from tokens.services.prices import Window


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
    boost: int | None
    base_vault: str | None
    quote_vault: str | None
    lp_mint: str | None
    last_event_index: int | None
    last_signature: str | None
    last_trade_at: int | None
    liquidity_slot: int | None
    migration_slot: int | None
    migration_signature: str | None
    milestones_reached: int


def order(state: State) -> Order | None:
    """Return where on the chain a stored state stands."""
    if state.last_slot is None or state.last_event_index is None or state.last_signature is None:
        return None
    product = int(state.virtual_quote or 0) * int(state.virtual_token or 0)
    return (state.last_slot, product, state.last_event_index, state.last_signature)


def merge(fact: PoolFact, state: State, stored: Order | None) -> State:
    """Return the pool's columns after the batch: the newest state, the higher status, and what is known of its start."""
    status, supply = state.status, state.base_supply
    if fact.status is not PoolStatus.ACTIVE and STATUS_RANK[fact.status] > STATUS_RANK[PoolStatus(status)]:
        status = fact.status.value
    merged = state._replace(
        status=status,
        quote_decimals=state.quote_decimals if fact.quote_decimals is None else fact.quote_decimals,
        initial_real=state.initial_real if fact.initial_real_token is None else fact.initial_real_token,
        quote_target=_first(fact.quote_target, state.quote_target, fact.implied_target),
        base_vault=state.base_vault or fact.base_vault,
        quote_vault=state.quote_vault or fact.quote_vault,
        lp_mint=state.lp_mint or fact.lp_mint,
    )
    if fact.migrated is not None:
        merged = _migrated(merged, fact.migrated)
    event, after = fact.newest_event, fact.state
    if event is None or after is None or fact.newest is None or (stored is not None and fact.newest <= stored):
        merged = merged._replace(base_supply=fact.base_supply if supply is None else supply)
    else:
        merged = merged._replace(
            base_supply=supply if fact.base_supply is None else fact.base_supply,
            last_slot=event.slot,
            virtual_quote=after.virtual_quote,
            virtual_token=after.virtual_token,
            last_event_index=event.event_index,
            last_signature=event.signature,
            last_trade_at=event.block_time,
        )
        boost = _boost(fact, after.virtual_quote, after.real_quote)
        # What came later on the chain and told only what the pool holds knows that better.
        if not _is_before_holdings(fact.newest[0], boost, state):
            merged = merged._replace(
                real_quote=after.real_quote, real_token=after.real_token, boost=boost, liquidity_slot=None
            )
        elif state.boost is not None:  # a boost moves no tokens
            merged = merged._replace(real_token=after.real_token)
    return merged if fact.holdings is None else _held(merged, fact.holdings)


def of_mayhem(state: State, *, created_at: int | None) -> State:
    """Return the columns of a mayhem coin's curve: its supply by its age, and no target, for what it raises is not told before
    its last token is sold."""
    supply = mayhem.supply_raw(created_at=created_at, at=state.last_trade_at)
    return state._replace(base_supply=supply, quote_target=None)


def _first(*values: int | None) -> int | None:
    """Return the first that is known."""
    return next((value for value in values if value is not None), None)


def _boost(fact: PoolFact, virtual_quote: int | None, real_quote: int | None) -> int | None:
    """Return PumpSwap's virtual quote reserves: known only from one event that tells both what prices and what it holds."""
    if fact.venue is not Venue.PUMPSWAP or virtual_quote is None or real_quote is None:
        return None
    return virtual_quote - real_quote


def _is_before_holdings(slot: int, boost: int | None, state: State) -> bool:
    """Say whether a pool's state is older than what ``state`` knows the pool to hold.

    Of the slot in which a boost opened the pool, only what has no boost is: the pool's creation, and the completing purchase.
    """
    if state.liquidity_slot is None or slot > state.liquidity_slot:
        return False
    return slot < state.liquidity_slot or (state.boost is not None and boost == 0)


def _held(state: State, held: Holdings) -> State:
    """Return ``state`` with what the pool held after the newest event that tells only that, if nothing known came later."""
    known = state.last_slot if state.liquidity_slot is None else state.liquidity_slot
    if known is not None and held.slot <= known:
        # Of its own slot a boost is later than what has none: what opened the pool, and what tells no price.
        has_none = state.boost == 0 if state.liquidity_slot is None else state.boost is None
        if held.slot < known or not held.is_boost or not has_none:
            return state
    return state._replace(
        real_quote=held.real_quote,
        real_token=state.real_token if held.is_boost else held.real_token,
        boost=held.boost,
        liquidity_slot=held.slot,
    )


def _migrated(state: State, shown: Migrated) -> State:
    """Return ``state`` with the earliest proof of the migration; the migration itself counts more than a trade after it."""
    if state.migration_slot is not None:
        stored = (state.migration_signature is None, state.migration_slot, state.migration_signature or "")
        shown = min(stored, shown)
    return state._replace(migration_slot=shown[1], migration_signature=shown[2] or None)


def priced(fact: PoolFact, pool: State, token_decimals: int, usd: Window) -> tuple[str | None, ...]:
    """Return spot price and market cap of a state, each in the quote and, with a fresh price of the quote, in USD.

    Reserves that a lamport can move have no price (T16).
    """
    if not pool.virtual_quote or not pool.virtual_token or pool.quote_decimals is None:
        return (None,) * 4
    if not forms_price(int(pool.virtual_quote), int(pool.virtual_token)):
        return (None,) * 4
    spot = price_scaled(int(pool.virtual_quote), int(pool.virtual_token), pool.quote_decimals, token_decimals)
    unit = 10**token_decimals
    cap = None if pool.base_supply is None else (2 * spot * int(pool.base_supply) + unit) // (2 * unit)
    micro = usd.of(fact.quote_mint).at(pool.last_trade_at) if pool.last_trade_at else None
    return (
        f"{spot}e-{PRICE_PLACES}",
        None if micro is None else f"{usd_scaled(spot, PRICE_PLACES, micro)}e-{USD_PLACES}",
        None if cap is None else f"{cap}e-{PRICE_PLACES}",
        None if micro is None or cap is None else f"{usd_scaled(cap, PRICE_PLACES, micro)}e-{USD_PLACES}",
    )


def created(fact: PoolFact, pool: State, token_decimals: int) -> tuple[Any, ...]:
    """Return what only the pool's creation gives: initial price and both initial liquidities."""
    start = fact.start
    if start is None:
        return (None,) * 3
    price = None
    if (
        start.virtual_quote
        and start.virtual_token
        and pool.quote_decimals is not None
        and forms_price(start.virtual_quote, start.virtual_token)
    ):
        scaled = price_scaled(start.virtual_quote, start.virtual_token, pool.quote_decimals, token_decimals)
        price = f"{scaled}e-{PRICE_PLACES}"
    return price, start.real_token, start.real_quote
