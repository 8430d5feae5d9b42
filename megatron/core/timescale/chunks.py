"""Reaching rows of a hypertable that may lie in compressed chunks, a bounded number of them at a time.

What an UPDATE or a DELETE needs of a compressed chunk TimescaleDB first opens: it moves whole batches of up to
:data:`BATCH` rows back into the plain table, and refuses a statement that would open more than
``timescaledb.max_tuples_decompressed_per_dml_transaction`` (100,000). Only conditions with *constants*, on the columns by
which a table is compressed, choose the batches; a join chooses none. So the rule for every statement on a hypertable:

* it carries constant bounds on the time column, and
* where it may reach old rows it goes a *stretch* at a time: the rows of one key (a token) within a short time, with the
  key as a constant too. It then opens the batches that hold this key at that time: what the key has there, and at most one
  batch more at either end, and
* it does not read the table that it writes: a part of it may find rows that it opened neither where they were nor where they
  are.

Whatever is newer than the newest compressed chunk makes one stretch without a key, so that live traffic is written set by
set as on a plain table.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from megatron.core.timescale.policies import level, name

BATCH = 1_000
"""Rows of a compressed batch at most: what is opened is opened by the batch."""
RUN = 500
"""Rows of a stretch at most, where they are old."""

Row = TypeVar("Row", bound=tuple[Any, ...])
"""A row that is to be reached: its key and its time come first."""


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Row]):
    """Rows that one statement may reach: those of one key within a short time, or ``key`` is ``None`` and nothing of it is
    compressed. ``first`` and ``last`` are the earliest and the latest time."""

    rows: Sequence[Row]
    key: Any
    first: datetime
    last: datetime

    @property
    def bounds(self) -> dict[str, Any]:
        """Return the parameters of :func:`within`."""
        return {"key": self.key, "first": self.first, "last": self.last}


def within(key: str, time: str, kind: str = "uuid") -> str:
    """Return the condition that holds a statement to a stretch, for the columns ``key`` (of type ``kind``) and ``time``.

    Django sends values as literals, so PostgreSQL folds the half with NULL away and what is left compares with constants.
    """
    return f"{time} >= %(first)s AND {time} <= %(last)s AND (%(key)s::{kind} IS NULL OR {key} = %(key)s::{kind})"


_COMPRESSED = """
SELECT max(range_end) FROM timescaledb_information.chunks
WHERE hypertable_schema = 'public' AND hypertable_name = %s AND is_compressed
"""


def compressed_until(connection: Any, table: str) -> datetime | None:
    """Return the end of the newest compressed chunk of ``table``, ``None`` where nothing is compressed."""
    if level(connection) != "community":
        return None
    with connection.cursor() as cursor:
        cursor.execute(_COMPRESSED, [name(table)])
        end: datetime | None = cursor.fetchone()[0]
    return end


def stretches(
    connection: Any, table: str, rows: Collection[Row], *, span: timedelta = timedelta(minutes=10)
) -> Iterator[Stretch[Row]]:
    """Yield ``rows`` of ``table`` in stretches: first in one what is newer than all that is compressed, then the older ones,
    a key after the other, at most :data:`RUN` rows and ``span`` of time in each."""
    if not rows:
        return
    until = compressed_until(connection, table)
    fresh = [row for row in rows if until is None or row[1] >= until]
    if fresh:
        times = [row[1] for row in fresh]
        yield Stretch(fresh, None, min(times), max(times))
    yield from _runs((row for row in rows if until is not None and row[1] < until), span)


def spanned(
    connection: Any,
    table: str,
    first: datetime,
    last: datetime,
    old: Callable[[datetime, datetime], Collection[Row]],
    *,
    span: timedelta = timedelta(minutes=10),
) -> Iterator[Stretch[Row]]:
    """Yield the stretches of all that ``table`` has from ``first`` to ``last``, as :func:`stretches` does; ``old`` returns the
    rows that are wanted between two times. Only of what may be compressed it is asked for them: the stretch of the rest has
    no rows, only bounds."""
    until = compressed_until(connection, table)
    if until is not None and first < until:
        before = min(last, until - timedelta(microseconds=1))
        yield from _runs(old(first, before), span)
        first = until
    if first <= last:
        yield Stretch((), None, first, last)


def _runs(rows: Iterable[Row], span: timedelta) -> Iterator[Stretch[Row]]:
    run: list[Row] = []
    for row in sorted(rows, key=_place):
        if run and (row[0] != run[0][0] or row[1] - run[0][1] > span or len(run) >= RUN):
            yield _run(run)
            run = []
        run.append(row)
    if run:
        yield _run(run)


def _place(row: tuple[Any, ...]) -> tuple[str, datetime]:
    return str(row[0]), row[1]


def _run(rows: list[Row]) -> Stretch[Row]:
    return Stretch(rows, rows[0][0], rows[0][1], rows[-1][1])
