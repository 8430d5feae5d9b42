"""The seeds' mixed load: trades come in, prices are asked for, scores are written and cached prices are read, all at once."""

import multiprocessing
import os
import random
import time
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks import servers, traffic
from benchmarks.results import Result
from benchmarks.sizes import size

PROCESSES = 2
SECONDS = size(15, 2)
WARM_SECONDS = size(3, 1)
ROUND = 16
"""Trades a batch, which is 50 ms of the live rate, and as many of each other operation beside it."""
LEAST_A_SECOND, LIMIT_MS = 1_000.0, 100.0

_together: Any = None
Timed = list[tuple[float, float]]
"""When each operation ended and how long it took, seconds."""


def run() -> list[Result]:
    """Return operations a second of all processes together, and the 99th percentile of how long one takes."""
    from django.db import connection

    with servers.redis_server(megabytes=64) as url:
        spawn = multiprocessing.get_context("spawn")
        name, together = str(connection.settings_dict["NAME"]), spawn.Barrier(PROCESSES)
        with spawn.Pool(PROCESSES, initializer=_start, initargs=(name, url, together)) as pool:
            found = pool.map(_work, range(PROCESSES), chunksize=1)
    timed = [one for each in found for one in each]
    begin = min(ended - took for ended, took in timed)
    counted = [took for ended, took in timed if begin + WARM_SECONDS <= ended < begin + SECONDS]
    rate = len(counted) / (SECONDS - WARM_SECONDS)
    p99_ms = sorted(counted)[int(len(counted) * 0.99)] * 1000
    return [
        Result("mixed_ops_per_s", rate, "ops/s", LEAST_A_SECOND, rate / LEAST_A_SECOND),
        Result("mixed_p99_ms", p99_ms, "ms", LIMIT_MS, LIMIT_MS / p99_ms),
    ]


def _start(database: str, redis_url: str, together: Any = None) -> None:
    global _together  # noqa: PLW0603  # a barrier can only be handed over at the start of a process
    _together = together
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = database
    servers.use(redis_url)


def _work(seed: int) -> Timed:
    """Do rounds of the four operations until the time is over; return when each ended and how long it took."""
    from megatron.core.clock import utc_now
    from tokens.models import Token
    from tokens.selectors import market
    from tokens.services import cache, ingest

    dice = random.Random(seed)
    start = int(time.time()) - 60
    events = traffic.trades(SECONDS * traffic.EVENTS_A_SECOND * 4, mints=300, seed=seed + 100, start=start)
    trades = [traffic.decoded(event) for event in events]
    ingest.store(batch=[ingest.Received(one, "bench", b"") for one in trades[:500]], feed="mixed", now=utc_now())
    mints = {event.mint for one in trades[:500] for event in one.events}
    known: list[UUID] = list(Token.objects.filter(mint_address__in=mints).values_list("id", flat=True))
    timed: Timed = []
    _together.wait()
    begin, at = time.time(), 500
    while time.time() < begin + SECONDS:
        batch = trades[at : at + ROUND]
        at += ROUND
        if len(batch) < ROUND:
            raise AssertionError("More was stored than there was traffic: make more.")
        first = time.perf_counter()
        ingest.store(batch=[ingest.Received(one, "bench", b"") for one in batch], feed="mixed", now=utc_now())
        # Each trade of the batch waited for the whole of it.
        timed += [(time.time(), time.perf_counter() - first)] * ROUND
        for _ in range(ROUND):
            token = dice.choice(known)
            for operation in (
                lambda token=token: market.markets(ids=[token], now=utc_now()),
                lambda token=token: _write(token, dice, utc_now()),
                lambda token=token: cache.markets(ids=[token], now=utc_now()),
            ):
                first = time.perf_counter()
                operation()
                timed.append((time.time(), time.perf_counter() - first))
    return timed


def _write(token: UUID, dice: random.Random, now: datetime) -> None:
    """Write a row of a time series, as a score will be one: before stage Scores it is one of ``system_metrics``."""
    from megatron.core import ids
    from tokens.models import SystemMetric

    SystemMetric.objects.create(
        id=ids.event_id(now, token, dice.random()),
        metric_time=now,
        metric_type="worker",
        avg_processing_latency_ms=Decimal(dice.randrange(999)),
        metric_data={"token": str(token)},
    )
