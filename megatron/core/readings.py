"""Gauges that are read when somebody asks for them: how far feeds lag, what waits, what is open.

The rooms' readers are named in ``settings.READINGS``, since they lie above the cellar. A reading is kept for ten seconds
by each process, whoever asks; a reader that fails or takes longer than two seconds is left out of it, and says so.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.module_loading import import_string
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from megatron.core import clock, health
from megatron.core.metrics import Gauge

KEPT_SECONDS = 10.0
MOST_MILLISECONDS = 2_000

log = structlog.get_logger(__name__)


class Readings(Collector):
    """What :mod:`prometheus_client` asks at each scrape."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._guard = now, threading.Lock()
        self._kept: list[Gauge] = []
        self._until = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge; those without a value are left out."""
        for gauge in self._read():
            if gauge.values:
                labels = list(gauge.values[0][0])
                family = GaugeMetricFamily(f"megatron_{gauge.name}", gauge.help, labels=labels)
                for told, value in gauge.values:
                    family.add_metric([told[label] for label in labels], value)
                yield family

    def _read(self) -> list[Gauge]:
        with self._guard:
            if self._now() >= self._until:
                self._kept = read(now=clock.utc_now())
                self._until = self._now() + KEPT_SECONDS
            return self._kept


def read(*, now: datetime) -> list[Gauge]:
    """Ask every reader and return all gauges, with one that says which readers answered."""
    gauges: list[Gauge] = []
    answered: list[tuple[Mapping[str, str], float]] = []
    for name in settings.READINGS:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {MOST_MILLISECONDS}")
                gauges += import_string(name)(now=now)
                # Inside somebody's transaction it would last longer than this reader.
                cursor.execute("SET LOCAL statement_timeout = DEFAULT")
            answered.append(({"reader": name}, 1.0))
        except DatabaseError as error:
            log.warning("readings.failed", reader=name, error=type(error).__name__)
            answered.append(({"reader": name}, 0.0))
    answers = Gauge("readings_answered", "Whether a reader of gauges answered in time", answered)
    return [*gauges, *_house(now=now), answers]


def database(*, now: datetime) -> Iterator[Gauge]:  # noqa: ARG001  # readers are all asked alike
    """Yield how large the database is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone()
    yield Gauge("database_bytes", "Size of the database on its disk", [({}, float(size))])


def _house(*, now: datetime) -> Iterator[Gauge]:
    """Yield what is neither in the database nor in this process: broker, workers, disk."""
    lengths = queue_lengths()
    yield Gauge("redis_up", "Whether the broker's Redis answers", [({}, float(lengths is not None))])
    waiting = [({"queue": queue}, float(length)) for queue, length in (lengths or {}).items()]
    yield Gauge("queue_length", "Messages that wait in the broker", waiting)
    seen = (health.workers_seen_at() if lengths is not None else None) or {}
    ages = [({"queue": queue}, (now - at).total_seconds()) for queue, at in seen.items() if at is not None]
    yield Gauge("worker_heartbeat_age_seconds", "Since a worker of a queue was last seen", ages)
    alive = [({"queue": queue}, float(health.is_alive(at, now=now))) for queue, at in seen.items()]
    yield Gauge("worker_alive", "Whether a worker of a queue was seen within a minute", alive)
    disk = shutil.disk_usage(settings.BASE_DIR)
    yield Gauge(
        "disk_free_ratio", "Free part of the disk that the web server stands on", [({}, disk.free / disk.total)]
    )


def queue_lengths() -> dict[str, int] | None:
    """Return how many messages wait in each queue of the broker, ``None`` when it does not answer within a second."""
    queues = sorted(settings.QUEUES)
    try:
        with (
            Redis.from_url(
                settings.CELERY_BROKER_URL,
                socket_timeout=0.5,
                socket_connect_timeout=0.5,
                retry=Retry(NoBackoff(), 0),
            ) as broker,
            broker.pipeline(transaction=False) as pipe,
        ):
            for queue in queues:
                pipe.llen(queue)
            return dict(zip(queues, map(int, pipe.execute()), strict=True))
    except (RedisError, OSError):
        return None


READINGS = Readings()
"""The one of this process."""
