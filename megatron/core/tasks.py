"""Celery doors of the cellar."""

from celery import shared_task

from megatron.core import clock, health


@shared_task
def heartbeat() -> None:
    """Note that beat, broker and a worker live."""
    health.beat(now=clock.utc_now())
