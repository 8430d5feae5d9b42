"""How fast decoded trades become rows, against the two plainest ways to write the same rows."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from benchmarks import traffic
from benchmarks.results import Result
from megatron.core import ids
from tokens.choices import PriceOrigin
from tokens.domain.decode import Decoded
from tokens.models import Transaction
from tokens.services import candles, ingest, prices
from tokens.services.ingest.rows import COLUMNS

ROWS = 200_000
BATCH = 10_000
SEED_RATE = 19_455
"""Rows a second that the seed's own implementation reported."""

_NOW = datetime.fromtimestamp(traffic.FIRST_SECOND, UTC)


def run() -> list[Result]:
    """Return the ingest figures: against bare COPY, against bulk_create, and rolling the candles of the same rows."""
    decoded = [traffic.decoded(event) for event in traffic.trades(ROWS)]
    batches = [decoded[start : start + BATCH] for start in range(0, ROWS, BATCH)]
    _price_samples()
    ours = _ours(batches)
    rolled = _roll()
    text, objects = _stored_rows()
    # Both baselines write the very rows that ours wrote, into a table with the same columns, indexes and checks.
    copied = _copy(text)
    again = _ours_again(batches)
    created = _bulk_create(objects)
    best = max(ours, again)
    return [
        Result("ingest_vs_copy", best, "rows/s", copied, best / copied),
        Result("ingest_vs_bulk_create", best, "rows/s", created, best / created),
        Result("ingest_vs_seed", best, "rows/s", SEED_RATE, best / SEED_RATE),
        Result("candle_roll", rolled, "rows/s", best, rolled / best),
    ]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _price_samples() -> None:
    samples = [
        prices.Sample(_NOW + timedelta(seconds=2 * n), Decimal(150 + n % 7), PriceOrigin.HERMES)
        for n in range(-10, ROWS // traffic.EVENTS_A_SECOND // 2 + 10)
    ]
    prices.record(samples=samples)


def _ours(batches: Sequence[Sequence[Decoded]]) -> float:
    received = [[ingest.Received(one, "bench", b"") for one in batch] for batch in batches]

    def work() -> None:
        for batch in received:
            ingest.store(batch=batch, feed="bench", now=_NOW)

    return ROWS / _timed(work)


def _ours_again(batches: Sequence[Sequence[Decoded]]) -> float:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transactions, candles_due, pool_milestones, stream_cursors, pools, tokens CASCADE")
    return _ours(batches)


def _roll() -> float:
    return ROWS / _timed(lambda: candles.roll_all(now=_NOW))


def _stored_rows() -> tuple[list[str], list[Transaction]]:
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        with cursor.copy(f"COPY (SELECT {names} FROM transactions ORDER BY id) TO STDOUT") as copy:
            text = b"".join(bytes(piece) for piece in copy).decode().splitlines(keepends=True)
    return text, list(Transaction.objects.order_by("id")[: ROWS // 10])


def _bare_table() -> str:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_bare")
        cursor.execute("CREATE TABLE bench_bare (LIKE transactions INCLUDING ALL)")
    return "bench_bare"


def _copy(lines: Sequence[str]) -> float:
    table, names = _bare_table(), ", ".join(COLUMNS)
    batches = ["".join(lines[start : start + BATCH]) for start in range(0, len(lines), BATCH)]

    def work() -> None:
        for batch in batches:
            with transaction.atomic(), connection.cursor() as cursor:
                with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                    copy.write(batch)

    return len(lines) / _timed(work)


def _bulk_create(rows: Sequence[Transaction]) -> float:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transactions")

    def work() -> None:
        for start in range(0, len(rows), 2_000):
            Transaction.objects.bulk_create(rows[start : start + 2_000], ignore_conflicts=True)

    return len(rows) / _timed(work)
