"""What the console draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.db import connection

from megatron.core.timescale.newest import newest
from tokens.choices import CandleInterval, PriceOrigin
from tokens.models import (
    PriceCandle,
    PriceCandle1d,
    PriceCandle1h,
    PriceCandle1m,
    PriceCandle5m,
    Token,
)
from tokens.selectors import trades

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
    """Return the newest ``limit`` candles of ``token`` that have prices in ``currency``, oldest first.

    Raises ``KeyError`` for an interval that has no table.
    """
    suffix, volume = ("", "volume_sol") if currency == "quote" else ("_usd", "volume_usd")
    names = ("bucket", f"open{suffix}", f"high{suffix}", f"low{suffix}", f"close{suffix}", volume, "trade_count")
    found = _TABLES[interval]._default_manager.filter(token=token, **{f"{names[1]}__isnull": False})
    rows = found.order_by("-bucket").values_list(*names)
    bars = newest(rows, limit=limit, lifetime=trades.candles_lifetime(token, interval))
    return [Bar(at, o, h, low, c, v or Decimal(0), n) for at, o, h, low, c, v, n in reversed(bars)]


def first_filled_interval(*, token: Token) -> int | None:
    """Return the shortest interval of which ``token`` has a candle, or ``None``."""
    known = trades.lifetime(token, "bucket")
    for interval, table in _TABLES.items():
        rows: Any = table._default_manager.filter(token=token)
        rows = rows.order_by("-bucket").values_list("bucket")
        if newest(rows, limit=1, lifetime=trades.candles_of(known, interval)):
            return interval
    return None


_BY_SOURCE = """
SELECT DISTINCT ON (source, date_trunc('minute', price_time)) source, date_trunc('minute', price_time), price_usd
FROM sol_usd_prices WHERE price_time >= %s AND price_time < %s
ORDER BY source, date_trunc('minute', price_time), price_time DESC
"""


def sol_usd_lines(*, since: datetime, until: datetime) -> Mapping[str, Sequence[tuple[datetime, Decimal]]]:
    """Return each source's last SOL/USD price of each minute of ``[since, until)``, oldest first; the most believed
    source first, sources without any left out."""
    found: dict[str, list[tuple[datetime, Decimal]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_SOURCE, [since, until])
        for source, minute, price in cursor.fetchall():
            found.setdefault(source, []).append((minute, price))
    return {source: found[source] for source in PriceOrigin.values if source in found}
