"""Months go by in seconds: what is left in the tables is what plain arithmetic says (tests/community/hundred_days.py)."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from tests import history
from tests.community import hundred_days, test_policies
from tests.community.books import DAY, Books
from tests.community.hundred_days import BEGIN, HOUR, Life, Plan
from tests.database import IN_PLACE
from tests.tokens.services.building import address
from tests.tokens.test_restore import BINARIES
from tokens.models import AggregateDue, CandleDue, Token
from tokens.services.candles import TABLES

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not IN_PLACE, reason="It moves to a second server of the community lane"),
]

AS_BEFORE = "SET search_path = public"
HOME = Path(__file__).parents[2] / ".megatron/lanes/community"
HUNDRED = Plan(
    days=100,
    per_day=24,
    # Minutes are not compressed by default; one who has them compressed must find the same rows.
    policies={"price_candles_1m": {"compress_after": 7 * DAY, "segment_by": "", "order_by": "token_id, bucket DESC"}},
    decimals_on=50,
    export_on=92,
    latest=45,
)
SHORT = {"drop_after": 8 * DAY, "compress_after": 2 * DAY}
TWELVE = Plan(
    days=12,
    per_day=10,
    policies={
        "transactions": SHORT,
        "sol_usd_prices": SHORT,
        "price_candles_1m": {
            "drop_after": 4 * DAY, "compress_after": 2 * DAY, "segment_by": "", "order_by": "token_id, bucket DESC",
        },
        "price_candles_5m": {"drop_after": 8 * DAY},
        "price_candles_1m_cagg": {"drop_after": 8 * DAY},
        "sol_usd_candles_1m": {"drop_after": 8 * DAY},
    },
    decimals_on=6,
    export_on=10,
    latest=5,
)  # fmt: skip


figures = test_policies.figures
"""Each test has the policies of the migrations, and a server that has the licensed features."""


@pytest.fixture
def limit(sql: Any, settings: Any) -> Iterator[Any]:
    """Return what says how many compressed rows a statement may open; nothing of other tests is there."""
    settings.INGEST_COPY = False
    history.drop()

    def say(rows: int) -> None:
        sql(f"SET timescaledb.max_tuples_decompressed_per_dml_transaction = {rows}")

    yield say
    sql("RESET timescaledb.max_tuples_decompressed_per_dml_transaction")


def run(binary: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's."""
    done = subprocess.run([BINARIES / binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]


def url(port: int) -> str:
    """Return the address of a server of the lane."""
    return f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"


@contextmanager
def another_server() -> Iterator[int]:
    """Start another server of the lane, empty, and yield its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = subprocess.Popen(
        ["node", HOME / "server.mjs"], env={**os.environ, "LANE_PORT": str(port)}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        assert server.stdout.readline(), "the second server did not start"
        yield port
    finally:
        server.terminate()
        server.communicate()


@contextmanager
def connected(port: int) -> Iterator[None]:
    """Let everything go on at another server of the lane."""
    before = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = port
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["PORT"] = before


def restore(port: int, folder: Path) -> None:
    """Dump what Django is connected to as INSERTs, for the lane knows no COPY, and restore it in the runbook's order.

    Many rows to an INSERT: rows of TimescaleDB's catalogue name later ones of the same table. A SET outlives its connection
    here, and both programs empty the search path.
    """
    here, there = url(int(connection.settings_dict["PORT"])), url(port)
    connection.close()
    dump = str(folder / "megatron.sql")
    run("pg_dump", "--rows-per-insert=1000", "--no-owner", f"--file={dump}", here)
    run("psql", "-c", "RESET ALL", "-c", AS_BEFORE, here)
    run("psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT timescaledb_pre_restore()", there)
    run("psql", "-v", "ON_ERROR_STOP=1", "-q", "-f", dump, there)
    run("psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT public.timescaledb_post_restore()", there)
    run("psql", "-c", "RESET ALL", "-c", AS_BEFORE, there)


def live(life: Life, days: range, say: Any, rows: int) -> None:
    """Live through days under a limit."""
    say(rows)
    for day in days:
        life.run(day)


def equal(found: dict[Any, Any], expected: dict[Any, Any], what: str) -> None:
    """Compare rows by key, and say few of those that differ."""
    missing, surplus = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    differing = [
        (key, name, found[key][name], value)
        for key in sorted(found.keys() & expected.keys())
        for name, value in expected[key].items()
        if found[key][name] != value
    ]
    told = f"{what}: {len(missing)} missing {missing[:3]}, {len(surplus)} surplus {surplus[:3]}"
    assert [missing, surplus, differing] == [[], [], []], f"{told}, {len(differing)} differ {differing[:6]}"
    assert expected, what


def rows_are_those_of(books: Books) -> None:
    """Trades, candles and aggregates are what the books say, to the last digit."""
    mint = "(SELECT mint_address FROM tokens WHERE id = token_id) AS mint"
    trades = hundred_days.fetch(
        f"SELECT *, {mint} FROM transactions", lambda row: (row["signature"], row["event_index"])
    )
    equal(trades, books.rows(), "transactions")
    pools = hundred_days.fetch(f"SELECT *, {mint} FROM pools", lambda row: row["mint"])
    equal(pools, books.pools(), "pools")
    for width, table in TABLES.items():
        expected = books.candles(width.value)
        kept = {key: row for key, row in expected.items() if not books.is_dropped(table, key[1])}
        found = hundred_days.fetch(f"SELECT *, {mint} FROM {table}", lambda row: (row["mint"], row["bucket"]))
        equal(found, kept, table)
    minutes = books.candles(60)
    shown = hundred_days.fetch(f"SELECT *, {mint} FROM price_candles_1m_cagg", lambda row: (row["mint"], row["bucket"]))
    # It is cut otherwise than the trades: what it still shows of dropped ones is right, and it lacks none that are kept.
    names = next(iter(shown.values())).keys() & next(iter(minutes.values())).keys()
    assert len(names) == 9
    needed = minutes.keys() if "transactions" not in books.cutoffs else {
        key for key in minutes if not books.is_dropped("transactions", key[1])
    }  # fmt: skip
    wanted = {key: {name: minutes[key][name] for name in names} for key in minutes if key in needed or key in shown}
    equal(shown, wanted, "price_candles_1m_cagg")
    sol = hundred_days.fetch("SELECT * FROM sol_usd_candles_1m", lambda row: row["bucket"])
    oldest = books.cutoffs["transactions"] + DAY
    expected_sol = {at: row for at, row in books.sol_minutes().items() if at >= oldest or at in sol}
    equal(sol, expected_sol, "sol_usd_candles_1m")


def through(plan: Plan, dump_on: int, limit: Any, rows: int, folder: Path) -> Life:
    """Live through a plan; on a day everything is dumped and restored at another server, where life goes on."""
    life = Life(plan, hundred_days.tell(plan), folder)
    life.begin()
    live(life, range(dump_on), limit, rows)
    with another_server() as port:
        restore(port, folder)
        with connected(port):
            call_command("migrate", verbosity=0)
            rows_are_those_of(life.books)
            live(life, range(dump_on, plan.days), limit, rows)
            life.work(BEGIN + plan.days * DAY + 4 * HOUR)
            rows_are_those_of(life.books)
            assert not CandleDue.objects.exists()
            assert not AggregateDue.objects.filter(bucket__lt=BEGIN + plan.days * DAY).exists()
            assert not Token.objects.filter(mint_address=address(hundred_days.GHOST)).exists()
    assert life.differed == 0
    return life


@pytest.mark.community
def test_endurance_04_twelve_days_leave_what_plain_recomputation_says(limit: Any, tmp_path: Path) -> None:
    """The short form: shorter ages, so that all that happens in months happens; a statement opens three days' batches at most."""
    life = through(TWELVE, 7, limit, 40, tmp_path)
    assert life.dropped["transactions"] > life.books.exported > 0


@pytest.mark.hundred_days
def test_endurance_04_a_hundred_days_leave_what_plain_recomputation_says(limit: Any, tmp_path: Path) -> None:
    """With the policies as they are seeded, a dump restored on day 60, and TimescaleDB's limit at 1,000."""
    life = through(HUNDRED, 60, limit, history.LIMIT, tmp_path)
    assert life.dropped["transactions"] > life.books.exported > 0
    assert life.dropped["price_candles_1m"] > 1_000
