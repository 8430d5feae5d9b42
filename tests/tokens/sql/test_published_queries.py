"""Every SQL query that the seed documents publish, run against the migrated schema.

``published/`` holds each query as it was published, by document and session. Three lists below say what becomes of it:
it runs unmodified, it cannot run and another query replaces it, or it reads a table that a later stage brings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import connection, transaction

from scoring.services import totals
from tests import factories
from tests.scoring import parts
from tokens.models import PriceCandle1h, PriceCandle5m, RetentionPolicy, Token
from tokens.services import rankings

pytestmark = [pytest.mark.django_db, pytest.mark.community]

HERE = Path(__file__).parent
MINT = factories.address("published mint")


@dataclass(frozen=True)
class Runs:
    """A query that runs as published: what its ``$1, $2…`` are, and how many rows it returns on the test's data."""

    rows: int
    params: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replaced:
    """A query that no server can run: why, the error it gives, and how many rows its replacement returns."""

    reason: str
    error: str
    rows: int
    params: tuple[str, ...] = ()


RUNS = {
    "001_price_candles_1m_cagg": Runs(1),
    "001_sol_usd_candles_1m": Runs(1),
    "002_price_candles_1h": Runs(1),
    "002_price_candles_1d": Runs(1),
    "003_s1_recent_tokens": Runs(1),
    "003_s1_duplicate_mints": Runs(0),
    "003_s1_platforms": Runs(1),
    "003_s2_token_id": Runs(1, ("mint",)),
    "003_s2_pools_of_tokens": Runs(1),
    "003_s2_orphaned_pools": Runs(0),
    "003_s2_curve_data": Runs(1),
    "003_s4_price_candles_1m_cagg": Runs(1),
    "003_s4_raw_transactions": Runs(3, ("token",)),
    "003_s4_aggregated_candles": Runs(1, ("token",)),
    "003_s4_raw_against_aggregate": Runs(1),
    "003_s6_table_sizes": Runs(-1),  # as many as there are tables
    "001_latest_technical_scores": Runs(1),
    "001_latest_holder_scores_v2": Runs(1),
    "001_smart_money_wallets": Runs(0),  # none is known
    "001_top_tokens_by_usd_volume": Runs(1),
    "003_s5_scores": Runs(1),
    "003_s5_score_distribution": Runs(1),
    "003_s6_hot_tokens": Runs(1),
    "003_s7_cleanup_old_scores": Runs(0),  # none is old
    "003_final_token_pipeline": Runs(1),
}

DERIVED_ID = "ids are derived from chain addresses by ingest, so a row without one cannot be inserted"
REPLACED = {
    "003_final_system_health": Replaced(
        "the database has its own name here; the seed's was megatron_v2", "InvalidCatalogName", 1
    ),
    "003_s1_insert_token": Replaced(DERIVED_ID, "NotNullViolation", 1),
    "003_s2_insert_pool": Replaced(DERIVED_ID, "NotNullViolation", 1),
    "003_s5_technical_score": Replaced(
        "not valid against the seeds' own schema: transactions have no volume_sol, their column is sol_amount",
        "UndefinedColumn",
        1,
        ("token",),
    ),
    "003_s6_statement_times": Replaced(
        "not valid against the seeds' own schema: pg_stat_statements is an extension that no session creates",
        "UndefinedTable",
        2,
    ),
    "003_s7_retention_policies": Replaced(
        "TimescaleDB 2 has no such view; the policies are rows of retention_policies, its jobs follow them",
        "UndefinedTable",
        7,
    ),
    "003_s7_compression": Replaced(
        "TimescaleDB 2 has no such view; chunk_compression_stats() gives the figures where chunks are compressed, "
        "elsewhere the table's size is all there is",
        "UndefinedTable",
        1,
    ),
}


def published(name: str) -> str:
    """Return a query as it was published."""
    return (HERE / "published" / f"{name}.sql").read_text()


def replacement(name: str, level: str) -> str:
    """Return the query that replaces it on a server of this level."""
    path = HERE / "replacements" / f"{name}.{'community' if level == 'community' else 'none'}.sql"
    return (path if path.exists() else HERE / "replacements" / f"{name}.sql").read_text()


def run(statement: str, params: tuple[str, ...], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a query; only what the documents tell the reader to fill in is filled in."""
    filled = statement.replace("YOUR_TOKEN_ID", str(values["token"])).replace("${timeRange}", "1 hour")
    connection.ensure_connection()
    with psycopg.RawCursor(connection.connection) as cursor:
        cursor.execute(filled, [values[name] for name in params])
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture
def values() -> Mapping[str, Any]:
    """Store a token with a curve, three trades of one minute, a price and candles, all of the last hour."""
    minute = (datetime.now(UTC) - timedelta(minutes=10)).replace(second=0, microsecond=0)
    token = factories.token(mint_address=MINT, creation_timestamp=minute)
    pool = factories.pool(token)
    factories.sol_usd(minute)
    for second, kind, price in ((1, "buy", "0.00000003"), (2, "sell", "0.00000005"), (3, "buy", "0.00000004")):
        factories.transaction(
            pool,
            block_time=minute + timedelta(seconds=second),
            slot=420_000_000 + second,
            type=kind,
            user_address=factories.address(kind),
            price_per_token=Decimal(price),
        )
    parts.technical(token, at=minute)
    parts.holder(token, at=minute)
    parts.risk(token, at=minute)
    totals.refresh(mints=[MINT], now=minute)
    RetentionPolicy.objects.all().delete()  # later migrations bring more
    import_module("tokens.migrations.0002_retention_figures").seed(apps, connection.schema_editor())
    factories.candle(token, model=PriceCandle5m, bucket=minute)
    factories.candle(token, model=PriceCandle1h, bucket=minute)
    return {
        "token": token.pk,
        "mint": MINT,
        "new_mint": factories.address("new"),
        "new_pool": factories.address("pool"),
    }


def test_each_published_query_is_in_one_list():
    """Nothing that was published is forgotten or listed twice."""
    listed = [*RUNS, *REPLACED]
    assert sorted(listed) == sorted(path.stem for path in (HERE / "published").glob("*.sql"))


@pytest.mark.parametrize("name", RUNS)
def test_a_published_query_runs_unmodified(name, values):
    """A published query runs as it stands and finds the rows that are there."""
    query = RUNS[name]
    rows = run(published(name), query.params, values)
    assert rows if query.rows < 0 else len(rows) == query.rows


@pytest.mark.own_chunks
@pytest.mark.parametrize("name", [name for name in REPLACED if not name.endswith(("insert_token", "insert_pool"))])
def test_a_query_that_cannot_run_has_a_replacement_that_does(name, values, level):
    """A query that no server can run still fails for the reason given, and its replacement finds the rows."""
    query = REPLACED[name]
    with pytest.raises(getattr(psycopg.errors, query.error)), transaction.atomic():
        run(published(name), query.params, values)
    if name == "003_s7_compression" and level == "community":
        with connection.cursor() as cursor:
            cursor.execute("SELECT compress_chunk(chunk) FROM show_chunks('transactions') AS chunk")
    rows = run(replacement(name, level), query.params, values)
    assert len(rows) == query.rows, query.reason


def test_rows_are_not_inserted_without_their_derived_id(values, level):
    """The documents' inserts leave the id to the database; here it must be given, and then the same rows go in."""
    at = datetime.now(UTC)
    token = [values["new_mint"], "TEST", "Test Token", "raydium_launchpad", factories.signature("new"), at, MINT]
    pool = [values["new_pool"], values["token"], MINT, factories.WSOL, "pumpswap", Decimal("0.00000003")]
    for name, params in (("003_s1_insert_token", token), ("003_s2_insert_pool", pool)):
        numbered = {str(place): value for place, value in enumerate(params)}
        with pytest.raises(getattr(psycopg.errors, REPLACED[name].error)), transaction.atomic():
            run(published(name), tuple(numbered), {**values, **numbered})
        assert len(run(replacement(name, level), tuple(numbered), {**values, **numbered})) == REPLACED[name].rows


def test_the_published_top_tokens_equal_ours(values, level):
    """The query runs as published, and our view has the same columns and rows, scores too."""
    factories.candle(
        Token.objects.get(), bucket=datetime.now(UTC).replace(second=0, microsecond=0), volume_usd=Decimal(7)
    )
    rankings.refresh_top_tokens()
    (theirs,) = run(published("001_top_tokens_by_usd_volume"), (), values)
    (ours,) = run("SELECT * FROM top_tokens_by_usd_volume", (), values)
    assert (ours[:8], ours[7]) == (theirs[:8], Decimal(7))
    assert (ours[8:10], ours[9]) == (theirs[8:10], Decimal("274.75"))
    # A token is as old as the chain says; the published query asks when its row was written.
    assert ours[10] == Token.objects.get().creation_timestamp


def test_the_published_candles_equal_ours(values, level):
    """The aggregate's published SELECT and our view of that name give the same candle when no two trades tie."""
    (published_row,) = run(published("001_price_candles_1m_cagg"), (), values)
    (row,) = run("SELECT * FROM price_candles_1m_cagg", (), values)
    assert row == published_row
    assert row[2:6] == tuple(map(Decimal, ("0.00000003", "0.00000005", "0.00000003", "0.00000004")))


def test_raw_and_aggregated_prices_differ_by_nothing(values):
    """The documents' comparison of raw trades with the aggregate shows the same counts and no difference in price."""
    ((_, raw_count, aggregated, _, _, difference),) = run(published("003_s4_raw_against_aggregate"), (), values)
    assert (raw_count, aggregated, difference) == (3, 3, 0)
