"""An event as a program emitted it: undecoded bytes, and where in the transaction they came from."""

from typing import Any, NamedTuple

from tokens.choices import EventKind, Program
from tokens.domain.events import BothReserves, ChainEvent, Fees, PoolAccounts


class Emission(NamedTuple):
    """``place`` is its ``event_index``; ``payload`` is the discriminator and the body.

    ``accounts`` and ``instruction`` are those of the emitting instruction, if known.
    """

    program: Program
    place: int
    payload: bytes
    origin: str
    accounts: tuple[str, ...] | None = None
    instruction: str | None = None


class Header(NamedTuple):
    """What a source says about the transaction as a whole."""

    signature: str
    slot: int | None = None
    block_time: int | None = None


class Facts(NamedTuple):
    """What one event means, before it gets its place and its transaction."""

    kind: EventKind
    mint: str | None = None
    pool: str | None = None
    user: str | None = None
    quote_mint: str | None = None
    quote_amount_raw: int | None = None
    token_amount_raw: int | None = None
    fees: Fees = Fees()
    reserves: BothReserves = BothReserves()
    block_time: int | None = None
    pool_accounts: PoolAccounts | None = None


def other(fields: dict[str, Any], _: Emission) -> Facts:
    """Return what is common to events without consequence."""
    return Facts(EventKind.OTHER, mint=fields.get("mint"), user=fields.get("user"), block_time=fields.get("timestamp"))


def chain_event(header: Header, emission: Emission, facts: Facts, layout: str, fields: dict[str, Any]) -> ChainEvent:
    """Return the event with its place. The program's own clock is believed before the block's (they agree)."""
    raw: dict[str, Any] = {"layout": layout, "origin": emission.origin}
    if emission.instruction is not None:
        raw["instruction"] = emission.instruction
    kind, mint, pool, user, quote_mint, quote_amount, token_amount, fees, reserves, at, pool_accounts = facts
    return ChainEvent(
        program=emission.program,
        kind=kind,
        signature=header.signature,
        slot=header.slot,
        block_time=header.block_time if at is None else at,
        event_index=emission.place,
        mint=mint,
        pool=pool,
        user=user,
        quote_mint=quote_mint,
        quote_amount_raw=quote_amount,
        token_amount_raw=token_amount,
        fees=fees,
        reserves=reserves,
        raw=raw,
        fields=fields,
        pool_accounts=pool_accounts,
    )
