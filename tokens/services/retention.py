"""Drop what is older than its table's retention policy, on every level of the server, and by nobody else.

On TimescaleDB whole chunks are dropped, on plain PostgreSQL rows are deleted in batches; each chunk and each batch is its own
transaction: an interrupted run loses nothing and the next one goes on. TimescaleDB has no job that drops: such a job asks
nobody whether the rows were exported or are needed, so a changed policy would hold only after the next run of ours.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from django.db import DatabaseError, OperationalError, connection, transaction

from megatron.core import locks
from megatron.core.timescale import policies
from megatron.core.timescale.base import Level
from tokens.domain.retention import FAILED, REFRESHES
from tokens.models import RetentionPolicy
from tokens.services import archives, holding, jobs
from tokens.services.holding import StillNeeded

COUNTED = 1_000_000
"""So far a preview counts; so many expired rows read as "at least"."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expired:
    """What a policy would drop now: ``rows`` with a time in ``[oldest, cutoff)``; ``held`` says why they still stay."""

    table: str
    cutoff: datetime
    rows: int
    oldest: datetime | None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one run did: ``rows`` dropped, the ``chunks`` that held them and rows ``exported`` by table, tables ``held`` for a
    reason or ``failed``, and those whose job that compresses ``changed``."""

    rows: dict[str, int]
    chunks: dict[str, int]
    held: tuple[str, ...]
    changed: tuple[str, ...]
    finished: bool
    exported: dict[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Series:
    """A time series that loses rows before ``cutoff`` now, unless ``held`` says why not."""

    table: str
    column: str
    cutoff: datetime
    drop_after: timedelta
    exports: bool
    held: str

    def require_policy(self) -> None:
        """Raise :class:`StillNeeded` if the policy that this follows from was changed meanwhile."""
        holding.require_policy(table=self.table, drop_after=self.drop_after, exports=self.exports)


@dataclass(slots=True)
class _Done:
    rows: int = 0
    chunks: int = 0
    exported: int = 0
    held: str = ""
    failed: str = ""
    finished: bool = True

    def __str__(self) -> str:
        said = [f"{FAILED}{self.failed}"] if self.failed else []
        if self.rows or self.chunks:
            said.append(f"dropped {self.rows:,} rows" + (f" in {self.chunks:,} chunks" if self.chunks else ""))
        if self.exported:
            said.append(f"exported {self.exported:,} rows")
        if self.held:
            said.append(f"held: {self.held}")
        return ", ".join(said) or "nothing was old enough"


def preview(*, now: datetime, export_to: Path | None = None) -> list[Expired]:
    """Return what each policy would drop at ``now``, in the order of the tables' names; nothing is changed.

    TimescaleDB drops whole chunks, so there the cutoff is the end of the newest chunk that lies wholly before it. Rows
    are counted up to :data:`COUNTED`. ``export_to`` is the folder that exports would go to.
    """
    series = _series(now=now, export_to=export_to)
    if policies.level(connection) == "none":
        ends: dict[str, datetime] = {one.table: one.cutoff for one in series}
    else:
        ends = _ends_of_expired_chunks(series)
    counts = _count_before({one.table: (one.column, ends[one.table]) for one in series if one.table in ends})
    expired = []
    for one in series:
        rows, oldest = counts.get(one.table, (0, None))
        held = one.held if rows else ""
        expired.append(Expired(one.table, ends.get(one.table, one.cutoff), rows, oldest, held))
    return expired


def apply(
    *,
    now: datetime,
    export_to: Path | None = None,
    batch_size: int = 10_000,
    max_batches: int = 500,
) -> Applied:
    """Drop what is expired at ``now``, about ``batch_size · max_batches`` rows a table, and make TimescaleDB compress as the
    policies say.

    A policy with ``export_before_drop`` writes whole days below ``export_to`` first, and drops nothing while that is
    ``None``. Not one transaction: each batch and each chunk is committed by itself under an advisory lock that lasts as
    long, so a second worker that runs meanwhile does nothing. A policy that cannot be obeyed stops no other.
    """
    level = policies.level(connection)
    done: dict[str, _Done] = {}
    for series in _series(now=now, export_to=export_to):
        what = done[series.table] = _Done()
        try:
            _drop(what, level, series, export_to, batch_size, max_batches)
        except StillNeeded as error:
            what.held, what.finished = str(error), False
        except (DatabaseError, KeyError, ValueError) as error:
            _fail(what, series.table, error)
    changed = []
    for table in jobs.followed() if level == "community" else ():
        try:
            if jobs.follow(table):
                changed.append(table)
        except (DatabaseError, ValueError) as error:
            _fail(done.setdefault(table, _Done()), table, error)
    for table, what in done.items():
        RetentionPolicy.objects.filter(table_name=table).update(applied_at=now, outcome=str(what)[:300])
    return Applied(
        rows={table: what.rows for table, what in done.items() if what.rows},
        chunks={table: what.chunks for table, what in done.items() if what.chunks},
        held=tuple(table for table, what in done.items() if what.held),
        changed=tuple(changed),
        finished=all(what.finished for what in done.values()),
        exported={table: what.exported for table, what in done.items() if what.exported},
        failed=tuple(table for table, what in done.items() if what.failed),
    )


def _fail(what: _Done, table: str, error: Exception) -> None:
    logger.error("The policy of %s could not be obeyed.", table, exc_info=error)
    what.failed, what.finished = (str(error).splitlines() or [""])[0] or type(error).__name__, False


def _drop(
    done: _Done, level: Level, series: _Series, export_to: Path | None, batch_size: int, max_batches: int
) -> None:
    """Drop what is expired of one series, unless it is held; ``done`` tells how far it came, whatever is raised."""
    if series.held:
        logger.info("Nothing of %s is dropped for now: %s.", series.table, series.held)
        done.held = series.held
    elif series.exports:
        _export_and_drop(done, level, series, export_to or Path(), batch_size * max_batches)
    elif level == "none":
        _delete_rows(done, series, batch_size, max_batches)
    else:
        _drop_chunks(done, series, batch_size * max_batches)


def _series(*, now: datetime, export_to: Path | None) -> list[_Series]:
    """Return the time series whose policies drop, by name, with the aggregates that have rows of their own."""
    columns = jobs.time_columns()
    if policies.level(connection) == "community":
        columns |= {refresh.aggregate: "bucket" for refresh in REFRESHES}
    dropping = RetentionPolicy.objects.filter(drop_after__isnull=False).order_by("table_name")
    not_live = holding.without_live_feed()
    found = []
    for policy in dropping:
        table = policy.table_name
        if table not in columns or policy.drop_after is None:
            continue
        cutoff = now - policy.drop_after
        if policy.export_before_drop:
            cutoff = datetime.combine(cutoff.astimezone(UTC).date(), time(), UTC)
        held = not_live or holding.reason(table=table, until=cutoff)
        if policy.export_before_drop and export_to is None:
            held = held or "it is to be exported first, but RETENTION_EXPORT_DIR names no folder"
        found.append(_Series(table, columns[table], cutoff, policy.drop_after, policy.export_before_drop, held))
    return found


def _export_and_drop(done: _Done, level: Level, series: _Series, folder: Path, most: int) -> None:
    """Export and drop what is expired, day by day or chunk by chunk, up to ``most`` rows and what completes them."""
    try:
        for start, end in _expired_days(series) if level == "none" else _expired_chunks(series):
            if done.exported >= most:
                done.finished = False
                break
            # A chunk may be many days long, and goes when all of them are on the disk.
            written = [
                archive
                for first, last in archives.days(start=start, end=end)
                if (archive := archives.write(table=series.table, start=first, end=last, folder=folder))
            ]
            rows = sum(archive.rows for archive in written)
            done.exported += rows
            if level == "none":
                for archive in written:
                    done.rows += archives.delete(archive, allowed=series.require_policy)
            else:
                with transaction.atomic():
                    series.require_policy()
                    dropped = archives.drop_chunk(table=series.table, start=start, end=end, rows=rows)
                done.rows += dropped
                done.chunks += 1
    except (OSError, archives.ExportIncomplete, OperationalError) as error:
        logger.warning("The export of %s stopped, what was not exported stays: %s", series.table, error)
        done.held, done.finished = f"the export stopped: {error}", False


# An aggregate keeps its rows in a hypertable of another name.
_CHUNKS = """
SELECT coalesce(view_name, chunk.hypertable_name) AS name, range_start, range_end
  FROM timescaledb_information.chunks AS chunk LEFT JOIN timescaledb_information.continuous_aggregates
    ON materialization_hypertable_schema = chunk.hypertable_schema
   AND materialization_hypertable_name = chunk.hypertable_name
 WHERE coalesce(view_schema, chunk.hypertable_schema) = 'public'
"""


def _expired_days(series: _Series) -> "Iterable[tuple[datetime, datetime]]":
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min({series.column}) FROM {series.table} WHERE {series.column} < %s", [series.cutoff])
        (oldest,) = cursor.fetchone()
    return archives.days(start=oldest, end=series.cutoff) if oldest else ()


def _expired_chunks(series: _Series) -> list[tuple[datetime, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT range_start, range_end FROM ({_CHUNKS}) AS chunks"
            " WHERE name = %s AND range_end <= %s ORDER BY range_end",
            [series.table, series.cutoff],
        )
        return list(cursor.fetchall())


def _count_before(untils: Mapping[str, tuple[str, datetime]]) -> dict[str, tuple[int, datetime | None]]:
    """Return how many rows, and the oldest time, each table has before its time; one query for all."""
    if not untils:
        return {}
    parts = [
        f"SELECT '{table}', count(*), min(at) FROM"
        f" (SELECT {column} AS at FROM {table} WHERE {column} < %s LIMIT {COUNTED}) AS {table}"
        for table, (column, _) in untils.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), [until for _, until in untils.values()])
        return {table: (rows, oldest) for table, rows, oldest in cursor.fetchall()}


def _ends_of_expired_chunks(series: Sequence[_Series]) -> dict[str, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT chunks.name, max(range_end) FROM ({_CHUNKS}) AS chunks"
            " JOIN unnest(%s::text[], %s::timestamptz[]) AS wanted (name, cutoff)"
            "   ON wanted.name = chunks.name AND range_end <= cutoff GROUP BY 1",
            [[one.table for one in series], [one.cutoff for one in series]],
        )
        return dict(cursor.fetchall())


def _delete_rows(done: _Done, series: _Series, batch_size: int, max_batches: int) -> None:
    """Delete expired rows in committed batches."""
    for _ in range(max_batches):
        deleted = _delete_batch(series, batch_size)
        done.rows += deleted
        if deleted < batch_size:
            return
    done.finished = False


def _delete_batch(series: _Series, size: int) -> int:
    """Delete up to ``size`` expired rows and return how many; 0 as well when another worker is at it."""
    table, column, cutoff = series.table, series.column, series.cutoff
    with transaction.atomic(), connection.cursor() as cursor:
        if not locks.try_hold("retention.apply"):
            return 0
        series.require_policy()
        cursor.execute(
            f"DELETE FROM {table} WHERE {column} < %s"
            f" AND ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {column} < %s LIMIT %s))",
            [cutoff, cutoff, size],
        )
        deleted = int(cursor.rowcount)
        holding.require_unneeded(table=table, until=cutoff)
    return deleted


def _drop_chunks(done: _Done, series: _Series, most: int) -> None:
    """Drop the chunks that lie wholly before the cutoff, oldest first, up to ``most`` rows and what completes them."""
    for start, end in _expired_chunks(series):
        if done.rows >= most:
            done.finished = False
            return
        rows = _drop_chunk(series, start, end)
        if rows is None:
            return
        done.rows += rows
        done.chunks += 1


def _drop_chunk(series: _Series, start: datetime, end: datetime) -> int | None:
    """Drop one chunk and return how many rows it had; ``None`` when another worker is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not locks.try_hold("retention.apply"):
            return None
        series.require_policy()
        cursor.execute(
            f"SELECT count(*) FROM {series.table} WHERE {series.column} >= %s AND {series.column} < %s", [start, end]
        )
        (rows,) = cursor.fetchone()
        # Waits for who writes there, so what they make due is seen below.
        cursor.execute(
            "SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz, newer_than => %s::timestamptz)",
            [series.table, end, start],
        )
        holding.require_unneeded(table=series.table, until=end)
    return int(rows)
