"""What the console draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from tokens.choices import CandleInterval, PriceOrigin
from tokens.models import (
    PriceCandle,
    PriceCandle1d,
    PriceCandle1h,
    PriceCandle1m,
    PriceCandle5m,
    SolUsdPrice,
    Token,
)

Currency = Literal["quote", "usd"]

_TABLES: dict[int, type[PriceCandle]] = {
    CandleInterval.M1: PriceCandle1m,
    CandleInterval.M5: PriceCandle5m,
    CandleInterval.H1: PriceCandle1h,
    CandleInterval.D1: PriceCandle1d,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle in one currency."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int


def latest_bars(*, token: Token, interval: int, currency: Currency, limit: int = 1500) -> Sequence[Bar]:
    """Return the newest ``limit`` candles of ``token``, oldest first; in ``usd`` those without a USD price left out.

    Raises ``KeyError`` for an interval that has no table.
    """
    suffix, volume = ("", "volume_sol") if currency == "quote" else ("_usd", "volume_usd")
    names = ("bucket", f"open{suffix}", f"high{suffix}", f"low{suffix}", f"close{suffix}", volume, "trade_count")
    found = _TABLES[interval]._default_manager.filter(token=token)
    if currency == "usd":
        found = found.filter(open_usd__isnull=False, close_usd__isnull=False)
    newest = found.order_by("-bucket").values_list(*names)[:limit]
    return [Bar(at, o, h, low, c, v or Decimal(0), n) for at, o, h, low, c, v, n in reversed(newest)]


def first_filled_interval(*, token: Token) -> int | None:
    """Return the shortest interval of which ``token`` has a candle, or ``None``."""
    filled = (interval for interval, table in _TABLES.items() if table._default_manager.filter(token=token).exists())
    return next(filled, None)


def sol_usd_points(*, since: datetime, until: datetime) -> Sequence[tuple[datetime, Decimal]]:
    """Return the SOL/USD prices of the most believed source that has any in ``[since, until)``, oldest first."""
    for source in PriceOrigin:
        window = SolUsdPrice.objects.filter(source=source, price_time__gte=since, price_time__lt=until)
        if points := list(window.order_by("price_time").values_list("price_time", "price_usd")):
            return points
    return []
