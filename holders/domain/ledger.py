"""Many wallets' trades at once, as columns, and the positions that they leave.

Columns are whole numbers in the order of wallet and chain; :data:`UNKNOWN` is an unknown value (what a sale brings may be
below zero, when its fees are more). Sums are taken over columns, and only
the rounds of each wallet (see :mod:`holders.domain.positions`) are walked through one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from holders.domain.positions import Position, Round

Column = npt.NDArray[Any]

UNKNOWN = -(2**63)

_SAFE = float(2**62)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Trades, a row each, with the fields of :class:`~holders.domain.positions.Trade`. ``owner`` numbers (token, wallet)
    from 0 upwards without a gap; ``without_network_fee`` is one where no source told that fee."""

    owner: Column
    buys: Column
    raw: Column
    lamports: Column
    net_lamports: Column
    net_usd_nano: Column
    without_network_fee: Column
    at_micros: Column
    slot: Column

    def __len__(self) -> int:
        return len(self.owner)


def owners(ledger: Ledger) -> Column:
    """Return the row at which each owner's trades begin."""
    return np.flatnonzero(np.diff(ledger.owner, prepend=-1))


def taken(ledger: Ledger, wanted: Column) -> Ledger:
    """Return the trades of the owners for which ``wanted`` is true; their numbers stay."""
    rows = wanted[ledger.owner]
    return Ledger(**{name: getattr(ledger, name)[rows] for name in Ledger.__slots__})


def traded_since(ledger: Ledger, slots: Sequence[int | None]) -> list[int]:
    """Return for each owner the net base units that it bought after its slot; 0 without one."""
    if not len(ledger):
        return []
    limits = np.array([np.iinfo(np.int64).max if slot is None else slot for slot in slots], dtype=np.int64)
    signed = np.where(ledger.buys, ledger.raw, -ledger.raw)
    later = np.where(ledger.slot > limits[ledger.owner], signed, 0)
    return [int(net) for net in np.add.reduceat(later, owners(ledger))]


def positions(ledger: Ledger) -> Iterator[tuple[int, Position]]:
    """Yield each owner's number and position, in order."""
    owner, position = -1, Position()
    for of, one in _rounds(ledger):
        if of != owner:
            if owner >= 0:
                yield owner, position
            owner, position = of, Position()
        position.settle(one)
    if owner >= 0:
        yield owner, position


def _rounds(ledger: Ledger) -> Iterator[tuple[int, Round]]:
    """Yield each owner's rounds in order."""
    if not len(ledger):
        return
    buys = ledger.buys.astype(bool)
    begins = np.diff(ledger.owner, prepend=-1) != 0
    begins[1:] |= buys[1:] & ~buys[:-1]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(ledger)) - 1
    columns = (
        ledger.owner[starts],
        np.where(buys, ledger.raw, 0)[starts],
        *_both(ledger.raw, buys, starts),
        *_both(ledger.lamports, buys, starts),
        *_both(ledger.net_lamports, buys, starts),
        *_both(ledger.net_usd_nano, buys, starts),
        np.add.reduceat(ledger.without_network_fee, starts),
        np.add.reduceat(buys.astype(np.int64), starts),
        np.add.reduceat((~buys).astype(np.int64), starts),
        ledger.at_micros[starts],
        ledger.at_micros[ends],
    )
    rows: Any = (column if isinstance(column, list) else column.tolist() for column in columns)
    for of, *sums in zip(*rows, strict=True):
        yield of, Round(*sums)


def _both(values: Column, buys: Column, starts: Column) -> tuple[list[int | None], list[int | None]]:
    """Return the sums over the buys and over the sales of each round; ``None`` where one of them is unknown."""
    return _sums(np.where(buys, values, 0), starts), _sums(np.where(buys, 0, values), starts)


def _sums(values: Column, starts: Column) -> list[int | None]:
    unknown = values == UNKNOWN
    if unknown.any():
        values = np.where(unknown, 0, values)
    if values.dtype != object and float(np.abs(values).sum(dtype=np.float64)) >= _SAFE:
        values = values.astype(object)  # sums that 64 bits do not hold
    sums: list[int | None] = np.add.reduceat(values, starts).tolist()
    if unknown.any():
        for place in np.flatnonzero(np.logical_or.reduceat(unknown, starts)).tolist():
            sums[place] = None
    return sums


def first_of_transaction(owner: Column, transaction: Column, event_index: Column) -> Column:
    """Return which trades are the first of their owner in a transaction: the network charges a transaction once."""
    order = np.lexsort((event_index, transaction, owner))
    again = (owner[order][1:] == owner[order][:-1]) & (transaction[order][1:] == transaction[order][:-1])
    first = np.ones(len(owner), dtype=bool)
    first[order[1:][again]] = False
    return first
