"""The risk of wash trading, 0 to 100: from who trades, and from how much of the volume comes and goes (formulas 3.7)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from scoring.domain.points import ZERO, Component, Part, stated
from scoring.domain.signs import Signs, percent

MOST = Decimal(100)

DEFAULTS: dict[str, Any] = {
    "alike": "20",
    "alike_trades_above": "10",
    "alike_ratio_above": "0.1",
    "born_together": "30",
    "born_together_ratio_above": "0.2",
    "born_together_at_least": "3",
    "round_trips": "30",
    "round_trips_ratio_above": "0.3",
    "round_trips_each_above": "5",
    "round_trips_apart_below": "2",
    # So many points for volume that is all wash: it discounts, and alone never disqualifies.
    "volume": "50",
    "volume_ratio_above": "0.2",
    "volume_within_seconds": "60",
}
"""``wash_trading`` in the risk section of a policy's terms."""


def rate(figures: Signs, rule: Mapping[str, Decimal]) -> Part:
    """Return the lines of the risk of wash trading: wallets that are alike, trip round or were created together, and how
    much of the volume they made."""
    traders = figures.traders
    alike = round_trips = born = None
    if traders:
        crowds = [n for n, wallets in figures.alike if Decimal(wallets) / traders > rule["alike_ratio_above"]]
        alike = rule["alike"] * len(crowds), f"{len(crowds)} numbers of trades are shared by many of {traders} traders"
        part = Decimal(figures.round_trippers or 0) / traders
        words = f"{percent(part)} of the traders buy and sell about equally often"
        round_trips = rule["round_trips"] if part > rule["round_trips_ratio_above"] else ZERO, words
    if figures.born:
        hours = figures.born_hours or (figures.born_together or 0,)
        crowded = [
            wallets
            for wallets in hours
            if Decimal(wallets) / figures.born > rule["born_together_ratio_above"]
            and wallets >= rule["born_together_at_least"]
        ]
        shares = ", ".join(percent(Decimal(wallets) / figures.born) for wallets in crowded or hours[:1])
        words = f"{shares} of {figures.born} wallets were created within one hour"
        born = rule["born_together"] * len(crowded), f"{words} each" if len(crowded) > 1 else words
    lines: tuple[Component, ...] = (
        stated("alike", alike, MOST, "no trade is stored"),
        stated("round_trips", round_trips, rule["round_trips"], "no trade is stored"),
        stated("born_together", born, MOST, "no wallet's creation"),
    )
    # Figures from before the volume was counted are rated as they were.
    if not traders or figures.volume_raw is not None:
        lines += (_wash_volume(figures, rule),)
    return Part("wash_trading", lines, MOST)


def _wash_volume(figures: Signs, rule: Mapping[str, Decimal]) -> Component:
    said = None
    if figures.volume_raw:
        part = Decimal(figures.wash_volume_raw or 0) / figures.volume_raw
        within = f"within {rule['volume_within_seconds']} s of their other trades"
        words = f"{percent(part)} of the volume was bought and sold by the same wallets {within}"
        said = rule["volume"] * part if part > rule["volume_ratio_above"] else ZERO, words
    return stated("volume", said, rule["volume"], "no volume is stored")
