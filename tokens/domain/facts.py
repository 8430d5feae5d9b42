"""What a batch of events says about tokens, pools and trades, gathered so that the order of arrival does not matter.

Every fact is merged by a rule that gives the same answer whichever event comes first: creations name themselves once, the
newest pool state is the one furthest along the chain, a status only rises.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from megatron.core.ids import event_id_hex
from tokens.choices import (
    Platform,
    PoolStatus,
    PoolType,
    RejectionReason,
    Venue,
)
from tokens.domain.events import ChainEvent, PoolAccounts, Reserves

DEFAULT_DECIMALS = 6
STATUS_RANK = {PoolStatus.ACTIVE: 0, PoolStatus.COMPLETE: 1, PoolStatus.MIGRATED: 2}

# A standard pump.fun coin keeps these two differences for life, so its start can be told from any later state.
STANDARD_OFFSETS = (30_000_000_000, 279_900_000_000_000)
STANDARD_ON_SALE = 793_100_000_000_000
STANDARD_SUPPLY = 1_000_000_000_000_000

Order = tuple[int, int, int, str]
"""(slot, product of the virtual reserves, event index, signature): see docs/adr/0006."""


Migrated = tuple[bool, int, str]
"""What shows that a curve has migrated; of several the least holds. (whether it is only a trade of the successor, slot,
signature of the migration or empty)."""

KnownPool = tuple[str, str, bool]
"""(token mint, quote mint, whether the chain's base side is the quote)."""


class Holdings(NamedTuple):
    """What a pool held after an event that tells no price: a deposit, a withdrawal, or the boost with which it opened.

    Compares in the order of the chain; within a slot a boost counts as the last, so that the order of arrival does not matter.
    """

    slot: int
    is_boost: bool
    event_index: int
    signature: str
    real_quote: int | None
    real_token: int | None = None
    boost: int | None = None
    """The signed virtual quote reserves; ``None`` after a deposit or withdrawal, which do not tell them."""


NamedCreator = tuple[int, str]
"""(slot of a trade, the creator that it named): of several the least holds, the one nearest to the creation."""


class Unstorable(Exception):
    """What an event says contradicts what is known: its message is kept and not stored."""


@dataclass(slots=True)
class TokenFact:
    """What a batch says about one mint; ``None`` where it says nothing."""

    mint: str
    platform: Platform = Platform.UNKNOWN
    decimals: int | None = None
    creation: ChainEvent | None = None
    graduated: tuple[int, str] | None = None
    """(block time, signature) of the earliest event that shows the curve complete."""
    is_graduated: bool = False
    """A trade showed it, which does not say since when."""
    destination: str | None = None
    named_creator: NamedCreator | None = None
    """Who a trade says the creator was: serves while the creation was not seen."""
    is_mayhem: bool = False
    """An event showed that it is a mayhem coin, which it then is for life."""

    def went_to(self, destination: str | None) -> None:
        """Note where the liquidity went."""
        if destination is not None:
            self.destination = min(destination, self.destination or destination)


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
    migrated: Migrated | None = None
    """Of a curve and of its successor alike."""
    initial_real_token: int | None = None
    quote_target: int | None = None
    implied_target: int | None = None
    """The quote target that trades of the curve imply, to within a few base units: serves until the creation is seen."""
    base_supply: int | None = None
    newest: Order | None = None
    newest_event: ChainEvent | None = None
    state: Reserves | None = None
    holdings: Holdings | None = None
    """After the newest event that tells only what the pool holds."""
    named_creator: NamedCreator | None = None
    """The earliest that the batch's trades of this pool gave to the token."""
    base_vault: str | None = None
    quote_vault: str | None = None
    lp_mint: str | None = None

    def learn_accounts(self, accounts: PoolAccounts | None) -> None:
        """Note the pool's vaults and LP mint, from the token's side; nothing where no instruction named them."""
        if accounts is None:
            return
        base, quote = accounts.base_vault, accounts.quote_vault
        if self.flipped:
            base, quote = quote, base
        self.base_vault = self.base_vault or base
        self.quote_vault = self.quote_vault or quote
        self.lp_mint = self.lp_mint or accounts.lp_mint

    @property
    def start(self) -> Reserves | None:
        """Return the reserves that the pool was created with, from the token's side; ``None`` without its creation."""
        if self.creation is None:
            return None
        after = self.creation.reserves.after
        if after is None and self.venue is Venue.PUMPFUN:  # the layouts of 2024 did not say: every coin began alike
            quote, token, on_sale = standard_start()
            return Reserves(virtual_quote=quote, virtual_token=token, real_quote=0, real_token=on_sale)
        return swapped(after) if after is not None and self.flipped else after


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
    real: Reserves | None = None
    """``after`` again where its real reserves do not follow from the virtual ones: of mayhem coins, and of coins of which the
    source does not say whether they are such."""
    transaction_index: int | None = None
    """Place of the transaction in its block, where the source tells."""

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


def swapped(after: Reserves) -> Reserves:
    """Return reserves as seen from the other mint."""
    return Reserves(
        virtual_quote=after.virtual_token,
        virtual_token=after.virtual_quote,
        real_quote=after.real_token,
        real_token=after.real_quote,
    )


def standard_start() -> tuple[int, int, int]:
    """Return virtual quote, virtual tokens and tokens on sale of a standard pump.fun coin at its start."""
    quote, unsold = STANDARD_OFFSETS
    return quote, STANDARD_ON_SALE + unsold, STANDARD_ON_SALE
