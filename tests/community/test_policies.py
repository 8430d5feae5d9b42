"""TimescaleDB's own jobs: compression, retention, refresh, and that they follow the policy table."""

import json
from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from megatron.core.timescale import operations, policies
from tests import factories
from tests.factories import NOON
from tokens.domain.retention import REFRESHES
from tokens.models import RetentionPolicy, Transaction
from tokens.services import retention

pytestmark = [pytest.mark.django_db, pytest.mark.community, pytest.mark.own_chunks]

DAY = timedelta(days=1)
SEEDS = (
    "tokens.migrations.0002_retention_figures",
    "tokens.migrations.0009_system_metrics",
    "tokens.migrations.0010_prices_of_other_quotes_and_sources",
    "holders.migrations.0001_api_credit_usage",
    "holders.migrations.0003_balances_and_snapshots",
    "scoring.migrations.0002_holder_scores_and_risk",
    "scoring.migrations.0004_social_metrics_and_scores",
    "scoring.migrations.0005_technical_scores",
    "tokens.migrations.0023_aggregates_due_and_no_drop_jobs",
)
SCORES = (
    "holder_scores",
    "risk_metrics",
    "social_metrics",
    "social_scores",
    "technical_scores",
    "activity_metrics",
)


@pytest.fixture(autouse=True)
def figures(level) -> None:
    """Decision C4's figures, and a server that has the licensed features."""
    assert level == "community", "These tests need TimescaleDB's licensed features: run tests/lanes/community."
    RetentionPolicy.objects.all().delete()
    for migration in SEEDS:
        import_module(migration).seed(apps, connection.schema_editor())


def jobs(sql, procedure: str) -> dict[str, dict[str, str]]:
    """Return the settings of each job of one kind by its table or aggregate."""
    rows = sql(
        "SELECT coalesce(view_name, jobs.hypertable_name), config FROM timescaledb_information.jobs "
        "LEFT JOIN timescaledb_information.continuous_aggregates"
        " ON jobs.hypertable_name IN (view_name, materialization_hypertable_name) WHERE proc_name = %s",
        procedure,
    )
    return {table: json.loads(config) for table, config in rows}


def job_of(sql, procedure: str, table: str) -> int:
    """Return the number of a table's job of one kind."""
    return int(
        sql(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = %s AND hypertable_name = %s",
            procedure,
            table,
        )[0][0]
    )


def test_c4_the_migrations_set_the_jobs_of_the_policy_table(sql):
    """After migrating, each policy that compresses has its job with the table's figures, and no job drops."""
    assert jobs(sql, "policy_retention") == {}
    compressed = {table: config["compress_after"] for table, config in jobs(sql, "policy_compression").items()}
    assert compressed == {
        **dict.fromkeys(("transactions", "sol_usd_prices", "quote_usd_prices"), "7 days"),
        **dict.fromkeys(("holder_snapshots", *SCORES), "30 days"),
    }
    assert retention.apply(now=NOON).changed == ()


def test_c5_the_aggregates_refresh_as_the_arithmetic_says(sql):
    """Each refresh job reaches back as far as the domain knows, and its table keeps rows for longer."""
    found = {
        view: (source, start)
        for view, source, start in sql(
            "SELECT view_name, c.hypertable_name, (config->>'start_offset')::interval"
            " FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates c"
            " ON j.hypertable_name IN (view_name, materialization_hypertable_name)"
            " WHERE proc_name = 'policy_refresh_continuous_aggregate'"
        )
    }
    assert found == {refresh.aggregate: (refresh.source, refresh.start_offset) for refresh in REFRESHES}
    kept = dict(RetentionPolicy.objects.values_list("table_name", "drop_after"))
    assert all(kept[source] > start for source, start in found.values())


def test_no_job_runs_by_itself_in_a_test_database(sql):
    """The test set-up unscheduled every job, so only run_job runs them."""
    assert sql("SELECT count(*) FROM timescaledb_information.jobs WHERE job_id >= 1000 AND scheduled") == [(0,)]


def test_editing_a_policy_changes_the_jobs(sql):
    """The next run sets the jobs to the edited figures, removes those that were cleared, and then has nothing to do."""
    RetentionPolicy.objects.filter(table_name="transactions").update(
        compress_after=14 * DAY, segment_by="token_id", order_by="block_time DESC, id"
    )
    RetentionPolicy.objects.filter(table_name="sol_usd_prices").update(compress_after=None)
    assert retention.apply(now=NOON).changed == ("sol_usd_prices", "transactions")
    assert policies.read(connection, "transactions") == policies.Policies(
        None, 14 * DAY, "token_id", "block_time DESC, id"
    )
    assert policies.read(connection, "sol_usd_prices") == policies.Policies(None, None, "source", "price_time DESC")
    assert retention.apply(now=NOON).changed == ()


def test_a_policy_of_an_unknown_table_is_left_alone():
    """A policy for a table that is no time series of ours changes nothing and stops nothing."""
    RetentionPolicy.objects.create(table_name="no_such_table", drop_after=DAY)
    assert retention.apply(now=NOON).changed == ()


def test_late_trades_enter_compressed_chunks(sql):
    """After compression old rows read the same, a late trade goes in, a known one is refused, and totals stay exact."""
    pool = factories.pool()
    early = NOON - 30 * DAY
    known = [
        factories.transaction(pool, block_time=early + second * timedelta(seconds=1), sol_amount=Decimal("0.000000001"))
        for second in range(20)
    ]
    assert sql("SELECT count(compress_chunk(chunk)) FROM show_chunks('transactions') AS chunk") == [(1,)]
    assert Transaction.objects.filter(token=pool.token_id, block_time=known[7].block_time).get() == known[7]
    late = factories.transaction(pool, block_time=early + timedelta(milliseconds=500), sol_amount=Decimal("2"))
    again = factories.unsaved_transaction(
        pool, block_time=known[3].block_time, signature=known[3].signature, sol_amount=Decimal("99")
    )
    Transaction.objects.bulk_create([again], ignore_conflicts=True)
    assert sql("SELECT count(*), sum(sol_amount) FROM transactions") == [(21, Decimal("2.000000020"))]
    assert Transaction.objects.get(pk=late.pk, block_time=late.block_time).sol_amount == 2


@pytest.mark.django_db(transaction=True)
def test_chunks_are_compressed_by_the_job_only_when_old(sql):
    """Run by hand, the compression job takes the chunk older than seven days and leaves today's."""
    now = sql("SELECT now()")[0][0]
    pool = factories.pool()
    for age in (0, 30):
        factories.transaction(pool, block_time=now - age * DAY)
    sql("CALL run_job(%s)", job_of(sql, "policy_compression", "transactions"))
    states = sql(
        "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'transactions' "
        "ORDER BY range_start"
    )
    assert states == [(True,), (False,)]


def test_the_operations_can_be_run_twice_and_reversed(sql):
    """Each operation, run again, changes nothing; reversed, it leaves no job and no compression setting."""
    operation = operations.Compression("price_candles_5m", "token_id", "bucket DESC", 7 * DAY)
    for _ in range(2):
        with connection.schema_editor() as editor:
            operation.database_forwards("tokens", editor, None, None)
    assert policies.read(connection, "price_candles_5m").compress_after == 7 * DAY
    with connection.schema_editor() as editor:
        operation.database_backwards("tokens", editor, None, None)
    assert policies.read(connection, "price_candles_5m") == policies.Policies(None, None, "", "")


@pytest.mark.parametrize("level_", ["apache", "community"])
def test_whole_chunks_are_dropped(level_, monkeypatch):
    """The task itself drops expired chunks, one table after the other; preview had said which rows."""
    monkeypatch.setattr(connection, "timescale_level", level_)
    factories.cursor(source="solana-logs")
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 100 * DAY)
    factories.transaction(pool, block_time=NOON - DAY)
    factories.sol_usd(NOON - 120 * DAY)
    expired = {drop.table: drop.rows for drop in retention.preview(now=NOON) if drop.rows}
    applied = retention.apply(now=NOON)
    assert applied.chunks == applied.rows == expired == {"sol_usd_prices": 1, "transactions": 1}
    assert RetentionPolicy.objects.get(table_name="transactions").outcome == "dropped 1 rows in 1 chunks"
    assert [row.block_time for row in Transaction.objects.all()] == [NOON - DAY]
    assert retention.apply(now=NOON).chunks == {}


def test_c5_the_system_check_reads_the_refresh_jobs_themselves(sql):
    """A job that reaches past the drop of its table, or of its aggregate, is an error; all of ours are well."""
    assert RetentionPolicy.check(databases=["default"]) == []
    ((job,),) = sql(
        "SELECT job_id FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates"
        " ON j.hypertable_name IN (view_name, materialization_hypertable_name)"
        " WHERE proc_name = 'policy_refresh_continuous_aggregate' AND view_name = 'price_candles_1m_cagg'"
    )
    sql(
        "SELECT alter_job(%s, config => jsonb_set(config, '{start_offset}', '\"91 days\"'))"
        " FROM timescaledb_information.jobs WHERE job_id = %s",
        job,
        job,
    )
    found = RetentionPolicy.check(databases=["default"])
    assert [(message.id, message.obj.table_name) for message in found] == [
        ("tokens.E002", "transactions"),
        ("tokens.E002", "price_candles_1m_cagg"),
    ]
    RetentionPolicy.objects.filter(table_name__in=("transactions", "price_candles_1m_cagg")).update(drop_after=None)
    assert RetentionPolicy.check(databases=["default"]) == []
