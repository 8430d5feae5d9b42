"""What each table takes on the disk, asked of the catalogue: no table is read, so it is as fast on a full disk.

Rows are PostgreSQL's own estimate. On plain PostgreSQL there are no chunks; on TimescaleDB apache nothing is compressed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from megatron.core.timescale import policies

_FEW_ROWS = 200_000
"""Up to so many the oldest row is looked up; beyond, the statistics say it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One table, hypertable or kept view: ``size_bytes`` with indexes, ``rows`` estimated, the time of the ``oldest``.

    ``chunks`` is None where the server has none. ``before_bytes`` and ``after_bytes`` are those of the compressed
    chunks. ``first_end`` is when the oldest chunk ends, or the oldest row's time: an age is counted from there.
    """

    table: str
    size_bytes: int
    rows: int
    oldest: datetime | None = None
    chunks: int | None = None
    compressed: int | None = None
    before_bytes: int = 0
    after_bytes: int = 0
    first_end: datetime | None = None

    @property
    def ratio(self) -> float | None:
        """Return how many times smaller compression made its chunks, ``None`` when none is compressed."""
        return self.before_bytes / self.after_bytes if self.after_bytes else None


_TABLES = """
SELECT relname, pg_total_relation_size(pg_class.oid),
       coalesce(nullif(pg_stat_get_live_tuples(pg_class.oid), 0), greatest(reltuples, 0))::bigint
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
"""

# Of a chunk: the rows that lie in it plainly, and those of its batches. approximate_row_count() adds to the first how many rows
# the batches had when they were made, so a row that was taken out of its batch since, to be changed, counts twice there.
_ROWS = """
coalesce(sum((
    SELECT coalesce(nullif(pg_stat_get_live_tuples(plain.oid), 0), greatest(plain.reltuples, 0))
           + coalesce((coalesce(nullif(pg_stat_get_live_tuples(batches.oid), 0), batches.reltuples)
                       * numrows_pre_compression::numeric / nullif(numrows_post_compression, 0))::numeric, 0)
      FROM pg_class AS plain
      LEFT JOIN _timescaledb_catalog.chunk AS ours ON ours.schema_name = chunk_schema AND ours.table_name = chunk_name
      LEFT JOIN _timescaledb_catalog.chunk AS packed ON packed.id = ours.compressed_chunk_id
      LEFT JOIN _timescaledb_catalog.compression_chunk_size AS size ON size.chunk_id = ours.id
      LEFT JOIN pg_class AS batches
        ON batches.oid = to_regclass(quote_ident(packed.schema_name) || '.' || quote_ident(packed.table_name))
     WHERE plain.oid = to_regclass(quote_ident(chunk_schema) || '.' || quote_ident(chunk_name))
)), 0)::bigint"""

# A continuous aggregate keeps its rows in a hypertable of another name.
_HYPERTABLES = """
SELECT h.name, hypertable_size(kept.id), {rows},
       count(chunk_name), count(chunk_name) FILTER (WHERE is_compressed), min(range_start), min(range_end)
  FROM (SELECT hypertable_name AS name, hypertable_schema AS schema, hypertable_name AS table
          FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'
         UNION ALL
        SELECT view_name, materialization_hypertable_schema, materialization_hypertable_name
          FROM timescaledb_information.continuous_aggregates) AS h
 CROSS JOIN LATERAL (SELECT format('%I.%I', h.schema, h.table)::regclass AS id) AS kept
  LEFT JOIN timescaledb_information.chunks AS chunk
         ON chunk.hypertable_schema = h.schema AND chunk.hypertable_name = h.table
 GROUP BY h.name, kept.id
""".replace("{rows}", _ROWS)

_COMPRESSION = """
SELECT h.hypertable_name, before_compression_total_bytes, after_compression_total_bytes
  FROM timescaledb_information.hypertables h,
       LATERAL hypertable_compression_stats(format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass)
 WHERE h.compression_enabled AND h.hypertable_schema = 'public' AND after_compression_total_bytes IS NOT NULL
"""


def tables(*, time_columns: Mapping[str, str]) -> dict[str, Stored]:
    """Return what each table takes, by its name. ``time_columns`` names the time of each time series.

    At most four queries, however many tables and rows there are.
    """
    level = policies.level(connection)
    stored = {name: Stored(name, size, rows) for name, size, rows in _fetch(_TABLES)}
    if level == "none":
        for name, oldest in _oldest({name: time_columns[name] for name in stored if name in time_columns}, stored):
            row = stored[name]
            stored[name] = Stored(name, row.size_bytes, row.rows, oldest=oldest, first_end=oldest)
        return stored
    sizes = {name: (before, after) for name, before, after in _fetch(_COMPRESSION)} if level == "community" else {}
    for name, size, rows, chunks, compressed, oldest, first_end in _fetch(_HYPERTABLES):
        before, after = sizes.get(name, (0, 0))
        stored[name] = Stored(name, size, rows, oldest, chunks, compressed, int(before), int(after), first_end)
    return stored


def _oldest(columns: Mapping[str, str], stored: Mapping[str, Stored]) -> list[tuple[str, datetime | None]]:
    """Return the oldest time of each table: looked up where that is quick, else the least of the last ANALYZE."""
    small = [name for name in columns if stored[name].rows <= _FEW_ROWS]
    large = sorted(columns.keys() - set(small))
    found: list[tuple[str, datetime | None]] = []
    if small:
        found += _fetch(" UNION ALL ".join(f"SELECT '{name}', min({columns[name]}) FROM {name}" for name in small))
    if large:
        found += _fetch(
            "SELECT tablename, (histogram_bounds::text::timestamptz[])[1] FROM pg_stats"
            " WHERE schemaname = 'public' AND (tablename, attname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
            large,
            [columns[name] for name in large],
        )
    return found


def _fetch(statement: str, *params: Any) -> list[Any]:
    with connection.cursor() as cursor:
        # Without parameters a percent sign is itself.
        cursor.execute(statement, params or None)
        return list(cursor.fetchall())
