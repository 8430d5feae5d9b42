"""What runs by itself for months: aggregates that stay whole, policies that hold at once, jobs that are seen to fail."""

from collections.abc import Iterator
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection

from megatron.core import ids
from megatron.core.timescale import policies
from megatron.core.timescale.fields import HypertableTimeField
from tests import factories
from tests.community import test_policies
from tests.community.test_scores import SERIES, compress
from tests.factories import NOON
from tokens.choices import PriceOrigin
from tokens.models import AggregateDue, PriceCandle1h, RetentionPolicy, Transaction
from tokens.selectors import storage, upkeep
from tokens.services import aggregates, candles, jobs, keeping, prices, retention

pytestmark = [pytest.mark.django_db, pytest.mark.community]

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FIGURES = "token_id, bucket, open, high, low, close, volume_token, volume_sol, trade_count, buyer_count, seller_count"


figures = test_policies.figures
"""Each test has the policies of the migrations, and a server that has the licensed features."""


@pytest.fixture
def emptied(sql: Any) -> Iterator[None]:
    """Aggregates have nothing computed before this test, which commits, and nothing afterwards."""
    for turn in range(2):
        for table in policies.materialized(connection).values():
            sql(f"DELETE FROM {table}")
        if not turn:
            yield


def trades(pool: Any, *times: datetime) -> None:
    """Store a trade at each time and roll its candle a while later, as every way does that brings trades."""
    for at in times:
        factories.transaction(pool, block_time=at, slot=420_000_000 + int((at - NOON).total_seconds()))
        factories.candle_due(pool.token, bucket=at.replace(second=0, microsecond=0))
    candles.roll_all(now=NOON)


def live_refresh(aggregate: str) -> None:
    """Refresh the last two hours, as TimescaleDB's job does each minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)",
            [aggregate, NOON - 2 * HOUR, NOON - 2 * MINUTE],
        )


def both(sql: Any) -> tuple[list[Any], list[Any]]:
    """Return the aggregate's minutes and those of the table."""
    shown, kept = (
        sql(f"SELECT {FIGURES} FROM {of} ORDER BY token_id, bucket")
        for of in ("price_candles_1m_cagg", "price_candles_1m")
    )
    return shown, kept


@pytest.mark.django_db(transaction=True)
def test_endurance_05_history_and_healed_outages_stay_in_the_aggregate(sql: Any, emptied: None) -> None:
    """What was there before the first live refresh, and what comes later for an outage, is in the aggregate as in the table."""
    pool = factories.pool()
    trades(pool, NOON - 3 * DAY, NOON - 3 * DAY + HOUR, NOON - 90 * MINUTE, NOON - 30 * MINUTE)
    live_refresh("price_candles_1m_cagg")
    shown, kept = both(sql)
    assert (len(shown), len(kept)) == (2, 4)  # the job alone loses what is older than it looks
    due = set(AggregateDue.objects.values_list("bucket", flat=True))
    assert due == {NOON - 3 * DAY, NOON - 3 * DAY + HOUR, NOON - 2 * HOUR}
    assert aggregates.refresh_due(now=NOON).hours == 3
    shown, kept = both(sql)
    assert shown == kept
    trades(pool, NOON - DAY + 30 * MINUTE, NOON - 3 * DAY + MINUTE)
    live_refresh("price_candles_1m_cagg")
    assert both(sql)[0] != both(sql)[1]
    assert aggregates.refresh_due(now=NOON) == aggregates.Refreshed(hours=2)
    shown, kept = both(sql)
    assert (shown, len(shown), AggregateDue.objects.count()) == (kept, 6, 0)
    covered = upkeep.coverage()["price_candles_1m_cagg"]
    assert (covered.start, covered.waiting) == (NOON - 3 * DAY, 0)
    assert covered.until is not None
    assert NOON - 91 * MINUTE < covered.until <= NOON


@pytest.mark.django_db(transaction=True)
def test_endurance_05_prices_that_come_late_are_in_their_aggregate(sql: Any, emptied: None) -> None:
    """An import of old prices is there after the worker was; prices of now are the job's."""
    old = [prices.Sample(NOON - n * DAY, Decimal(150 + n), PriceOrigin.HERMES) for n in range(1, 4)]
    new = prices.Sample(NOON - 10 * MINUTE, Decimal(149), PriceOrigin.HERMES)
    assert prices.record(samples=[*old, new], now=NOON) == 4
    assert set(AggregateDue.objects.values_list("aggregate", "bucket")) == {("sol_usd_candles_1m", s.at) for s in old}
    live_refresh("sol_usd_candles_1m")
    assert sql("SELECT count(*) FROM sol_usd_candles_1m") == [(1,)]
    aggregates.refresh_due(now=NOON)
    assert sql("SELECT open FROM sol_usd_candles_1m ORDER BY bucket") == [(153,), (152,), (151,), (149,)]


@pytest.mark.django_db(transaction=True)
def test_endurance_05_the_daily_check_finds_what_nobody_marked(sql: Any, emptied: None) -> None:
    """Hours that lack minutes, have too many or wrong ones become due, and no others; refreshed, nothing differs."""
    pool, other = factories.pool(), factories.pool(pool_type="graduated", platform="pumpswap")
    trades(pool, NOON - 3 * DAY, NOON - 2 * DAY, NOON - DAY)
    trades(other, NOON - 2 * DAY + MINUTE)
    aggregates.refresh_due(now=NOON)
    live_refresh("price_candles_1m_cagg")
    factories.sol_usd(NOON - 5 * HOUR)
    factories.sol_usd(NOON - 10 * MINUTE)
    live_refresh("sol_usd_candles_1m")
    stored = policies.materialized(connection)["price_candles_1m_cagg"]
    sql(f"UPDATE {stored} SET high = high * 2 WHERE bucket = %s", NOON - 3 * DAY)
    # A side pool never counts; TimescaleDB does not see that the pool became one.
    sql("UPDATE pools SET pool_type = 'permissionless' WHERE id = %s", other.pk)
    candles.mark(start=NOON - 2 * DAY, end=NOON - 2 * DAY + HOUR, now=NOON)
    candles.roll_all(now=NOON)
    AggregateDue.objects.all().delete()
    assert aggregates.check(now=NOON) == 3
    assert set(AggregateDue.objects.values_list("aggregate", "bucket")) == {
        ("price_candles_1m_cagg", NOON - 3 * DAY),
        ("price_candles_1m_cagg", NOON - 2 * DAY),
        ("sol_usd_candles_1m", NOON - 5 * HOUR),
    }
    assert aggregates.refresh_due(now=NOON).hours == 3
    shown, kept = both(sql)
    assert (shown, len(shown)) == (kept, 3)
    assert aggregates.check(now=NOON) == 0


def test_endurance_05_a_migration_makes_due_what_aggregates_lack(sql: Any) -> None:
    """Hours with candles and hours with prices from before are due, once, and jobs that drop are gone."""
    migration = import_module("tokens.migrations.0023_aggregates_due_and_no_drop_jobs")
    for token in (factories.token(), factories.token()):
        factories.candle(token, model=PriceCandle1h, bucket=NOON - DAY)
    factories.sol_usd(NOON + MINUTE)
    sql("SELECT add_retention_policy('sol_usd_candles_1m', INTERVAL '90 days')")
    sql("SELECT add_retention_policy('technical_scores', INTERVAL '90 days')")
    with connection.schema_editor() as editor:
        for _ in range(2):
            migration.follow(apps, editor)
    assert sorted(AggregateDue.objects.values_list("aggregate", "bucket")) == [
        ("price_candles_1m_cagg", NOON - DAY),
        ("sol_usd_candles_1m", NOON),
    ]
    assert sql("SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'") == [(0,)]


@pytest.mark.django_db(transaction=True)
def test_endurance_05_a_refresh_that_fails_stops_no_other_and_what_is_marked_meanwhile_stays(
    monkeypatch: pytest.MonkeyPatch, emptied: None
) -> None:
    """The hour that failed waits with its reason, another's mark is kept, and times that may be dropped are forgotten."""
    times = [NOON - 100 * DAY, NOON - 5 * DAY, NOON - 4 * DAY]
    aggregates.mark(aggregate=aggregates.MINUTES, times=times, now=NOON)
    real = policies.refresh

    def refresh(connection: Any, aggregate: str, *, start: datetime, end: datetime) -> None:
        if start == NOON - 5 * DAY:
            end = start  # TimescaleDB refuses a window of nothing
        else:
            aggregates.mark(aggregate=aggregate, times=[start], now=NOON)
        real(connection, aggregate, start=start, end=end)

    with monkeypatch.context() as patch:
        patch.setattr(policies, "refresh", refresh)
        assert aggregates.refresh_due(now=NOON) == aggregates.Refreshed(hours=1, failed=1, forgotten=1)
    failed, again = AggregateDue.objects.order_by("bucket")
    assert (failed.bucket, failed.ask_after, "refresh window" in failed.error) == (
        NOON - 5 * DAY,
        NOON + aggregates.PAUSE,
        True,
    )
    assert (again.bucket, again.marks) == (NOON - 4 * DAY, 2)
    assert aggregates.refresh_due(now=NOON).hours == 1
    assert aggregates.refresh_due(now=NOON + aggregates.PAUSE).hours == 1
    assert not AggregateDue.objects.exists()


def test_endurance_06_a_changed_policy_holds_from_the_moment_it_is_saved(sql: Any) -> None:
    """What compresses has the new figure in the same transaction, and no job is there that could drop unasked."""
    policy = RetentionPolicy.objects.get(table_name="transactions")
    policy.compress_after, policy.order_by, policy.segment_by = 14 * DAY, "token_id, block_time DESC", ""
    policy.drop_after, policy.export_before_drop = 400 * DAY, True
    keeping.change(policy=policy, operator="ann", now=NOON)
    assert policies.read(connection, "transactions") == policies.Policies(
        None, 14 * DAY, "", "token_id, block_time DESC"
    )
    assert sql("SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'") == [(0,)]


def test_endurance_06_a_job_that_drops_is_taken_away(sql: Any) -> None:
    """One of an older version's dump, or made by hand, does not stay: the next run removes it before anything else."""
    sql("SELECT add_retention_policy('transactions', INTERVAL '1 day')")
    sql("SELECT add_retention_policy('price_candles_1m_cagg', INTERVAL '1 day')")
    assert {"price_candles_1m_cagg", "transactions"} <= set(retention.apply(now=NOON).changed)
    assert sql("SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'") == [(0,)]


def test_endurance_06_nothing_is_dropped_that_is_replayed_exported_or_needed(sql: Any) -> None:
    """Before a live feed, before an export and while a candle is due all rows stay, also those of the aggregate."""
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 120 * DAY)
    held = retention.apply(now=NOON).held
    assert {"transactions", "price_candles_1m_cagg", "sol_usd_prices"} <= set(held)
    factories.cursor(source="solana-logs")
    due = factories.candle_due(pool.token, bucket=NOON - 120 * DAY)
    assert retention.apply(now=NOON).held == ("price_candles_1m", "transactions")
    due.delete()
    RetentionPolicy.objects.filter(table_name="transactions").update(export_before_drop=True)
    assert retention.apply(now=NOON).held == ("transactions",)
    assert Transaction.objects.count() == 1
    RetentionPolicy.objects.filter(table_name="transactions").update(export_before_drop=False)
    assert retention.apply(now=NOON).rows == {"transactions": 1}
    assert not Transaction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_endurance_07_what_was_dropped_is_told_to_the_row(sql: Any, emptied: None) -> None:
    """Compressed chunks and the aggregate's rows too are counted, and the policy says so."""
    factories.cursor(source="solana-logs")
    pool = factories.pool()
    trades(pool, *(NOON - 120 * DAY + n * MINUTE for n in range(7)))
    RetentionPolicy.objects.update(drop_after=None)
    aggregates.mark(aggregate=aggregates.MINUTES, times=[NOON - 120 * DAY], now=NOON)
    assert aggregates.refresh_due(now=NOON).hours == 1
    live_refresh("price_candles_1m_cagg")
    compress(sql, Transaction)
    RetentionPolicy.objects.filter(table_name__in=("transactions", "price_candles_1m_cagg")).update(drop_after=90 * DAY)
    assert retention.apply(now=NOON).rows == {"price_candles_1m_cagg": 7, "transactions": 7}
    assert RetentionPolicy.objects.get(table_name="transactions").outcome == "dropped 7 rows in 1 chunks"
    assert sql("SELECT count(*) FROM price_candles_1m_cagg") == [(0,)]


@pytest.mark.own_chunks
def test_endurance_07_rows_of_partly_compressed_tables_are_counted_once(sql: Any) -> None:
    """Plain chunks, compressed ones, late rows of these and rows that were taken out of their batch to be changed."""
    pool = factories.pool()
    for day in range(2):
        for second in range(60):
            factories.transaction(pool, block_time=NOON - day * DAY + second * timedelta(seconds=1))
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("SELECT compress_chunk(chunk) FROM show_chunks('transactions', older_than => %s::timestamptz) AS chunk", NOON)
    changed = Transaction.objects.earliest("block_time")
    Transaction.objects.filter(pk=changed.pk, block_time=changed.block_time).update(protocol_fee=1)
    for second in range(5):
        factories.transaction(pool, block_time=NOON - DAY + timedelta(minutes=5, seconds=second))
    sql("ANALYZE")
    found = storage.tables(time_columns=jobs.time_columns())["transactions"]
    assert (found.chunks, found.compressed, found.rows) == (2, 1, Transaction.objects.count())


@pytest.mark.django_db(transaction=True)
def test_endurance_07_a_job_that_fails_is_seen(sql: Any) -> None:
    """Its newest run, its errors with their words and its delay are read, by name; the console and /metrics ask for it."""
    (job,) = [job for job in upkeep.jobs(now=NOON) if job.name == "compression transactions"]
    assert (job.failed, job.errors, job.overdue) == (False, 0, timedelta(0))
    sql(
        "INSERT INTO _timescaledb_internal.bgw_job_stat (job_id, last_start, last_finish, next_start, total_runs,"
        " last_successful_finish, last_run_success, total_duration, total_duration_failures, total_successes,"
        " total_failures, total_crashes, consecutive_failures, consecutive_crashes) VALUES"
        " (%s, %s, %s, %s, 1, '-infinity', false, '0', '1 s', 0, 1, 0, 1, 0)",
        job.id,
        NOON - 2 * HOUR,
        NOON - 2 * HOUR,
        NOON - HOUR,
    )
    sql(
        "INSERT INTO _timescaledb_internal.bgw_job_stat_history (job_id, pid, execution_start, execution_finish, succeeded,"
        " data) VALUES (%s, 1, %s, %s, false, %s)",
        job.id,
        NOON - 2 * HOUR,
        NOON - 2 * HOUR,
        '{"job": {"proc_name": "policy_compression", "proc_schema": "_timescaledb_functions"},'
        ' "error_data": {"sqlerrcode": "XX000", "message": "the licence is missing"}}',
    )
    sql("SELECT alter_job(%s, scheduled => true)", job.id)
    try:
        (seen,) = [one for one in upkeep.jobs(now=NOON) if one.failed]
        assert (seen.id, seen.errors, seen.error, seen.overdue) == (job.id, 1, "the licence is missing", HOUR)
        gauges = {gauge.name: {labels["job"]: value for labels, value in gauge.values} for gauge in upkeep.read(now=NOON)
                  if gauge.name.startswith("timescale_")}  # fmt: skip
        assert {name: values["compression transactions"] for name, values in gauges.items()} == {
            "timescale_job_failed": 1.0,
            "timescale_job_errors": 1.0,
            "timescale_job_overdue_seconds": 3600.0,
        }
    finally:
        sql("SELECT alter_job(%s, scheduled => false)", job.id)
        sql("DELETE FROM _timescaledb_internal.bgw_job_stat WHERE job_id = %s", job.id)
        sql("DELETE FROM _timescaledb_internal.bgw_job_stat_history WHERE job_id = %s", job.id)


def test_endurance_08_one_bad_policy_stops_no_other(sql: Any) -> None:
    """Columns that slipped past the form are refused by TimescaleDB: that policy says so, the others are obeyed."""
    RetentionPolicy.objects.filter(table_name="sol_usd_prices").update(
        compress_after=7 * DAY, order_by="no_such_column DESC"
    )
    RetentionPolicy.objects.filter(table_name="transactions").update(
        compress_after=20 * DAY, order_by="token_id, block_time DESC"
    )
    applied = retention.apply(now=NOON)
    assert (applied.failed, "transactions" in applied.changed, applied.finished) == (("sol_usd_prices",), True, False)
    outcomes = dict(RetentionPolicy.objects.values_list("table_name", "outcome"))
    assert "no_such_column" in outcomes["sol_usd_prices"]
    assert outcomes["sol_usd_prices"].startswith("failed: ")
    assert policies.read(connection, "transactions").compress_after == 20 * DAY


def test_endurance_08_what_timescaledb_refuses_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that its job cannot follow is refused whole, with TimescaleDB's words."""
    policy = RetentionPolicy.objects.get(table_name="transactions")
    policy.compress_after = 14 * DAY
    refused = "SELECT add_compression_policy('tokens', '1 day'::interval)"
    monkeypatch.setattr(policies, "add_compression_sql", lambda table, after: refused)
    with pytest.raises(ValidationError, match="TimescaleDB does not take it"):
        keeping.change(policy=policy, operator="ann", now=NOON)
    assert RetentionPolicy.objects.get(table_name="transactions").compress_after == 7 * DAY


def test_endurance_09_jobs_can_be_held_while_a_dump_is_restored(sql: Any) -> None:
    """The runbook's statement works between pre_restore and post_restore, and what it unscheduled stays so."""
    sql("SELECT add_retention_policy('transactions', INTERVAL '1 day')")
    sql("SELECT timescaledb_pre_restore()")
    sql(
        "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'"
    )
    sql("SELECT timescaledb_post_restore()")
    assert sql("SELECT scheduled FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'") == [(False,)]


def test_endurance_10_what_is_compressed_by_default_takes_less_room(sql: Any) -> None:
    """Few rows of many tokens, as quiet coins leave them, are smaller compressed in every table that a default compresses."""
    assert policies.read(connection, "price_candles_1m").compress_after is None
    tokens = [factories.token() for _ in range(40)]
    for series, make in SERIES.items():
        rows = [make(token, NOON - 35 * DAY + n * timedelta(seconds=1)) for n, token in enumerate(tokens)]
        time = next(field.name for field in series._meta.fields if isinstance(field, HypertableTimeField))
        copies = []
        for row in rows:
            for turn in range(1, 8):
                again = copy(row)
                again.pk = ids.new_id()
                setattr(again, time, getattr(row, time) + turn * 5 * MINUTE)
                copies.append(again)
        series._default_manager.bulk_create(copies)
        compress(sql, series)
    found = storage.tables(time_columns=jobs.time_columns())
    ratios = {series._meta.db_table: found[series._meta.db_table].ratio for series in SERIES}
    assert {table: ratio for table, ratio in ratios.items() if not ratio or ratio <= 1.0} == {}
