"""Reads from replicas, where being a moment behind does no harm: pages of the API and lists of the console.

Safe by default. A read goes to a replica only inside a GET or HEAD of such a page, only for the facts of the rooms (never
sessions, accounts, keys or the audit log), never inside a transaction, and never for somebody who wrote a moment ago. What
is written, locked or asked with plain SQL goes to the primary, and so does everything in services, tasks and commands. A
replica that is down, that lags, or that is none any more is left out until it is well again.

Without ``DATABASE_REPLICA_URLS`` neither the router nor the middleware is installed.
"""

import hashlib
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

CHECKED_SECONDS = 3.0
"""So long a replica's health is believed."""
PIN_COOKIE = "wrote"

_reading: ContextVar[str | None] = ContextVar("replica", default=None)
_health: dict[str, tuple[float, bool]] = {}

logger = structlog.get_logger(__name__)

# An idle primary sends nothing, so an old timestamp alone is no lag: what was received must be replayed, and the stream
# must be alive. A server that is not in recovery is no replica.
_LAG = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
                 AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END
"""


class Router:
    """Sends reads where the middleware said, everything else to the primary."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        """Return the replica of this request for facts of the rooms outside a transaction, else the primary."""
        alias = _reading.get()
        if alias is None or connections[DEFAULT_DB_ALIAS].in_atomic_block:
            return DEFAULT_DB_ALIAS
        return (
            alias if apps.get_app_config(model._meta.app_label).name in settings.REPLICATED_ROOMS else DEFAULT_DB_ALIAS
        )

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Return the primary, whichever server a row was read from."""
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        """Allow rows of a replica and of the primary to name each other: they are the same database."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Migrate the primary only; a replica follows."""
        return db == DEFAULT_DB_ALIAS


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Open a replica for the requests that may read from one, and remember who wrote."""

    def respond(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            response = get_response(request)
            _pin(request, response)
            return response
        alias = None if not _may_lag(request) or _is_pinned(request) else choose()
        if alias is None:
            return get_response(request)
        token = _reading.set(alias)
        try:
            response = get_response(request)
        finally:
            _reading.reset(token)
        if response.status_code >= 500 and not is_well(alias, now=float("inf")):
            # It went away under the request: reading again changes nothing, so the primary answers.
            return get_response(request)
        return response

    return respond


def choose() -> str | None:
    """Return a replica that is well, any of several, or ``None`` when there is none."""
    now = time.monotonic()
    well = [alias for alias in settings.DATABASE_REPLICAS if is_well(alias, now=now)]
    return random.choice(well) if well else None  # noqa: S311  # which one does not matter


def is_well(alias: str, *, now: float) -> bool:
    """Return whether a replica answers and lags less than ``DATABASE_REPLICA_MAX_LAG`` seconds, as of a moment ago.

    ``now`` is the monotonic clock; infinity asks again in any case.
    """
    checked, well = _health.get(alias, (float("-inf"), False))
    if now - checked < CHECKED_SECONDS:
        return well
    before, well = well, False
    try:
        seconds = lag(alias)
        well = seconds is not None and seconds <= settings.DATABASE_REPLICA_MAX_LAG
    except Error:
        seconds = None
        connections[alias].close()
    if before and not well:
        logger.warning("replica.left_out", alias=alias, lag_seconds=seconds)
    _health[alias] = (time.monotonic(), well)
    return well


def lag(alias: str) -> float | None:
    """Return how many seconds a replica is behind, ``None`` for a server that is none. Raises ``django.db.Error``."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_LAG)
        (seconds,) = cursor.fetchone()
    return None if seconds is None else float(seconds)


def _may_lag(request: HttpRequest) -> bool:
    if request.path_info.startswith("/api/"):
        return True
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return False
    return match.namespace == "admin" and (match.url_name or "").endswith("_changelist")


def _pin(request: HttpRequest, response: HttpResponse) -> None:
    """Keep who wrote on the primary until the replicas have caught up: a browser by a cookie, a key by the cache."""
    seconds = settings.DATABASE_REPLICA_PIN_SECONDS
    response.set_cookie(
        PIN_COOKIE, "1", max_age=seconds, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
    if key := _key_of(request):
        try:
            cache.set(key, True, timeout=seconds)
        except Exception:  # noqa: BLE001  # whatever a cache may raise, a write that was done is done
            logger.warning("replica.pin_lost")


def _is_pinned(request: HttpRequest) -> bool:
    if PIN_COOKIE in request.COOKIES:
        return True
    key = _key_of(request)
    try:
        return key is not None and cache.get(key) is not None
    except Exception:  # noqa: BLE001  # without a cache nobody knows who wrote, so the primary answers
        return True


def _key_of(request: HttpRequest) -> str | None:
    said = request.headers.get("Authorization", "")
    return f"replica:pin:{hashlib.sha256(said.encode()).hexdigest()}" if said else None
