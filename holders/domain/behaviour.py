"""How a wallet behaves: what is known of it at a time, and the rhythm and the shape of what it does.

Providers list signatures newest first, and the seed's rules read them so: every pause came out negative, which made nearly
every wallet a regular, sub-second machine (decision G10). Here everything is first cut at the time of the verdict and sorted
oldest first, whatever the order in which it came.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, pstdev

from holders.domain import terms

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of a wallet. ``sol`` is ``None`` for other quotes."""

    at: datetime
    slot: int
    event_index: int
    mint: str
    is_buy: bool
    sol: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a wallet's trades came to, over all tokens that we know, as of ``at``. Money in USD; ``wins`` of ``closed``
    tokens in which something was sold ended with a profit, net of fees; ``profit_usd`` is that of the ``priced`` ones,
    whose USD values are all known."""

    at: datetime
    tokens: int = 0
    closed: int = 0
    wins: int = 0
    profit_usd: Decimal | None = None
    priced: int = 0
    volume_usd: Decimal | None = None
    best_return_pct: Decimal | None = None
    graduated: int = 0
    sniped: int = 0
    created: int = 0
    dumped: int = 0
    own_dumped: int = 0

    @property
    def win_ratio(self) -> Decimal | None:
        """The part of the closed tokens that ended with a profit; ``None`` without one."""
        return Decimal(self.wins) / self.closed if self.closed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """What is known of a wallet. ``None`` is unknown.

    ``first_seen_at`` is its first transaction when ``from_start``, else the oldest that is known. ``signed_at`` are the
    times of its newest transactions, in any order; ``is_whole`` says that they are all. ``trades`` are the newest of its
    trades that we stored.
    """

    address: str
    first_seen_at: datetime | None = None
    from_start: bool = False
    is_whole: bool = False
    signed_at: Sequence[datetime] = ()
    lamports: int | None = None
    lamports_at: datetime | None = None
    trades: Sequence[Trade] = ()
    results: Results | None = None

    def known_at(self, at: datetime) -> "Wallet":
        """Return what was known at ``at``: what happened or was looked up later is left out."""
        has_balance = self.lamports_at is not None and self.lamports_at <= at
        started = self.first_seen_at is not None and self.first_seen_at <= at
        return Wallet(
            address=self.address,
            first_seen_at=self.first_seen_at if started else None,
            from_start=self.from_start and started,
            is_whole=self.is_whole,
            signed_at=sorted(moment for moment in self.signed_at if moment <= at),
            lamports=self.lamports if has_balance else None,
            lamports_at=self.lamports_at if has_balance else None,
            trades=in_order(trade for trade in self.trades if trade.at <= at),
            results=self.results if self.results is not None and self.results.at <= at else None,
        )

    def age(self, at: datetime) -> timedelta | None:
        """Return how old the wallet is; ``None`` while its beginning is not known and may be younger than any rule
        asks."""
        if self.first_seen_at is None:
            return None
        seen = at - self.first_seen_at
        return seen if self.from_start or seen >= terms.AGE_SETTLED else None

    @property
    def transactions(self) -> int | None:
        """How many transactions are known, at least so many unless ``is_whole``; ``None`` without one."""
        return len(self.signed_at) or None

    @property
    def buys(self) -> int:
        """How many of the known trades are buys."""
        return sum(trade.is_buy for trade in self.trades)

    @property
    def sells(self) -> int:
        """How many of the known trades are sells."""
        return len(self.trades) - self.buys


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The pauses between a wallet's transactions. ``variation`` is their standard deviation by their mean, ``None`` when
    they are all zero; ``bursts`` the part of three in a row with both pauses short, ``quick`` the part of pauses below a
    second."""

    signatures: int
    gaps: int
    variation: float | None
    bursts: float
    quick: float


def in_order(trades: Iterable[Trade]) -> list[Trade]:
    """Return ``trades`` in the order in which the chain did them."""
    return sorted(trades, key=lambda trade: (trade.at, trade.slot, trade.event_index))


def rhythm(times: Sequence[datetime]) -> Rhythm | None:
    """Return the rhythm of ``times``, given in any order; ``None`` for less than three."""
    if len(times) < 3:
        return None
    gaps = [later - earlier for earlier, later in pairwise(sorted(times))]
    seconds = [gap / _SECOND for gap in gaps]
    mean = fmean(seconds)
    short = [gap < terms.BURST_GAP for gap in gaps]
    return Rhythm(
        signatures=len(times),
        gaps=len(gaps),
        variation=pstdev(seconds) / mean if mean else None,
        bursts=sum(first and second for first, second in pairwise(short)) / (len(gaps) - 1),
        quick=sum(gap < terms.QUICK_GAP for gap in gaps) / len(gaps),
    )


def sandwiches(trades: Sequence[Trade]) -> int:
    """Return how often three trades in turn of one token were buy, sell, buy or sell, buy, sell within a few slots."""
    by_token: dict[str, list[Trade]] = {}
    for trade in in_order(trades):
        by_token.setdefault(trade.mint, []).append(trade)
    return sum(
        second.is_buy not in (first.is_buy, third.is_buy) and third.slot - first.slot <= terms.SANDWICH_SLOTS
        for of_token in by_token.values()
        for first, second, third in zip(of_token, of_token[1:], of_token[2:], strict=False)
    )


def commonest_amount(trades: Sequence[Trade]) -> tuple[Decimal, int] | None:
    """Return the amount of SOL that most trades have and how many have it, the smallest of several; ``None`` without
    trades in SOL."""
    amounts = Counter(trade.sol for trade in trades if trade.sol is not None)
    if not amounts:
        return None
    amount, count = min(amounts.items(), key=lambda item: (-item[1], item[0]))
    return amount, count
