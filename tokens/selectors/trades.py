"""Trades and candles of a token."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from tokens.choices import CandleInterval
from tokens.models import PriceCandle, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m, Token, Transaction

NEWEST_FIRST = ("-block_time", "-slot", "-event_index", "-id")
"""The order of a list of trades. Between transactions of one slot it is by place inside the transaction, then arbitrary but fixed."""

_TABLES: dict[int, type[PriceCandle]] = {
    CandleInterval.M1: PriceCandle1m,
    CandleInterval.M5: PriceCandle5m,
    CandleInterval.H1: PriceCandle1h,
    CandleInterval.D1: PriceCandle1d,
}


def transactions(
    *,
    token: Token,
    kind: str | None = None,
    user: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[Transaction]:
    """Return the trades and liquidity events of ``token`` that fit, unordered, each with its pool. The window is half-open."""
    wanted = {"type": kind, "user_address": user, "block_time__gte": after, "block_time__lt": before}
    fitting = {name: value for name, value in wanted.items() if value is not None}
    return Transaction.objects.filter(token=token, **fitting).select_related("pool")


def events_of(signature: str) -> Sequence[Transaction]:
    """Return everything stored of one transaction in the order in which it happened, with pools and tokens; may be empty."""
    found = Transaction.objects.filter(signature=signature).select_related("pool", "token")
    return list(found.order_by("event_index"))


def candles_between(*, token: Token, interval: int, start: datetime, end: datetime, limit: int) -> Sequence[PriceCandle]:
    """Return the oldest ``limit`` candles of ``token`` that start in ``[start, end)``, oldest first."""
    window = _candles(token, interval).filter(bucket__gte=start, bucket__lt=end)
    return list(window.order_by("bucket")[:limit])


def latest_candle(*, token: Token, interval: int, before: datetime | None = None) -> PriceCandle | None:
    """Return the newest candle of ``token``, or the newest that starts before ``before``, or ``None``."""
    found = _candles(token, interval)
    if before is not None:
        found = found.filter(bucket__lt=before)
    return found.order_by("-bucket").first()


def _candles(token: Token, interval: int) -> "QuerySet[PriceCandle]":
    return _TABLES[interval]._default_manager.filter(token=token)
