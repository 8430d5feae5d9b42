"""What an operator is told: one open row for each thing that is wrong, counted up while it lasts."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import QuerySet

from megatron.core import audit, ids
from tokens.choices import AlertKind, AlertSeverity
from tokens.models import OperatorAlert

log = structlog.get_logger(__name__)

_RANK = {severity: rank for rank, severity in enumerate(AlertSeverity)}

_RAISE = """
INSERT INTO operator_alerts
    (id, kind, subject, severity, message, detail, first_seen_at, last_seen_at, occurrences, acknowledged_by)
VALUES (%(id)s, %(kind)s, %(subject)s, %(severity)s, %(message)s, %(detail)s, %(now)s, %(now)s, %(occurrences)s, '')
ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO UPDATE SET
    severity = EXCLUDED.severity,
    message = EXCLUDED.message,
    detail = EXCLUDED.detail,
    last_seen_at = greatest(operator_alerts.last_seen_at, EXCLUDED.last_seen_at),
    occurrences = operator_alerts.occurrences + EXCLUDED.occurrences,
    acknowledged_at = CASE WHEN operator_alerts.severity = ANY (%(milder)s) THEN NULL
        ELSE operator_alerts.acknowledged_at END,
    acknowledged_by = CASE WHEN operator_alerts.severity = ANY (%(milder)s) THEN ''
        ELSE operator_alerts.acknowledged_by END
RETURNING id, xmax = 0
"""


def raise_alert(
    *,
    kind: AlertKind,
    subject: str,
    severity: AlertSeverity,
    message: str,
    detail: Mapping[str, Any] | None = None,
    occurrences: int = 1,
    now: datetime,
) -> OperatorAlert:
    """Open the alert of ``kind`` about ``subject``, or count the open one up with the newest words; return it.

    One log line tells that it opened. An acknowledged alert stays quiet unless it comes back more severe than it was.
    ``subject`` has at most 200 characters.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _RAISE,
            {
                "id": ids.new_id(),
                "kind": kind.value,
                "subject": subject,
                "severity": severity.value,
                "message": message,
                "detail": json.dumps(dict(detail or {}), cls=DjangoJSONEncoder),
                "now": now,
                "occurrences": occurrences,
                "milder": [milder.value for milder in AlertSeverity if _RANK[milder] < _RANK[severity]],
            },
        )
        key, opened = cursor.fetchone()
    if opened:
        told = {"kind": kind.value, "subject": subject, "severity": severity.value, "message": message}
        transaction.on_commit(lambda: log.warning("alert.opened", **told))
    return OperatorAlert.objects.get(pk=key)


def resolve_alert(*, kind: AlertKind, subject: str, now: datetime) -> bool:
    """Close the open alert of ``kind`` about ``subject``: what it told of is over. Return whether there was one."""
    return resolve_all(_open().filter(kind=kind, subject=subject), now=now) > 0


def resolve_all(alerts: QuerySet[OperatorAlert], *, now: datetime) -> int:
    """Close the open ones of ``alerts``; return how many."""
    with transaction.atomic():
        found = list(alerts.filter(resolved_at=None).order_by("pk").select_for_update())
        OperatorAlert.objects.filter(pk__in=[alert.pk for alert in found]).update(resolved_at=now)
    for alert in found:
        log.info("alert.resolved", kind=alert.kind, subject=alert.subject)
    return len(found)


def acknowledge(*, alerts: QuerySet[OperatorAlert], operator: str, reason: str = "", now: datetime) -> int:
    """Note that ``operator`` knows of the open ones of ``alerts``, each with an audit entry; return how many are new to
    somebody."""
    with transaction.atomic():
        found = list(alerts.filter(resolved_at=None, acknowledged_at=None).order_by("pk").select_for_update())
        OperatorAlert.objects.filter(pk__in=[alert.pk for alert in found]).update(
            acknowledged_at=now, acknowledged_by=operator
        )
        for alert in found:
            audit.record(
                actor=operator,
                action="operator_alert.acknowledge",
                reason=reason,
                kind="OperatorAlert",
                key=alert.pk,
                before={"alert": str(alert), "occurrences": alert.occurrences},
                after={"acknowledged_by": operator},
                now=now,
            )
    return len(found)


def _open() -> QuerySet[OperatorAlert]:
    return OperatorAlert.objects.filter(resolved_at=None)
