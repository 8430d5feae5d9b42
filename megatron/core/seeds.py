"""What a fresh installation needs before its first day: the beat's schedule and an operator. Safe to do again."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from megatron.core import audit

OPERATOR = "operator"


@transaction.atomic
def write_schedule(beat: Mapping[str, tuple[str, timedelta, str]]) -> int:
    """Make the beat's rows say what ``beat`` (task → queue, interval, purpose) says; return how many there are.

    A row is named for its task. Whether it is enabled stays as the operator left it; rows of tasks that are no more
    go. A message that waited longer than its interval expires: the next one does the same work.
    """
    for task, (queue, interval, purpose) in beat.items():
        seconds = int(interval.total_seconds())
        every, _ = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        wanted = {"task": task, "interval": every, "queue": queue, "expire_seconds": seconds, "description": purpose}
        PeriodicTask.objects.update_or_create(name=task, defaults=wanted)
    gone = PeriodicTask.objects.exclude(name__in=beat).exclude(name__startswith="celery.")
    gone.filter(interval__isnull=False, name__regex=r"^[a-z_.]+\.tasks\.[a-z_]+$").delete()
    return len(beat)


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
