"""Migration operations on whichever server the suite runs against, and the statements they would run on the others."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.state import ProjectState

from megatron.core.timescale import operations, policies

pytestmark = pytest.mark.django_db

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

COMPRESSION = operations.Compression("price_candles_1h", "token_id", "bucket DESC", 7 * DAY)
HOURS = operations.ContinuousAggregate(
    "hours_for_test",
    "SELECT time_bucket('1 hour', price_time) AS hour, max(price_usd) AS high FROM sol_usd_prices"
    " GROUP BY time_bucket('1 hour', price_time)",
    2 * DAY,
    HOUR,
    30 * MINUTE,
)
INDEX = operations.TimeIndex("price_candles_1d", "bucket")


def forwards(operation) -> None:
    """Run an operation as a migration does."""
    with connection.schema_editor() as editor:
        operation.database_forwards("tokens", editor, ProjectState(), ProjectState())


def backwards(operation) -> None:
    """Reverse an operation as a migration does."""
    with connection.schema_editor() as editor:
        operation.database_backwards("tokens", editor, ProjectState(), ProjectState())


def kind_of(sql, name: str) -> str | None:
    """Return the catalogue's kind of a relation, or None when there is none."""
    rows = sql("SELECT relkind FROM pg_class WHERE relname = %s AND relnamespace = 'public'::regnamespace", name)
    return rows[0][0] if rows else None


@pytest.mark.community
def test_an_aggregate_has_its_name_and_columns_on_every_server(sql):
    """Created twice and reversed twice, an aggregate is there once and then gone; meanwhile it can be read."""
    for _ in range(2):
        forwards(HOURS)
    assert kind_of(sql, "hours_for_test") == "v"
    assert sql("SELECT hour, high FROM hours_for_test") == []
    for _ in range(2):
        backwards(HOURS)
    assert kind_of(sql, "hours_for_test") is None


@pytest.mark.community
def test_a_time_index_stands_in_for_chunks(sql, level):
    """A BRIN index on the time is made where there are no chunks, once, and reversing removes it."""
    for _ in range(2):
        forwards(INDEX)
    assert kind_of(sql, "brin_price_candles_1d_bucket") == ("i" if level == "none" else None)
    for _ in range(2):
        backwards(INDEX)
    assert kind_of(sql, "brin_price_candles_1d_bucket") is None


@pytest.mark.parametrize("level", ["none", "apache"])
@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (COMPRESSION, "Compress price_candles_1h after 7 days: nothing is compressed on a server of level "),
    ],
)
def test_below_community_jobs_are_logged_no_ops(operation, said, level, caplog):
    """Where the licensed features are missing, compression runs nothing and says so."""
    assert list(operation.forward(level)) == list(operation.backward(level)) == []
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr(connection, "timescale_level", level)
        forwards(operation)
        backwards(operation)
    assert caplog.messages == [said + level]


def test_on_community_the_operations_say_what_timescale_reads():
    """The statements for a community server name the table, the columns and whole intervals."""
    assert list(COMPRESSION.forward("community")) == [
        (
            "ALTER TABLE price_candles_1h SET (timescaledb.compress, "
            "timescaledb.compress_segmentby = 'token_id', timescaledb.compress_orderby = 'bucket DESC')"
        ),
        "SELECT add_compression_policy('price_candles_1h', INTERVAL '7 days', if_not_exists => true)",
    ]
    create, refresh = HOURS.forward("community")
    assert create.startswith("CREATE MATERIALIZED VIEW IF NOT EXISTS hours_for_test WITH (timescaledb.continuous, ")
    assert create.endswith(" WITH NO DATA")
    assert refresh == (
        "SELECT add_continuous_aggregate_policy('hours_for_test', start_offset => INTERVAL '2 days', "
        "end_offset => INTERVAL '3600 seconds', schedule_interval => INTERVAL '1800 seconds', if_not_exists => true)"
    )
    assert list(INDEX.forward("community")) == []


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (90 * DAY, "INTERVAL '90 days'"),
        (DAY + HOUR, "INTERVAL '1 days 3600 seconds'"),
        (timedelta(0), "INTERVAL '0 seconds'"),
    ],
)
def test_intervals_are_written_in_days_and_seconds(length, written):
    """A timedelta becomes an interval without months, which have no fixed length."""
    assert policies.interval(length) == written


@pytest.mark.parametrize("bad", ["tokens; DROP TABLE tokens", "Tokens", "", "a'b"])
def test_only_plain_identifiers_reach_a_statement(bad):
    """A name that is not a plain identifier is refused before any statement is built."""
    with pytest.raises(ValueError, match="Not the name of a table"):
        policies.remove_retention_sql(bad)
    with pytest.raises(ValueError, match="Not "):
        policies.compression_settings_sql("tokens", "token_id", f"{bad} DESC, x")
