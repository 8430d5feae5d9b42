"""Whether ingest, candles and lists stay as fast as the tables grow: filled by ``ingest.store``, a day at a time.

python -m benchmarks.growth --rows 10000000     fill a database of its own up to so many trades, and measure; goes on where it was
python -m benchmarks.growth --drop              remove that database
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from benchmarks import traffic
from benchmarks.results import Result
from benchmarks.sizes import size

DATABASE = "megatron_growth"
STEP = size(100_000, 500)
"""Trades of one day, which are stored, rolled and measured together."""
BATCH = 20_000
MINTS, WALLETS = size(800, 20), size(4_000, 50)
"""New ones a day: 80,000 tokens and 400,000 wallets at ten million trades."""
SMALL = 3 * STEP
REQUESTS = size(3, 1)
"""Each page is asked so often; the middle one counts."""
PAGE = 50
LISTS_MS, API_MS = 300.0, 150.0
"""What the project promises."""

_NOTES = """
CREATE TABLE IF NOT EXISTS growth_steps (
    day int PRIMARY KEY, rows bigint NOT NULL, ingest float NOT NULL, copied float NOT NULL, rolled float NOT NULL,
    wal float NOT NULL
)
"""


class Step(NamedTuple):
    """One day: rows stored after it, rows a second of ingest, of a bare COPY of the same, and of the roll; WAL a trade."""

    rows: int
    ingest: float
    copied: float
    rolled: float
    wal: float


def run() -> list[Result]:
    """Return the figures of the small form, in the bench's database, which is emptied first."""
    from django.db import connection

    with connection.cursor() as cursor:
        # Hypertables have no foreign keys by which they would be emptied with their parents.
        cursor.execute("TRUNCATE transactions, price_candles_1m, price_candles_5m, price_candles_1h, price_candles_1d")
        cursor.execute("TRUNCATE candles_due, pool_milestones, stream_cursors, pools, tokens CASCADE")
        cursor.execute("DROP TABLE IF EXISTS growth_steps")
    return measure(grow(SMALL, lambda _: None))


def grow(rows: int, told: Callable[[int], Any]) -> list[Step]:
    """Store whole days until there are ``rows`` trades, going on where the last run ended; return all days' figures."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_NOTES)
        cursor.execute("SELECT count(*) FROM growth_steps")
        (done,) = cursor.fetchone()
    told(done * STEP)
    for day in range(done, rows // STEP):
        step = _day(day)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO growth_steps VALUES (%s, %s, %s, %s, %s, %s)", [day, *step])
        told((day + 1) * STEP)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rows, ingest, copied, rolled, wal FROM growth_steps ORDER BY day")
        return [Step(*row) for row in cursor.fetchall()]


def _day(day: int) -> Step:
    from django.db import connection

    from tokens.services import candles, ingest
    from tokens.services.ingest.rows import COLUMNS

    start = traffic.FIRST_SECOND + day * 86_400
    now = datetime.fromtimestamp(start, UTC) + timedelta(hours=1)
    events = traffic.trades(STEP, mints=MINTS, wallets=WALLETS, seed=day + 1, start=start)
    received = [ingest.Received(traffic.decoded(event), "growth", b"") for event in events]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()")
        (before,) = cursor.fetchone()
    began = time.perf_counter()
    for place in range(0, STEP, BATCH):
        ingest.store(batch=received[place : place + BATCH], feed="growth", now=now)
    stored = time.perf_counter()
    candles.roll_all(now=now)
    rolled = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", [before])
        (wal,) = cursor.fetchone()
        bounds = [datetime.fromtimestamp(start, UTC), now]
        cursor.execute(
            f"SELECT {', '.join(COLUMNS)} FROM transactions WHERE block_time >= %s AND block_time < %s", bounds
        )
        rows = cursor.fetchall()
    return Step((day + 1) * STEP, STEP / (stored - began), _copied(rows), STEP / (rolled - stored), float(wal) / STEP)


def _copied(rows: list[tuple[Any, ...]]) -> float:
    """Return the rows a second of a bare COPY into an empty table of the same columns, indexes and checks."""
    from django.db import connection, transaction

    from tokens.services.ingest.rows import COLUMNS

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS growth_bare")
        cursor.execute("CREATE TABLE growth_bare (LIKE transactions INCLUDING ALL)")
    statement = f"COPY growth_bare ({', '.join(COLUMNS)}) FROM STDIN"
    began = time.perf_counter()
    for place in range(0, len(rows), BATCH):
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows[place : place + BATCH]:
                copy.write_row(row)
    took = time.perf_counter() - began
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE growth_bare")
    return len(rows) / took


def measure(steps: list[Step]) -> list[Result]:
    """Return what became of the rates from the first day to the last, and how long lists and the API take now."""
    from django.test.utils import setup_test_environment, teardown_test_environment

    first, last = steps[0], steps[-1]
    ingest = (last.ingest / last.copied) / (first.ingest / first.copied)
    roll = last.rolled / first.rolled
    wal = sum(step.wal for step in steps) / len(steps)
    setup_test_environment()  # its client tells what a page was made of
    try:
        console, api = sorted(_console()), sorted(_api())
        rate, bare = _rate()
    finally:
        teardown_test_environment()
    lists_ms, api_ms = _p95([ms for ms, _ in console]), _p95([ms for ms, _ in api])
    for ms, address in [*console[-5:], *api[-5:]]:
        print(f"  {ms:9.1f} ms  {address}", file=sys.stderr)
    return [
        Result("growth_ingest_ratio", ingest, "of 1", 1.0, ingest),
        Result("growth_roll_ratio", roll, "of 1", 1.0, roll),
        Result("wal_bytes_per_trade", wal, "bytes", first.wal, first.wal / wal),
        Result("lists_p95_ms", lists_ms, "ms", LISTS_MS, LISTS_MS / lists_ms),
        Result("api_p95_ms", api_ms, "ms", API_MS, API_MS / api_ms),
        Result("api_list_rps", rate, "requests/s", bare, rate / bare),
        *_latest(),
    ]


def _p95(times: list[float]) -> float:
    return times[min(int(len(times) * 0.95), len(times) - 1)]


def _timed(ask: Callable[[], Any]) -> float:
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1_000)
    return sorted(taken)[REQUESTS // 2]


def _console() -> Iterator[tuple[float, str]]:
    """Yield how long each list of the console takes: its first, second and last page, each order, and filters."""
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.test import Client
    from django.urls import reverse

    client = Client()
    operator, _ = User.objects.get_or_create(username="growth", defaults={"is_staff": True, "is_superuser": True})
    client.force_login(operator)
    for model, page in admin.site._registry.items():
        if not getattr(page, "show_full_result_count", True):
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            answer = client.get(address)
            shown = answer.context["cl"]
            asked = {"", "?p=2", f"?p={shown.paginator.num_pages}"} if shown.paginator.num_pages > 1 else {""}
            asked |= {
                f"?o={way}{place}"
                for place, name in enumerate(shown.list_display)
                if name in (shown.sortable_by or ())
                for way in ("", "-")
            }
            for spec in shown.filter_specs:
                asked |= {
                    choice["query_string"] for choice in list(spec.choices(shown))[1:3] if "query_string" in choice
                }
            for one in sorted(asked):
                yield _timed(lambda path=address + one: client.get(path, follow=True)), address + one  # type: ignore[misc]


def _api() -> Iterator[tuple[float, str]]:
    """Yield how long each list of the API takes in each order: the first page and the fiftieth."""
    from tokens.api import filters
    from tokens.models import Pool, Token

    ask = _caller()
    hot = Pool.objects.order_by("-last_trade_at")[0]
    mint = Token.objects.get(pk=hot.token_id).mint_address
    addresses = [
        *(f"tokens/?ordering={order}" for order in filters.TOKEN_ORDERS),
        *(f"pools/?ordering={order}" for order in filters.POOL_ORDERS),
        f"tokens/{mint}/transactions/",
        "scores/",
        "gaps/",
        "sources/",
    ]
    for address in addresses:
        path = f"/api/v1/{address}"
        yield _timed(lambda path=path: ask(path)), path  # type: ignore[misc]
        after = path
        for _ in range(PAGE - 1):
            following = ask(after)["next"]
            if following is None:
                break
            after = following
        yield _timed(lambda path=after: ask(path)), f"{path} (page {PAGE})"  # type: ignore[misc]
    for path in (f"/api/v1/tokens/{mint}/", f"/api/v1/pools/{hot.pool_address}/", f"/api/v1/tokens/{mint}/candles/"):
        yield _timed(lambda path=path: ask(path)), path  # type: ignore[misc]


def _caller() -> Callable[[str], Any]:
    from rest_framework.test import APIClient

    from megatron.core import api_keys
    from megatron.core.choices import Scope
    from megatron.core.clock import utc_now

    now = utc_now()
    _, key = api_keys.issue(name=f"growth {now.timestamp()}", scopes=[Scope.READ], actor="bench", now=now)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")

    def ask(path: str) -> Any:
        answer = client.get(path)
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {answer.status_code} {answer.content[:300]!r}")
        return answer.json()

    return ask


def _rate(seconds: float = size(30, 1) / 10) -> tuple[float, float]:
    """Return how many pages of tokens a second one process answers, and how many bare replies of the same JSON."""
    from rest_framework.renderers import JSONRenderer

    ask = _caller()
    body = ask("/api/v1/tokens/")
    rates = []
    for work in (lambda: ask("/api/v1/tokens/"), lambda: JSONRenderer().render(body)):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            work()
            count += 1
        rates.append(count / (time.perf_counter() - began))
    return rates[0], rates[1]


def _latest() -> list[Result]:
    """Return the 99th percentile of reading a token's newest 100 trades where there are chunks."""
    from benchmarks import chunks
    from megatron.core.timescale.bounds import has_chunks
    from tokens.models import Token

    return [chunks.latest(list(Token.objects.order_by("?")[:100]))] if has_chunks() else []


def main(arguments: list[str]) -> int:
    """Fill and measure the database of its own, or drop it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="trades in all, whole days of 100,000")
    parser.add_argument("--drop", action="store_true", help="remove the database")
    told = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from rich.progress import Progress

    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [DATABASE])
        (there,) = cursor.fetchone()
        if told.drop:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            return 0
        if not there:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
    connection.close()
    connection.settings_dict["NAME"] = DATABASE
    call_command("migrate", verbosity=0)
    with Progress() as bar:
        task = bar.add_task("trades", total=told.rows // STEP * STEP)
        steps = grow(told.rows, lambda done: bar.update(task, completed=done))
    print(f"{'rows':>12} {'ingest/s':>10} {'COPY/s':>10} {'ratio':>6} {'roll/s':>10} {'WAL/trade':>10}")
    every = max(len(steps) // 20, 1)
    for step in [*steps[:-1:every], steps[-1]]:
        print(
            f"{step.rows:12,} {step.ingest:10,.0f} {step.copied:10,.0f} {step.ingest / step.copied:6.2f}"
            f" {step.rolled:10,.0f} {step.wal:10,.0f}"
        )
    for result in measure(steps):
        print(f"{result.name:28} {result.value:12,.2f} {result.unit:11} of {result.baseline:,.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
