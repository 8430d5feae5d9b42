from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from megatron.core import health
from megatron.core.health import Check
from megatron.core.tasks import heartbeat

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


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
        heartbeat()
        reply = Client().get("/health/ready")
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "ok",
        "checks": {
            "database": {"status": "ok", "detail": "Answers"},
            "migrations": {"status": "ok", "detail": "All applied"},
            "redis": {"status": "ok", "detail": "Answers"},
            "workers": {"status": "ok", "detail": "Seen 0 s ago"},
        },
    }


@pytest.mark.django_db
def test_a_silent_worker_is_a_discomfort() -> None:
    """Sixty seconds are forgiven; after that, and before the first beat, the house is degraded but serves."""
    assert health.check_all(now=NOON)["workers"] == Check("degraded", "No worker was seen yet")
    health.beat(now=NOON)
    assert health.check_all(now=NOON + timedelta(seconds=60))["workers"] == Check("ok", "Seen 60 s ago")
    assert health.check_all(now=NOON + timedelta(seconds=61))["workers"] == Check("degraded", "Seen 61 s ago")


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
