"""The columns of a pool that move: merged so that the order of arrival does not matter. Touches no database."""

from typing import Any, NamedTuple

from tokens.choices import PoolStatus
from tokens.domain.events import Reserves
from tokens.domain.facts import STATUS_RANK, Migrated, Order, PoolFact
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
        quote_target=state.quote_target if fact.quote_target is None else fact.quote_target,
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
        # A deposit or withdrawal that came later on the chain knows better what the pool holds.
        if state.liquidity_slot is None or fact.newest[0] >= state.liquidity_slot:
            merged = merged._replace(real_quote=after.real_quote, real_token=after.real_token, liquidity_slot=None)
    return merged if fact.liquidity is None else _held(merged, fact.liquidity)


def _held(state: State, liquidity: tuple[int, int, str, Reserves]) -> State:
    """Return ``state`` with what the pool held after its newest deposit or withdrawal, if nothing known came later."""
    slot, _, _, after = liquidity
    known = state.liquidity_slot if state.liquidity_slot is not None else state.last_slot
    if known is not None and slot <= known:
        return state
    return state._replace(real_quote=after.real_quote, real_token=after.real_token, liquidity_slot=slot)


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
    """Return what only the pool's creation gives: initial price, both initial liquidities, LP mint."""
    start = fact.start
    if start is None:
        return (None,) * 4
    price = None
    if (
        start.virtual_quote
        and start.virtual_token
        and pool.quote_decimals is not None
        and forms_price(start.virtual_quote, start.virtual_token)
    ):
        scaled = price_scaled(start.virtual_quote, start.virtual_token, pool.quote_decimals, token_decimals)
        price = f"{scaled}e-{PRICE_PLACES}"
    return price, start.real_token, start.real_quote, fact.details.get("lp_mint")
