"""Old rows as files before they go: a day of a time series is one Parquet file, checked before anything is dropped.

A file is named for what is in it, ``transactions/transactions-2026-07-01-1f0c….parquet``: exporting the same rows again
replaces it by itself, and rows that come later for the same day get a file of their own.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from megatron.core import locks
from megatron.embedded import files
from tokens.services import exports, holding, parquet

DAY = timedelta(days=1)
_BATCH = 10_000


class ExportIncomplete(Exception):
    """A file does not hold what was read, or rows came meanwhile: nothing was dropped, the next run tries again."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One file: the rows of ``table`` with a time in ``[start, end)``."""

    table: str
    start: datetime
    end: datetime
    path: Path
    rows: int


def days(*, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the days in UTC that make up ``[start, end)``, the first and the last cut to it."""
    while start < end:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC) + DAY
        yield start, min(midnight, end)
        start = midnight


def write(*, table: str, start: datetime, end: datetime, folder: Path) -> Archive | None:
    """Write the rows of one day or less to a file below ``folder``, or return ``None`` when there are none.

    The file is on the disk and has been counted when this returns. Raises ``OSError`` when it cannot be written and
    :class:`ExportIncomplete` when it does not hold what was read.
    """
    fields = exports.fields(table)
    key = [field.column for field in fields].index("id")
    names, read = hashlib.sha256(), 0
    target = folder / table
    target.mkdir(parents=True, exist_ok=True)
    draft = target / f".{table}-{start:%Y-%m-%d}.draft"

    def counted() -> Iterator[list[tuple[Any, ...]]]:
        nonlocal read
        for rows in exports.stream(table=table, start=start, end=end):
            names.update("".join(str(row[key]) for row in rows).encode())
            read += len(rows)
            yield rows

    parquet.write(path=draft, fields=fields, chunks=counted())
    try:
        if parquet.count(draft) != read:
            raise ExportIncomplete(f"{draft} does not hold the {read} rows that were read.")
        if not read:
            return None
        path = target / f"{table}-{start:%Y-%m-%d}-{names.hexdigest()[:12]}.parquet"
        files.rename(draft, to=path)
    finally:
        draft.unlink(missing_ok=True)
    return Archive(table, start, end, path, read)


def delete(archive: Archive, *, allowed: Callable[[], None] = lambda: None) -> int:
    """Delete exactly the rows that a file holds, in committed batches, and return how many went.

    What came after the file was written stays for the next one. 0 as well while another worker is at it. Raises
    ``holding.StillNeeded``, with what earlier batches deleted gone, when a candle became due that needs the rows, and what
    ``allowed`` raises, which is asked in the transaction of each batch.
    """
    time, gone = exports.time_column(archive.table), 0
    for keys in parquet.column(archive.path, name="id", size=_BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            if not locks.try_hold("retention.apply"):
                break
            allowed()
            cursor.execute(
                f"DELETE FROM {archive.table} WHERE {time} >= %s AND {time} < %s AND id = ANY(%s::uuid[])",
                [archive.start, archive.end, keys],
            )
            deleted = cursor.rowcount
            holding.require_unneeded(table=archive.table, until=archive.end)
        gone += deleted
    return gone


@transaction.atomic
def drop_chunk(*, table: str, start: datetime, end: datetime, rows: int) -> int:
    """Drop the chunk of ``[start, end)`` when it has exactly ``rows`` rows, the exported ones; return that number.

    Writers wait meanwhile. Raises :class:`ExportIncomplete` when rows came after the export, and ``holding.StillNeeded`` when a
    candle became due that needs them; then nothing is dropped.
    """
    time = exports.time_column(table)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {time} >= %s AND {time} < %s", [start, end])
        (found,) = cursor.fetchone()
        if found != rows:
            raise ExportIncomplete(f"{table} has {found} rows from {start} to {end}, but {rows} were exported.")
        cursor.execute(
            "SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz, newer_than => %s::timestamptz)",
            [table, end, start],
        )
        holding.require_unneeded(table=table, until=end)
    return rows
