"""Trades and candles of a token."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Max, QuerySet

from megatron.core.timescale.bounds import has_chunks
from megatron.core.timescale.newest import Lifetime, newest
from tokens.choices import CandleInterval
from tokens.models import PriceCandle, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m, Token, Transaction

NEWEST_FIRST = ("-block_time", "-slot", "-event_index", "-id")
"""The order of a list of trades. Between transactions of one slot it is by place inside the transaction, then
arbitrary but fixed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TABLES: dict[int, type[PriceCandle]] = {
    CandleInterval.M1: PriceCandle1m,
    CandleInterval.M5: PriceCandle5m,
    CandleInterval.H1: PriceCandle1h,
    CandleInterval.D1: PriceCandle1d,
}


class Candle(NamedTuple):
    """One interval of a token: prices in the quote of its pool (SOL for nearly all) and in USD per whole token; ``None``
    when none of its trades is large enough to form one."""

    bucket: datetime
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    open_usd: Decimal | None
    high_usd: Decimal | None
    low_usd: Decimal | None
    close_usd: Decimal | None
    volume_token: Decimal
    volume_sol: Decimal
    volume_usd: Decimal | None
    trade_count: int
    buyer_count: int
    seller_count: int
    filled: bool = False


_STORED = Candle._fields[:-1]
_COUNTED = _STORED[_STORED.index("volume_token") :]
"""What a candle has without prices."""


class Series(NamedTuple):
    """Candles, oldest first, and where the rest of the window begins when there were too many."""

    candles: Sequence[Candle]
    rest_from: datetime | None


def transactions(
    *,
    token: Token,
    kind: str | None = None,
    user: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[Transaction]:
    """Return the trades and liquidity events of ``token`` that fit, unordered, each with its pool. The window is
    half-open."""
    wanted = {"type": kind, "user_address": user, "block_time__gte": after, "block_time__lt": before}
    fitting = {name: value for name, value in wanted.items() if value is not None}
    return Transaction.objects.filter(token=token, **fitting).select_related("pool")


def lifetime(token: Token, column: str = "block_time") -> Lifetime:
    """Return between which times ``token`` traded, as far as its row and its pools know; nothing is asked where there are no
    chunks to leave out."""
    if not has_chunks():
        return Lifetime(column)
    last = token.pools.aggregate(last=Max("last_trade_at"))["last"]
    return Lifetime(column, first=token.creation_timestamp, last=last)


def candles_lifetime(token: Token, interval: int) -> Lifetime:
    """Return between which times candles of ``token`` begin: one begins before the trades in it."""
    return candles_of(lifetime(token, "bucket"), interval)


def candles_of(known: Lifetime, interval: int) -> Lifetime:
    """Return between which times the candles of trades within ``known`` begin."""
    return replace(known, first=known.first and known.first - timedelta(seconds=interval))


def events_of(signature: str) -> Sequence[Transaction]:
    """Return everything stored of one transaction in the order in which it happened, with pools and tokens; may be
    empty."""
    found = Transaction.objects.filter(signature=signature).select_related("pool", "token")
    return list(found.order_by("event_index"))


def candles_between(*, token: Token, interval: int, start: datetime, end: datetime, limit: int) -> Sequence[Candle]:
    """Return the oldest ``limit`` candles of ``token`` that start in ``[start, end)``, oldest first."""
    return [Candle(*row) for row in window(token=token, interval=interval, start=start, end=end)[:limit]]


def window(*, token: Token, interval: int, start: datetime, end: datetime) -> QuerySet[Any]:
    """Return the candles of ``token`` that start in ``[start, end)``, oldest first, as rows of :class:`Candle`'s fields."""
    found = _candles(token, interval).filter(bucket__gte=start, bucket__lt=end)
    return found.order_by("bucket").values_list(*_STORED)


def find_latest_candle(
    *, token: Token, interval: int, before: datetime | None = None, is_priced: bool = False
) -> Candle | None:
    """Return the newest candle of ``token``, or the newest that starts before ``before``, or ``None``; with
    ``is_priced`` one that has prices."""
    found = _candles(token, interval)
    if before is not None:
        found = found.filter(bucket__lt=before)
    if is_priced:
        found = found.filter(close__isnull=False)
    stored = found.order_by("-bucket").values_list(*_STORED)
    rows = newest(stored, limit=1, lifetime=candles_lifetime(token, interval), at=before)
    return Candle(*rows[0]) if rows else None


def series(
    *, token: Token, interval: int, start: datetime, end: datetime, limit: int, fill: bool, now: datetime
) -> Series:
    """Return the oldest ``limit`` candles of ``token`` that start in ``[start, end)``, with ``fill`` also the flat
    ones.

    Nothing is made up beyond ``now``.
    """
    if not fill:
        candles = candles_between(token=token, interval=interval, start=start, end=end, limit=limit + 1)
        return Series(candles[:limit], candles[limit].bucket if len(candles) > limit else None)
    step, end = timedelta(seconds=interval), min(end, now)
    cut = min(end, _first_bucket(start, step) + limit * step)
    stored = candles_between(token=token, interval=interval, start=start, end=cut, limit=limit)
    previous = find_latest_candle(token=token, interval=interval, before=start, is_priced=True)
    complete = filled(stored, previous=previous, interval=interval, start=start, end=cut)
    return Series(complete, cut if cut < end else None)


def filled(
    candles: Sequence[Candle], *, previous: Candle | None, interval: int, start: datetime, end: datetime
) -> Sequence[Candle]:
    """Return ``candles`` with a flat one for each empty interval of ``[start, end)``.

    A flat candle stands at the close before it, in the quote and in USD, and has no volume. A stored candle without prices
    stands there as well and keeps its volume. Before the first close that is known (``previous`` or a candle) nothing is
    made up.
    """
    step, stored = timedelta(seconds=interval), {candle.bucket: candle for candle in candles}
    bucket, last, complete = _first_bucket(start, step), previous, []
    while bucket < end:
        candle = stored.get(bucket) or (last and _flat(last, bucket))
        if candle and candle.close is None and last:
            flat = _flat(last, bucket)
            candle = flat._replace(**{name: getattr(candle, name) for name in _COUNTED}, filled=False)
        if candle:
            complete.append(candle)
            last = candle if candle.close is not None else last
        bucket += step
    return complete


def _first_bucket(start: datetime, step: timedelta) -> datetime:
    """Return the first start of an interval that is not before ``start``; intervals are counted from 1970."""
    return start + (_EPOCH - start) % step


def _flat(last: Candle, bucket: datetime) -> Candle:
    nothing = Decimal(0)
    prices, prices_usd = (last.close,) * 4, (last.close_usd,) * 4
    return Candle(bucket, *prices, *prices_usd, nothing, nothing, nothing, 0, 0, 0, filled=True)


def _candles(token: Token, interval: int) -> QuerySet[Any]:
    # Any: each of the four tables brings its own ``bucket``, which the shared base does not have.
    return _TABLES[interval]._default_manager.filter(token=token)
