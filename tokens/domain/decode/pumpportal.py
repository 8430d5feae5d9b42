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
from tokens.domain.decode.transactions import lacks
from tokens.domain.events import BothReserves, ChainEvent, Reserves


class _Frame(msgspec.Struct):
    signature: str
    txType: str  # noqa: N815  # as PumpPortal names it, here and below
    mint: str
    pool: str = "pump"
    traderPublicKey: str | None = None  # noqa: N815
    initialBuy: Decimal | None = None  # noqa: N815
    tokenAmount: Decimal | None = None  # noqa: N815
    solAmount: Decimal | None = None  # noqa: N815
    bondingCurveKey: str | None = None  # noqa: N815
    vTokensInBondingCurve: Decimal | None = None  # noqa: N815
    vSolInBondingCurve: Decimal | None = None  # noqa: N815
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
    found = tuple(_events(frame))
    outcome = Outcome.EVENTS if found else Outcome.NOT_OURS
    missing = lacks(found)
    if any(event.mint is None for event in found):
        missing = (RejectionReason.NEEDS_TRANSACTION, *missing)
    return Decoded(outcome=outcome, signature=frame.signature, events=found, missing=missing)


def _events(frame: _Frame) -> Iterator[ChainEvent]:
    if frame.txType == "migrate":
        if frame.pool in _DESTINATIONS:
            program, destination = _DESTINATIONS[frame.pool]
            curve_pool = programs.bonding_curve(frame.mint) if program is Program.PUMPFUN else None
            facts = Facts(EventKind.MIGRATE, mint=frame.mint, pool=curve_pool, user=frame.traderPublicKey)
            yield _event(frame, program, facts, {"destination": destination})
        return
    program_of_pool = _PROGRAMS.get(frame.pool)
    if program_of_pool is None:
        return
    if frame.txType == "create":
        yield from _create(frame, program_of_pool)
    elif frame.txType in ("buy", "sell"):
        kind = EventKind.BUY if frame.txType == "buy" else EventKind.SELL
        yield _trade(frame, program_of_pool, kind, frame.tokenAmount)


def _create(frame: _Frame, program: Program) -> Iterator[ChainEvent]:
    bought = _trade(frame, program, EventKind.BUY, frame.initialBuy) if frame.initialBuy else None
    after = bought.reserves.before if bought else _reserves(frame)
    mint, pool = _mint_and_pool(frame, program)
    facts = Facts(
        EventKind.CREATE, mint=mint, pool=pool, user=frame.traderPublicKey, reserves=BothReserves(after=after)
    )
    fields = {name: value for name in _FIELDS if (value := getattr(frame, name)) is not None}
    yield _event(frame, program, facts, fields)
    if bought:
        yield bought


def _trade(frame: _Frame, program: Program, kind: EventKind, tokens: Decimal | None) -> ChainEvent:
    quote, token = _raw(frame.solAmount, _LAMPORTS), _raw(tokens, _TOKEN_UNIT)
    after = _reserves(frame)
    before = None
    if after is not None and quote is not None and token is not None:
        before = curve.moved(after, *((-quote, token) if kind is EventKind.BUY else (quote, -token)))
    mint, pool = _mint_and_pool(frame, program)
    facts = Facts(
        kind,
        mint=mint,
        pool=pool,
        user=frame.traderPublicKey,
        quote_amount_raw=quote,
        token_amount_raw=token,
        reserves=BothReserves(before=before, after=after),
    )
    return _event(frame, program, facts, {})


def _mint_and_pool(frame: _Frame, program: Program) -> tuple[str | None, str | None]:
    """Believe the mint unless the curve that comes with it is another's: coins quoted in USDC are sent with USDC's mint."""
    if program is not Program.PUMPFUN:
        return frame.mint, None
    pool = programs.bonding_curve(frame.mint)
    if frame.bondingCurveKey not in (None, pool):
        return None, frame.bondingCurveKey
    return frame.mint, pool


def _reserves(frame: _Frame) -> Reserves | None:
    quote, token = _raw(frame.vSolInBondingCurve, _LAMPORTS), _raw(frame.vTokensInBondingCurve, _TOKEN_UNIT)
    return None if quote is None or token is None else Reserves(virtual_quote=quote, virtual_token=token)


def _raw(amount: Decimal | None, unit: int) -> int | None:
    """Return base units; the sender's floats are off by less than half a unit."""
    if amount is None:
        return None
    if not 0 <= amount < 1 << 64:
        raise Undecodable("bad_frame", f"an amount of {amount}")
    return round(amount * unit)


def _event(frame: _Frame, program: Program, facts: Facts, fields: dict[str, Any]) -> ChainEvent:
    content = (frame.mint, facts.kind.value, facts.quote_amount_raw, facts.token_amount_raw)
    after = facts.reserves.after
    if after is not None:
        content += (after.virtual_quote, after.virtual_token)
    emission = Emission(program, positionless.index(*content), b"", "frame")
    return chain_event(Header(frame.signature), emission, facts, "PumpPortal", fields)
