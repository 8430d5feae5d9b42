"""Celery doors of this room: each reads the clock and calls one service."""

from celery import shared_task

from megatron.core import clock
from scoring.services import urgency


@shared_task
def plan_holder_analyses() -> int:
    """Let the analyses of holders be planned by the newest scores; return how many were asked for."""
    return urgency.push(now=clock.utc_now()).queued
