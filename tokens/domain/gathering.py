"""Gathering a batch: takes events one by one and merges each into what is known of its token, pool and trade."""

from tokens.choices import EventKind, Platform, PoolStatus, PoolType, Program, RejectionReason, TransactionType, Venue
from tokens.domain import curve_starts, mayhem, programs
from tokens.domain.events import ChainEvent, Reserves
from tokens.domain.facts import (
    DEFAULT_DECIMALS,
    STANDARD_SUPPLY,
    STATUS_RANK,
    Gathered,
    Holdings,
    KnownPool,
    Migrated,
    PoolFact,
    TokenFact,
    TradeFact,
    Unstorable,
    swapped,
)
from tokens.domain.programs import QUOTE_DECIMALS

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
_DESTINATIONS = {venue.value: venue for venue in (Venue.PUMPSWAP, Venue.RAYDIUM, Venue.RAYDIUM_CPMM)}
_LAUNCHLAB_COMPLETE = 1
# Looking a member up in its class takes longer than all else that a trade is asked here.
_INITIAL, _GRADUATED, _LAUNCHLAB = PoolType.INITIAL, PoolType.GRADUATED, Venue.RAYDIUM_LAUNCHPAD
_LIQUIDITY = (EventKind.DEPOSIT, EventKind.WITHDRAW)
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

    def add(
        self, event: ChainEvent, *, commitment: int, transaction_fee: int | None, transaction_index: int | None = None
    ) -> None:
        """Take one event into account, or put it with the waiting ones."""
        kind = event.kind
        if (type_ := _TYPES.get(kind)) is not None:
            self._trade(event, type_, commitment, transaction_fee, transaction_index)
        elif kind is EventKind.CREATE:
            self._create(event)
        elif kind is EventKind.CREATE_POOL:
            self._create_pool(event)
        elif kind is EventKind.COMPLETE or kind is EventKind.MIGRATE:
            self._graduate(event)
        elif kind is EventKind.RESERVES:
            self._reserves(event)

    # -- trades

    def _trade(
        self, event: ChainEvent, type_: str, commitment: int, transaction_fee: int | None, transaction_index: int | None
    ) -> None:
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
            raise Unstorable(f"Pool {pool} is one of {fact.mint}, not of {event.mint}")
        after = event.reserves.after or _NOTHING
        if fact.flipped:
            type_, quote_raw, token_raw = _FLIPPED.get(type_, type_), token_raw, quote_raw
            after = swapped(after)
        invariant, real = self._advance(fact, event, after), None
        fact.learn_accounts(event.pool_accounts)
        self._name_creator(fact, event, slot)
        if fact.pool_type is not _INITIAL:
            self._on_amm(fact, event, slot, after)
        elif fact.venue is _LAUNCHLAB:
            if status := event.fields.get("pool_status"):
                self._stated(fact, event, status)
        elif after.real_token is not None and mayhem.is_mayhem(event) is not False:
            real = after
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
                real,
                transaction_index,
            )
        )

    def _on_amm(self, fact: PoolFact, event: ChainEvent, slot: int, after: Reserves) -> None:
        """Take into account what only events of AMM pools tell."""
        if fact.pool_type is _GRADUATED and event.program is Program.PUMPSWAP:
            self._opened(fact, (True, slot, ""))
        if event.kind in _LIQUIDITY and after.real_quote is not None:
            _hold(fact, Holdings(slot, False, event.event_index, event.signature, after.real_quote, after.real_token))

    def _name_creator(self, fact: PoolFact, event: ChainEvent, slot: int) -> None:
        """Note whom a trade of the coin's own pools names as its creator, if no earlier one has named anybody."""
        if fact.named_creator is not None and slot >= fact.named_creator[0]:
            return
        creator = event.fields.get("creator" if fact.pool_type is _INITIAL else "coin_creator")
        if (
            fact.pool_type is PoolType.PERMISSIONLESS
            or not isinstance(creator, str)
            or creator == programs.ZERO_KEY
            or not programs.is_address(creator)  # a table's cell may be empty
            or creator in programs.payout_accounts(fact.mint)
        ):
            return
        named = fact.named_creator = (slot, creator)
        token = self._token(fact.mint, Platform.UNKNOWN)
        token.named_creator = min(token.named_creator or named, named)

    def _wait(self, event: ChainEvent, reason: RejectionReason, pool: str | None = None) -> None:
        self.result.waiting.append((event, reason, pool))

    def _sides(self, event: ChainEvent) -> tuple[str, str, bool] | None:
        """Return (token mint, quote mint, whether the chain has them the other way round), or ``None`` if unknown."""
        mint, quote_mint = event.mint, event.quote_mint
        if mint is None or quote_mint is None:
            fact = self.result.pools.get(event.pool or "")
            if fact is not None:
                return fact.mint, fact.quote_mint, fact.flipped
            # Only graduated pools are boosted, and the events name the mint: for SOL the address proves the rest.
            boosted = mint is not None and event.program is Program.PUMPSWAP
            if boosted and event.pool == programs.graduated_pool(mint or "", programs.WRAPPED_SOL):
                return mint or "", programs.WRAPPED_SOL, False
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
        if fact.venue is Venue.PUMPFUN:
            if is_mayhem := mayhem.is_mayhem(event):
                self._token(fact.mint, Platform.PUMPFUN).is_mayhem = True
            if fact.initial_real_token is None or fact.base_supply is None:
                curve_starts.recognise_pumpfun(fact, after, is_mayhem=is_mayhem)
        invariant = quote * token
        order = (event.slot or 0, invariant, event.event_index, event.signature)
        if fact.newest is None or order > fact.newest:
            fact.newest, fact.newest_event, fact.state = order, event, after
            if (supply := event.fields.get("base_supply")) is not None and not fact.flipped:
                fact.base_supply = supply
            if fact.initial_real_token is None and fact.venue is Venue.RAYDIUM_LAUNCHPAD:
                curve_starts.recognise_launchlab(fact, event)
        return invariant

    def _reserves(self, event: ChainEvent) -> None:
        """Take reserves into account that changed without a trade."""
        after = event.reserves.after
        if event.pool is None or event.slot is None or after is None:
            return
        boosts = event.program is Program.PUMPSWAP and after.virtual_token is None
        if after.virtual_token is None and not boosts:
            return
        sides = self._sides(event)
        if sides is None:
            self._wait(event, RejectionReason.UNKNOWN_POOL, event.pool)
            return
        fact = self._pool(event, *sides)
        if not boosts:
            self._advance(fact, event, after)
        elif after.virtual_quote is not None and after.real_quote is not None:
            boost = after.virtual_quote - after.real_quote
            _hold(fact, Holdings(event.slot, True, event.event_index, event.signature, after.real_quote, None, boost))

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
        fact.learn_accounts(event.pool_accounts)
        fields, after = event.fields, event.reserves.after
        token.decimals = fields.get("decimals", DEFAULT_DECIMALS)
        if event.program is Program.PUMPFUN:
            is_mayhem, start = mayhem.is_mayhem(event), fact.start
            token.is_mayhem = token.is_mayhem or is_mayhem is True
            # A mayhem coin is created as if it had half its supply, and what its curve raises is the agent's affair.
            if is_mayhem is False:
                fact.base_supply = fields.get("token_total_supply", STANDARD_SUPPLY)
            if start and start.real_token and start.virtual_quote and start.virtual_token:
                fact.initial_real_token = start.real_token
                if is_mayhem is False:
                    fact.quote_target = curve_starts.quote_target(
                        start.virtual_quote, start.virtual_token, start.real_token
                    )
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
        fact.lp_mint = fact.lp_mint or fields.get("lp_mint")
        fact.learn_accounts(event.pool_accounts)
        if fact.pool_type is PoolType.GRADUATED and mayhem.is_mayhem(event):
            self._token(mint, Platform.UNKNOWN).is_mayhem = True
        if fact.pool_type is PoolType.GRADUATED and event.slot is not None and event.block_time is not None:
            self._opened(fact, (False, event.slot, event.signature))
            self._completed(self._token(mint, Platform.UNKNOWN), event.block_time, event.signature)
        after = event.reserves.after or _NOTHING
        self._advance(fact, event, swapped(after) if flipped else after)

    def _opened(self, fact: PoolFact, shown: Migrated) -> None:
        """Note that the graduated pool is open, which proves that its curve has migrated, seen or not."""
        if fact.migrated is None or shown < fact.migrated:
            fact.migrated = shown
            token = self._token(fact.mint, Platform.UNKNOWN)
            token.is_graduated = True
            token.went_to(fact.venue.value)

    def _completed(self, token: TokenFact, at: int, signature: str) -> None:
        seen = (at, signature)
        token.is_graduated = True
        token.graduated = min(token.graduated, seen) if token.graduated else seen

    def _stated(self, fact: PoolFact, event: ChainEvent, status: int) -> None:
        """Take LaunchLab's word for the state of the curve after a trade: 1 complete, 2 migrated."""
        token = self._token(fact.mint, Platform.RAYDIUM_LAUNCHPAD)
        token.is_graduated = True
        if status == _LAUNCHLAB_COMPLETE and event.block_time is not None:
            self._completed(token, event.block_time, event.signature)
            _raise_to(fact, PoolStatus.COMPLETE)
        elif event.slot is not None:
            _raise_to(fact, PoolStatus.MIGRATED, (True, event.slot, ""))

    def _graduate(self, event: ChainEvent) -> None:
        if event.mint is None or event.pool is None or event.block_time is None or event.slot is None:
            reason = _lacking(event) or RejectionReason.NEEDS_TRANSACTION
            self._wait(event, reason)
            return
        fact = self._pool(event, event.mint, event.quote_mint or programs.WRAPPED_SOL)
        token = self._token(event.mint, _VENUES[event.program][1])
        self._completed(token, event.block_time, event.signature)
        if event.kind is EventKind.COMPLETE:
            _raise_to(fact, PoolStatus.COMPLETE)
            return
        shown = (False, event.slot, event.signature)
        _raise_to(fact, PoolStatus.MIGRATED, shown)
        token.went_to(event.fields.get("destination"))
        self._succeed(fact, event, shown)

    def _succeed(self, curve: PoolFact, event: ChainEvent, shown: Migrated) -> None:
        """Note the pool that a migration names, so that its own events, which name no mint, can be read at once."""
        address, destination = event.fields.get("pool"), event.fields.get("destination")
        venue = _DESTINATIONS.get(destination or "")
        if address is None or venue is None or address == curve.address:
            return
        if venue is Venue.PUMPSWAP and address != programs.graduated_pool(curve.mint, curve.quote_mint):
            return
        fact = self.result.pools.get(address)
        if fact is None:
            decimals = QUOTE_DECIMALS.get(curve.quote_mint)
            fact = PoolFact(address, curve.mint, curve.quote_mint, venue, PoolType.GRADUATED, decimals)
            self.result.pools[address] = fact
        if fact.pool_type is PoolType.GRADUATED:
            fact.migrated = min(fact.migrated or shown, shown)
        fact.learn_accounts(event.pool_accounts)


def _hold(fact: PoolFact, held: Holdings) -> None:
    """Keep the newest event that tells what a pool holds."""
    if fact.holdings is None or held > fact.holdings:
        fact.holdings = held


def _raise_to(fact: PoolFact, status: PoolStatus, shown: Migrated | None = None) -> None:
    """Raise a curve's status; it never falls."""
    if STATUS_RANK[status] > STATUS_RANK[fact.status]:
        fact.status = status
    if shown is not None:
        fact.migrated = min(fact.migrated or shown, shown)


def _lacking(event: ChainEvent) -> RejectionReason | None:
    if event.block_time is None:
        return RejectionReason.NO_BLOCK_TIME
    return RejectionReason.NO_SLOT if event.slot is None else None


def _successor(event: ChainEvent, mint: str, quote_mint: str) -> str | None:
    """Return the AMM pool that a pump.fun curve becomes, if this event could be about it."""
    if event.program is not Program.PUMPFUN or event.kind is not EventKind.BUY:
        return None
    return programs.graduated_pool(mint, quote_mint) if event.pool != programs.bonding_curve(mint) else None
