"""All wiring on one page: which nudge wakes which task, and the heartbeat behind every nudge.

A nudge carries no facts. It only wakes a task early; the beat wakes the same task anyway, so a lost nudge costs delay
and never data.
"""

from datetime import timedelta

NUDGES: dict[str, tuple[str, ...]] = {
    "candles_due": ("tokens.tasks.roll_candles",),
    "pools_learned": ("tokens.tasks.retry_rejected",),
}

BEAT: dict[str, tuple[str, timedelta, str]] = {
    # task: (queue, interval, what the operator reads)
    "tokens.tasks.roll_candles": ("stream", timedelta(seconds=5), "Compute due candles"),
    "tokens.tasks.retry_rejected": ("stream", timedelta(minutes=1), "Play waiting messages again"),
    "tokens.tasks.fill_usd": ("slow", timedelta(minutes=1), "Fill USD values whose price came later"),
    "megatron.core.tasks.heartbeat": ("slow", timedelta(seconds=15), "Show that a worker lives"),
    "tokens.tasks.apply_retention": ("slow", timedelta(hours=1), "Drop what is older than its table's retention"),
}
"""Every task in NUDGES has its heartbeat here; a test holds the two together."""

CELERY_TASK_ROUTES = {task: {"queue": queue} for task, (queue, _, _) in BEAT.items()}
