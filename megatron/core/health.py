"""Whether this process lives, and whether the house is ready to serve."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from megatron.core import clock, skew

Status = Literal["ok", "degraded", "failed"]

SILENT_AFTER = timedelta(seconds=60)
"""Workers beat four times as often."""

_HEARTBEAT = "health:worker:"
_migrated = False


@dataclass(frozen=True)
class Check:
    """How one part is. ``failed`` means that nothing can be served, ``degraded`` that it is served without comfort."""

    status: Status
    detail: str


def beat(*, queue: str, now: datetime) -> None:
    """Note that a worker of ``queue`` lives. The note is in the cache: without Redis there is no worker either."""
    cache.set(_HEARTBEAT + queue, now.isoformat(), timeout=None)


def workers_seen_at() -> Mapping[str, datetime | None] | None:
    """Return when a worker of each queue was last seen, ``None`` for a queue of which none was; nothing at all when the
    cache is away."""
    try:
        noted = cache.get_many([_HEARTBEAT + queue for queue in settings.QUEUES])
    except Exception:  # noqa: BLE001  # whatever a cache may raise, it says nothing
        return None
    found = {queue: noted.get(_HEARTBEAT + queue) for queue in settings.QUEUES}
    return {queue: None if at is None else datetime.fromisoformat(at) for queue, at in found.items()}


def is_alive(seen_at: datetime | None, *, now: datetime) -> bool:
    """Return whether a worker that was last seen then can be counted on; a note from the future proves nothing."""
    return seen_at is not None and not skew.is_clock_wrong(now - seen_at) and now - seen_at <= SILENT_AFTER


def check_all(*, now: datetime) -> dict[str, Check]:
    """Return how database, migrations, cache and workers are."""
    checks: dict[str, Callable[[], Check]] = {"database": _database, "migrations": _migrations, "redis": _redis}
    found = {name: check() for name, check in checks.items()}
    found["workers"] = check_workers(now=now)
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


def check_workers(*, now: datetime) -> Check:
    """Return how the workers are: ``ok`` only when one of every queue was seen of late; every other queue is named."""
    seen = workers_seen_at()
    if seen is None:
        return Check("degraded", "Unknown without Redis")
    silent = [f"{queue} ({_last_seen(at, now)})" for queue, at in seen.items() if not is_alive(at, now=now)]
    if silent:
        return Check("degraded", f"No worker of {', '.join(silent)}")
    oldest = min(at for at in seen.values() if at is not None)
    return Check("ok", f"One of each queue seen at most {max(0, int((now - oldest).total_seconds()))} s ago")


def _last_seen(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never seen"
    seconds = int((now - at).total_seconds())
    return f"seen {-seconds} s ahead: a clock is wrong" if skew.is_clock_wrong(now - at) else f"seen {seconds} s ago"


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
