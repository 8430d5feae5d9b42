"""What each process did and used, minute by minute."""

from django.contrib import admin
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from tokens.admin import cells
from tokens.models import SystemMetric


@admin.register(SystemMetric)
class MetricAdmin(FactAdmin):
    list_display = (
        "minute",
        "kind_cell",
        "process",
        "transactions_processed",
        "tokens_monitored",
        "mean_latency",
        "p99_latency",
        "grpc_stream_health",
        "memory",
        "cpu",
    )
    list_filter = ("metric_type",)
    ordering = ("-id", "-metric_time")

    @display(description="Minute", ordering="id")
    def minute(self, row: SystemMetric) -> str:
        return cells.age(row.metric_time)

    @display(description="Process kind", label=True)
    def kind_cell(self, row: SystemMetric) -> str:
        return row.get_metric_type_display()

    @display(description="Process")
    def process(self, row: SystemMetric) -> str:
        return str((row.metric_data or {}).get("process", "—"))

    @display(description="Mean latency")
    def mean_latency(self, row: SystemMetric) -> str:
        return "—" if row.avg_processing_latency_ms is None else f"{row.avg_processing_latency_ms:,.0f} ms"

    @display(description="Latency, 99 %")
    def p99_latency(self, row: SystemMetric) -> str:
        return "—" if row.p99_processing_latency_ms is None else f"{row.p99_processing_latency_ms:,.0f} ms"

    @display(description="Memory")
    def memory(self, row: SystemMetric) -> str:
        return "—" if row.memory_usage_mb is None else f"{row.memory_usage_mb:,} MiB"

    @display(description="CPU, of one core")
    def cpu(self, row: SystemMetric) -> str:
        return cells.percent(row.cpu_usage_percent)
