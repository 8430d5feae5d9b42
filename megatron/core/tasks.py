"""Celery doors of the cellar."""

from typing import Any

from celery import shared_task

from megatron.core import clock, health, maintenance


def _heartbeat(queue: str) -> Any:
    """Return the task that goes through ``queue`` and notes that beat, broker and a worker of that queue live."""

    def note() -> None:
        health.beat(queue=queue, now=clock.utc_now())

    return shared_task(name=f"{__name__}.heartbeat_{queue}")(note)


# One task a queue: a note from one worker says nothing of the others.
heartbeat_stream = _heartbeat("stream")
heartbeat_score = _heartbeat("score")
heartbeat_chain = _heartbeat("chain")
heartbeat_outside = _heartbeat("outside")
heartbeat_money = _heartbeat("money")
heartbeat_slow = _heartbeat("slow")


@shared_task
def maintain() -> int:
    """Do what a database wants each night; return how many expired rows went."""
    return maintenance.run(now=clock.utc_now()).forgotten
