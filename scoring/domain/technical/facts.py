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
    first_5m: Decimal | None = None
    """The price when the window of five minutes began, or the first in it."""
    first_15m: Decimal | None = None
    first_30m: Decimal | None = None
    first_60m: Decimal | None = None
    red: int = 0
    """How many of the newest candles of half an hour closed lower than they opened, in a row."""
    selloff_minutes: int | None = None
    """How long a sell-off has been open; None without one."""

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads: numbers as text."""
        return {name: _told(getattr(self, name)) for name in _NAMES}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the facts that :meth:`as_json` wrote."""
        known: dict[str, Any] = {name: _read(stored[name]) for name in _NAMES}
        for name in ("trades_1h", "red"):
            known[name] = int(known[name])
        minutes = known["selloff_minutes"]
        return cls(**{**known, "selloff_minutes": None if minutes is None else int(minutes)})


_NAMES = tuple(field.name for field in fields(Facts))


def _told(value: Decimal | int | Steps | None) -> str | list[str | None] | None:
    return [text(item) for item in value] if isinstance(value, tuple) else text(value)


def _read(value: str | list[str | None] | None) -> Any:
    if isinstance(value, list):
        return tuple(None if item is None else Decimal(item) for item in value)
    return None if value is None else Decimal(value)
