"""Trading health, 75 points: buys against sells (30), trend of the volume (25), spread over wallets (20).

Amounts are in the pool's quote; liquidity events are no trades. Bands of age: under 5, 15, 30 and 60 minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from scoring.domain.points import Component, Part, Steps, rounded, text
from scoring.domain.terms import PolicyMalformed, Section

MOST_RATIO = Decimal(999)
"""What only buys, and anything beyond, is told as."""

DEFAULTS: dict[str, Any] = {
    # For trades younger than 5, 15, 30 and 60 minutes.
    "weights": ["1.0", "0.7", "0.4", "0.2"],
    "ratio": [
        {"below": "1", "points": "0"},
        {"below": "1.5", "points": "10"},
        {"to": "2", "points": "20"},
        {"points": "30"},
    ],
    # Percent by which five minutes are above the half hour's mean.
    "trend": [
        {"to": "0", "points": "0"},
        {"to": "20", "points": "10"},
        {"to": "50", "points": "20"},
        {"points": "25"},
    ],
    # The largest wallet's share of the hour's volume, as a ratio.
    "largest": [
        {"below": "0.1", "points": "20"},
        {"below": "0.2", "points": "15"},
        {"below": "0.3", "points": "10"},
        {"below": "0.4", "points": "5"},
        {"points": "0"},
    ],
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The section of a policy that this part reads, read once."""

    weights: tuple[Decimal, ...]
    ratio: Steps
    trend: Steps
    largest: Steps

    @classmethod
    def of(cls, section: Section) -> Self:
        """Return the terms in ``section``."""
        return cls(
            weights=weights_of(section, 4),
            ratio=Steps.of(section.rows("ratio"), name=f"{section.name}.ratio"),
            trend=Steps.of(section.rows("trend"), name=f"{section.name}.trend"),
            largest=Steps.of(section.rows("largest"), name=f"{section.name}.largest"),
        )


def weights_of(section: Section, count: int) -> tuple[Decimal, ...]:
    """Return the ``count`` weights in ``section``; ``PolicyMalformed`` for more, fewer or negative ones."""
    weights = section.numbers("weights")
    if len(weights) != count or min(weights) < 0:
        raise PolicyMalformed(f"{section.name}.weights: write {count} weights, none below zero.")
    return weights


def ratio(weights: Sequence[Decimal], *, buys: Sequence[Decimal], sells: Sequence[Decimal]) -> Decimal | None:
    """Return weighted buys over weighted sells, at most 999: that is also what buys without a sell are. None without
    trades. ``buys`` and ``sells`` are amounts by age, as many as ``weights``, the youngest first."""
    bought = sum((weight * amount for weight, amount in zip(weights, buys, strict=True)), Decimal(0))
    sold = sum((weight * amount for weight, amount in zip(weights, sells, strict=True)), Decimal(0))
    if not sold:
        return MOST_RATIO if bought else None
    return min(MOST_RATIO, bought / sold)


def trend(*, volume_5m: Decimal, volume_30m: Decimal) -> Decimal:
    """Return by how many percent six times five minutes are above the half hour, -100 to 500; 0 without volume."""
    return (6 * volume_5m - volume_30m) / volume_30m * 100 if volume_30m else Decimal(0)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the mayhem agent traded in the hour: no demand, so in none of the figures (T15). ``volume`` is in the quote."""

    trades: int = 0
    volume: Decimal = Decimal(0)

    @property
    def words(self) -> str:
        """What is added to a reason; empty when nothing was left out."""
        amount = text(self.volume.normalize())
        return f" The mayhem agent's {self.trades} trades over {amount} are left out." if self.trades else ""

    @property
    def inputs(self) -> dict[str, str | None]:
        """What is added to a line's inputs."""
        return {"left_out_trades": str(self.trades), "left_out_volume": text(self.volume)} if self.trades else {}


NOTHING_LEFT_OUT = LeftOut()


def score(
    terms: Terms,
    *,
    trades: int,
    ratio_1h: Decimal | None,
    trend_pct: Decimal,
    largest_share: Decimal | None,
    left_out: LeftOut = NOTHING_LEFT_OUT,
) -> Part:
    """Return the three lines. Without trades all are zero: silence is no health."""
    most = terms.ratio.most + terms.trend.most + terms.largest.most
    shown = {"ratio": ratio_1h, "trend": trend_pct, "largest": largest_share}
    if not trades or ratio_1h is None or largest_share is None:
        nothing = f"Nobody traded in the last hour.{left_out.words}"
        tables = (("ratio", terms.ratio), ("trend", terms.trend), ("largest", terms.largest))
        silent = tuple(
            Component(
                name,
                Decimal(0),
                table.most,
                nothing,
                {name: text(shown[name]), "trades_1h": str(trades), **left_out.inputs},
            )
            for name, table in tables
        )
        return Part("trading_health", silent, most)
    lines = (
        _line("ratio", terms.ratio, ratio_1h, f"Weighted buys are {ratio_1h:.2f} times the sells, which is", left_out),
        _line(
            "trend",
            terms.trend,
            trend_pct,
            f"Volume of five minutes is {trend_pct:+.1f} % off the half hour's, which is",
            left_out,
        ),
        _line(
            "largest",
            terms.largest,
            largest_share,
            f"One wallet made {largest_share:.3f} of the hour's volume, which is",
            left_out,
        ),
    )
    return Part("trading_health", lines, most)


def _line(name: str, table: Steps, value: Decimal, said: str, left_out: LeftOut) -> Component:
    read = table.at(value)
    reason = f"{said} {read.words}.{left_out.words}"
    return Component(name, rounded(read.points), table.most, reason, {name: text(value), **left_out.inputs})
