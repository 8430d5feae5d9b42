"""Drop what is older than its table's retention policy, and keep TimescaleDB's own jobs equal to the policies.

On the level ``community`` TimescaleDB drops and compresses by itself; here its jobs are only set. On ``apache`` whole
chunks are dropped, and on plain PostgreSQL rows are deleted in batches, each its own transaction: an interrupted run
loses nothing and the next one goes on. A policy that exports before it drops is obeyed here on every server.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path

from django.db import OperationalError, connection, transaction

from megatron.core import locks
from megatron.core.timescale import policies
from megatron.core.timescale.base import Level
from tokens.models import CandleDue, RetentionPolicy, StreamCursor
from tokens.services import archives, jobs

ROLLED_UP = frozenset({"transactions", "price_candles_1m"})
"""What candles are computed from: nothing of it is dropped while a candle of that time is still due (decision C5)."""

REPLAYS = frozenset({"replay", "retry"})
"""Feeds that speak of captures. Retention begins with the first live one."""

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
    """What one run did: ``rows`` and ``chunks`` dropped and rows ``exported`` by table, tables ``held`` for a reason,
    ``changed`` jobs."""

    rows: dict[str, int]
    chunks: dict[str, int]
    held: tuple[str, ...]
    changed: tuple[str, ...]
    finished: bool
    exported: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Series:
    """A time series that loses rows before ``cutoff`` now, unless ``held`` says why not."""

    table: str
    column: str
    cutoff: datetime
    exports: bool
    held: str


@dataclass(slots=True)
class _Done:
    rows: int = 0
    chunks: int = 0
    exported: int = 0
    held: str = ""
    finished: bool = True

    def __str__(self) -> str:
        parts = (f"dropped {self.rows:,} rows", f"dropped {self.chunks:,} chunks", f"exported {self.exported:,} rows")
        counts = (self.rows, self.chunks, self.exported)
        said = [part for part, count in zip(parts, counts, strict=True) if count]
        return ", ".join(said + [f"held: {self.held}"] * bool(self.held)) or "nothing was old enough"


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
    """Drop what is expired at ``now``, at most ``batch_size · max_batches`` rows a table, and set TimescaleDB's jobs.

    A policy with ``export_before_drop`` writes whole days below ``export_to`` first, and drops nothing while that is
    ``None``. Not one transaction: each batch and each chunk is committed by itself under an advisory lock that lasts as
    long, so a second worker that runs meanwhile does nothing.
    """
    level = policies.level(connection)
    found = _series(now=now, export_to=export_to)
    done: dict[str, _Done] = {}
    for series in found:
        if series.held:
            logger.info("Nothing of %s is dropped for now: %s.", series.table, series.held)
            done[series.table] = _Done(held=series.held)
        elif series.exports:
            done[series.table] = _export_and_drop(level, series, export_to or Path(), batch_size * max_batches)
        elif level == "apache":
            done[series.table] = _Done(chunks=_drop_chunks(series))
        elif level == "none":
            rows = _delete_rows(series.table, series.column, series.cutoff, batch_size, max_batches)
            done[series.table] = _Done(rows=rows, finished=rows < batch_size * max_batches)
        else:
            done[series.table] = _Done()
        RetentionPolicy.objects.filter(table_name=series.table).update(
            applied_at=now, outcome=str(done[series.table])[:300]
        )
    held = tuple(table for table, what in done.items() if what.held)
    changed = tuple(jobs.follow([series.table for series in found if series.held])) if level == "community" else ()
    return Applied(
        rows={table: what.rows for table, what in done.items() if what.rows},
        chunks={table: what.chunks for table, what in done.items() if what.chunks},
        held=held,
        changed=changed,
        finished=all(what.finished for what in done.values()),
        exported={table: what.exported for table, what in done.items() if what.exported},
    )


def _series(*, now: datetime, export_to: Path | None) -> list[_Series]:
    """Return the time series whose policies drop, by name. Aggregates have no table of their own here."""
    columns = jobs.time_columns()
    dropping = RetentionPolicy.objects.filter(drop_after__isnull=False).order_by("table_name")
    only_captures = _only_captures()
    found = []
    for policy in dropping:
        table = policy.table_name
        if table not in columns or policy.drop_after is None:
            continue
        cutoff = now - policy.drop_after
        if policy.export_before_drop:
            cutoff = datetime.combine(cutoff.astimezone(UTC).date(), time(), UTC)
        held = only_captures or _reason_to_hold(table, cutoff)
        if policy.export_before_drop and export_to is None:
            held = held or "it is to be exported first, but RETENTION_EXPORT_DIR names no folder"
        found.append(_Series(table, columns[table], cutoff, policy.export_before_drop, held))
    return found


def _only_captures() -> str:
    """Return why nothing at all may go while only captures were replayed, or an empty text."""
    feeds = set(StreamCursor.objects.values_list("source", flat=True))
    if feeds and feeds <= REPLAYS:
        return "only captures were replayed so far: what an operator plays on purpose is not taken away again"
    return ""


def _reason_to_hold(table: str, cutoff: datetime) -> str:
    """Return why nothing of ``table`` before ``cutoff`` may go yet, or an empty text."""
    if table not in ROLLED_UP:
        return ""
    due = CandleDue.objects.filter(bucket__lt=cutoff).count()
    return f"{due} candles of that time are still due" if due else ""


def _export_and_drop(level: Level, series: _Series, folder: Path, most: int) -> _Done:
    """Export and drop what is expired, day by day or chunk by chunk, up to ``most`` rows and what completes them."""
    done = _Done()
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
                done.rows += sum(map(archives.delete, written))
            else:
                archives.drop_chunk(table=series.table, start=start, end=end, rows=rows)
                done.chunks += 1
    except (OSError, archives.ExportIncomplete, OperationalError) as error:
        logger.warning("The export of %s stopped, what was not exported stays: %s", series.table, error)
        done.held, done.finished = f"the export stopped: {error}", False
    return done


def _expired_days(series: _Series) -> "Iterable[tuple[datetime, datetime]]":
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min({series.column}) FROM {series.table} WHERE {series.column} < %s", [series.cutoff])
        (oldest,) = cursor.fetchone()
    return archives.days(start=oldest, end=series.cutoff) if oldest else ()


def _expired_chunks(series: _Series) -> list[tuple[datetime, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT range_start, range_end FROM timescaledb_information.chunks"
            " WHERE hypertable_name = %s AND range_end <= %s ORDER BY range_end",
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
            "SELECT hypertable_name, max(range_end) FROM timescaledb_information.chunks"
            " JOIN unnest(%s::text[], %s::timestamptz[]) AS wanted (name, cutoff)"
            "   ON name = hypertable_name AND range_end <= cutoff WHERE hypertable_schema = 'public' GROUP BY 1",
            [[one.table for one in series], [one.cutoff for one in series]],
        )
        return dict(cursor.fetchall())


def _delete_rows(table: str, column: str, cutoff: datetime, batch_size: int, max_batches: int) -> int:
    """Delete rows before ``cutoff`` in committed batches and return how many."""
    rows = 0
    for _ in range(max_batches):
        deleted = _delete_batch(table, column, cutoff, batch_size)
        rows += deleted
        if deleted < batch_size:
            break
    return rows


def _delete_batch(table: str, column: str, cutoff: datetime, size: int) -> int:
    """Delete up to ``size`` rows before ``cutoff`` and return how many; 0 as well when another worker is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not locks.try_hold("retention.apply"):
            return 0
        cursor.execute(
            f"DELETE FROM {table} WHERE {column} < %s"
            f" AND ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {column} < %s LIMIT %s))",
            [cutoff, cutoff, size],
        )
        return int(cursor.rowcount)


def _drop_chunks(series: _Series) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM drop_chunks(%s, older_than => %s::timestamptz)", [series.table, series.cutoff]
        )
        (count,) = cursor.fetchone()
    return int(count)
