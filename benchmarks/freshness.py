"""How long a committed trade takes to be in its candle: live-rate ingest, bells, a broker and a real Celery worker."""

import threading
import time
from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db import connection, connections

from benchmarks import servers, traffic
from benchmarks.results import Result
from benchmarks.sizes import size
from megatron.core.clock import utc_now
from tokens.domain.decode import Decoded
from tokens.models import Token
from tokens.services import ingest

SECONDS = size(40, 3)
WARM_SECONDS = size(5, 1)
BATCH_SECONDS = 0.05
"""How much a monitor gathers before it stores."""
LIMIT_S = 1.0

_SEEN = """
SELECT token_id, extract(epoch FROM bucket)::bigint, trade_count FROM price_candles_1m
WHERE bucket >= to_timestamp(%s) AND token_id = ANY(%s)
"""


def run() -> list[Result]:
    """Return the 95th percentile of the seconds from a batch's commit until its candles hold its trades."""
    with servers.redis_server(megabytes=64) as url:
        servers.use(url)
        with servers.celery_worker(redis_url=url, concurrency=2):
            waited = _play()
    ordered = sorted(waited)
    p95 = ordered[int(len(ordered) * 0.95)]
    return [Result("candle_freshness_p95_s", p95, "s", LIMIT_S, LIMIT_S / p95)]


def _play() -> list[float]:
    """Store trades at the live rate and return how long each candle of each batch was awaited."""
    start = int(time.time()) + 1
    decoded = [
        traffic.decoded(event)
        for event in traffic.trades(SECONDS * traffic.EVENTS_A_SECOND, seed=int(start), start=start)
    ]
    awaited: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    guard, done, waited = threading.Lock(), threading.Event(), list[float]()
    watcher = threading.Thread(target=_watch, args=(awaited, guard, done, waited, start))
    watcher.start()
    counts: dict[tuple[str, int], int] = defaultdict(int)
    size = int(traffic.EVENTS_A_SECOND * BATCH_SECONDS)
    time.sleep(max(0.0, start - time.time()))
    for number in range(0, len(decoded), size):
        batch = decoded[number : number + size]
        time.sleep(max(0.0, start + (number + size) / traffic.EVENTS_A_SECOND - time.time()))
        ingest.store(batch=[ingest.Received(one, "bench", b"") for one in batch], feed="bench", now=utc_now())
        committed = time.monotonic()
        warm = number < WARM_SECONDS * traffic.EVENTS_A_SECOND
        with guard:
            for key in _candles(batch):
                counts[key] += 1
            for key in set(_candles(batch)):
                awaited[key].append((counts[key], float("nan") if warm else committed))
    for _ in range(100):
        with guard:
            if not any(awaited.values()):
                break
        time.sleep(0.1)
    done.set()
    watcher.join()
    with guard:
        if any(awaited.values()):
            raise AssertionError(f"{sum(map(len, awaited.values()))} candles never came.")
    return waited


def _candles(batch: list[Decoded]) -> list[tuple[str, int]]:
    """Return mint and minute of each trade."""
    return [(str(event.mint), (event.block_time or 0) // 60 * 60) for one in batch for event in one.events]


def _watch(
    awaited: dict[tuple[str, int], list[tuple[int, float]]],
    guard: Any,
    done: threading.Event,
    waited: list[float],
    start: int,
) -> None:
    """Look every 20 ms which awaited candles hold enough trades, and note how long that took."""
    mints: dict[str, UUID] = {}
    while not done.is_set():
        time.sleep(0.02)
        with guard:
            wanted = {key for key, waits in awaited.items() if waits}
        unknown = {mint for mint, _ in wanted} - mints.keys()
        mints.update(Token.objects.filter(mint_address__in=unknown).values_list("mint_address", "id"))
        if not wanted:
            continue
        with connection.cursor() as cursor:
            cursor.execute(_SEEN, [start // 60 * 60, [mints[mint] for mint, _ in wanted if mint in mints]])
            seen = {(token, minute): count for token, minute, count in cursor.fetchall()}
        now = time.monotonic()
        with guard:
            for mint, minute in wanted:
                have = seen.get((mints.get(mint), minute), 0)
                waits = awaited[mint, minute]
                while waits and waits[0][0] <= have:
                    since = waits.pop(0)[1]
                    if since == since:  # noqa: PLR0124  # not a number: of the warm-up
                        waited.append(now - since)
    connections.close_all()
