"""Which locks TimescaleDB's jobs and the making of a chunk take: none on another table that live traffic would wait for."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from megatron.core.timescale.fields import HypertableTimeField
from tests import factories
from tests.factories import NOON
from tokens.models import PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m
from tokens.services import retention

pytestmark = [pytest.mark.community, pytest.mark.own_chunks]

Sql = Callable[..., list[tuple[Any, ...]]]

HARMLESS = {"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock"}
"""What readers and writers of rows take themselves: these wait for none of them."""

HYPERTABLES = {
    model._meta.db_table: next(field.column for field in model._meta.fields if isinstance(field, HypertableTimeField))
    for model in apps.get_models()
    if any(isinstance(field, HypertableTimeField) for field in model._meta.fields)
}

_HELD = """
SELECT DISTINCT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.granted AND l.locktype = 'relation' AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm')
   AND coalesce(l.pid, pg_backend_pid()) = pg_backend_pid()  -- the lane's one session has no number among the locks
"""

_CHUNK = """
INSERT INTO {table} SELECT made.* FROM {table} AS one,
    LATERAL jsonb_populate_record(one, jsonb_build_object('{column}', one.{column} - interval '700 days') || %s::jsonb) AS made
"""


def dangers(sql: Sql, *, but: str) -> set[tuple[str, str]]:
    """Return the locks of this transaction on tables other than ``but`` that readers or writers of rows would wait for."""
    held = set(sql(_HELD))
    assert ("tokens", "RowExclusiveLock") in held  # the fixture's own: what is held is seen
    return {(table, mode) for table, mode in held if table != but and mode not in HARMLESS}


@pytest.fixture
def rows(level: str) -> None:
    """One row in each table of candles and in the trades, and a score: each makes the first chunk of its table."""
    assert level == "community", "These tests need TimescaleDB's licensed features: run tests/lanes/community."
    pool = factories.pool()
    factories.transaction(pool)
    for model in (PriceCandle1m, PriceCandle5m, PriceCandle1h, PriceCandle1d):
        factories.candle(pool.token, model=model)


@pytest.mark.django_db
@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("table", ["transactions", *(f"price_candles_{label}" for label in ("1m", "5m", "1h", "1d"))])
def test_endurance_15_making_compressing_and_dropping_a_chunk_locks_no_other_table(table: str, sql: Sql) -> None:
    """A new chunk, its compression and its end lock tokens and pools no more than a reader does."""
    assert dangers(sql, but=table) == set()
    column = HYPERTABLES[table]
    before = sql("SELECT count(*) FROM show_chunks(%s)", table)[0][0]
    fresh: dict[str, Any] = {}
    if table == "transactions":
        early = NOON - timedelta(days=700)
        factories.transaction(factories.pool(), block_time=early)
    else:
        sql(_CHUNK.format(table=table, column=column), json.dumps(fresh))
    assert sql("SELECT count(*) FROM show_chunks(%s)", table)[0][0] == before + 1
    assert dangers(sql, but=table) == set()
    if table in ("transactions", "price_candles_1m"):
        sql(
            "SELECT compress_chunk(c) FROM show_chunks(%s, older_than => %s::timestamptz) AS c",
            table,
            NOON - timedelta(days=300),
        )
        assert dangers(sql, but=table) == set()
    sql("SELECT drop_chunks(%s, older_than => %s::timestamptz)", table, NOON - timedelta(days=300))
    assert sql("SELECT count(*) FROM show_chunks(%s)", table)[0][0] == before
    assert dangers(sql, but=table) == set()


@pytest.mark.django_db
@pytest.mark.usefixtures("rows")
def test_endurance_15_retention_locks_no_table_that_live_traffic_needs(sql: Sql) -> None:
    """Retention, run with something to drop in each table, takes no lock on tokens or pools that anybody waits for; no job of
    TimescaleDB drops anything beside it."""
    for table, column in HYPERTABLES.items():
        if table.startswith("price_candles_"):
            sql(_CHUNK.format(table=table, column=column), "{}")
    factories.transaction(factories.pool(), block_time=NOON - timedelta(days=700))
    factories.cursor(source="solana-logs")
    dropped = set(retention.apply(now=NOON).rows)
    assert {"transactions", "price_candles_1m", "price_candles_5m", "price_candles_1h"} <= dropped
    assert {table for table, _ in dangers(sql, but="")} <= {*HYPERTABLES, "retention_policies"}
    assert sql("SELECT FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'") == []


_WATCH = """
CREATE TABLE public.seen_locks (at_table text, relname text, mode text);
CREATE FUNCTION note_locks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.seen_locks SELECT TG_TABLE_NAME, c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
     WHERE l.granted AND coalesce(l.pid, pg_backend_pid()) = pg_backend_pid()
       AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm');
    RETURN NULL;
END $$;
"""


LONG_AGO = NOON - timedelta(days=400)
REFRESH = "CALL refresh_continuous_aggregate('price_candles_1m_cagg', %s::timestamptz, %s::timestamptz)"
WINDOW = (LONG_AGO - timedelta(days=1), LONG_AGO + timedelta(days=1))
"""Far from the times of other tests, of which nothing here is materialised."""


@pytest.fixture
def watched(transactional_db: None, level: str, sql: Sql) -> Iterator[None]:
    """Note what a refresh holds as it writes: it runs in transactions of its own, which end before we could ask."""
    assert level == "community", "These tests need TimescaleDB's licensed features: run tests/lanes/community."
    sql(_WATCH)
    yield
    sql("DROP TABLE seen_locks; DROP FUNCTION note_locks() CASCADE")
    sql("TRUNCATE transactions")
    sql(REFRESH, *WINDOW)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("watched")
def test_endurance_15_a_refresh_locks_no_table_that_live_traffic_needs(sql: Sql) -> None:
    """What a continuous aggregate is refreshed with holds nothing that readers or writers of rows wait for."""
    factories.transaction(factories.pool(), block_time=LONG_AGO)
    for (hypertable,) in sql(
        "SELECT materialization_hypertable_schema || '.' || materialization_hypertable_name"
        " FROM timescaledb_information.continuous_aggregates WHERE view_name = 'price_candles_1m_cagg'"
    ):
        sql(f"CREATE TRIGGER note_locks AFTER INSERT ON {hypertable} FOR EACH ROW EXECUTE FUNCTION note_locks()")
    sql(REFRESH, *WINDOW)
    seen = sql("SELECT DISTINCT relname, mode FROM seen_locks")
    assert ("pools", "AccessShareLock") in seen
    assert [one for one in seen if one[1] not in HARMLESS and one[0] not in HYPERTABLES] == []
