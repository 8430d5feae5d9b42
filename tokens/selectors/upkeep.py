"""How TimescaleDB keeps what it was told to keep: its jobs, and what the continuous aggregates cover. Asked of the catalogue.

Below the level ``community`` there are no jobs, and an aggregate is a view of all of its table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min

from megatron.core.metrics import Gauge
from megatron.core.timescale import policies
from tokens.domain.retention import FAILED
from tokens.models import AggregateDue, RetentionPolicy


@dataclass(frozen=True, slots=True)
class Job:
    """One job of TimescaleDB: what it does with which table or aggregate, and how its newest runs ended.

    ``errors`` are those of the last day, ``error`` is what the newest of them said. ``overdue`` is since when a scheduled job
    should have been running, zero while it waits for its turn.
    """

    id: int
    does: str
    table: str
    scheduled: bool
    failed: bool
    errors: int
    error: str
    overdue: timedelta

    @property
    def name(self) -> str:
        """Return what it does with which table, in words."""
        return f"{self.does.removeprefix('policy_').replace('_', ' ')} {self.table}".strip()


# The jobs of the extension itself have numbers below 1000. A job that never ran has no row of statistics, and one that has
# begun and not ended is not overdue.
_JOBS = """
SELECT j.job_id, j.proc_name, coalesce(view_name, j.hypertable_name, ''), j.scheduled,
       coalesce(s.last_run_status = 'Failed', false),
       coalesce(e.errors, 0), coalesce(e.newest, ''),
       CASE WHEN j.scheduled AND s.job_status IS DISTINCT FROM 'Running' AND isfinite(s.next_start)
            THEN greatest(%s - s.next_start, interval '0') ELSE interval '0' END
  FROM timescaledb_information.jobs j
  LEFT JOIN timescaledb_information.job_stats s USING (job_id)
  LEFT JOIN timescaledb_information.continuous_aggregates
    ON materialization_hypertable_schema = j.hypertable_schema AND materialization_hypertable_name = j.hypertable_name
  LEFT JOIN (
    SELECT job_id, count(*) AS errors, (array_agg(err_message ORDER BY finish_time DESC))[1] AS newest
      FROM timescaledb_information.job_errors WHERE finish_time > %s - interval '1 day' GROUP BY job_id
  ) AS e USING (job_id)
 WHERE j.job_id >= 1000
 ORDER BY 2, 3, 1
"""


def jobs(*, now: datetime) -> list[Job]:
    """Return TimescaleDB's jobs in this database, by what they do; none below community. One query."""
    if policies.level(connection) != "community":
        return []
    return [Job(*row) for row in _fetch(_JOBS, now, now)]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a continuous aggregate holds computed: minutes of ``[start, until)``, ``None`` of nothing. Later ones are computed
    when they are read. ``waiting`` hours of it are to be computed again, the one asked for first ``since``."""

    start: datetime | None
    until: datetime | None
    waiting: int = 0
    since: datetime | None = None


def coverage() -> Mapping[str, Coverage]:
    """Return what each continuous aggregate covers, by name; nothing below community. At most three queries."""
    kept = policies.materialized(connection)
    if not kept:
        return {}
    parts = [f"SELECT '{policies.name(name)}', min(bucket), max(bucket) FROM {table}" for name, table in kept.items()]
    spans = {name: (start, last) for name, start, last in _fetch(" UNION ALL ".join(parts))}
    counted = AggregateDue.objects.values_list("aggregate").annotate(Count("id"), Min("marked_at"))
    due = {name: (waiting, since) for name, waiting, since in counted}
    return {
        name: Coverage(start, last and last + timedelta(minutes=1), *due.get(name, (0, None)))
        for name, (start, last) in spans.items()
    }


def _fetch(statement: str, *params: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)
        return list(cursor.fetchall())


def read(*, now: datetime) -> Iterator[Gauge]:
    """Yield the gauges of jobs, aggregates and retention at ``now``."""
    found = [({"job": job.name}, job) for job in jobs(now=now)]
    failed = [(labels, float(job.failed)) for labels, job in found]
    yield Gauge("timescale_job_failed", "Whether the newest run of a job of TimescaleDB failed", failed)
    errors = [(labels, float(job.errors)) for labels, job in found]
    yield Gauge("timescale_job_errors", "Errors of a job of TimescaleDB in the last day", errors)
    overdue = [(labels, job.overdue.total_seconds()) for labels, job in found]
    yield Gauge("timescale_job_overdue_seconds", "Since a job of TimescaleDB should have begun to run", overdue)
    oldest = AggregateDue.objects.aggregate(at=Min("marked_at"))["at"]
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield Gauge(
        "aggregates_due_oldest_seconds", "Since the hour of an aggregate that waits longest was asked for", [({}, age)]
    )
    outcomes = RetentionPolicy.objects.order_by("table_name").values_list("table_name", "outcome")
    refused = [({"table": table}, float(outcome.startswith(FAILED))) for table, outcome in outcomes]
    yield Gauge("retention_failed", "Whether the newest run could not obey a policy", refused)
