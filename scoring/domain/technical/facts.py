"""What is known of a token's market at a moment: all that a technical score is computed from, and stored beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Self

from scoring.domain.points import text

Amounts = tuple[Decimal, Decimal, Decimal, Decimal]
"""By age: under 5 minutes, 5 to 15, 15 to 30, 30 to 60."""
Steps = tuple[Decimal | None, ...]

NOTHING: Amounts = (Decimal(0),) * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Prices are in the pool's quote per whole token, amounts in the quote; None is unknown."""

    market_cap_usd: Decimal | None = None
    price: Decimal | None = None
    """Of the newest trade in the candles."""
    before: Decimal | None = None
    """Price at the end of the fourth-newest whole minute with trades, or of the oldest one, within ten minutes."""
    before_minutes: Decimal | None = None
    """How long ago that was."""
    progress: Steps = (None,) * 7
    """Percent of the quote target, every five minutes of half an hour, oldest first; the last is now."""
    buys: Amounts = NOTHING
    sells: Amounts = NOTHING
    trades_1h: int = 0
    largest: Decimal = Decimal(0)
    """What the busiest wallet bought and sold in the hour."""
    high_5m: Decimal | None = None
    """The highest price of five minutes, the one that they began with included (G13)."""
    high_15m: Decimal | None = None
    high_30m: Decimal | None = None
    high_60m: Decimal | None = None
    first_5m: Decimal | None = None
    """Only in facts from before ``high_5m`` was told: the price when the window began, from which falls were measured."""
    first_15m: Decimal | None = None
    first_30m: Decimal | None = None
    first_60m: Decimal | None = None
    red: int = 0
    """How many of the newest candles of half an hour closed lower than they opened, in a row."""
    selloff_minutes: int | None = None
    """How long a sell-off has been open; None without one."""
    is_silent: bool = False
    """Whether no trade of the last hour forms a price (G16); not told by facts from before it was judged."""
    is_graduated: bool = False
    """Whether the curve is over, by its completion or its migration (G16); not told by facts from before it was judged."""
    left_out_trades: int = 0
    """Trades of the hour by the mayhem agent: no demand, and in none of the figures above but the prices (T15)."""
    left_out_volume: Decimal = Decimal(0)
    left_out_progress: Steps = ()
    """By how many points the agent had moved the progress of the half hour at each of its steps; empty without the agent."""
    demand_price: Decimal | None = None
    """Price of the newest trade that was not the agent's; told only where ``left_out_trades`` is not 0, as is ``before``."""

    @property
    def demand_progress(self) -> Steps:
        """``progress`` without what the agent made of it."""
        if not self.left_out_progress:
            return self.progress
        pairs = zip(self.progress, self.left_out_progress, strict=True)
        return tuple(None if step is None or left is None else step - left for step, left in pairs)

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads: numbers as text; what the first facts did not tell only when it is something."""
        told = {name: _told(getattr(self, name)) for name in _NAMES}
        return {
            name: value for name, value in told.items() if name not in _LATER or getattr(self, name) != _LATER[name]
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the facts that :meth:`as_json` wrote, by any release."""
        known: dict[str, Any] = {name: _read(stored[name]) for name in _NAMES if name in stored or name not in _LATER}
        for name in ("trades_1h", "red", "left_out_trades"):
            if name in known:
                known[name] = int(known[name])
        minutes = known["selloff_minutes"]
        return cls(**{**known, "selloff_minutes": None if minutes is None else int(minutes)})


_NAMES = tuple(field.name for field in fields(Facts))
_OPTIONAL = (
    *(f"{kind}_{minutes}m" for kind in ("high", "first") for minutes in (5, 15, 30, 60)),
    *("is_silent", "is_graduated", "left_out_trades", "left_out_volume", "left_out_progress", "demand_price"),
)
_LATER = {field.name: field.default for field in fields(Facts) if field.name in _OPTIONAL}
"""What only some releases tell, and what it is when they do not."""


def _told(value: Decimal | int | Steps | None) -> str | list[str | None] | bool | None:
    if isinstance(value, bool):
        return value
    return [text(item) for item in value] if isinstance(value, tuple) else text(value)


def _read(value: str | list[str | None] | bool | None) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return tuple(None if item is None else Decimal(item) for item in value)
    return None if value is None else Decimal(value)
