"""Dropping what is older than its table's policy, on a server without TimescaleDB's jobs."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from megatron.core import locks
from tests import factories
from tests.factories import NOON
from tokens.domain.retention import REFRESHES, too_short
from tokens.models import PriceCandle1d, PriceCandle1m, RetentionPolicy, SolUsdPrice, StreamCursor, Transaction
from tokens.selectors import upkeep
from tokens.services import keeping, retention

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def figures() -> None:
    """Decision C4's figures, whatever an earlier test left behind."""
    RetentionPolicy.objects.all().delete()
    import_module("tokens.migrations.0002_retention_figures").seed(apps, connection.schema_editor())


@pytest.fixture
def by_batches(level, monkeypatch, figures) -> None:
    """The way of plain PostgreSQL, also where there are chunks; a live feed has begun."""
    factories.cursor(source="solana-logs")
    monkeypatch.setattr(connection, "timescale_level", "none")


def test_the_figures_of_c4_are_seeded(figures):
    """The migration writes decision C4's figures, and writing them again keeps an operator's own."""
    RetentionPolicy.objects.filter(table_name="price_candles_5m").update(drop_after=91 * DAY)
    import_module("tokens.migrations.0002_retention_figures").seed(apps, connection.schema_editor())
    kept = RetentionPolicy.objects.values_list("table_name", "drop_after", "compress_after")
    assert {table: (drop, compress) for table, drop, compress in kept} == {
        "transactions": (90 * DAY, 7 * DAY),
        "price_candles_1m": (30 * DAY, 7 * DAY),
        "price_candles_5m": (91 * DAY, None),
        "price_candles_1h": (365 * DAY, None),
        "price_candles_1d": (None, None),
        "sol_usd_prices": (90 * DAY, 7 * DAY),
        "price_candles_1m_cagg": (90 * DAY, None),
        "sol_usd_candles_1m": (90 * DAY, None),
    }


def test_rows_older_than_the_policy_go_and_younger_stay(by_batches):
    """A row of exactly the policy's age stays, one a microsecond older goes, and daily candles stay for ever."""
    pool = factories.pool()
    old = factories.transaction(pool, block_time=NOON - 90 * DAY - timedelta(microseconds=1))
    edge = factories.transaction(pool, block_time=NOON - 90 * DAY)
    factories.candle(pool.token, bucket=NOON - 31 * DAY)
    factories.candle(pool.token, bucket=NOON - 29 * DAY)
    factories.candle(pool.token, model=PriceCandle1d, bucket=NOON - 4000 * DAY)
    factories.sol_usd(NOON - 91 * DAY)
    applied = retention.apply(now=NOON)
    assert applied.rows == {"price_candles_1m": 1, "sol_usd_prices": 1, "transactions": 1}
    assert (applied.held, applied.finished) == ((), True)
    assert list(Transaction.objects.values_list("pk", flat=True)) == [edge.pk] != [old.pk]
    assert PriceCandle1m.objects.count() == 1
    assert PriceCandle1d.objects.count() == 1
    assert SolUsdPrice.objects.count() == 0


def test_applying_again_drops_nothing_more(by_batches):
    """A second run at the same time finds nothing to do."""
    factories.sol_usd(NOON - 91 * DAY)
    assert retention.apply(now=NOON).rows == {"sol_usd_prices": 1}
    assert retention.apply(now=NOON).rows == {}


def test_a_run_is_bounded_and_the_next_one_goes_on(by_batches):
    """No more than batch_size times max_batches rows of a table go in one run; further runs take the rest."""
    for second in range(5):
        factories.sol_usd(NOON - 91 * DAY + timedelta(seconds=second))
    first = retention.apply(now=NOON, batch_size=2, max_batches=1)
    assert (first.rows, first.finished) == ({"sol_usd_prices": 2}, False)
    rest = retention.apply(now=NOON, batch_size=2)
    assert (rest.rows, rest.finished) == ({"sol_usd_prices": 3}, True)


def test_a_policy_without_an_age_keeps_for_ever(by_batches):
    """Clearing drop_after keeps every row."""
    RetentionPolicy.objects.filter(table_name="sol_usd_prices").update(drop_after=None)
    factories.sol_usd(NOON - 4000 * DAY)
    assert retention.apply(now=NOON).rows == {}


def test_c5_nothing_is_dropped_that_a_due_candle_needs(by_batches):
    """Trades and minutes wait until the candles of their time are computed; other tables do not wait."""
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 91 * DAY)
    factories.candle(pool.token, bucket=NOON - 91 * DAY)
    factories.sol_usd(NOON - 91 * DAY)
    due = factories.candle_due(pool.token, interval=300, bucket=NOON - 91 * DAY)
    applied = retention.apply(now=NOON)
    assert applied.held == ("price_candles_1m", "transactions")
    assert applied.rows == {"sol_usd_prices": 1}
    due.delete()
    assert retention.apply(now=NOON).rows == {"price_candles_1m": 1, "transactions": 1}


def test_preview_counts_what_would_go_and_changes_nothing(by_batches):
    """Preview names each dropping table with its rows, the oldest time and the cutoff."""
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 100 * DAY)
    factories.transaction(pool, block_time=NOON - 95 * DAY)
    factories.candle_due(pool.token, bucket=NOON - 100 * DAY)
    expired = {drop.table: drop for drop in retention.preview(now=NOON)}
    assert sorted(expired) == [
        "price_candles_1h", "price_candles_1m", "price_candles_5m", "sol_usd_prices", "transactions",
    ]  # fmt: skip
    assert expired["transactions"] == retention.Expired(
        table="transactions",
        cutoff=NOON - 90 * DAY,
        rows=2,
        oldest=NOON - 100 * DAY,
        held="1 candles of that time are still due",
    )
    assert expired["sol_usd_prices"] == retention.Expired("sol_usd_prices", NOON - 90 * DAY, 0, None)
    assert Transaction.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_does_nothing_meanwhile(level, monkeypatch):
    """While another session drops, a run deletes nothing and does not wait."""
    factories.cursor(source="solana-logs")
    monkeypatch.setattr(connection, "timescale_level", "none")
    RetentionPolicy.objects.update_or_create(table_name="sol_usd_prices", defaults={"drop_after": 90 * DAY})
    factories.sol_usd(NOON - 91 * DAY)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [locks.LOCKS["retention.apply"]])
        assert retention.apply(now=NOON).rows == {}
    finally:
        other.close()
    assert retention.apply(now=NOON).rows == {"sol_usd_prices": 1}


def test_a_batch_deletes_through_an_index(by_batches, sql):
    """With many rows a batch is found by an index instead of by reading the table."""
    if not sql("SELECT 1 FROM pg_indexes WHERE indexname = 'brin_sol_usd_prices_price_time'"):
        sql("CREATE INDEX brin_sol_usd_prices_price_time ON sol_usd_prices USING brin (price_time)")
    sql(
        "INSERT INTO sol_usd_prices (id, price_time, price_usd, source) "
        "SELECT gen_random_uuid(), timestamptz '2026-06-01' + n * interval '10 seconds', 150, 'pyth' "
        "FROM generate_series(1, 200000) AS n"
    )
    sql("SELECT brin_summarize_new_values('brin_sol_usd_prices_price_time')")  # autovacuum's work
    sql("ANALYZE sol_usd_prices")
    plan = sql("EXPLAIN SELECT ctid FROM sol_usd_prices WHERE price_time < '2026-06-01 01:00+00' LIMIT 10000")
    assert not [line for (line,) in plan if "Seq Scan" in line], plan


def test_c5_a_policy_shorter_than_a_refresh_is_refused(figures):
    """An operator cannot keep transactions for less than their aggregate's refresh reads; the check says so too."""
    policy = RetentionPolicy.objects.get(table_name="transactions")
    policy.drop_after, policy.compress_after = timedelta(hours=2), None
    with pytest.raises(ValidationError, match=r"An aggregate refreshes from the last 2:00:00; keep longer than that\."):
        policy.full_clean()
    assert RetentionPolicy.check(databases=["default"]) == []
    policy.save()
    (message,) = RetentionPolicy.check(databases=["default"])
    assert (message.id, message.obj) == ("tokens.E001", policy)
    assert RetentionPolicy.check() == []


@pytest.mark.parametrize(
    ("table", "drop_after", "answer"),
    [
        ("transactions", timedelta(hours=2), True),
        ("transactions", timedelta(hours=2, microseconds=1), False),
        ("transactions", None, False),
        ("price_candles_1h", timedelta(seconds=1), False),
    ],
)
def test_c5_a_drop_must_be_later_than_the_refresh(table, drop_after, answer):
    """Only a table that an aggregate reads has a shortest age, and it must be longer than the refresh's reach."""
    assert too_short(table, drop_after) is answer


def test_refreshes_name_the_aggregates_that_exist(sql):
    """Each aggregate that the arithmetic knows is a view in the database."""
    for refresh in REFRESHES:
        assert sql(f"SELECT count(*) FROM {refresh.aggregate}") == [(0,)]


def test_endurance_06_before_the_first_live_feed_nothing_is_dropped(by_batches):
    """What was imported or replayed stays whatever its age, also where no feed wrote anything yet."""
    StreamCursor.objects.all().delete()
    factories.sol_usd(NOON - 400 * DAY)
    assert "sol_usd_prices" in retention.apply(now=NOON).held
    factories.cursor(source="replay")
    assert "sol_usd_prices" in retention.apply(now=NOON).held
    factories.cursor(source="solana-logs")
    assert retention.apply(now=NOON).rows == {"sol_usd_prices": 1}


def test_endurance_06_a_candle_that_becomes_due_meanwhile_saves_its_trades(by_batches, monkeypatch):
    """A late trade that comes after the run has begun is asked for in the transaction that deletes: it rolls back."""
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 91 * DAY)
    series = retention._series(now=NOON, export_to=None)
    factories.candle_due(pool.token, bucket=NOON - 91 * DAY)
    monkeypatch.setattr(retention, "_series", lambda *, now, export_to: series)  # as before it came
    applied = retention.apply(now=NOON)
    assert ("transactions" in applied.held, applied.finished, Transaction.objects.count()) == (True, False, 1)
    assert (
        RetentionPolicy.objects.get(table_name="transactions").outcome == "held: 1 candles of that time are still due"
    )


@pytest.mark.parametrize("change", [{"drop_after": 400 * DAY}, {"drop_after": None}, {"export_before_drop": True}])
def test_endurance_06_a_policy_that_is_changed_while_a_run_is_under_way_holds(by_batches, monkeypatch, change):
    """A longer age, none, or an export first: not a row more goes, though the run had read the policy before."""
    for second in range(3):
        factories.sol_usd(NOON - 91 * DAY + timedelta(seconds=second))
    real = retention._delete_batch

    def changed_after(series, size):
        deleted = real(series, size)
        if deleted:
            RetentionPolicy.objects.filter(table_name="sol_usd_prices").update(**change)
        return deleted

    monkeypatch.setattr(retention, "_delete_batch", changed_after)
    applied = retention.apply(now=NOON, batch_size=1)
    assert (applied.rows, applied.held) == ({"sol_usd_prices": 1}, ("sol_usd_prices",))
    assert SolUsdPrice.objects.count() == 2


def test_endurance_08_a_policy_that_fails_stops_no_other(by_batches, monkeypatch):
    """The database refuses one table: its policy says why, the others are obeyed, and the gauge tells of it."""
    factories.sol_usd(NOON - 91 * DAY)
    for minute in range(2):  # of one chunk: rows of several may have the same place
        factories.candle(factories.token(), bucket=NOON - 31 * DAY + minute * timedelta(minutes=1))
    real = retention._delete_batch

    def refuses_second_minute(series, size):
        fails = series.table == "price_candles_1m" and PriceCandle1m.objects.count() == 1
        return real(replace(series, column="no_such_column") if fails else series, size)

    monkeypatch.setattr(retention, "_delete_batch", refuses_second_minute)
    applied = retention.apply(now=NOON, batch_size=1)
    assert (applied.failed, applied.rows) == (("price_candles_1m",), {"price_candles_1m": 1, "sol_usd_prices": 1})
    outcome = RetentionPolicy.objects.get(table_name="price_candles_1m").outcome
    assert outcome == 'failed: column "no_such_column" does not exist, dropped 1 rows'
    (refused,) = [gauge for gauge in upkeep.read(now=NOON) if gauge.name == "retention_failed"]
    assert {labels["table"] for labels, value in refused.values if value} == {"price_candles_1m"}


BAD_COLUMNS = (
    ({"order_by": "no_such DESC, block_time"}, "order_by", "The table has no column no_such"),
    ({"segment_by": "mint"}, "segment_by", "The table has no column mint"),
    ({"order_by": "token_id, token_id, block_time"}, "order_by", "A column stands there twice"),
    ({"segment_by": "block_time"}, "segment_by", "it can only be ordered by"),
    ({"segment_by": "token_id DESC"}, "segment_by", "without ASC or DESC"),
    ({"segment_by": "token_id"}, "order_by", "shares token_id already"),
    ({"order_by": "token_id"}, "order_by", "block_time must be among the columns"),
)


@pytest.mark.parametrize(("fields", "field", "said"), BAD_COLUMNS)
def test_endurance_08_columns_are_those_of_the_table(figures, fields, field, said):
    """What TimescaleDB could not compress by is refused before it is saved, at its field."""
    policy = RetentionPolicy.objects.get(table_name="transactions")
    policy.full_clean()
    for name, value in fields.items():
        setattr(policy, name, value)
    with pytest.raises(ValidationError) as refused:
        keeping.change(policy=policy, operator="ann", now=NOON)
    assert said in refused.value.message_dict[field][0]
    assert RetentionPolicy.objects.get(table_name="transactions").order_by == "token_id, block_time DESC"


def test_endurance_08_the_policies_of_the_migrations_are_sound():
    """Every seeded policy passes its own rules, whatever room its table is in."""
    seeded = ("tokens.migrations.0002_retention_figures", "tokens.migrations.0010_prices_of_other_quotes_and_sources",
              "holders.migrations.0003_balances_and_snapshots", "scoring.migrations.0002_holder_scores_and_risk",
              "scoring.migrations.0004_social_metrics_and_scores", "scoring.migrations.0005_technical_scores")  # fmt: skip
    for migration in seeded:
        import_module(migration).seed(apps, connection.schema_editor())
    for policy in RetentionPolicy.objects.all():
        policy.full_clean()


def test_endurance_08_an_aggregate_is_neither_compressed_nor_exported(figures):
    """Nor can a table of another room be exported: its rows would be held for ever by an export that never comes."""
    policy = RetentionPolicy.objects.get(table_name="sol_usd_candles_1m")
    policy.compress_after, policy.order_by, policy.export_before_drop = 7 * DAY, "bucket DESC", True
    with pytest.raises(ValidationError) as refused:
        policy.full_clean()
    assert set(refused.value.message_dict) >= {"compress_after", "export_before_drop"}
    with pytest.raises(ValidationError, match="can be exported"):
        RetentionPolicy(table_name="technical_scores", drop_after=DAY, export_before_drop=True).full_clean(
            validate_unique=False
        )


def test_endurance_10_minutes_are_not_compressed_unless_somebody_chose_it(figures):
    """The migration clears the default, in which quiet coins took more room, and leaves an operator's own figure."""
    migration = import_module("tokens.migrations.0023_aggregates_due_and_no_drop_jobs")
    RetentionPolicy.objects.filter(table_name="price_candles_1m").update(compress_after=8 * DAY)
    with connection.schema_editor() as editor:
        migration.seed(apps, editor)
    assert RetentionPolicy.objects.get(table_name="price_candles_1m").compress_after == 8 * DAY
    RetentionPolicy.objects.filter(table_name="price_candles_1m").update(compress_after=7 * DAY)
    with connection.schema_editor() as editor:
        migration.seed(apps, editor)
    assert RetentionPolicy.objects.get(table_name="price_candles_1m").compress_after is None


def test_dropping_keeps_amounts_exact(by_batches):
    """What stays is not touched: its amounts are the same to the last digit."""
    kept = factories.sol_usd(NOON, price_usd=Decimal("151.123456"))
    factories.sol_usd(NOON - 91 * DAY)
    retention.apply(now=NOON)
    kept.refresh_from_db()
    assert kept.price_usd == Decimal("151.123456")


def test_a_failed_batch_loses_nothing_of_the_earlier_ones(by_batches, monkeypatch):
    """When a later table fails, what earlier batches deleted stays deleted and the rest is still there."""
    factories.sol_usd(NOON - 91 * DAY)
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - 91 * DAY)
    real = retention._delete_batch

    def fails_on_transactions(series, size):
        if series.table == "transactions":
            raise RuntimeError("the worker was killed")
        return real(series, size)

    monkeypatch.setattr(retention, "_delete_batch", fails_on_transactions)
    with transaction.atomic(), pytest.raises(RuntimeError):
        retention.apply(now=NOON)
    assert (SolUsdPrice.objects.count(), Transaction.objects.count()) == (0, 1)


def test_what_only_replays_brought_is_kept(by_batches):
    """Captures of any age stay until the first live feed writes; then the policies apply."""
    pool = factories.pool()
    old = factories.transaction(pool, block_time=NOON - 400 * DAY)
    StreamCursor.objects.update(source="replay")
    held = retention.apply(now=NOON).held
    assert "transactions" in held
    assert Transaction.objects.filter(id=old.id).exists()
    factories.cursor(source="solana-logs")
    assert retention.apply(now=NOON).rows == {"transactions": 1}
