"""From facts to the four parts of a technical score."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from scoring.domain.points import ZERO, Part
from scoring.domain.technical import curve, market_cap, selloff, trading
from scoring.domain.technical.facts import Facts
from scoring.domain.terms import Section


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy's technical section, read once."""

    market_cap: market_cap.Terms
    bonding_curve: curve.Terms
    trading_health: trading.Terms
    selloff_response: selloff.Terms

    @classmethod
    def of(cls, section: Section) -> Self:
        """Return the terms in ``section``, which is ``Policy.technical``."""
        return cls(
            market_cap.Terms.of(section.section("market_cap")),
            curve.Terms.of(section.section("bonding_curve")),
            trading.Terms.of(section.section("trading_health")),
            selloff.Terms.of(section.section("selloff_response")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What follows from facts without any points: the figures that people read beside a score."""

    velocity_pct_min: Decimal | None
    progress_velocity_pct_h: Decimal | None
    progress_consistency: Decimal | None
    buy_sell_ratio: Decimal | None
    volume_trend: Decimal
    whale_concentration: Decimal | None
    drop_5m: Decimal | None
    drop_15m: Decimal | None
    drop_30m: Decimal | None
    drop_60m: Decimal | None
    recovery: Decimal


@dataclass(frozen=True, slots=True)
class Technical:
    """A technical score: its four parts, and the figures they rest on."""

    parts: tuple[Part, Part, Part, Part]
    """Market cap, bonding curve, trading health, sell-off response."""
    measured: Measured

    @property
    def total(self) -> Decimal:
        """The sum of the known parts, signed: -60 to 333."""
        return sum((part.points or ZERO for part in self.parts), ZERO)

    @property
    def available(self) -> Decimal:
        """The most that was to be had with what is known, at most 333."""
        return sum((min(part.available, part.most) for part in self.parts), ZERO)


def measure(terms: Terms, facts: Facts) -> Measured:
    """Return the figures of ``facts``; of a policy only the weights of ages matter here."""
    volume_5m = facts.buys[0] + facts.sells[0]
    volume_30m = sum(facts.buys[:3], ZERO) + sum(facts.sells[:3], ZERO)
    volume_1h = volume_30m + facts.buys[3] + facts.sells[3]
    return Measured(
        velocity_pct_min=market_cap.velocity(
            price=facts.demand_price if facts.left_out_trades else facts.price,
            before=facts.before,
            minutes=facts.before_minutes,
        ),
        progress_velocity_pct_h=curve.velocity(facts.demand_progress),
        progress_consistency=curve.consistency(facts.demand_progress),
        buy_sell_ratio=trading.ratio(terms.trading_health.weights, buys=facts.buys, sells=facts.sells),
        volume_trend=trading.trend(volume_5m=volume_5m, volume_30m=volume_30m),
        whale_concentration=facts.largest / volume_1h if volume_1h else None,
        drop_5m=selloff.drop(first=_top(facts.high_5m, facts.first_5m), last=facts.price),
        drop_15m=selloff.drop(first=_top(facts.high_15m, facts.first_15m), last=facts.price),
        drop_30m=selloff.drop(first=_top(facts.high_30m, facts.first_30m), last=facts.price),
        drop_60m=selloff.drop(first=_top(facts.high_60m, facts.first_60m), last=facts.price),
        recovery=selloff.recovery(terms.selloff_response, buys=facts.buys, sells=facts.sells),
    )


def _top(high: Decimal | None, first: Decimal | None) -> Decimal | None:
    """Return the price that a fall is measured from: the window's highest, or in older facts its first."""
    return first if high is None else high


def score(terms: Terms, facts: Facts) -> Technical:
    """Return the score of ``facts``: the same facts and terms always give the same points."""
    found = measure(terms, facts)
    return Technical(
        (
            market_cap.score(
                terms.market_cap, market_cap_usd=facts.market_cap_usd, velocity_pct_min=found.velocity_pct_min
            ),
            curve.score(
                terms.bonding_curve,
                progress_pct=facts.progress[-1],
                velocity_pct_h=found.progress_velocity_pct_h,
                steady=found.progress_consistency,
                is_graduated=facts.is_graduated,
                is_silent=facts.is_silent,
            ),
            trading.score(
                terms.trading_health,
                trades=facts.trades_1h,
                ratio_1h=found.buy_sell_ratio,
                trend_pct=found.volume_trend,
                largest_share=found.whale_concentration,
                left_out=trading.LeftOut(facts.left_out_trades, facts.left_out_volume),
            ),
            selloff.score(terms.selloff_response, _fall(facts, found), is_silent=facts.is_silent),
        ),
        found,
    )


def _fall(facts: Facts, found: Measured) -> selloff.Fall | None:
    if found.drop_5m is None or found.drop_15m is None or found.drop_30m is None:
        return None
    return selloff.Fall(
        drop_5m=found.drop_5m,
        drop_15m=found.drop_15m,
        drop_30m=found.drop_30m,
        red=facts.red,
        minutes=facts.selloff_minutes,
        recovery=found.recovery,
    )
