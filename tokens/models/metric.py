from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from megatron.core.timescale.fields import HypertableTimeField
from tokens.choices import ProcessKind


class SystemMetric(models.Model):
    """One row is what one process did and used in one minute. Unique by ``id``, which is derived from minute, kind and
    process. Written by ``metrics.record``. Kept 30 days."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(metric_time, metric_type, process)")
    metric_time = HypertableTimeField(interval="7 days", help_text="Start of the minute")
    metric_type = models.CharField(max_length=50, choices=ProcessKind, help_text="What kind of process")
    transactions_processed = models.IntegerField(null=True, help_text="Events stored in the minute")
    tokens_monitored = models.IntegerField(null=True, help_text="Tokens that traded in the last hour")
    signals_generated = models.IntegerField(null=True, help_text="Signals of the minute; NULL before stage Signals")
    avg_processing_latency_ms = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, help_text="Mean from block time to commit"
    )
    p99_processing_latency_ms = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, help_text="99th percentile from block time to commit"
    )
    grpc_stream_health = models.CharField(
        max_length=20, null=True, help_text="Worst state of the process's streams, whatever they speak; the seed's name"
    )
    memory_usage_mb = models.IntegerField(null=True, help_text="Resident memory of the process, MiB")
    cpu_usage_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        help_text="Of one core since the process's row before; 999.99 at most",
    )
    metric_data = models.JSONField(null=True, help_text="The process, and whatever else its kind tells")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "system_metrics"
        verbose_name, verbose_name_plural = "process", "processes"
        constraints = (
            models.CheckConstraint(condition=Q(metric_type__in=ProcessKind.values), name="metric_type_known"),
        )

    def __str__(self) -> str:
        return f"{self.metric_type} {self.metric_time:%Y-%m-%d %H:%M}"
