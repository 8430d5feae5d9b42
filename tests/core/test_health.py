from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from megatron.core import health, tasks
from megatron.core.health import Check

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
QUEUES = ("stream", "score", "chain", "outside", "money", "slow")


@pytest.fixture(autouse=True)
def no_beat_yet(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "health"}}
    cache.clear()


@pytest.fixture
def dead_redis(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }


def test_a_living_process_says_so_without_the_database() -> None:
    """/health/live asks nothing of anybody."""
    reply = Client().get("/health/live")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})
    assert "no-cache" in reply.headers["Cache-Control"]


@pytest.mark.django_db
def test_a_house_with_a_worker_is_ready() -> None:
    """Database, migrations, Redis and a worker that was seen: all is well."""
    with time_machine.travel(NOON, tick=False):
        for queue in QUEUES:
            getattr(tasks, f"heartbeat_{queue}")()
        reply = Client().get("/health/ready")
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "ok",
        "checks": {
            "database": {"status": "ok", "detail": "Answers"},
            "migrations": {"status": "ok", "detail": "All applied"},
            "redis": {"status": "ok", "detail": "Answers"},
            "workers": {"status": "ok", "detail": "One of each queue seen at most 0 s ago"},
        },
    }


def all_beat(*, at: datetime, but: str = "") -> None:
    for queue in QUEUES:
        if queue != but:
            health.beat(queue=queue, now=at)


@pytest.mark.django_db
def test_a_silent_worker_is_a_discomfort() -> None:
    """Sixty seconds are forgiven; after that, and before the first beat, the house is degraded but serves."""
    assert health.check_all(now=NOON)["workers"].status == "degraded"
    all_beat(at=NOON)
    minute = NOON + timedelta(seconds=60)
    assert health.check_all(now=minute)["workers"] == Check("ok", "One of each queue seen at most 60 s ago")
    assert health.check_all(now=NOON + timedelta(seconds=61))["workers"].status == "degraded"


@pytest.mark.django_db
@pytest.mark.parametrize("queue", QUEUES)
def test_truth_24_a_queue_without_a_worker_is_named(queue: str) -> None:
    """Workers of all other queues do not speak for it, whether it was never seen or is gone."""
    all_beat(at=NOON, but=queue)
    assert health.check_workers(now=NOON) == Check("degraded", f"No worker of {queue} (never seen)")
    health.beat(queue=queue, now=NOON - timedelta(seconds=61))
    assert health.check_workers(now=NOON) == Check("degraded", f"No worker of {queue} (seen 61 s ago)")
    with time_machine.travel(NOON, tick=False):
        reply = Client().get("/health/ready")
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")
    assert queue in reply.json()["checks"]["workers"]["detail"]


@pytest.mark.django_db
def test_truth_24_a_worker_of_the_future_proves_nothing() -> None:
    """Clocks may differ by ten seconds; a note from further ahead is a wrong clock and is called that."""
    all_beat(at=NOON + timedelta(seconds=10))
    assert health.check_workers(now=NOON).status == "ok"
    health.beat(queue="chain", now=NOON + timedelta(seconds=11))
    assert health.check_workers(now=NOON) == Check("degraded", "No worker of chain (seen 11 s ahead: a clock is wrong)")


@pytest.mark.django_db
@pytest.mark.usefixtures("dead_redis")
def test_without_redis_the_house_still_serves() -> None:
    """Redis is comfort: the answer stays 200."""
    reply = Client().get("/health/ready")
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")
    assert reply.json()["checks"]["redis"]["status"] == "degraded"


@pytest.mark.django_db
def test_missing_migrations_are_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A house whose tables are not built serves nobody, and says what to run."""
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: [("core", "0001_event_id")])
    reply = Client().get("/health/ready")
    assert (reply.status_code, reply.json()["status"]) == (503, "failed")
    assert reply.json()["checks"]["migrations"]["detail"] == "Some are missing: run `manage.py migrate`"


@pytest.mark.django_db
def test_a_database_that_is_away_is_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and nothing of the connection's secrets."""

    def away(*_: Any) -> None:
        raise OperationalError("connection to server at 10.1.2.3 failed: password authentication failed")

    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(connection, "cursor", away)
    reply = Client().get("/health/ready")
    assert (reply.status_code, reply.json()["checks"]["database"]["status"]) == (503, "failed")
    assert "10.1.2.3" not in reply.content.decode()
