"""Whether what was read of an event can be: bytes read by the wrong layout hardly ever add up."""

from typing import Final

from tokens.choices import EventKind, Program
from tokens.domain.decode.emissions import Facts
from tokens.domain.events import BothReserves, ChainEvent, Fees

_EARLIEST, _LATEST = 1_577_836_800, 4_102_444_800
"""2020-03 saw Solana's first block; nothing is of the next century. Unix seconds."""
_TRADES: Final = frozenset({EventKind.BUY, EventKind.SELL})
_ROUNDING: Final = 1_000
"""Base units by which fees of a tiny trade may exceed it: each is rounded up."""


def doubt(program: Program, said: Facts | ChainEvent) -> str:
    """Return why an event cannot be what its program wrote, or an empty text.

    The tests have room for whatever a program accepts: an event that nobody but its program can emit fails none of them
    as long as it is read by its own layout.
    """
    if said.block_time is not None and not _EARLIEST <= said.block_time < _LATEST:
        return f"names the time {said.block_time}"
    if said.kind not in _TRADES:
        return ""
    if said.reserves.before is None or said.reserves.after is None:
        return "moves more than the pool has"
    if _fees_exceed(said.fees, said.quote_amount_raw or 0):
        return "has fees above what was paid"
    if program is not Program.LAUNCHLAB and not _follows(said.reserves):  # which has curves of other shapes, too
        return "has reserves that do not follow from its amounts"
    return ""


def _fees_exceed(fees: Fees, paid: int) -> bool:
    charged = (fees.protocol, fees.creator, fees.lp, fees.platform, fees.share, fees.cashback)
    return any(fee is not None and fee > paid + _ROUNDING for fee in charged)


def _follows(reserves: BothReserves) -> bool:
    """Return whether the product of the virtual reserves is about kept: less than halved, less than doubled."""
    before, after = reserves.before, reserves.after
    if before is None or after is None:
        return False
    held = (before.virtual_quote, before.virtual_token, after.virtual_quote, after.virtual_token)
    if any(amount is None or amount <= 0 for amount in held):
        return True  # nothing to compare: negative virtual reserves exist
    was, now = (quote * token for quote, token in ((held[0] or 0, held[1] or 0), (held[2] or 0, held[3] or 0)))
    slack = 4 * sum(amount or 0 for amount in held)  # what rounding moves in a pool of a few units
    return was // 2 - slack <= now <= 2 * was + slack
