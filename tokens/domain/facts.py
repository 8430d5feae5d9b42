"""What a batch of events says about tokens, pools and trades, gathered so that the order of arrival does not matter.

Every fact is merged by a rule that gives the same answer whichever event comes first: creations name themselves once, the
newest pool state is the one furthest along the chain, a status only rises.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from megatron.core.ids import event_id_hex
from tokens.choices import (
    EventKind,
    Platform,
    PoolStatus,
    PoolType,
    Program,
    RejectionReason,
    TransactionType,
    Venue,
)
from tokens.domain import programs
from tokens.domain.events import ChainEvent, Reserves

USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USDT = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
USD1 = "USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB"
QUOTE_DECIMALS = {programs.WRAPPED_SOL: 9, USDC: 6, USDT: 6, USD1: 6}
"""Currencies that coins are quoted in. Against a coin, these are the quote, whichever side of the pool they are on."""

DEFAULT_DECIMALS = 6
STATUS_RANK = {PoolStatus.ACTIVE: 0, PoolStatus.COMPLETE: 1, PoolStatus.MIGRATED: 2}

# A standard pump.fun coin keeps these two differences for life, so its start can be told from any later state.
_STANDARD_OFFSETS = (30_000_000_000, 279_900_000_000_000)
_STANDARD_ON_SALE = 793_100_000_000_000
_STANDARD_SUPPLY = 1_000_000_000_000_000

Order = tuple[int, int, int, str]
"""(slot, product of the virtual reserves, event index, signature): see docs/adr/0006."""


KnownPool = tuple[str, str, bool]
"""(token mint, quote mint, whether the chain's base side is the quote)."""


@dataclass(slots=True)
class TokenFact:
    """What a batch says about one mint; ``None`` where it says nothing."""

    mint: str
    platform: Platform = Platform.UNKNOWN
    decimals: int | None = None
    creation: ChainEvent | None = None
    graduated: tuple[int, str] | None = None
    """(block time, signature) of the earliest event that shows the curve complete."""
    destination: str | None = None


@dataclass(slots=True)
class PoolFact:
    """What a batch says about one pool."""

    address: str
    mint: str
    quote_mint: str
    venue: Venue
    pool_type: PoolType
    quote_decimals: int | None = None
    flipped: bool = False
    """The chain has the two mints the other way round."""
    creation: ChainEvent | None = None
    status: PoolStatus = PoolStatus.ACTIVE
    initial_real_token: int | None = None
    quote_target: int | None = None
    base_supply: int | None = None
    newest: Order | None = None
    newest_event: ChainEvent | None = None
    state: Reserves | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """Columns that only a creation names: vaults, LP mint."""

    @property
    def start(self) -> Reserves | None:
        """Return the reserves that the pool was created with, from the token's side; ``None`` without its creation."""
        if self.creation is None:
            return None
        after = self.creation.reserves.after
        if after is None and self.venue is Venue.PUMPFUN:  # the layouts of 2024 did not say: every coin began alike
            quote, token, on_sale = _standard_start()
            return Reserves(virtual_quote=quote, virtual_token=token, real_quote=0, real_token=on_sale)
        return _swapped(after) if after is not None and self.flipped else after


class TradeFact(msgspec.Struct, frozen=True, gc=False):
    """One storable trade or liquidity event, seen from the token's side."""

    event: ChainEvent
    type: str
    pool: str
    slot: int
    block_time: int
    token_raw: int
    quote_raw: int
    after: Reserves
    invariant: int
    commitment: int
    transaction_fee: int | None

    @property
    def id(self) -> str:
        """Return the row's :func:`megatron.core.ids.event_id` as 32 hexadecimal digits: in the order of block time."""
        event = self.event
        return event_id_hex(self.block_time * 1000, f"{event.signature}:{event.event_index}")


@dataclass(slots=True)
class Gathered:
    """One batch, ready to be written."""

    tokens: dict[str, TokenFact] = field(default_factory=dict)
    pools: dict[str, PoolFact] = field(default_factory=dict)
    trades: list[TradeFact] = field(default_factory=list)
    waiting: list[tuple[ChainEvent, RejectionReason, str | None]] = field(default_factory=list)
    """Events that cannot be stored yet: why, and the pool whose mints would let them in."""


_VENUES = {
    Program.PUMPFUN: (Venue.PUMPFUN, Platform.PUMPFUN),
    Program.LAUNCHLAB: (Venue.RAYDIUM_LAUNCHPAD, Platform.RAYDIUM_LAUNCHPAD),
}
_TYPES = {
    EventKind.BUY: TransactionType.BUY.value,
    EventKind.SELL: TransactionType.SELL.value,
    EventKind.DEPOSIT: TransactionType.ADD_LIQUIDITY.value,
    EventKind.WITHDRAW: TransactionType.REMOVE_LIQUIDITY.value,
}
_FLIPPED = {"buy": "sell", "sell": "buy"}
_NOTHING = Reserves()


class Gatherer:
    """Takes events one by one; ``result`` is what they say together.

    ``known_pools`` maps the address of a pool that the database knows to its (token mint, quote mint, flipped): PumpSwap's
    logs name neither mint.
    """

    def __init__(self, known_pools: dict[str, KnownPool]) -> None:
        self.known_pools = known_pools
        self.result = Gathered()

    def add(self, event: ChainEvent, *, commitment: int, transaction_fee: int | None) -> None:
        """Take one event into account, or put it with the waiting ones."""
        kind = event.kind
        if (type_ := _TYPES.get(kind)) is not None:
            self._trade(event, type_, commitment, transaction_fee)
        elif kind is EventKind.CREATE:
            self._create(event)
        elif kind is EventKind.CREATE_POOL:
            self._create_pool(event)
        elif kind is EventKind.COMPLETE or kind is EventKind.MIGRATE:
            self._graduate(event)
        elif kind is EventKind.RESERVES and event.pool and event.slot is not None and (sides := self._sides(event)):
            self._advance(self._pool(event, *sides), event, event.reserves.after or _NOTHING)

    # -- trades

    def _trade(self, event: ChainEvent, type_: str, commitment: int, transaction_fee: int | None) -> None:
        pool, quote_raw, token_raw = event.pool, event.quote_amount_raw, event.token_amount_raw
        if pool is None or quote_raw is None or token_raw is None or event.user is None:
            self._wait(event, RejectionReason.NEEDS_TRANSACTION)
            return
        slot, block_time = event.slot, event.block_time
        if slot is None or block_time is None:
            self._wait(event, _lacking(event) or RejectionReason.NO_SLOT)
            return
        fact = self.result.pools.get(pool)
        if fact is None:
            sides = self._sides(event)
            if sides is None:
                self._wait(event, RejectionReason.UNKNOWN_POOL, pool)
                return
            fact = self._pool(event, *sides)
        elif event.mint is not None and event.mint != (fact.quote_mint if fact.flipped else fact.mint):
            raise ValueError(f"Pool {pool} is one of {fact.mint}, not of {event.mint}")
        after = event.reserves.after or _NOTHING
        if fact.flipped:
            type_, quote_raw, token_raw = _FLIPPED.get(type_, type_), token_raw, quote_raw
            after = _swapped(after)
        invariant = self._advance(fact, event, after)
        self.result.trades.append(
            TradeFact(
                event,
                type_,
                pool,
                slot,
                block_time,
                token_raw,
                quote_raw,
                after,
                invariant,
                commitment,
                transaction_fee,
            )
        )

    def _wait(self, event: ChainEvent, reason: RejectionReason, pool: str | None = None) -> None:
        self.result.waiting.append((event, reason, pool))

    def _sides(self, event: ChainEvent) -> tuple[str, str, bool] | None:
        """Return (token mint, quote mint, whether the chain has them the other way round), or ``None`` if unknown."""
        mint, quote_mint = event.mint, event.quote_mint
        if mint is None or quote_mint is None:
            fact = self.result.pools.get(event.pool or "")
            if fact is not None:
                return fact.mint, fact.quote_mint, fact.flipped
            return self.known_pools.get(event.pool or "")
        if mint in QUOTE_DECIMALS and quote_mint not in QUOTE_DECIMALS:
            return quote_mint, mint, True
        return mint, quote_mint, False

    def _token(self, mint: str, platform: Platform) -> TokenFact:
        fact = self.result.tokens.get(mint)
        if fact is None:
            fact = self.result.tokens[mint] = TokenFact(mint)
        if fact.platform is Platform.UNKNOWN:
            fact.platform = platform
        return fact

    def _pool(self, event: ChainEvent, mint: str, quote_mint: str, flipped: bool = False) -> PoolFact:
        address = event.pool or ""
        fact = self.result.pools.get(address)
        if fact is None:
            # A trade of pump.fun's program can name the AMM pool that its curve is about to become (synthetic migration).
            if event.program in _VENUES and address != _successor(event, mint, quote_mint):
                venue, platform = _VENUES[event.program]
                pool_type = PoolType.INITIAL
            else:
                canonical = not flipped and address == programs.graduated_pool(mint, quote_mint)
                venue, platform = Venue.PUMPSWAP, Platform.PUMPFUN if canonical else Platform.UNKNOWN
                pool_type = PoolType.GRADUATED if canonical else PoolType.PERMISSIONLESS
            fact = self.result.pools[address] = PoolFact(
                address, mint, quote_mint, venue, pool_type, QUOTE_DECIMALS.get(quote_mint)
            )
            fact.flipped = flipped
            token = self._token(mint, platform)
            if platform is Platform.PUMPFUN:
                token.decimals = DEFAULT_DECIMALS
        return fact

    def _advance(self, fact: PoolFact, event: ChainEvent, after: Reserves) -> int:
        """Move the pool's state forward if ``event`` is further along the chain; return the product of its reserves."""
        quote, token = after.virtual_quote, after.virtual_token
        if quote is None or token is None:
            return 0
        invariant = quote * token
        order = (event.slot or 0, invariant, event.event_index, event.signature)
        if fact.newest is None or order > fact.newest:
            fact.newest, fact.newest_event, fact.state = order, event, after
            if (supply := event.fields.get("base_supply")) is not None and not fact.flipped:
                fact.base_supply = supply
            if fact.initial_real_token is None:
                if fact.venue is Venue.PUMPFUN:
                    _recognise_standard(fact, after)
                elif fact.venue is Venue.RAYDIUM_LAUNCHPAD:
                    fact.initial_real_token = event.fields.get("total_base_sell")
        return invariant

    # -- creations and graduation

    def _create(self, event: ChainEvent) -> None:
        if lacking := _lacking(event):
            self._wait(event, lacking)
            return
        if event.mint is None or event.pool is None:
            self._wait(event, RejectionReason.NEEDS_TRANSACTION)
            return
        fact = self._pool(event, event.mint, event.quote_mint or programs.WRAPPED_SOL)
        token = self._token(event.mint, _VENUES[event.program][1])
        token.creation = fact.creation = event
        fields, after = event.fields, event.reserves.after
        token.decimals = fields.get("decimals", DEFAULT_DECIMALS)
        if event.program is Program.PUMPFUN:
            fact.base_supply = fields.get("token_total_supply", _STANDARD_SUPPLY)
            start = fact.start
            if start and start.real_token and start.virtual_quote and start.virtual_token:
                fact.initial_real_token = start.real_token
                fact.quote_target = _target(start.virtual_quote, start.virtual_token, start.real_token)
        else:
            fact.base_supply = fields.get("supply")
            fact.initial_real_token = fields.get("total_base_sell") or (after.real_token if after else None)
            fact.quote_target = fields.get("total_quote_fund_raising")
        if after is not None:
            self._advance(fact, event, after)

    def _create_pool(self, event: ChainEvent) -> None:
        if lacking := _lacking(event):
            self._wait(event, lacking)
            return
        sides = self._sides(event)
        if sides is None or event.pool is None:
            self._wait(event, RejectionReason.NEEDS_TRANSACTION)
            return
        mint, quote_mint, flipped = sides
        fact = self._pool(event, mint, quote_mint, flipped)
        fact.creation = event
        fields = event.fields
        base_decimals, quote_decimals = fields.get("base_mint_decimals"), fields.get("quote_mint_decimals")
        if flipped:
            base_decimals, quote_decimals = quote_decimals, base_decimals
        fact.quote_decimals = quote_decimals
        self._token(mint, Platform.UNKNOWN).decimals = base_decimals
        fact.details["lp_mint"] = fields.get("lp_mint")
        after = event.reserves.after or _NOTHING
        self._advance(fact, event, _swapped(after) if flipped else after)

    def _graduate(self, event: ChainEvent) -> None:
        if event.mint is None or event.pool is None or event.block_time is None or event.slot is None:
            reason = _lacking(event) or RejectionReason.NEEDS_TRANSACTION
            self._wait(event, reason)
            return
        fact = self._pool(event, event.mint, event.quote_mint or programs.WRAPPED_SOL)
        token = self._token(event.mint, _VENUES[event.program][1])
        seen = (event.block_time, event.signature)
        token.graduated = min(token.graduated, seen) if token.graduated else seen
        status = PoolStatus.COMPLETE
        if event.kind is EventKind.MIGRATE:
            status, token.destination = PoolStatus.MIGRATED, event.fields.get("destination")
        if STATUS_RANK[status] > STATUS_RANK[fact.status]:
            fact.status = status


def _lacking(event: ChainEvent) -> RejectionReason | None:
    if event.block_time is None:
        return RejectionReason.NO_BLOCK_TIME
    return RejectionReason.NO_SLOT if event.slot is None else None


def _swapped(after: Reserves) -> Reserves:
    return Reserves(
        virtual_quote=after.virtual_token,
        virtual_token=after.virtual_quote,
        real_quote=after.real_token,
        real_token=after.real_quote,
    )


def _successor(event: ChainEvent, mint: str, quote_mint: str) -> str | None:
    """Return the AMM pool that a pump.fun curve becomes, if this event could be about it."""
    if event.program is not Program.PUMPFUN or event.kind is not EventKind.BUY:
        return None
    return programs.graduated_pool(mint, quote_mint) if event.pool != programs.bonding_curve(mint) else None


def _standard_start() -> tuple[int, int, int]:
    quote, unsold = _STANDARD_OFFSETS
    return quote, _STANDARD_ON_SALE + unsold, _STANDARD_ON_SALE


def _recognise_standard(fact: PoolFact, state: Reserves) -> None:
    """Tell the start of a standard coin from any state, so that its progress is known without its creation."""
    known = (state.virtual_quote, state.virtual_token, state.real_quote, state.real_token)
    if None in known or fact.quote_mint != programs.WRAPPED_SOL:
        return
    vq, vt, rq, rt = known
    if (vq - rq, vt - rt) == _STANDARD_OFFSETS:  # type: ignore[operator]
        fact.initial_real_token, fact.quote_target = _STANDARD_ON_SALE, _target(*_standard_start())
        fact.base_supply = fact.base_supply or _STANDARD_SUPPLY


def _target(virtual_quote: int, virtual_token: int, on_sale: int) -> int | None:
    """Return the quote that a curve has raised when its last token is sold, rounded up; ``None`` if it never empties."""
    left = virtual_token - on_sale
    return None if left <= 0 else -(-virtual_quote * virtual_token // left) - virtual_quote
