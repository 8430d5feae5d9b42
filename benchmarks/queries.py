"""How long the two hottest reads take in a table of millions of rows, and that both use an index."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from benchmarks import traffic
from benchmarks.results import Result
from benchmarks.sizes import size, smoking
from tokens.choices import CandleInterval
from tokens.models import Token, Transaction
from tokens.selectors import trades
from tokens.services import candles
from tokens.services.ingest.rows import COLUMNS

ROWS = size(3_000_000, 6_000)
REPEATS = size(400, 5)
TOKENS = 40
LATEST_LIMIT_MS, CANDLES_LIMIT_MS = 5.0, 10.0
"""What the project promises."""

# Copies of the stored trades, each shifted in time and under signatures of its own, so that ids stay derived.
_GROW = """
SET LOCAL megatron.usd_known = 'on';
INSERT INTO transactions ({names})
SELECT event_id(block_time, signature, event_index), {names_without_id} FROM (
    SELECT {copied}, block_time - shift AS block_time, left(signature, 80) || lpad(to_hex(%(copy)s), 4, '1') AS signature
    FROM transactions, (SELECT %(shift)s::interval AS shift) AS s
    WHERE block_time >= %(start)s
) AS copies
"""


def run() -> list[Result]:
    """Return the 99th percentile of both reads; must come after :mod:`benchmarks.ingest`, whose rows it multiplies."""
    _grow()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE transactions")
    hot = list(Token.objects.raw(_HOT, [TOKENS]))
    newest = Transaction.objects.order_by("-block_time").values_list("block_time", flat=True)[0]
    for token in hot:
        candles.mark(start=newest - timedelta(days=1), end=newest + timedelta(minutes=1), now=newest, token_id=token.id)
    candles.roll_all(now=newest)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE price_candles_1m")

    def latest(token: Token) -> QuerySet[Any]:
        return trades.transactions(token=token).order_by(*trades.NEWEST_FIRST)[:100]

    def day(token: Token) -> QuerySet[Any]:
        start = newest - timedelta(days=1)
        return trades.window(token=token, interval=CandleInterval.M1, start=start, end=newest)[:1_500]

    slow, quick = _p99(latest, hot), _p99(day, hot)
    return [
        Result("query_latest_trades_p99_ms", slow, "ms", LATEST_LIMIT_MS, LATEST_LIMIT_MS / slow),
        Result("query_candles_24h_p99_ms", quick, "ms", CANDLES_LIMIT_MS, CANDLES_LIMIT_MS / quick),
    ]


_HOT = """
SELECT t.* FROM tokens t JOIN (
    SELECT token_id, count(*) AS trades FROM transactions GROUP BY token_id ORDER BY trades DESC LIMIT %s
) AS hot ON hot.token_id = t.id
"""


def _grow() -> None:
    stored = Transaction.objects.count()
    start = datetime.fromtimestamp(traffic.FIRST_SECOND, UTC) - timedelta(seconds=1)
    copied = [name for name in COLUMNS if name not in ("id", "block_time", "signature")]
    names = [*copied, "block_time", "signature"]
    statement = _GROW.format(
        names=", ".join(["id", *names]), names_without_id=", ".join(names), copied=", ".join(copied)
    )
    # Spread over the day before, so that a token's last 24 hours are full of minutes.
    copies = max(ROWS // stored - 1, 0)
    for copy in range(1, copies + 1):
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            shift = timedelta(seconds=copy * 86_400 // (copies + 1))
            cursor.execute(statement, {"copy": copy, "shift": shift, "start": start})
            cursor.execute("COMMIT")


def _p99(read: Callable[[Token], QuerySet[Any]], tokens: list[Token]) -> float:
    """Return the 99th percentile of the milliseconds that PostgreSQL plans and runs the read, for each token in turn.

    The first round is not counted. Raises ``AssertionError`` if a plan reads a whole table.
    """
    if smoking():  # a plan may read the whole of a table that is nearly empty
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")
    taken = []
    for number in range(-len(tokens), REPEATS):
        statement, parameters = read(tokens[number % len(tokens)]).query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
            ((plan,),) = cursor.fetchone()
        if "Index" not in str(plan["Plan"]) or "Seq Scan" in str(plan["Plan"]):
            raise AssertionError(f"This read must come from an index:\n{plan}")
        if number >= 0:
            taken.append(plan["Planning Time"] + plan["Execution Time"])
    return sorted(taken)[int(len(taken) * 0.99)]
