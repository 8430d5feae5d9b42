"""Bells: after a commit, wake the tasks that have something to do. ``megatron/settings/wiring.py`` says who wakes whom.

A bell carries no facts and may be lost: behind each there is a heartbeat that wakes the same tasks anyway.
"""

import threading
import time
from functools import partial

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

COALESCED_SECONDS = 1.0

_rung: dict[str, float] = {}
_one_at_a_time = threading.Lock()

logger = structlog.get_logger(__name__)


def ring(name: str) -> None:
    """Wake the tasks wired to ``name`` once the transaction commits, at most once a second a process.

    Never raises for a broker that is away; ``KeyError`` for a name that is not wired.
    """
    tasks = settings.NUDGES[name]
    transaction.on_commit(partial(_wake, name, tasks), robust=True)


def _wake(name: str, tasks: tuple[str, ...]) -> None:
    now = time.monotonic()
    with _one_at_a_time:
        if now - _rung.get(name, float("-inf")) < COALESCED_SECONDS:
            return
        _rung[name] = now
    for task in tasks:
        queue, interval, _ = settings.BEAT[task]
        try:
            # Older than its heartbeat it would only wake what is awake; without a broker there is nothing to wait for.
            current_app.send_task(task, queue=queue, expires=interval.total_seconds(), retry=False, ignore_result=True)
        except Exception as error:  # noqa: BLE001  # a bell that does not ring costs delay, never the work of him who rang it
            logger.warning("nudge.lost", name=name, task=task, error=str(error))
