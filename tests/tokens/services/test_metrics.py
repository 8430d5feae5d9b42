"""A process's minute as a row."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import ProcessKind
from tokens.models import SystemMetric
from tokens.services import metrics
from tokens.services.metrics import Latency

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def new_process() -> None:
    metrics._process.cache_clear()


def test_a_minute_tells_what_the_process_did_and_used() -> None:
    """Counts and latency as told, tokens of the last hour, memory and CPU as measured, at the minute's start."""
    factories.pool(last_trade_at=NOON - timedelta(minutes=50))
    factories.pool(last_trade_at=NOON - timedelta(minutes=65))
    metrics.record(kind=ProcessKind.MONITOR, now=NOON)
    row = metrics.record(
        kind=ProcessKind.MONITOR,
        now=NOON + timedelta(seconds=75),
        transactions=1_200,
        latency=Latency(mean_ms=Decimal("412.5"), p99_ms=Decimal("980.25")),
        stream_health="live",
        told={"venue": "pumpfun"},
    )
    row.refresh_from_db()
    assert row.metric_time == NOON + timedelta(minutes=1)
    assert (row.metric_type, row.transactions_processed, row.tokens_monitored) == ("monitor", 1_200, 1)
    assert (row.avg_processing_latency_ms, row.p99_processing_latency_ms) == (Decimal("412.50"), Decimal("980.25"))
    assert row.grpc_stream_health == "live"
    assert row.metric_data["venue"] == "pumpfun"
    assert 10 < row.memory_usage_mb < 10_000
    assert 0 <= row.cpu_usage_percent <= metrics.MOST_PERCENT


def test_a_process_without_a_row_before_has_no_cpu_to_tell() -> None:
    """Usage is since the row before; not known is NULL, not zero."""
    assert metrics.record(kind=ProcessKind.WORKER, now=NOON).cpu_usage_percent is None


def test_the_same_minute_again_replaces_the_row() -> None:
    """A beat that is late or doubled leaves one row a minute, kind and process."""
    metrics.record(kind=ProcessKind.WORKER, now=NOON, transactions=1)
    metrics.record(kind=ProcessKind.WORKER, now=NOON + timedelta(seconds=30), transactions=2)
    metrics.record(kind=ProcessKind.MONITOR, now=NOON, transactions=3)
    rows = SystemMetric.objects.order_by("metric_type").values_list("metric_type", "transactions_processed")
    assert list(rows) == [("monitor", 3), ("worker", 2)]
