"""What each process did in a minute and what it used, as rows of ``system_metrics``."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import psutil
from django.db import transaction

from megatron.core import ids
from tokens.choices import ProcessKind
from tokens.models import SystemMetric
from tokens.selectors import system

MOST_PERCENT = Decimal("999.99")
"""What the seed's column holds: ten cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From a frame's arrival to its commit over a minute, milliseconds."""

    mean_ms: Decimal
    p99_ms: Decimal


def latency(milliseconds: Sequence[float]) -> Latency | None:
    """Return mean and 99th percentile (nearest rank) of times in milliseconds; ``None`` of none."""
    if not milliseconds:
        return None
    ordered = sorted(milliseconds)
    mean, p99 = sum(ordered) / len(ordered), ordered[-(-99 * len(ordered) // 100) - 1]
    return Latency(mean_ms=Decimal(f"{mean:.2f}"), p99_ms=Decimal(f"{p99:.2f}"))


def record(
    *,
    kind: ProcessKind,
    now: datetime,
    transactions: int | None = None,
    latency: Latency | None = None,
    stream_health: str | None = None,
    told: Mapping[str, Any] | None = None,
) -> SystemMetric:
    """Write the row of this process for the minute of ``now``; again in the same minute it replaces the row.

    ``told`` is what this kind of process says beside the columns, as JSON. The first row of a process has no
    ``cpu_usage_percent``: it is measured since the row before.
    """
    minute, process = now.replace(second=0, microsecond=0), f"{socket.gethostname()}:{os.getpid()}"
    key = ids.event_id(minute, kind.value, process)
    memory_mb, cpu_percent = _usage(os.getpid())
    values = {
        "metric_type": kind,
        "transactions_processed": transactions,
        "tokens_monitored": system.count_tokens_traded(since=now - timedelta(hours=1)),
        "avg_processing_latency_ms": latency and latency.mean_ms,
        "p99_processing_latency_ms": latency and latency.p99_ms,
        "grpc_stream_health": stream_health,
        "memory_usage_mb": memory_mb,
        "cpu_usage_percent": cpu_percent,
        "metric_data": {"process": process, **(told or {})},
    }
    with transaction.atomic():
        row, _ = SystemMetric.objects.update_or_create(id=key, metric_time=minute, defaults=values)
    return row


@cache
def _process(pid: int) -> psutil.Process:
    """Return the process's meter: its CPU is measured from one question to the next."""
    meter = psutil.Process(pid)
    meter.cpu_percent()
    return meter


def _usage(pid: int) -> tuple[int, Decimal | None]:
    """Return the resident memory in MiB and the percent of one core since the last time, ``None`` the first time."""
    first = _process.cache_info().currsize == 0
    meter = _process(pid)
    percent = None if first else min(Decimal(f"{meter.cpu_percent():.2f}"), MOST_PERCENT)
    return meter.memory_info().rss >> 20, percent
