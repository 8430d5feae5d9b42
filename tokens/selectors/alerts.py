"""Operator alerts, for the console, the API and the overview."""

from collections.abc import Sequence

from django.db.models import Case, IntegerField, QuerySet, Value, When

from tokens.choices import AlertSeverity
from tokens.models import OperatorAlert

NEWEST_FIRST = ("-first_seen_at", "-id")


def alerts(
    *, kind: str | None = None, severity: str | None = None, is_open: bool | None = None
) -> QuerySet[OperatorAlert]:
    """Return alerts of one kind and severity, open or resolved; everything where nothing is asked."""
    found = OperatorAlert.objects.all()
    if kind is not None:
        found = found.filter(kind=kind)
    if severity is not None:
        found = found.filter(severity=severity)
    if is_open is not None:
        found = found.filter(resolved_at__isnull=is_open)
    return found


def calling(*, limit: int = 100) -> Sequence[OperatorAlert]:
    """Return the open alerts that nobody acknowledged, the gravest and then the newest first, at most ``limit``."""
    ranks = [When(severity=severity, then=Value(rank)) for rank, severity in enumerate(AlertSeverity)]
    unknown = OperatorAlert.objects.filter(resolved_at=None, acknowledged_at=None)
    rank = Case(*ranks, output_field=IntegerField())
    return list(unknown.annotate(rank=rank).order_by("-rank", *NEWEST_FIRST)[:limit])


def count_open(*, limit: int = 100) -> int:
    """Return how many alerts are open, whoever knows of them, at most ``limit``."""
    return OperatorAlert.objects.filter(resolved_at=None)[:limit].count()


def count_calling(*, limit: int = 100) -> int:
    """Return how many open alerts nobody acknowledged, at most ``limit``."""
    return OperatorAlert.objects.filter(resolved_at=None, acknowledged_at=None)[:limit].count()
