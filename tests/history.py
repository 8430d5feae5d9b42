"""A past that is compressed: :data:`ROWS` rows in each of two old chunks of every hypertable, more than one batch holds.

Tests say nothing of it and must not count it, so its batches are put aside and are there again when they are shown. What a
statement opens of them it would open in production, where a day has thousands of batches.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from megatron.core.timescale.fields import HypertableTimeField
from tests import factories, feeds
from tests.factories import NOON
from tests.holders import building, people
from tests.scoring import following, holder_rows
from tests.scoring.models import test_technical as technical
from tokens.models import PriceCandle1d, PriceCandle1h, PriceCandle5m

TOKENS = 24
ROWS = TOKENS * 60
LIMIT = 1_000
"""Rows that one statement may open, for ``timescaledb.max_tuples_decompressed_per_dml_transaction``."""
LIMITED = f"SET timescaledb.max_tuples_decompressed_per_dml_transaction = {LIMIT}"
EXCEEDED = "tuple decompression limit exceeded"
STASH = "compressed_history"


@dataclass(frozen=True, slots=True)
class Hypertable:
    """A table, its time column, the column by which its rows belong to a token if one does, and the length of a chunk."""

    table: str
    time: str
    key: str | None
    interval: timedelta

    @property
    def starts(self) -> tuple[datetime, ...]:
        """Return when the history's two chunks begin, far enough back to be of its own."""
        back = max(3 * self.interval, timedelta(days=20))
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return tuple(epoch + (NOON - many * back - epoch) // self.interval * self.interval for many in (1, 2))


@cache
def hypertables() -> dict[str, Hypertable]:
    """Return every hypertable of the models, by table."""
    found = {}
    for model in apps.get_models():
        for field in model._meta.fields:
            if isinstance(field, HypertableTimeField):
                columns = {one.column for one in model._meta.fields}
                key = next((name for name in ("token_id", "token_mint") if name in columns), None)
                number, unit = str(field.interval).split()
                length = timedelta(**{unit if unit.endswith("s") else f"{unit}s": int(number)})
                found[model._meta.db_table] = Hypertable(model._meta.db_table, field.column, key, length)
    return found


_ONE: dict[str, Callable[[datetime], models.Model]] = {
    "transactions": lambda at: factories.transaction(block_time=at),
    "price_candles_1m": lambda at: factories.candle(factories.token(), bucket=at),
    "price_candles_5m": lambda at: factories.candle(factories.token(), model=PriceCandle5m, bucket=at),
    "price_candles_1h": lambda at: factories.candle(factories.token(), model=PriceCandle1h, bucket=at),
    "price_candles_1d": lambda at: factories.candle(factories.token(), model=PriceCandle1d, bucket=at),
    "sol_usd_prices": factories.sol_usd,
    "quote_usd_prices": factories.quote_usd,
    "system_metrics": lambda at: feeds.minute(metric_time=at),
    "holder_snapshots": lambda at: people.snapshot(factories.pool(), snapshot_time=at),
    "api_credit_usage": lambda at: building.usage(timestamp=at),
    "technical_scores": lambda at: technical.technical_score(timestamp=at),
    "activity_metrics": lambda at: technical.activity(timestamp=at),
    "social_metrics": lambda at: following.metric(timestamp=at),
    "social_scores": lambda at: following.score(calculated_at=at),
    "holder_scores": lambda at: holder_rows.holder_score(timestamp=at),
    "risk_metrics": lambda at: holder_rows.risk_metric(timestamp=at),
}
"""One row of each hypertable at a time."""

_MANY = """
INSERT INTO {table} (id, {columns})
SELECT {id}, {columns} FROM jsonb_populate_recordset(NULL::{table}, (
    SELECT jsonb_agg(%(row)s::jsonb || jsonb_build_object(
        'id', md5(%(start)s::text || n)::uuid,
        '{time}', %(start)s::timestamptz + n / %(tokens)s * %(step)s::interval + n * interval '1 millisecond'){key})
    FROM generate_series(0, %(rows)s - 1) AS n))
"""

_DERIVED = {"transactions": "event_id(block_time, signature || ':' || event_index)"}
"""Where a rule of the table says what the id is."""

_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND attname <> 'id' AND NOT attisdropped AND attgenerated = ''
"""

_BATCHES = """
SELECT format('%%I.%%I', b.schema_name, b.table_name) FROM _timescaledb_catalog.chunk c
JOIN _timescaledb_catalog.hypertable h ON h.id = c.hypertable_id AND h.table_name = %s
JOIN _timescaledb_catalog.chunk b ON b.id = c.compressed_chunk_id ORDER BY 1
"""


_KEYS = {
    "token_id": "md5('token ' || n %% %(tokens)s)::uuid",
    "token_mint": "rpad('mint' || translate(n %% %(tokens)s || '', '0', 'x'), 44, 'z')",
}


def make() -> None:
    """Make the history, once a database; nothing of it is seen afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {STASH}")
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {STASH}.chunks (of text, batches text UNIQUE, kept text)")
        for one in hypertables().values():
            if len(_chunks(one.table, cursor)) < len(one.starts):
                _make(one, cursor)


def _chunks(table: str, cursor: Any) -> list[tuple[str, str]]:
    """Return where the batches of a table's history belong, and where they are kept."""
    cursor.execute(
        f"SELECT batches, kept FROM {STASH}.chunks WHERE of = %s AND to_regclass(batches) IS NOT NULL", [table]
    )
    return list(cursor.fetchall())


def _make(one: Hypertable, cursor: Any) -> None:
    rows = {start: _row(one, start) for start in one.starts}
    with transaction.atomic():
        cursor.execute("SET LOCAL session_replication_role = replica")  # neither parents nor triggers
        cursor.execute(_COLUMNS, [one.table])
        (columns,) = cursor.fetchone()
        for start in one.starts:
            asked = {"start": start, "tokens": TOKENS, "step": one.interval / 64, "rows": ROWS, "row": rows[start]}
            key = f" || jsonb_build_object('{one.key}', {_KEYS[one.key]})" if one.key else ""
            cursor.execute(
                _MANY.format(
                    table=one.table, columns=columns, time=one.time, key=key, id=_DERIVED.get(one.table, "id")
                ),
                asked,
            )
    with transaction.atomic():
        cursor.execute(
            "SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = %s",
            [one.table],
        )
        if not cursor.fetchone()[0]:
            order = ", ".join(filter(None, [one.key, f"{one.time} DESC"]))
            cursor.execute(
                f"ALTER TABLE {one.table} SET (timescaledb.compress, timescaledb.compress_segmentby = '',"
                f" timescaledb.compress_orderby = '{order}')"
            )
        cursor.execute(
            f"SELECT compress_chunk(chunk) FROM show_chunks('{one.table}', older_than => %s::timestamptz) AS chunk",
            [NOON - timedelta(days=15)],
        )
        cursor.execute(f"DELETE FROM {STASH}.chunks WHERE of = %s", [one.table])
        cursor.execute(_BATCHES, [one.table])
        for number, (belong,) in enumerate(cursor.fetchall()):
            kept = f"{STASH}.{one.table}_{number}"
            cursor.execute(f"DROP TABLE IF EXISTS {kept}")
            cursor.execute(f"CREATE TABLE {kept} AS SELECT * FROM {belong}")
            cursor.execute(f"DELETE FROM {belong}")
            cursor.execute(f"INSERT INTO {STASH}.chunks VALUES (%s, %s, %s)", [one.table, belong, kept])


def _row(one: Hypertable, at: datetime) -> str:
    """Return a row that the table takes, as JSON; nothing is left of it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")
        made = _ONE[one.table](at)
        cursor.execute(f"SELECT to_jsonb(t)::text FROM {one.table} t WHERE {one.time} = %s AND id = %s", [at, made.pk])
        (row,) = cursor.fetchone()
        transaction.set_rollback(True)
    return str(row)


def show(tables: Iterable[str]) -> None:
    """Let the batches of ``tables`` be there, to the end of the transaction or savepoint."""
    with connection.cursor() as cursor:
        for table in tables:
            for belong, kept in _chunks(table, cursor):
                cursor.execute(f"INSERT INTO {belong} SELECT * FROM {kept} WHERE NOT EXISTS (SELECT FROM {belong})")


def batches(table: str) -> int:
    """Return how many compressed batches ``table`` has."""
    with connection.cursor() as cursor:
        cursor.execute(_BATCHES, [table])
        found = 0
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {name}")
            found += cursor.fetchone()[0]
    return found


def drop() -> None:
    """Drop the history's chunks, to the end of the transaction: for tests that look at all chunks."""
    with connection.cursor() as cursor:
        for one in hypertables().values():
            cursor.execute(
                "SELECT drop_chunks(%s, older_than => %s::timestamptz)", [one.table, NOON - timedelta(days=15)]
            )
