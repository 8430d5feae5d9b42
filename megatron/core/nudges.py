"""Bells: after a commit, wake the tasks that have something to do. ``megatron/settings/wiring.py`` says who wakes whom.

A bell carries no facts and may be lost: behind each there is a heartbeat that wakes the same tasks anyway. Rings that
come close together are one, but the last of them is always followed by a bell: whoever was woken by an earlier one may
have looked before the commit.
"""

import os
import threading
import time
from datetime import timedelta
from functools import partial

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

COALESCED_SECONDS = 0.25
"""A name rings at most so often in a process; a ring in between waits for the rest of it."""

_rung: dict[str, float] = {}
_waiting: set[str] = set()
"""The names whose next bell is set already: a timer rings it."""
_one_at_a_time = threading.Lock()

logger = structlog.get_logger(__name__)


def ring(name: str) -> None:
    """Wake the tasks wired to ``name`` once the transaction commits, at most four times a second a process.

    Never raises for a broker that is away; ``KeyError`` for a name that is not wired.
    """
    tasks = settings.NUDGES[name]
    transaction.on_commit(partial(_wake, name, tasks), robust=True)


def _wake(name: str, tasks: tuple[str, ...]) -> None:
    with _one_at_a_time:
        if name in _waiting:
            return
        now = time.monotonic()
        pause = _rung.get(name, float("-inf")) + COALESCED_SECONDS - now
        if pause > 0:
            _waiting.add(name)
        else:
            _rung[name] = now
    if pause > 0:
        timer = threading.Timer(pause, _wake_later, [name, tasks])
        timer.daemon = True
        timer.start()
    else:
        _send(name, tasks)


def _wake_later(name: str, tasks: tuple[str, ...]) -> None:
    with _one_at_a_time:
        # First, so that a ring from here on sets another bell.
        _waiting.discard(name)
        _rung[name] = time.monotonic()
    _send(name, tasks)


def _send(name: str, tasks: tuple[str, ...]) -> None:
    for task in tasks:
        queue, interval, _ = settings.BEAT[task]
        expires = interval.total_seconds() if isinstance(interval, timedelta) else None
        try:
            # Older than its heartbeat it would only wake what is awake; without a broker there is nothing to wait for.
            current_app.send_task(task, queue=queue, expires=expires, retry=False, ignore_result=True)
        except Exception as error:  # noqa: BLE001  # a bell that does not ring costs delay, never the work of him who rang it
            logger.warning("nudge.lost", name=name, task=task, error=str(error))


def _forget() -> None:
    """Let a forked child set its own bells: its parent's timers are not there."""
    global _one_at_a_time  # noqa: PLW0603  # another thread of the parent may have held it
    _one_at_a_time = threading.Lock()
    _rung.clear()
    _waiting.clear()


os.register_at_fork(after_in_child=_forget)
