"""Gauges of this room for /metrics, read from the rows."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min, Q

from holders.models import HolderScoreJob
from holders.selectors import credits as costs
from megatron.core.metrics import Gauge


def read(*, now: datetime) -> Iterator[Gauge]:
    """Yield all gauges of this room at ``now``."""
    yield from costs.gauges(now=now)
    yield from _jobs(now)


def _jobs(now: datetime) -> Iterator[Gauge]:
    live = Q(quarantined_at=None)
    found = HolderScoreJob.objects.filter(processed_at=None).aggregate(
        due=Count("id", filter=live & Q(due_at__lte=now)),
        later=Count("id", filter=live & Q(due_at__gt=now)),
        aside=Count("id", filter=Q(quarantined_at__isnull=False)),
        oldest=Min("due_at", filter=live & Q(due_at__lte=now)),
    )
    counts = [({"state": state}, float(found[state])) for state in ("due", "later", "aside")]
    yield Gauge("holder_jobs_waiting", "Analyses of holders that are due, planned for later, or set aside", counts)
    age = (now - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    yield Gauge("holder_jobs_oldest_seconds", "How overdue the analysis is that waits longest", [({}, age)])
