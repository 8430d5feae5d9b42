"""Celery doors of the cellar."""

from celery import shared_task

from megatron.core import clock, health, maintenance


@shared_task
def heartbeat() -> None:
    """Note that beat, broker and a worker live."""
    health.beat(now=clock.utc_now())


@shared_task
def maintain() -> int:
    """Do what a database wants each night; return how many expired rows went."""
    return maintenance.run(now=clock.utc_now()).forgotten
