"""How far the chain has been read, and what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min

from tokens.choices import CandleInterval, RejectionStatus
from tokens.models import CandleDue, Pool, RejectedMessage, StreamCursor

SYNCED_WITHIN = timedelta(seconds=30)
"""A source whose newest event is older than this is behind (an alarm should ring by then)."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far one source has been read for one venue. ``behind`` is since the block time of its newest event,
    ``silent`` since
    its newest batch was stored."""

    cursor: StreamCursor
    behind: timedelta
    silent: timedelta

    @property
    def synced(self) -> bool:
        return self.behind <= SYNCED_WITHIN


@dataclass(frozen=True, kw_only=True)
class DueCandles:
    """Candles of one interval (seconds) that wait to be computed again."""

    interval: int
    count: int
    oldest_marked_at: datetime

    @property
    def label(self) -> str:
        return str(CandleInterval(self.interval).label)


def lags(*, now: datetime) -> Sequence[Lag]:
    """Return every source and venue, the furthest behind first."""
    cursors = StreamCursor.objects.order_by("last_block_time", "source", "venue")
    return [Lag(cursor=it, behind=now - it.last_block_time, silent=now - it.observed_at) for it in cursors]


def waiting_by_reason() -> Mapping[str, int]:
    """Return how many rejected messages wait, by reason, reasons without any left out."""
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING)
    return dict(waiting.values_list("reason").annotate(Count("id")).order_by("reason"))


def due_candles() -> Sequence[DueCandles]:
    """Return what candles wait, shortest interval first, intervals without any left out."""
    grouped = CandleDue.objects.values("interval").annotate(count=Count("id"), oldest_marked_at=Min("marked_at"))
    return [DueCandles(**group) for group in grouped.order_by("interval")]


def newest_event_at() -> datetime | None:
    """Return the block time of the newest event of any pool, or ``None`` when nothing was stored yet."""
    newest: datetime | None = Pool.objects.aggregate(newest=Max("last_trade_at"))["newest"]
    return newest
