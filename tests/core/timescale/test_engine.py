"""The engine on whichever server the suite runs against."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction

from megatron.core.timescale import compat
from megatron.core.timescale.base import DatabaseWrapper
from megatron.core.timescale.fields import HypertableTimeField
from tokens.models import PriceCandle1m, SolUsdPrice, Transaction

pytestmark = pytest.mark.django_db

KEYS = (
    (Transaction, ["id", "block_time"]),
    (PriceCandle1m, ["token_id", "bucket"]),
    (SolUsdPrice, ["source", "price_time"]),
)


def primary_key(sql, table: str) -> list[str]:
    """Return the columns of a table's primary key, in order."""
    rows = sql(
        "SELECT attname FROM pg_constraint JOIN unnest(conkey) WITH ORDINALITY AS key (number, place) ON true "
        "JOIN pg_attribute ON attrelid = conrelid AND attnum = number "
        "WHERE conrelid = %s::regclass AND contype = 'p' ORDER BY place",
        table,
    )
    return [name for (name,) in rows]


@pytest.mark.community
@pytest.mark.parametrize(("model", "columns"), KEYS)
def test_the_primary_key_contains_the_time(sql, model, columns):
    """A hypertable's primary key is its own key and its time on every server."""
    assert primary_key(sql, model._meta.db_table) == columns


@pytest.mark.community
def test_time_fields_make_hypertables_where_the_server_can(sql, level):
    """With TimescaleDB each table with a time field is a hypertable with the field's chunks, else a plain table."""
    if level == "none":
        assert sql("SELECT to_regnamespace('timescaledb_information')") == [(None,)]
        return
    rows = sql(
        "SELECT hypertable_name, time_interval FROM timescaledb_information.dimensions "
        "WHERE hypertable_schema = 'public'"
    )
    assert dict(rows) == {
        "transactions": timedelta(days=1),
        "price_candles_1m": timedelta(days=1),
        "price_candles_5m": timedelta(days=7),
        "price_candles_1h": timedelta(days=30),
        "price_candles_1d": timedelta(days=365),
        "sol_usd_prices": timedelta(days=7),
        "quote_usd_prices": timedelta(days=7),
        "system_metrics": timedelta(days=7),
        "api_credit_usage": timedelta(days=7),
        "holder_snapshots": timedelta(days=7),
        "holder_scores": timedelta(days=7),
        "risk_metrics": timedelta(days=7),
        "social_metrics": timedelta(days=7),
        "social_scores": timedelta(days=7),
        "technical_scores": timedelta(days=1),
        "activity_metrics": timedelta(days=1),
    }


@pytest.mark.community
def test_no_index_is_made_that_no_model_names(sql):
    """TimescaleDB's default index on the time is not made: every index of transactions is one we chose."""
    names = {name for (name,) in sql("SELECT indexname FROM pg_indexes WHERE tablename = 'transactions'")}
    chosen = {index.name for index in Transaction._meta.indexes} | {"transactions_pkey"}
    assert names - {"brin_transactions_block_time"} == chosen


@pytest.mark.community
def test_changing_the_interval_or_the_key_follows_on_every_server(sql, level):
    """A migration that changes a time field's interval and key changes the chunks, where there are any, and the key."""

    def model(interval: str, key: tuple[str, ...]) -> type[models.Model]:
        fields = {
            "__module__": __name__,
            "Meta": type("Meta", (), {"app_label": "tokens", "db_table": "measured_for_test", "apps": Apps()}),
            "id": models.UUIDField(primary_key=True),
            "source": models.CharField(max_length=10),
            "at": HypertableTimeField(interval=interval, key=key),
        }
        return type("MeasuredForTest", (models.Model,), fields)

    before, after = model("1 day", ("id",)), model("2 days", ("source",))
    with connection.schema_editor() as editor:
        editor.create_model(before)
        editor.alter_field(before, before._meta.get_field("at"), after._meta.get_field("at"))
    assert primary_key(sql, "measured_for_test") == ["source", "at"]
    if level != "none":
        asked = (
            "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = 'measured_for_test'"
        )
        assert sql(asked) == [(timedelta(days=2),)]


def test_a_missing_database_url_is_said_in_a_sentence():
    """Without a database the engine says which setting is missing and two ways to set it."""
    wrapper = DatabaseWrapper({**connection.settings_dict, "NAME": ""})
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL is not set .* `make run`"):
        wrapper.get_connection_params()


class TestLookAlikes:
    """What stands in for TimescaleDB, installed beside it or without it, and rolled back."""

    @pytest.fixture(autouse=True)
    def _bare(self, sql):
        with transaction.atomic():
            sql("DROP SCHEMA IF EXISTS tsdb_compat CASCADE")
            sql("SET LOCAL search_path = public")
            yield
            transaction.set_rollback(True)

    @pytest.mark.community
    def test_installing_twice_changes_nothing(self, sql):
        """Installing the look-alikes a second time succeeds and leaves one entry in the search path."""
        compat.install(connection)
        compat.install(connection)
        assert sql("SHOW search_path") == [(f"public, {compat.COMPAT_SCHEMA}",)]

    @pytest.mark.community
    def test_the_path_is_a_default_of_the_database(self, sql):
        """The search path is kept in the database, so each session of a pool or PgBouncer begins with it."""
        compat.install(connection)
        kept = sql(
            "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database ON oid = setdatabase "
            "WHERE datname = current_database() AND setrole = 0"
        )
        assert [row for (row,) in kept if row.startswith("search_path=")] == ["search_path=public, tsdb_compat"]

    def test_a_role_that_does_not_own_the_database_sets_its_own_default(self, sql):
        """A guest that may create schemas gets the look-alikes for itself and leaves the database's default alone."""
        database = sql("SELECT quote_ident(current_database())")[0][0]
        sql("CREATE ROLE megatron_guest")
        sql(f"GRANT CREATE ON DATABASE {database} TO megatron_guest")
        sql("SET LOCAL ROLE megatron_guest")
        compat.install(connection)
        rows = sql("SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'megatron_guest'::regrole")
        assert rows == [(["search_path=public, tsdb_compat"],)]
        answer = sql("SELECT tsdb_compat.time_bucket('1 hour', '2026-07-03 12:34:56+00'::timestamptz)")
        assert answer == [(datetime(2026, 7, 3, 12, tzinfo=UTC),)]

    def test_a_role_that_may_create_nothing_reads_what_to_run(self, sql):
        """A role without the right to create a schema is told the statement that gives it."""
        sql("CREATE ROLE megatron_guest")
        sql("SET LOCAL ROLE megatron_guest")
        with pytest.raises(ImproperlyConfigured, match=r'GRANT CREATE ON DATABASE .* TO "megatron_guest";'):
            compat.install(connection)

    def test_a_schema_of_another_role_is_used_as_it_is(self, sql):
        """A role that may not change the look-alikes of another uses them."""
        compat.install(connection)
        sql("CREATE ROLE megatron_guest")
        sql("GRANT USAGE ON SCHEMA tsdb_compat TO megatron_guest")
        sql("SET LOCAL ROLE megatron_guest")
        compat.install(connection)
        assert sql("SELECT tsdb_compat.first(v, at) FROM (VALUES (1.5, now())) AS t (v, at)") == [(Decimal("1.5"),)]


@pytest.mark.community
def test_preparing_a_prepared_database_changes_nothing(sql):
    """Migrating again finds the database ready: the search path and the level stay."""
    before = sql("SHOW search_path"), connection.timescale_level
    connection.prepare_database()
    assert (sql("SHOW search_path"), connection.timescale_level) == before


def offer(*, offered: bool, preloaded: bool, allowed: bool) -> DatabaseWrapper:
    """Return an engine whose server answers like this about an extension that is not enabled yet."""
    wrapper = DatabaseWrapper({**connection.settings_dict})
    wrapper._row = lambda statement: (offered, preloaded, allowed)  # type: ignore[method-assign]
    return wrapper


@pytest.mark.parametrize(
    ("server", "answer", "advice"),
    [
        ({"offered": True, "preloaded": True, "allowed": True}, True, ""),
        ({"offered": False, "preloaded": False, "allowed": True}, False, ""),
        ({"offered": True, "preloaded": False, "allowed": True}, False, "add timescaledb to shared_preload_libraries"),
        ({"offered": True, "preloaded": True, "allowed": False}, False, "CREATE EXTENSION timescaledb as a superuser"),
    ],
)
def test_the_extension_is_enabled_only_where_that_works(server, answer, advice, caplog):
    """A server that has TimescaleDB but cannot enable it is used without it, and the log says how to change that."""
    assert offer(**server)._can_enable_timescale() is answer
    assert advice in caplog.text if advice else caplog.text == ""
