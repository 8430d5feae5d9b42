"""Gauges that are read when somebody asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from prometheus_client import CollectorRegistry
from redis import Redis

from megatron.core import health, readings
from megatron.core.metrics import Gauge
from megatron.core.readings import Readings
from tests.factories import NOON

pytestmark = pytest.mark.django_db

asked: list[datetime] = []


def two(*, now: datetime) -> Iterator[Gauge]:
    """Yield a gauge with two labelled values and one without any."""
    asked.append(now)
    yield Gauge("depth", "How deep", [({"sea": "north"}, 2.0), ({"sea": "south"}, 3.0)])
    yield Gauge("nothing", "Without a value", [])


def slow(*, now: datetime) -> Iterator[Gauge]:
    """Yield what took too long."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(10)")
    yield Gauge("late", "Never", [({}, 1.0)])


@pytest.fixture(autouse=True)
def readers(settings: Any) -> None:
    asked.clear()
    settings.READINGS = [f"{__name__}.two"]


def value(collector: Readings, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry.get_sample_value(name, labels)


def test_a_gauge_has_its_labels_and_values() -> None:
    """Each set of labels is a sample; a gauge without a value is not there."""
    collector = Readings()
    assert value(collector, "megatron_depth", sea="south") == 3.0
    assert value(collector, "megatron_nothing") is None
    assert value(collector, "megatron_readings_answered", reader=f"{__name__}.two") == 1.0


def test_a_reading_is_kept_for_ten_seconds() -> None:
    """Many scrapers cost one reading."""
    now = 100.0
    collector = Readings(now=lambda: now)
    for _ in range(5):
        list(collector.collect())
    assert len(asked) == 1
    now = 109.9
    list(collector.collect())
    assert len(asked) == 1
    now = 110.1
    list(collector.collect())
    assert len(asked) == 2


def test_a_reader_that_takes_too_long_is_left_out(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are shown, and the slow one is named."""
    settings.READINGS = [f"{__name__}.slow", f"{__name__}.two"]
    monkeypatch.setattr(readings, "MOST_MILLISECONDS", 50)
    collector = Readings()
    assert value(collector, "megatron_depth", sea="north") == 2.0
    assert value(collector, "megatron_readings_answered", reader=f"{__name__}.slow") == 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.1)")


def test_what_waits_in_the_broker_is_read(settings: Any, redis_url: str, redis: Redis) -> None:
    """The length of each queue of the beat, and that Redis is up."""
    settings.CELERY_BROKER_URL = redis_url
    redis.lpush("stream", "one", "two")
    collector = Readings()
    assert value(collector, "megatron_queue_length", queue="stream") == 2.0
    assert value(collector, "megatron_queue_length", queue="slow") == 0.0
    assert value(collector, "megatron_redis_up") == 1.0


@pytest.mark.parametrize("kind", ["dead_redis_url", "mute_redis_url"])
def test_without_a_broker_the_rest_is_shown(settings: Any, request: pytest.FixtureRequest, kind: str) -> None:
    """Redis is down, says the page, and what else is known stands there."""
    settings.CELERY_BROKER_URL = request.getfixturevalue(kind)
    collector = Readings()
    assert value(collector, "megatron_redis_up") == 0.0
    assert value(collector, "megatron_queue_length", queue="stream") is None
    assert value(collector, "megatron_depth", sea="north") == 2.0


def test_truth_24_each_queue_has_its_workers_age_and_whether_it_lives(
    settings: Any, redis_url: str, redis: Redis
) -> None:
    """Without a beat no age, and not alive; a beat of another queue changes nothing."""
    settings.CELERY_BROKER_URL = redis_url
    assert value(Readings(), "megatron_worker_heartbeat_age_seconds", queue="chain") is None
    assert value(Readings(), "megatron_worker_alive", queue="chain") == 0.0
    health.beat(queue="chain", now=NOON - timedelta(seconds=20))
    health.beat(queue="slow", now=NOON - timedelta(seconds=61))
    with time_machine.travel(NOON.astimezone(UTC), tick=False):
        assert value(Readings(), "megatron_worker_heartbeat_age_seconds", queue="chain") == 20.0
        assert value(Readings(), "megatron_worker_alive", queue="chain") == 1.0
        assert value(Readings(), "megatron_worker_alive", queue="slow") == 0.0
        assert value(Readings(), "megatron_worker_alive", queue="stream") == 0.0
