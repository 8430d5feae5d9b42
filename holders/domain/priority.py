"""Which token's holders are analysed next: tiers with their intervals, milestones and first analyses on one scale of
priorities, larger is more urgent. The tiers are those of the seed's version 024, instant analysis that of 025."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from holders.choices import Tier

WINDOW_FROM, WINDOW_TO = Decimal(5), Decimal(100)
"""Percent of the quote target: from the first on, below the second (decision G4)."""
FEWEST_HOLDERS = 5

OPERATOR, FIRST = 2000, 900
"""Priorities of what a person waits for, and of a token that scores well and was never analysed."""
OVERRIDE = 300
"""Added while a curve is about to graduate."""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the room above knows of a token; ``None`` is unknown and fulfils no condition."""

    technical: Decimal | None = None
    holder: Decimal | None = None
    momentum: Decimal | None = None
    """Points of the curve an hour, signed: the measure that 023 compares with 10 and 20 as 024 does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Scores):
    """A token when its turn is decided."""

    progress_pct: Decimal
    """Percent of the quote target."""

    @property
    def combined(self) -> Decimal:
        """What is certain of the 666: no part is below zero (G1), so the known ones are the least that they add up to."""
        return max(self.technical or _ZERO, _ZERO) + max(self.holder or _ZERO, _ZERO)

    def moves_above(self, points: int) -> bool:
        return self.momentum is not None and self.momentum > points

    def technical_from(self, points: int) -> bool:
        return self.technical is not None and self.technical >= points

    def holder_from(self, points: int) -> bool:
        return self.holder is not None and self.holder >= points

    def between(self, low: int, high: int) -> bool:
        """Say whether the curve stands within ``low`` and ``high`` percent, both included."""
        return low <= self.progress_pct <= high

    @property
    def is_graduating(self) -> bool:
        """Whether the curve stands where a graduation is near."""
        return self.between(70, 84)


class Rule(NamedTuple):
    """One row of the table of tiers."""

    tier: Tier
    interval: timedelta
    priority: int
    holds: Callable[[Standing], bool]


def _ultra_critical(it: Standing) -> bool:
    c = it.combined
    return c >= 500 or (c >= 400 and it.moves_above(20)) or (it.technical_from(280) and it.between(15, 40))


def _critical(it: Standing) -> bool:
    c = it.combined
    scores = c >= 400 or (c >= 350 and it.moves_above(15)) or (it.technical_from(250) and it.holder_from(150))
    return scores or it.is_graduating


def _high(it: Standing) -> bool:
    c = it.combined
    return c >= 350 or (c >= 300 and it.moves_above(10)) or (it.technical_from(200) and it.between(10, 50))


def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


RULES = (
    Rule(Tier.ULTRA_CRITICAL, _seconds(30), 1000, _ultra_critical),
    Rule(Tier.CRITICAL, _seconds(60), 800, _critical),
    Rule(Tier.HIGH, _seconds(120), 600, _high),
    Rule(Tier.ELEVATED, _seconds(180), 400, lambda it: it.combined >= 300 or it.technical_from(180)),
    Rule(Tier.STANDARD, _seconds(300), 200, lambda it: it.combined >= 200 or it.between(15, 40)),
    Rule(Tier.LOW, _seconds(600), 100, lambda it: it.combined >= 100),
    Rule(Tier.MINIMAL, _seconds(1800), 50, lambda _: True),
)
"""The first that holds decides."""


class Turn(NamedTuple):
    """How often and how urgently a token is analysed."""

    tier: Tier
    interval: timedelta
    priority: int


def turn_of(it: Standing) -> Turn:
    """Return the tier of a token, its interval and its priority, raised while the curve is about to graduate."""
    rule = next(rule for rule in RULES if rule.holds(it))
    return Turn(rule.tier, rule.interval, rule.priority + (OVERRIDE if it.is_graduating else 0))


def is_instant(it: Standing, *, since_analysis: timedelta | None) -> bool:
    """Say whether a token is analysed at once, whatever its interval: it scores well and was never analysed (``None``),
    or not for long enough."""
    if since_analysis is None:
        return it.holder is None and it.technical_from(150)
    return (it.technical_from(200) and since_analysis > timedelta(minutes=3)) or (
        it.technical_from(180) and since_analysis > timedelta(minutes=5)
    )


def milestone_priority(threshold_pct: int) -> int:
    """Return the priority of a curve that reached ``threshold_pct``: the seed code's 1, 2, 3 and 5 on the one scale."""
    if threshold_pct >= 90:
        return 900
    if threshold_pct >= 75:
        return 800
    return 500 if threshold_pct == 10 else 300


def velocity_priority(*, points_15m: Decimal | None, points_1h: Decimal | None) -> int | None:
    """Return the priority of a curve that moves fast, by the points it gained; ``None`` for one that does not."""
    if points_15m is not None and points_15m > 5:
        return 800
    return 500 if points_1h is not None and points_1h > 10 else None


def tier_of(priority: int) -> Tier:
    """Return the tier as which work of ``priority`` counts: the most urgent whose own priority it reaches."""
    return next((rule.tier for rule in RULES if priority >= rule.priority), Tier.MINIMAL)


def is_in_window(*, progress_quote_pct: Decimal | None, holders: int | None) -> bool:
    """Say whether a token's holders are scored (decision G4). Unknown means no."""
    if progress_quote_pct is None or holders is None:
        return False
    return WINDOW_FROM <= progress_quote_pct < WINDOW_TO and holders >= FEWEST_HOLDERS


class Depth(NamedTuple):
    """How far an analysis goes: the holders that are listed, and of these the wallets that are looked at."""

    holders: int
    wallets: int


_DEEP, _MEDIUM, _SHALLOW = Depth(10_000, 500), Depth(5_000, 250), Depth(2_000, 100)

DEPTHS = {
    Tier.ULTRA_CRITICAL: _DEEP,
    Tier.CRITICAL: _DEEP,
    Tier.HIGH: _DEEP,
    Tier.ELEVATED: _MEDIUM,
    Tier.STANDARD: _MEDIUM,
    Tier.LOW: _SHALLOW,
    Tier.MINIMAL: _SHALLOW,
}
