"""Whether what was read of an event can be: bytes read by the wrong layout hardly ever add up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from megatron.core import chain
from tokens.choices import EventKind, Program
from tokens.domain import programs
from tokens.domain.decode.emissions import Facts
from tokens.domain.events import ChainEvent, Fees, Reserves

_TRADES: Final = frozenset({EventKind.BUY, EventKind.SELL})
_ROUNDING: Final = 10
"""Base units by which fees may exceed a tiny trade: each is rounded up."""
_MOST_MONEY: Final = 10**18
"""Base units: a billion SOL, of which there are 0.6, and more dollars than any coin of six decimals has issued."""
_MOST_SUPPLY: Final = 2 * 10**15
"""Base units of the largest supply of pump.fun's coins (mayhem)."""
_FAR: Final = 2
"""How many times what its reserves ask for a trade may pay, and a fee may be of what its rate asks. The programs' own formulas
are met to two base units; the mayhem agent pays up to a fifth more or less."""
_DUST: Final = 1_000
"""Base units by which what is paid and what the reserves ask may differ, however little that is."""
_NOTHING: Final = Reserves()
_FROM_THE_CHAIN: Final = frozenset({"log", "cpi"})
"""Origins of events that a program emitted."""


def doubt(program: Program, said: Facts | ChainEvent, fields: Mapping[str, Any], *, grown: bool = False) -> str:
    """Return why an event cannot be what its program wrote, or an empty text.

    The tests have room for whatever a program accepts: an event that nobody but its program can emit fails none of them
    as long as it is read by its own layout. ``grown``: its bytes go on after the last known field.
    """
    return (
        _money(said)
        or (_contradiction(said, fields) if program is Program.PUMPFUN else "")
        or (_trade(program, said, fields) if said.kind in _TRADES else "")
        or (chain.doubt(block_time=said.block_time) or _overdrawn(said, fields) if grown else "")
    )


def impossible(event: ChainEvent, now: datetime) -> str:
    """Return why an event cannot be stored at ``now``, whoever says so and in whatever form, or an empty text."""
    told_by_chain = event.raw.get("origin") in _FROM_THE_CHAIN
    return (
        chain.doubt(slot=event.slot, block_time=event.block_time, now=now)
        or _names(event)
        or (_overdrawn(event, event.fields) if told_by_chain else "")
    )


def noise(said: Facts | ChainEvent) -> str:
    """Return in words why an event that can be is of no use to anybody, or an empty text.

    Anybody can bring such events about, and nothing that an operator does makes a row of them.
    """
    if said.mint is None or said.mint != said.quote_mint or said.mint == programs.ZERO_KEY:
        return ""
    return "a pool of a coin and itself"


def _names(said: ChainEvent) -> str:
    mint, quote_mint = said.mint, said.quote_mint
    for what, key in (("mint", mint), ("quote mint", quote_mint)):
        if key is not None and (key == said.pool or programs.is_no_mint(key)):
            return f"names {key} for its {what}"
    return ""


def _money(said: Facts | ChainEvent) -> str:
    """No more can be paid, or held, than there is of a currency. (What is only virtual, whoever opens a pool may choose.)"""
    after = said.reserves.after or _NOTHING
    for mint, amount, held in (
        (said.quote_mint, said.quote_amount_raw, after.real_quote),
        (said.mint, said.token_amount_raw, after.real_token),
    ):
        if mint in programs.QUOTE_MINTS and max(amount or 0, held or 0) > _MOST_MONEY:
            return "moves more money than there is"
    return ""


def _contradiction(said: Facts | ChainEvent, fields: Mapping[str, Any]) -> str:
    """pump.fun says of coins in SOL what is paid and held twice (of others the first is zero), and its curves are alike: its
    events have less room than those of other programs."""
    in_sol = said.quote_mint == programs.WRAPPED_SOL
    if said.kind in _TRADES and "quote_amount" in fields:
        if _differ(fields.get("sol_amount", 0), fields["quote_amount"] if in_sol else 0):
            return "has amounts in SOL and in its quote that contradict each other"
        for unit in ("virtual", "real"):
            sol, quoted = fields.get(f"{unit}_sol_reserves", 0), fields.get(f"{unit}_quote_reserves", 0)
            if sol and _differ(sol, quoted if in_sol else 0):
                return "has reserves in SOL and in its quote that contradict each other"
    if said.kind in _TRADES and (doubt := _no_curve(said, fields) or _fee_off_its_rate(said, fields)):
        return doubt
    after = said.reserves.after or _NOTHING
    quote, token = after.virtual_quote or 0, after.virtual_token or 0
    if said.quote_mint in programs.QUOTE_MINTS and token and quote * _MOST_SUPPLY > _MOST_MONEY * token:
        return "makes its coin worth more than there is money"
    return ""


def _no_curve(said: Facts | ChainEvent, fields: Mapping[str, Any]) -> str:
    """A curve counts with some of each side before and after a trade, and, unless an agent sets it anew, with more than it has.

    A trade in another quote whose bytes end before they name it is left with nothing in SOL.
    """
    for held in (said.reserves.before, said.reserves.after):
        if held is None:
            continue
        if 0 in (held.virtual_quote, held.virtual_token):
            return "has a curve of nothing"
        if fields.get("mayhem_mode") is not True and (
            (held.real_quote or 0) > (held.virtual_quote or held.real_quote or 0)
            or (held.real_token or 0) > (held.virtual_token or held.real_token or 0)
        ):
            return "holds more than its curve counts with"
    return ""


def _fee_off_its_rate(said: Facts | ChainEvent, fields: Mapping[str, Any]) -> str:
    """Hold the fee against the rate that the event names beside it; whoever is spared one pays none."""
    for fee, rate in (
        (said.fees.protocol, fields.get("fee_basis_points")),
        (said.fees.creator, fields.get("creator_fee_basis_points")),
    ):
        asked = (said.quote_amount_raw or 0) * (rate or 0) // 10_000
        if fee and asked and not (fee <= _FAR * asked + _DUST and asked <= _FAR * fee + _DUST):
            return "has a fee far from its rate"
    return ""


def _differ(sol: int, quoted: int) -> bool:
    """Return whether two numbers that mean the same do not, by more than dust: a wrong layout is far off."""
    return abs(sol - quoted) > _DUST or (quoted == 0) != (sol == 0)


def _trade(program: Program, said: Facts | ChainEvent, fields: Mapping[str, Any]) -> str:
    paid, got, reserves = said.quote_amount_raw or 0, said.token_amount_raw or 0, said.reserves
    if _fees_exceed(said.fees, paid):
        return "has fees above what was paid"
    if program is Program.PUMPSWAP and _shares_differ(said, fields):
        return "has amounts with and without its fee that contradict each other"
    if program is Program.LAUNCHLAB or reserves.before is None or reserves.after is None:
        return ""  # LaunchLab has curves of other shapes, too
    if not _follows(reserves.before, reserves.after):
        return "has reserves that do not follow from its amounts"
    return "" if _is_priced(reserves.before, reserves.after, paid, got) else "pays what its reserves do not ask for"


def _shares_differ(said: Facts | ChainEvent, fields: Mapping[str, Any]) -> bool:
    """PumpSwap says of each trade what is paid with the fee of those who provide the pool, and what is left without."""
    paid, fee = said.quote_amount_raw or 0, said.fees.lp or 0
    more, less = fields.get("quote_amount_in_with_lp_fee"), fields.get("quote_amount_out_without_lp_fee")
    return (more is not None and abs(more - paid - fee) > _DUST) or (
        less is not None and abs(less - paid + fee) > _DUST
    )


def _overdrawn(said: Facts | ChainEvent, fields: Mapping[str, Any]) -> str:
    """Of a trade that a program tells both sides are known, unless one would be less than nothing.

    Before a trade of the agent, which resets the virtual quote of a mayhem coin, it may seem so.
    """
    if said.kind not in _TRADES or fields.get("mayhem_mode") is True:
        return ""
    return "moves more than the pool has" if None in (said.reserves.before, said.reserves.after) else ""


def _fees_exceed(fees: Fees, paid: int) -> bool:
    charged = (fees.protocol, fees.creator, fees.lp, fees.platform, fees.share, fees.cashback)
    parts = (fees.buyback, fees.holder_rewards)  # of the protocol's and the creator's
    return sum(fee or 0 for fee in charged) > paid + _ROUNDING or any(fee and fee > paid + _ROUNDING for fee in parts)


def _is_priced(before: Reserves, after: Reserves, paid: int, got: int) -> bool:
    """Return whether a trade pays about what a constant product asks: ``before.quote · tokens / after.tokens``."""
    quote, token = before.virtual_quote, after.virtual_token
    if quote is None or quote <= 0 or token is None or token <= 0:
        return True  # nothing to compare: negative virtual reserves exist
    asked = quote * got // token
    return asked <= _FAR * paid + _DUST and paid <= _FAR * asked + _DUST


def _follows(before: Reserves, after: Reserves) -> bool:
    """Return whether the product of the virtual reserves is about kept: less than halved, less than doubled."""
    held = (before.virtual_quote, before.virtual_token, after.virtual_quote, after.virtual_token)
    if any(amount is None or amount <= 0 for amount in held):
        return True  # nothing to compare: negative virtual reserves exist
    was, now = (quote * token for quote, token in ((held[0] or 0, held[1] or 0), (held[2] or 0, held[3] or 0)))
    slack = 4 * sum(amount or 0 for amount in held)  # what rounding moves in a pool of a few units
    return was // 2 - slack <= now <= 2 * was + slack
