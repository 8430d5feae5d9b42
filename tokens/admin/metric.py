"""What each process did and used, minute by minute."""

from django.contrib import admin
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from tokens.admin import cells
from tokens.models import SystemMetric


@admin.register(SystemMetric)
class MetricAdmin(FactAdmin):
    list_reads = ("metric_data",)
    list_display = (
        "minute",
        "kind_cell",
        "process",
        "stored",
        "tokens",
        "mean_latency",
        "p99_latency",
        "streams",
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

    @display(description="Stored")
    def stored(self, row: SystemMetric) -> str:
        return "—" if row.transactions_processed is None else f"{row.transactions_processed:,}"

    @display(description="Tokens, 1 h")
    def tokens(self, row: SystemMetric) -> str:
        return "—" if row.tokens_monitored is None else f"{row.tokens_monitored:,}"

    @display(description="Streams")
    def streams(self, row: SystemMetric) -> str:
        return row.grpc_stream_health or "—"

    @display(description="Mean latency")
    def mean_latency(self, row: SystemMetric) -> str:
        return "—" if row.avg_processing_latency_ms is None else f"{row.avg_processing_latency_ms:,.0f} ms"

    @display(description="99 %")
    def p99_latency(self, row: SystemMetric) -> str:
        return "—" if row.p99_processing_latency_ms is None else f"{row.p99_processing_latency_ms:,.0f} ms"

    @display(description="Memory")
    def memory(self, row: SystemMetric) -> str:
        return "—" if row.memory_usage_mb is None else f"{row.memory_usage_mb:,} MiB"

    @display(description="CPU")
    def cpu(self, row: SystemMetric) -> str:
        return cells.percent(row.cpu_usage_percent)
