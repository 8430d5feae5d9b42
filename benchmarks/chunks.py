"""How long the newest trades of a token take where a hundred days have a chunk each.

Needs a server of the level ``community``, like :mod:`benchmarks.compression`: ``make bench-community``.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db import connection

from benchmarks import traffic
from benchmarks.results import Result
from benchmarks.sizes import size
from tokens.models import Token
from tokens.selectors import desk
from tokens.services import ingest

DAYS = size(100, 5)
TRADES = 50
"""A day, on coins of its own."""
MINTS, WALLETS = 10, 20
LIMIT_MS = 5.0
"""What the project promises."""


def run() -> list[Result]:
    """Return the 99th percentile over coins of all days."""
    if connection.timescale_level != "community":  # type: ignore[attr-defined]  # our own engine's
        raise SystemExit("Chunks by the day are measured on TimescaleDB community: make bench-community.")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transactions")
        cursor.execute("TRUNCATE pools, tokens CASCADE")
    for day in range(DAYS):
        start = traffic.FIRST_SECOND - day * 86_400
        events = traffic.trades(TRADES, mints=MINTS, wallets=WALLETS, seed=day + 1, start=start)
        received = [ingest.Received(traffic.decoded(event), "bench", b"") for event in events]
        ingest.store(batch=received, feed="bench", now=datetime.fromtimestamp(start, UTC) + timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM show_chunks('transactions')")
        print(f"  {cursor.fetchone()[0]} chunks", file=sys.stderr)
    return [latest(list(Token.objects.order_by("?")[:200]))]


def latest(tokens: Sequence[Token]) -> Result:
    """Return the 99th percentile of reading the newest 100 trades of each of ``tokens``, the quickest of three tries each."""
    taken = sorted(min(_once(token) for _ in range(3)) for token in tokens)
    p99 = taken[max(int(len(taken) * 0.99) - 1, 0)]
    return Result("latest_trades_chunks_p99_ms", p99, "ms", LIMIT_MS, LIMIT_MS / p99)


def _once(token: Token) -> float:
    began = time.perf_counter()
    desk.latest_trades(token=token, limit=100)
    return (time.perf_counter() - began) * 1_000
