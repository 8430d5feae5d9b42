"""PumpPortal frames: a second source with floats and without slot, time, fees and quote mint. Its frames say *that*
something happened; the transaction says what."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from tokens.choices import EventKind, Program, RejectionReason
from tokens.domain import curve, programs
from tokens.domain.decode import positionless
from tokens.domain.decode.emissions import Emission, Facts, Header, chain_event
from tokens.domain.decode.results import Decoded, Outcome, Undecodable
from tokens.domain.decode.sanity import checked
from tokens.domain.decode.transactions import lacks
from tokens.domain.events import BothReserves, ChainEvent, Reserves

_NAMES: Final = {  # ours -> PumpPortal's
    "tx_type": "txType",
    "trader_public_key": "traderPublicKey",
    "initial_buy": "initialBuy",
    "token_amount": "tokenAmount",
    "sol_amount": "solAmount",
    "bonding_curve_key": "bondingCurveKey",
    "virtual_tokens": "vTokensInBondingCurve",
    "virtual_sol": "vSolInBondingCurve",
}


class _Frame(msgspec.Struct, rename=_NAMES.get):
    signature: str
    tx_type: str
    mint: str
    pool: str = "pump"
    trader_public_key: str | None = None
    initial_buy: Decimal | None = None
    token_amount: Decimal | None = None
    sol_amount: Decimal | None = None
    bonding_curve_key: str | None = None
    virtual_tokens: Decimal | None = None
    virtual_sol: Decimal | None = None
    name: str | None = None
    symbol: str | None = None
    uri: str | None = None
    is_mayhem_mode: bool | None = None


_frame = msgspec.json.Decoder(_Frame)
_PROGRAMS: Final = {
    "pump": Program.PUMPFUN,
    "pump-amm": Program.PUMPSWAP,
    "bonk": Program.LAUNCHLAB,
    "launchlab": Program.LAUNCHLAB,
}
_DESTINATIONS: Final = {
    "pump-amm": (Program.PUMPFUN, "pumpswap"),
    "raydium": (Program.PUMPFUN, "raydium"),
    "raydium-cpmm": (Program.LAUNCHLAB, "raydium_cpmm"),
}
_TOKEN_UNIT: Final = 10**6
_LAMPORTS: Final = 10**9
_FIELDS: Final = ("name", "symbol", "uri", "is_mayhem_mode")


def decode(raw: bytes) -> Decoded:
    """Return what a frame says. Raises :class:`Undecodable` and msgspec's validation errors."""
    frame = _frame.decode(raw)
    if not programs.is_address(frame.mint):
        raise Undecodable("bad_frame", f"{frame.mint!r} is not an address")
    found = checked(tuple(_events(frame)))
    outcome = Outcome.EVENTS if found else Outcome.NOT_OURS
    missing = lacks(found)
    if any(event.mint is None for event in found):
        missing = (RejectionReason.NEEDS_TRANSACTION, *missing)
    return Decoded(outcome=outcome, signature=frame.signature, events=found, missing=missing)


def _events(frame: _Frame) -> Iterator[ChainEvent]:
    if frame.tx_type == "migrate":
        if frame.pool in _DESTINATIONS:
            program, destination = _DESTINATIONS[frame.pool]
            curve_pool = programs.bonding_curve(frame.mint) if program is Program.PUMPFUN else None
            facts = Facts(EventKind.MIGRATE, mint=frame.mint, pool=curve_pool, user=frame.trader_public_key)
            yield _event(frame, program, facts, {"destination": destination})
        return
    program_of_pool = _PROGRAMS.get(frame.pool)
    if program_of_pool is None:
        return
    if frame.tx_type == "create":
        yield from _create(frame, program_of_pool)
    elif frame.tx_type in ("buy", "sell"):
        kind = EventKind.BUY if frame.tx_type == "buy" else EventKind.SELL
        yield _trade(frame, program_of_pool, kind, frame.token_amount)


def _create(frame: _Frame, program: Program) -> Iterator[ChainEvent]:
    bought = _trade(frame, program, EventKind.BUY, frame.initial_buy) if frame.initial_buy else None
    after = bought.reserves.before if bought else _reserves(frame)
    mint, pool = _mint_and_pool(frame, program)
    facts = Facts(
        EventKind.CREATE, mint=mint, pool=pool, user=frame.trader_public_key, reserves=BothReserves(after=after)
    )
    fields = {name: value for name in _FIELDS if (value := getattr(frame, name)) is not None}
    yield _event(frame, program, facts, fields)
    if bought:
        yield bought


def _trade(frame: _Frame, program: Program, kind: EventKind, tokens: Decimal | None) -> ChainEvent:
    quote, token = _raw(frame.sol_amount, _LAMPORTS), _raw(tokens, _TOKEN_UNIT)
    after = _reserves(frame)
    before = None
    if after is not None and quote is not None and token is not None:
        before = curve.moved(after, *((-quote, token) if kind is EventKind.BUY else (quote, -token)))
    mint, pool = _mint_and_pool(frame, program)
    facts = Facts(
        kind,
        mint=mint,
        pool=pool,
        user=frame.trader_public_key,
        quote_amount_raw=quote,
        token_amount_raw=token,
        reserves=BothReserves(before=before, after=after),
    )
    return _event(frame, program, facts, {})


def _mint_and_pool(frame: _Frame, program: Program) -> tuple[str | None, str | None]:
    """Believe the mint, not the curve's key (of mayhem coins the agent's key is sent), unless the mint is a quote's.

    Coins quoted in USDC or another currency are sent with that one's mint: then only the curve is known.
    """
    if frame.mint in programs.QUOTE_MINTS:
        return None, frame.bonding_curve_key
    return frame.mint, programs.bonding_curve(frame.mint) if program is Program.PUMPFUN else None


def _reserves(frame: _Frame) -> Reserves | None:
    quote, token = _raw(frame.virtual_sol, _LAMPORTS), _raw(frame.virtual_tokens, _TOKEN_UNIT)
    return None if quote is None or token is None else Reserves(virtual_quote=quote, virtual_token=token)


def _raw(amount: Decimal | None, unit: int) -> int | None:
    """Return base units; the sender's floats are off by less than half a unit."""
    if amount is None:
        return None
    if not 0 <= amount < 1 << 64:
        raise Undecodable("bad_frame", f"an amount of {amount}")
    return round(amount * unit)


def _event(frame: _Frame, program: Program, facts: Facts, fields: dict[str, Any]) -> ChainEvent:
    after = facts.reserves.after or Reserves()
    amounts = (facts.quote_amount_raw, facts.token_amount_raw, after.virtual_quote, after.virtual_token)
    emission = Emission(program, positionless.index(frame.mint, facts.kind.value, *amounts), b"", "frame")
    return chain_event(Header(frame.signature), emission, facts, "PumpPortal", fields)
