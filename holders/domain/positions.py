"""What a wallet's trades of one token left it with, at average cost.

Whole numbers only: base units of the token, lamports, billionths of a USD, and microseconds since 2000 (PostgreSQL's
count of time). Trades come in rounds: some buys, then the
sales until the next buy. The sales of a round together take their part of the cost of what was held, rounded down once, so
that a position that is closed leaves no cost behind. What is sold beyond what was bought here came by transfer: its cost
is unknown, so it is counted apart and earns nothing. A trade without a value in SOL (or USD) makes the wallet's SOL (or
USD) figures unknown from there on.

Cost, proceeds and profit are net: a buy costs what moved against the pool *and* its fees, a sale brings what moved *less*
its fees. Prices are of what moved against the pool, without fees.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

WEEK_HOURS = 168
"""A holding as long as this is as patient as any."""

_BILLION = 10**9
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_HOURS = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One buy or sale; a wallet's trades come in the chain's order."""

    buys: bool
    at: datetime
    raw: int
    """Base units of the token."""
    lamports: int | None
    """What moved against the pool, without fees."""
    net_lamports: int | None
    """What the wallet paid or got, fees in it; a sale may bring less than nothing."""
    net_usd_nano: int | None
    """The same in billionths of a USD."""
    is_network_fee_known: bool = True
    """Whether the network's fee is among the fees, where there is one."""


class Round(NamedTuple):
    """Buys, and the sales up to the next buy: the sums of each."""

    first: int
    """What the first trade bought, 0 for a sale."""
    raw_in: int
    raw_out: int
    lamports_in: int | None
    lamports_out: int | None
    net_in: int | None
    net_out: int | None
    net_usd_in: int | None
    net_usd_out: int | None
    without_network_fee: int
    """Trades of which no source told the network's fee."""
    buys: int
    sells: int
    first_at: int
    last_at: int


@dataclass(slots=True)
class Position:
    """The state after some rounds. ``None`` is unknown."""

    held: int = 0
    cost: int | None = 0
    cost_usd: int | None = 0
    realized: int | None = 0
    realized_usd: int | None = 0
    sold_cost: int | None = 0
    """Lamports that what was sold of it had cost: what the realised profit is a return on."""
    fees: int | None = 0
    """Lamports of all fees that are in costs and proceeds."""
    without_network_fee: int = 0
    """Trades of which no source told the network's fee: costs and proceeds are without it."""
    bought: int = 0
    sold: int = 0
    untracked: int = 0
    """Of what was sold, what had not been bought here."""
    spent: int | None = 0
    """Lamports that all buys moved against the pool, without fees: what the average price follows from."""
    earned: int | None = 0
    """Lamports that all sales moved, without fees."""
    initial: int | None = None
    """Held after the first trade."""
    peak: int = 0
    buys: int = 0
    sells: int = 0
    first_at: int | None = None
    last_at: int | None = None
    held_since: int | None = None
    held_until: int | None = None

    def settle(self, more: Round) -> None:
        """Take the next round into account."""
        if self.initial is None:
            self.initial, self.first_at = more.first, more.first_at
        self.last_at = more.last_at
        self.without_network_fee += more.without_network_fee
        if more.buys:
            self._buy(more)
        if more.sells:
            self._sell(more)

    def _buy(self, more: Round) -> None:
        if not self.held:
            self.held_since, self.held_until = more.first_at, None
        self.held += more.raw_in
        self.bought += more.raw_in
        self.peak = max(self.peak, self.held)
        self.cost = _plus(self.cost, more.net_in)
        self.cost_usd = _plus(self.cost_usd, more.net_usd_in)
        self.spent = _plus(self.spent, more.lamports_in)
        self.fees = _plus(self.fees, _less(more.net_in, more.lamports_in))
        self.buys += more.buys

    def _sell(self, more: Round) -> None:
        known, held, sold = min(more.raw_out, self.held), self.held, more.raw_out
        paid, gain = _sale(self.cost, more.net_out, known, held, sold)
        self.cost, self.realized = _less(self.cost, paid), _plus(self.realized, gain)
        self.sold_cost = _plus(self.sold_cost, paid)
        paid_usd, gain_usd = _sale(self.cost_usd, more.net_usd_out, known, held, sold)
        self.cost_usd, self.realized_usd = _less(self.cost_usd, paid_usd), _plus(self.realized_usd, gain_usd)
        self.earned = _plus(self.earned, more.lamports_out)
        self.fees = _plus(self.fees, _less(more.lamports_out, more.net_out))
        if held and known == held:
            self.held_until = more.last_at
        self.held -= known
        self.sold += sold
        self.untracked += sold - known
        self.sells += more.sells


def fold(trades: Iterable[Trade]) -> Position:
    """Return what trades of one wallet and one token, in the chain's order, leave."""
    position = Position()
    for one in rounds(trades):
        position.settle(one)
    return position


def rounds(trades: Iterable[Trade]) -> Iterator[Round]:
    """Yield trades of one wallet, in the chain's order, as rounds."""
    together: list[Trade] = []
    for trade in trades:
        if together and trade.buys and not together[-1].buys:
            yield _round(together)
            together = []
        together.append(trade)
    if together:
        yield _round(together)


def _round(trades: list[Trade]) -> Round:
    bought, sold = [one for one in trades if one.buys], [one for one in trades if not one.buys]
    return Round(
        first=trades[0].raw if trades[0].buys else 0,
        raw_in=sum(one.raw for one in bought),
        raw_out=sum(one.raw for one in sold),
        lamports_in=_sum(one.lamports for one in bought),
        lamports_out=_sum(one.lamports for one in sold),
        net_in=_sum(one.net_lamports for one in bought),
        net_out=_sum(one.net_lamports for one in sold),
        net_usd_in=_sum(one.net_usd_nano for one in bought),
        net_usd_out=_sum(one.net_usd_nano for one in sold),
        without_network_fee=sum(not one.is_network_fee_known for one in trades),
        buys=len(bought),
        sells=len(sold),
        first_at=micros(trades[0].at),
        last_at=micros(trades[-1].at),
    )


def micros(at: datetime) -> int:
    """Return a moment as microseconds since 2000."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(at: int | None) -> datetime | None:
    """Return microseconds since 2000 as a moment."""
    return None if at is None else _EPOCH + timedelta(microseconds=at)


def hold_hours(*, since: int | None, until: int | None, now: int) -> Decimal | None:
    """Return how long the newest holding lasted or has lasted, in hours; ``None`` when nothing was ever bought."""
    if since is None:
        return None
    held = max(0, (now if until is None else until) - since)
    return (Decimal(held) / 3_600_000_000).quantize(_HOURS, ROUND_HALF_UP)


def sold_ratio(*, bought: int, sold: int) -> Decimal | None:
    """Return what part of what was bought was sold, at most one; ``None`` when nothing was bought."""
    return min(Decimal(1), ratio(sold, bought, places=6)) if bought else None


def diamond_hands(*, hours: Decimal | None, sold: Decimal | None) -> Decimal | None:
    """Return 0 to 100: 100 for a week without a sale, less for a shorter holding and for each part that was sold."""
    if hours is None or sold is None:
        return None
    patience = 100 * min(Decimal(WEEK_HOURS), hours) * (1 - sold)
    return (patience / WEEK_HOURS).quantize(_HOURS, ROUND_HALF_UP)


def price(*, lamports: int | None, raw: int, decimals: int) -> Decimal | None:
    """Return SOL per whole token to 20 decimals; ``None`` when either is missing."""
    return ratio(lamports * 10**decimals, raw * _BILLION, places=20) if lamports is not None and raw else None


def ratio(part: int, whole: int, *, places: int) -> Decimal:
    """Return ``part`` of ``whole``, neither below zero, half up to ``places`` decimals."""
    return Decimal((2 * part * 10**places + whole) // (2 * whole)).scaleb(-places)


def unrealized(*, cost: int | None, held: int, still: int, price: Decimal | None, decimals: int) -> Decimal | None:
    """Return what ``still`` base units of a traded balance ``held`` would gain over their cost, in SOL (or USD).

    ``cost`` is in lamports (or billionths of a USD) and ``price`` in SOL (or USD) per whole token. 0 when nothing is left,
    ``None`` when price or cost is unknown.
    """
    if not still:
        return Decimal(0)
    if cost is None or price is None:
        return None
    worth = (Decimal(still).scaleb(-decimals) * price).quantize(Decimal("1E-9"), ROUND_HALF_UP)
    return worth - Decimal(cost * still // held).scaleb(-9)


def _sum(values: Iterable[int | None]) -> int | None:
    total: int | None = 0
    for value in values:
        total = _plus(total, value)
    return total


def _plus(known: int | None, more: int | None) -> int | None:
    return None if known is None or more is None else known + more


def _less(known: int | None, part: int | None) -> int | None:
    return None if known is None or part is None else known - part


def _sale(cost: int | None, brought: int | None, known: int, held: int, sold: int) -> tuple[int | None, int | None]:
    """Return the cost of ``known`` of what was held, and the profit, when ``sold`` brought so much.

    Parts are rounded down, of a loss away from zero; there is no part of nothing.
    """
    paid = None if cost is None else cost * known // held if held else 0
    got = None if brought is None else brought * known // sold if sold else 0
    return paid, _less(got, paid)
