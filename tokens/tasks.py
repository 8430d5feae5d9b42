"""Celery doors: each reads the clock and calls one service. The rows are the queue; a lost message costs delay."""

from celery import shared_task

from megatron.core import clock
from tokens.services import candles, prices, rejections, retention


@shared_task
def roll_candles() -> int:
    """Compute due candles; return how many. Wakes itself again while there are more."""
    rolled = candles.roll(now=clock.utc_now()).total
    if rolled >= 2_000:
        roll_candles.delay()
    return rolled


@shared_task
def retry_rejected() -> int:
    """Play messages again whose pool has become known; return how many were stored."""
    return rejections.retry_answered(now=clock.utc_now()).resolved


@shared_task
def fill_usd() -> int:
    """Give USD values to trades of the last hour whose price came later; return how many."""
    return prices.fill_recent(now=clock.utc_now())


@shared_task
def apply_retention() -> int:
    """Drop what is older than its table's retention, and old resolved rejections; return how many rows went."""
    now = clock.utc_now()
    return sum(retention.apply(now=now).rows.values()) + rejections.forget_resolved(now=now)
