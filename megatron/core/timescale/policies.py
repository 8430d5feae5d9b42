"""The statements and look-ups of TimescaleDB's background policies, used by migrations and by the retention service.

Names of tables and columns come from our own migrations or from checked rows; they are still kept to plain identifiers.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from megatron.core.timescale.base import Level

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_ORDER = re.compile(r"[a-z_][a-z0-9_]*( (ASC|DESC))?(, [a-z_][a-z0-9_]*( (ASC|DESC))?)*")


@dataclass(frozen=True)
class Policies:
    """What a hypertable or continuous aggregate is set to do by itself; None where it does nothing.

    ``drop_after`` is that of a job of TimescaleDB's. Ours have none, since such a job asks nobody: what is old is dropped by
    the retention service.
    """

    drop_after: timedelta | None = None
    compress_after: timedelta | None = None
    segment_by: str = ""
    order_by: str = ""


def level(connection: Any) -> Level:
    """Return what the server of ``connection`` can do: ``none``, ``apache`` or ``community``."""
    found: Level = connection.timescale_level
    return found


def name(table: str) -> str:
    """Return ``table`` when it is a plain identifier, raise ``ValueError`` when it is not."""
    if not _IDENTIFIER.fullmatch(table):
        raise ValueError(f"Not the name of a table: {table!r}")
    return table


def interval(length: timedelta) -> str:
    """Return ``length`` as SQL in days and seconds, e.g. ``INTERVAL '90 days'``."""
    parts = [f"{count} {unit}" for count, unit in ((length.days, "days"), (length.seconds, "seconds")) if count]
    return f"INTERVAL '{' '.join(parts) or '0 seconds'}'"


def compression_settings_sql(table: str, segment_by: str, order_by: str) -> str:
    """Return the statement that says how chunks are compressed from now on; raises ``ValueError`` for no columns."""
    for columns in filter(None, (segment_by, order_by)):
        if not _ORDER.fullmatch(columns):
            raise ValueError(f"Not a list of columns: {columns!r}")
    return (
        f"ALTER TABLE {name(table)} SET (timescaledb.compress, "
        f"timescaledb.compress_segmentby = '{segment_by}', timescaledb.compress_orderby = '{order_by}')"
    )


def add_compression_sql(table: str, after: timedelta) -> str:
    """Return the statement that adds the compression job if there is none."""
    return f"SELECT add_compression_policy('{name(table)}', {interval(after)}, if_not_exists => true)"


def remove_compression_sql(table: str) -> str:
    """Return the statement that removes the compression job if there is one."""
    return f"SELECT remove_compression_policy('{name(table)}', if_exists => true)"


def remove_retention_sql(table: str) -> str:
    """Return the statement that removes the retention job if there is one."""
    return f"SELECT remove_retention_policy('{name(table)}', if_exists => true)"


_JOBS = """
SELECT (SELECT (config->>'drop_after')::interval FROM timescaledb_information.jobs
         WHERE hypertable_name IN (%(table)s, (SELECT materialization_hypertable_name
               FROM timescaledb_information.continuous_aggregates WHERE view_name = %(table)s))
           AND proc_name = 'policy_retention'),
       (SELECT (config->>'compress_after')::interval FROM timescaledb_information.jobs
         WHERE hypertable_name = %(table)s AND proc_name IN ('policy_compression', 'policy_columnstore'))
"""
_SETTINGS = """
SELECT coalesce(string_agg(attname, ', ' ORDER BY segmentby_column_index)
                FILTER (WHERE segmentby_column_index IS NOT NULL), ''),
       coalesce(string_agg(attname || CASE WHEN orderby_asc THEN '' ELSE ' DESC' END, ', '
                           ORDER BY orderby_column_index)
                FILTER (WHERE orderby_column_index IS NOT NULL), '')
  FROM timescaledb_information.compression_settings WHERE hypertable_name = %(table)s
"""


def read(connection: Any, table: str) -> Policies:
    """Return what TimescaleDB is set to do with ``table`` now. Only for the level ``community``."""
    with connection.cursor() as cursor:
        cursor.execute(_JOBS, {"table": table})
        drop_after, compress_after = cursor.fetchone()
        cursor.execute(_SETTINGS, {"table": table})
        segment_by, order_by = cursor.fetchone()
    return Policies(drop_after, compress_after, segment_by, order_by)


def refresh(connection: Any, aggregate: str, *, start: datetime, end: datetime) -> None:
    """Compute ``[start, end)`` of a continuous aggregate again, whether TimescaleDB knows of a change or not: it watches
    hypertables alone, and what is joined to them may have changed. Only for the level ``community``, from 2.18.

    Cannot run inside a transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"CALL refresh_continuous_aggregate('{name(aggregate)}', %s::timestamptz, %s::timestamptz, force => true)",
            [start, end],
        )


_REFRESHES = """
SELECT view_name, c.hypertable_name, (config->>'start_offset')::interval
  FROM timescaledb_information.jobs j
  JOIN timescaledb_information.continuous_aggregates c ON j.hypertable_name IN (view_name, materialization_hypertable_name)
 WHERE proc_name = 'policy_refresh_continuous_aggregate' ORDER BY view_name
"""


def refreshes(connection: Any) -> list[tuple[str, str, timedelta | None]]:
    """Return aggregate, its table and how far back its job refreshes, ``None`` for all of it; none below community."""
    if level(connection) != "community":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_REFRESHES)
        return list(cursor.fetchall())


_MATERIALIZED = """
SELECT view_name, format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
  FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'public' ORDER BY view_name
"""


def materialized(connection: Any) -> dict[str, str]:
    """Return where each continuous aggregate keeps its rows, quoted; nothing below community."""
    if level(connection) != "community":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MATERIALIZED)
        return dict(cursor.fetchall())
