"""What a fresh installation needs before its first day: the beat's schedule and an operator. Safe to do again."""

import secrets
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from megatron.core import audit

OPERATOR = "operator"


NIGHTLY_EXPIRES = timedelta(hours=6)
"""A daily task that waited longer than this is left to the next night."""


@transaction.atomic
def write_schedule(beat: Mapping[str, tuple[str, timedelta | time, str]]) -> int:
    """Make the beat's rows say what ``beat`` (task → queue, interval or time of day in UTC, purpose) says; return how
    many there are.

    A row is named for its task. Whether it is enabled stays as the operator left it; rows of tasks that are no more
    go. A message that waited longer than its interval expires: the next one does the same work.
    """
    for task, (queue, when, purpose) in beat.items():
        wanted = {"task": task, "queue": queue, "description": purpose, **_schedule(when)}
        PeriodicTask.objects.update_or_create(name=task, defaults=wanted)
    gone = PeriodicTask.objects.exclude(name__in=beat).exclude(name__startswith="celery.")
    gone.filter(name__regex=r"^[a-z_.]+\.tasks\.[a-z_]+$").delete()
    return len(beat)


def _schedule(when: timedelta | time) -> dict[str, Any]:
    if isinstance(when, timedelta):
        seconds = int(when.total_seconds())
        every, _ = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        return {"interval": every, "crontab": None, "expire_seconds": seconds}
    daily, _ = CrontabSchedule.objects.get_or_create(
        minute=str(when.minute),
        hour=str(when.hour),
        day_of_week="*",
        day_of_month="*",
        month_of_year="*",
        timezone="UTC",
    )
    return {"interval": None, "crontab": daily, "expire_seconds": int(NIGHTLY_EXPIRES.total_seconds())}


@transaction.atomic
def create_operator(*, now: datetime) -> str | None:
    """Create the superuser ``operator`` unless there is a superuser; return the generated password, or ``None``."""
    users = get_user_model()
    if users._default_manager.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(18)
    operator = users._default_manager.create_superuser(username=OPERATOR, password=password)
    audit.record(
        actor="seed", action="operator.create", kind="auth.user", key=operator.pk, after={"username": OPERATOR}, now=now
    )
    return password
