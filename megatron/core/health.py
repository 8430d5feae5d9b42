"""Whether this process lives, and whether the house is ready to serve."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from megatron.core import clock

Status = Literal["ok", "degraded", "failed"]

SILENT_AFTER = timedelta(seconds=60)
"""Workers beat four times as often."""

_HEARTBEAT = "health:worker"
_migrated = False


@dataclass(frozen=True)
class Check:
    """How one part is. ``failed`` means that nothing can be served, ``degraded`` that it is served without comfort."""

    status: Status
    detail: str


def beat(*, now: datetime) -> None:
    """Note that a worker lives. The note is in the cache: without Redis there is no worker either."""
    cache.set(_HEARTBEAT, now.isoformat(), timeout=None)


def worker_seen_at() -> datetime | None:
    """Return when a worker was last seen, ``None`` when none was or the cache is away."""
    try:
        noted = cache.get(_HEARTBEAT)
    except Exception:  # noqa: BLE001  # whatever a cache may raise, nobody was seen
        return None
    return None if noted is None else datetime.fromisoformat(noted)


def check_all(*, now: datetime) -> dict[str, Check]:
    """Return how database, migrations, cache and workers are."""
    checks: dict[str, Callable[[], Check]] = {"database": _database, "migrations": _migrations, "redis": _redis}
    found = {name: check() for name, check in checks.items()}
    found["workers"] = _workers(now) if found["redis"].status == "ok" else Check("degraded", "Unknown without Redis")
    return found


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Check("failed", "The database does not answer")
    return Check("ok", "Answers")


def _migrations() -> Check:
    global _migrated  # noqa: PLW0603  # a process that was migrated once stays so, and reading the graph takes a while
    try:
        if not _migrated:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return Check("failed", "Unknown without the database")
    return Check("ok", "All applied") if _migrated else Check("failed", "Some are missing: run `manage.py migrate`")


def _redis() -> Check:
    try:
        cache.get(_HEARTBEAT)
    except Exception:  # noqa: BLE001  # whatever a cache may raise, the answer is that it is away
        return Check("degraded", "Redis does not answer: workers are not woken, limits are not counted")
    return Check("ok", "Answers")


def _workers(now: datetime) -> Check:
    noted = cache.get(_HEARTBEAT)
    if noted is None:
        return Check("degraded", "No worker was seen yet")
    age = now - datetime.fromisoformat(noted)
    seen = f"Seen {max(0, int(age.total_seconds()))} s ago"
    return Check("ok" if age <= SILENT_AFTER else "degraded", seen)


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as this process can answer at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when requests can be served, if without comfort, and 503 when they cannot; say how each part is."""
    checks = check_all(now=clock.utc_now())
    statuses = {check.status for check in checks.values()}
    status: Status = "failed" if "failed" in statuses else "degraded" if "degraded" in statuses else "ok"
    body = {"status": status, "checks": {name: vars(check) for name, check in checks.items()}}
    return JsonResponse(body, status=503 if status == "failed" else 200)
