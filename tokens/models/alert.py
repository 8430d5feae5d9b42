from django.db import models
from django.db.models import F, Q

from megatron.core.models import Row
from tokens.choices import AlertKind, AlertSeverity


class OperatorAlert(Row):
    """One row is something that an operator should know, from when it was first seen until it is over. Unique by kind and
    subject while open. Written by ``alerts``. Kept for ever."""

    kind = models.CharField(max_length=40, choices=AlertKind)
    subject = models.CharField(max_length=200, help_text="What it is about: a venue, a source, an address")
    severity = models.CharField(max_length=20, choices=AlertSeverity)
    message = models.TextField(help_text="What happened, in words; the newest wording")
    detail = models.JSONField(default=dict, blank=True, help_text="Figures behind the words")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    occurrences = models.BigIntegerField(default=1, help_text="How often it was seen while open")
    acknowledged_at = models.DateTimeField(null=True, blank=True, help_text="Somebody knows: it is quiet until worse")
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")
    resolved_at = models.DateTimeField(null=True, blank=True, help_text="When it was over; open while empty")

    class Meta(Row.Meta):
        db_table = "operator_alerts"
        verbose_name, verbose_name_plural = "alert", "alerts"
        indexes = (models.Index(fields=["last_seen_at"], name="idx_operator_alerts_last_seen"),)
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(resolved_at=None), name="alert_one_open_a_subject"
            ),
            models.CheckConstraint(condition=Q(kind__in=AlertKind.values), name="alert_kind_known"),
            models.CheckConstraint(condition=Q(severity__in=AlertSeverity.values), name="alert_severity_known"),
            models.CheckConstraint(condition=Q(occurrences__gte=1), name="alert_seen_at_least_once"),
            models.CheckConstraint(condition=Q(last_seen_at__gte=F("first_seen_at")), name="alert_seen_in_order"),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None, acknowledged_by="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="")),
                name="alert_acknowledged_by_somebody",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
