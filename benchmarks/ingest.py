"""How fast decoded trades become rows, against the two plainest ways to write the same rows."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from benchmarks import traffic
from benchmarks.results import Result
from benchmarks.sizes import size
from tokens.choices import PriceOrigin
from tokens.domain.decode import Decoded
from tokens.models import Transaction
from tokens.services import candles, ingest, prices
from tokens.services.ingest.rows import COLUMNS

ROWS = size(200_000, 2_000)
BATCH = size(20_000, 500)
ROUNDS = size(3, 2)
"""Ours and COPY take turns, and the best round of each counts: what disturbs one would disturb the other."""
SEED_RATE = 19_455
"""Rows a second that the seed's own implementation reported."""

_FIRST = datetime.fromtimestamp(traffic.FIRST_SECOND, UTC)
_NOW = _FIRST + timedelta(hours=1)
"""When all of it has happened: what is of the future is not stored."""


def run() -> list[Result]:
    """Return the ingest figures: against bare COPY, against bulk_create, and rolling the candles of the same rows."""
    decoded = [traffic.decoded(event) for event in traffic.trades(ROWS)]
    batches = [decoded[start : start + BATCH] for start in range(0, ROWS, BATCH)]
    _price_samples()
    # The first bell of a process loads the broker's client; that is not what is measured.
    ingest.store(
        batch=[_received(one) for one in map(traffic.decoded, traffic.trades(5, seed=2))], feed="warm", now=_NOW
    )
    ours = _ours(batches)
    rolled = _roll()
    values, objects = _stored_rows()
    # Both baselines write the very rows that ours wrote, into a table with the same columns, indexes and checks.
    pairs = [(ours, _copy(values))] + [(_ours_again(batches), _copy(values)) for _ in range(ROUNDS - 1)]
    created = _bulk_create(objects)
    best, copied = (max(column) for column in zip(*pairs, strict=True))
    return [
        Result("ingest_vs_copy", best, "rows/s", copied, best / copied),
        Result("ingest_vs_bulk_create", best, "rows/s", created, best / created),
        Result("ingest_vs_seed", best, "rows/s", SEED_RATE, best / SEED_RATE),
        Result("candle_roll", rolled, "rows/s", best, rolled / best),
    ]


def _received(decoded: Decoded) -> ingest.Received:
    return ingest.Received(decoded, "bench", b"")


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _price_samples() -> None:
    samples = [
        prices.Sample(_FIRST + timedelta(seconds=2 * n), Decimal(150 + n % 7), PriceOrigin.HERMES)
        for n in range(-10, ROWS // traffic.EVENTS_A_SECOND // 2 + 10)
    ]
    prices.record(samples=samples, now=_FIRST)


def _ours(batches: Sequence[Sequence[Decoded]]) -> float:
    received = [[_received(one) for one in batch] for batch in batches]

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


def _stored_rows() -> tuple[list[tuple[Any, ...]], list[Transaction]]:
    """Return what ours wrote, in the order of arrival, as the values that a plain COPY is given."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM transactions ORDER BY block_time, signature")
        rows = cursor.fetchall()
    return rows, list(Transaction.objects.order_by("block_time")[: ROWS // 10])


def _bare_table() -> str:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_bare")
        cursor.execute("CREATE TABLE bench_bare (LIKE transactions INCLUDING ALL)")
    return "bench_bare"


def _copy(rows: Sequence[tuple[Any, ...]]) -> float:
    statement = f"COPY {_bare_table()} ({', '.join(COLUMNS)}) FROM STDIN"

    def work() -> None:
        for start in range(0, len(rows), BATCH):
            with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows[start : start + BATCH]:
                    copy.write_row(row)

    return len(rows) / _timed(work)


def _bulk_create(rows: Sequence[Transaction]) -> float:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transactions")

    def work() -> None:
        for start in range(0, len(rows), 2_000):
            with transaction.atomic(), connection.cursor() as cursor:
                # Its rows bring their USD values too, so the row triggers for other writers are no part of the comparison.
                cursor.execute("SET LOCAL megatron.usd_known = 'on'")
                Transaction.objects.bulk_create(rows[start : start + 2_000], ignore_conflicts=True)

    return len(rows) / _timed(work)
