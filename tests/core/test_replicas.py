"""Reads from a replica: only where a moment's lag does no harm, and never from one that is not well."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from megatron.core import api_keys, replicas
from megatron.core.choices import Scope
from megatron.core.models import ApiKey
from tests import factories
from tests.factories import NOON
from tokens.models import Token

pytestmark = pytest.mark.django_db(transaction=True)

ALIAS = "replica_1"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def replica(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A second way into the test database that calls itself a replica without lag."""
    connections.settings[ALIAS] = dict(connections[DEFAULT_DB_ALIAS].settings_dict)
    settings.DATABASE_REPLICAS = (ALIAS,)
    settings.DATABASE_ROUTERS = ["megatron.core.replicas.Router"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "megatron.core.replicas.middleware"]
    monkeypatch.setattr(replicas, "lag", lambda alias: 0.0)
    replicas._health.clear()
    connections[ALIAS].connect()  # at once: pytest-django lets a test open only the aliases that it knew before
    yield connections[ALIAS]
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.settings[ALIAS]
    replicas._health.clear()


@pytest.fixture
def key() -> dict[str, str]:
    """What a program sends that may read."""
    _, full = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    return {"Authorization": f"Api-Key {full}"}


def asked(replica: Any, client: Client, path: str, **options: Any) -> int:
    """Return how many queries a GET asks of the replica; the page must answer."""
    with CaptureQueriesContext(replica) as queries:
        assert client.get(path, **options).status_code == 200
    return len([query for query in queries.captured_queries if "pg_is_in_recovery" not in query["sql"]])


def test_a_page_of_the_api_reads_from_the_replica(replica: Any, client: Client, key: dict[str, str]) -> None:
    """Facts come from the replica; the key is looked up at the primary, where it may have been revoked."""
    factories.token()
    with CaptureQueriesContext(replica) as queries:
        reply = client.get("/api/v1/tokens/", headers=key)
    assert (reply.status_code, len(reply.json()["results"])) == (200, 1)
    assert queries.captured_queries
    assert not [query for query in queries.captured_queries if ApiKey._meta.db_table in query["sql"]]


def test_a_list_of_the_console_reads_from_the_replica_and_a_page_does_not(replica: Any, client: Client) -> None:
    """What an operator edits is read from the primary."""
    token = factories.token()
    client.force_login(User.objects.create_superuser("ann"))
    assert asked(replica, client, "/console/tokens/token/") > 0
    assert asked(replica, client, f"/console/tokens/token/{token.pk}/change/") == 0
    assert asked(replica, client, "/console/") == 0


def test_who_wrote_reads_from_the_primary_for_a_while(replica: Any, client: Client, settings: Any) -> None:
    """A browser that posted carries a cookie of so many seconds."""
    client.force_login(User.objects.create_superuser("ann"))
    posted = client.post("/console/logout/")
    assert posted.cookies["wrote"]["max-age"] == settings.DATABASE_REPLICA_PIN_SECONDS == 10
    client.force_login(User.objects.get())
    assert asked(replica, client, "/console/tokens/token/") == 0
    del client.cookies["wrote"]
    assert asked(replica, client, "/console/tokens/token/") > 0


def test_a_key_that_wrote_reads_from_the_primary(replica: Any, client: Client, key: dict[str, str]) -> None:
    """Programs keep no cookies; the cache knows them by their key, and no other key."""
    respond = replicas.middleware(lambda request: HttpResponse(str(replicas._reading.get())))
    respond(RequestFactory().post("/api/v1/tokens/", headers=key))
    assert respond(RequestFactory().get("/api/v1/tokens/", headers=key)).content == b"None"
    other = {"Authorization": "Api-Key other"}
    assert respond(RequestFactory().get("/api/v1/tokens/", headers=other)).content == ALIAS.encode()


def test_without_a_cache_a_key_reads_from_the_primary(replica: Any, key: dict[str, str], settings: Any) -> None:
    """Nobody knows who wrote, so nobody lags; the write itself does not fail."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    respond = replicas.middleware(lambda request: HttpResponse(str(replicas._reading.get())))
    assert respond(RequestFactory().post("/api/v1/tokens/", headers=key)).status_code == 200
    assert respond(RequestFactory().get("/api/v1/tokens/", headers=key)).content == b"None"


def test_a_transaction_reads_from_the_primary(replica: Any) -> None:
    """Inside one, what it wrote must be seen; outside a request nothing reads from a replica at all."""
    assert Token.objects.all().db == DEFAULT_DB_ALIAS
    token = replicas._reading.set(ALIAS)
    try:
        assert Token.objects.all().db == ALIAS
        assert User.objects.all().db == DEFAULT_DB_ALIAS
        with transaction.atomic():
            assert Token.objects.all().db == DEFAULT_DB_ALIAS
    finally:
        replicas._reading.reset(token)


def test_a_row_from_a_replica_is_written_to_the_primary(replica: Any) -> None:
    """Saving goes to the primary wherever the row was read; migrations too."""
    row = factories.token()
    read = Token.objects.using(ALIAS).get(pk=row.pk)
    with CaptureQueriesContext(replica) as queries:
        read.symbol = "NEW"
        read.save(update_fields=["symbol"])
    assert (len(queries), Token.objects.get(pk=row.pk).symbol) == (0, "NEW")
    router = replicas.Router()
    assert (router.allow_migrate(ALIAS, "tokens"), router.allow_migrate("default", "tokens")) == (False, True)
    assert router.allow_relation(read, row) is True


@pytest.mark.parametrize("seconds", [5.1, None])
def test_a_replica_that_lags_or_is_none_is_left_out(
    replica: Any, monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    """Five seconds are allowed; a server that is not in recovery was promoted, and its rows are nobody's."""
    monkeypatch.setattr(replicas, "lag", lambda alias: 5.0)
    assert replicas.choose() == ALIAS
    replicas._health.clear()
    monkeypatch.setattr(replicas, "lag", lambda alias: seconds)
    assert replicas.choose() is None


def test_health_is_asked_every_few_seconds(replica: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two checks the answer is believed."""
    calls: list[str] = []
    monkeypatch.setattr(replicas, "lag", lambda alias: calls.append(alias) or 0.0)
    now = replicas.time.monotonic()
    assert [replicas.is_well(ALIAS, now=now + seconds) for seconds in (0, 1, 2.9)] == [True] * 3
    assert len(calls) == 1
    assert replicas.is_well(ALIAS, now=now + 60) is True
    assert len(calls) == 2


def test_a_primary_says_that_it_is_no_replica(replica: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question itself, asked of a server that is not in recovery."""
    monkeypatch.undo()
    assert replicas.lag(DEFAULT_DB_ALIAS) is None


def test_a_replica_that_dies_under_a_request_costs_nobody_an_answer(
    replica: Any, client: Client, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary answers the same request, and the next ones at once."""
    factories.token()
    assert asked(replica, client, "/api/v1/tokens/", headers=key) > 0

    def gone(alias: str) -> float:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(replicas, "lag", gone)
    monkeypatch.setattr(replica, "ensure_connection", lambda: gone(ALIAS))
    monkeypatch.setattr(replica, "connection", None)
    for _ in range(2):
        reply = client.get("/api/v1/tokens/", headers=key)
        assert (reply.status_code, len(reply.json()["results"])) == (200, 1)


def test_without_the_setting_nothing_is_installed() -> None:
    """No alias, no router, no middleware."""
    assert (configured.DATABASE_REPLICAS, configured.DATABASE_ROUTERS) == ((), [])
    assert "megatron.core.replicas.middleware" not in configured.MIDDLEWARE


def test_the_setting_installs_aliases_router_and_middleware() -> None:
    """Each address is an alias with the primary's engine; tests use the primary's database for it."""
    program = (
        "from django.conf import settings as s; r = s.DATABASES['replica_2'];"
        "print(s.DATABASE_REPLICAS, r['HOST'], r['ENGINE'], r['TEST'], s.DATABASE_ROUTERS,"
        " s.MIDDLEWARE[-2], s.DATABASES['default']['HOST'])"
    )
    urls = "postgresql://u:p@a.example/m,postgresql://u:p@b.example/m"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "DATABASE_REPLICA_URLS": urls, "DJANGO_SETTINGS_MODULE": "megatron.settings"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith(
        "('replica_1', 'replica_2') b.example megatron.core.timescale {'MIRROR': 'default'} "
        "['megatron.core.replicas.Router'] megatron.core.replicas.middleware "
    )
    assert "b.example" not in told.rsplit(" ", 1)[1]
