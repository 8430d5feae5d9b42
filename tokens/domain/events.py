"""What decoding yields: one :class:`ChainEvent` for each thing that a launchpad program said happened."""

from typing import Any

import msgspec

from tokens.choices import EventKind, Program

POSITIONLESS = 1 << 30
"""First ``event_index`` of events whose source does not say where in the transaction they happened (CSV,
PumpPortal)."""

_OUTER, _INNER = 100_000, 100


def event_index(outer: int, inner: int, ordinal: int) -> int:
    """Return the place of an event in its transaction as one sortable number, ``outer · 100 000 + inner · 100 +
    ordinal``.

    ``outer`` counts the top-level instructions that ran in the virtual machine (precompiles leave no trace in the log
    and are not counted, so log and instruction views agree); ``inner`` is 0 for the top-level instruction itself, else
    its 1-based place among the instructions it called, at any depth; ``ordinal`` numbers the events that one
    instruction emits.
    """
    if not (0 <= inner < _OUTER // _INNER and 0 <= ordinal < _INNER):
        raise ValueError(f"No transaction is that deep: {outer}.{inner}.{ordinal}")
    return outer * _OUTER + inner * _INNER + ordinal


def call_place(index: int) -> int:
    """Return the place of the instruction that emitted an event: the event's index without its ordinal."""
    return index - index % _INNER


class PoolAccounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Accounts of a pool that no event names, from the instruction that emitted it; ``base`` and ``quote`` as the program
    calls them. Of a migration they are those of the pool that it opened."""

    base_vault: str | None = None
    quote_vault: str | None = None
    lp_mint: str | None = None


class Fees(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fees of one trade in base units of what the program calls the quote (of a pool with wrapped SOL as its base that is
    the coin), each as the event names it; ``None`` where its layout has no such field.

    ``buyback`` is a part of ``protocol`` and ``holder_rewards`` repeats ``creator``: never add them to a total.
    """

    protocol: int | None = None
    creator: int | None = None
    platform: int | None = None
    share: int | None = None
    lp: int | None = None
    cashback: int | None = None
    buyback: int | None = None
    holder_rewards: int | None = None


class Reserves(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pool state in base units on one side of a trade.

    ``virtual_*`` are what prices the pool (for PumpSwap the vault plus the signed virtual quote reserves); ``real_*``
    are what it holds. LaunchLab is translated to the same meaning: ``virtual_token`` = virtual_base − tokens sold,
    ``virtual_quote`` = virtual_quote + raised, ``real_token`` = total_base_sell − tokens sold.
    """

    virtual_quote: int | None = None
    virtual_token: int | None = None
    real_quote: int | None = None
    real_token: int | None = None


class BothReserves(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Reserves before and after; a side is ``None`` where neither the chain nor exact arithmetic gives it."""

    before: Reserves | None = None
    after: Reserves | None = None


class ChainEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of one launchpad program, from whichever source, once.

    Amounts are integers in base units of their mint; ``quote_mint`` is wrapped SOL's address for SOL pools; addresses
    and signatures are base58; ``block_time`` is in unix seconds and always the chain's. ``quote_amount_raw`` is what
    moved against the curve, without fees. ``None`` means that the source does not say.
    """

    program: Program
    kind: EventKind
    signature: str
    slot: int | None = None
    block_time: int | None = None
    event_index: int
    mint: str | None = None
    pool: str | None = None
    user: str | None = None
    quote_mint: str | None = None
    quote_amount_raw: int | None = None
    token_amount_raw: int | None = None
    fees: Fees = Fees()
    reserves: BothReserves = BothReserves()
    raw: dict[str, Any] = {}
    """``layout`` (e.g. ``TradeEvent/35``), ``origin`` (log, cpi, instruction), ``instruction`` if known,
    ``unknown_bytes``, ``fee_payer`` where somebody else than ``user`` paid the network."""
    fields: dict[str, Any] = {}
    """Every field of the event by its IDL name: pubkeys base58, integers as int."""
    pool_accounts: PoolAccounts | None = None
