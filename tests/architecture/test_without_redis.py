"""Every address of the API and every page of the console answers without Redis, soon, and says nothing of its address."""

import time
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from megatron.core import api_keys, cache
from megatron.core.choices import Scope
from tests import factories
from tests.factories import NOON
from tests.holders import people
from tests.holders.shown import snapshot
from tests.scoring.shown import newest_score
from tokens.models import Pool, Token, Transaction

pytestmark = pytest.mark.django_db

PATIENCE_SECONDS = 4.0
"""One time-out of half a second for each kind of question, a few at most; not one for each question."""


@pytest.fixture(params=["dead_redis_url", "mute_redis_url"])
def no_redis(request: pytest.FixtureRequest, settings: Any) -> None:
    """Put an address where nobody listens, or one where nobody answers, in the place of Redis."""
    url = request.getfixturevalue(request.param)
    settings.CACHE_URL = url
    production = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": url, "OPTIONS": production}}
    cache._pause.end()


@pytest.fixture
def keys() -> dict[str, str]:
    """The keys of one token with everything."""
    token = factories.token()
    pool = factories.pool(token)
    trade = factories.transaction(pool)
    factories.candle(token)
    factories.sol_usd()
    factories.cursor()
    factories.rejected()
    newest_score(token)
    snapshot(token)
    wallet = people.analysis().wallet_address
    return {
        "mint": token.mint_address,
        "address": pool.pool_address,
        "signature": trade.signature,
        "wallet": wallet,
    }


def _patterns(resolver: URLResolver, before: str = "") -> list[str]:
    found = []
    for it in resolver.url_patterns:
        route = before + str(it.pattern)
        found += _patterns(it, route) if isinstance(it, URLResolver) else [route] if isinstance(it, URLPattern) else []
    return found


def api_addresses() -> list[str]:
    """Return the routes below ``api/v1/`` with their keys still to be filled in."""
    return sorted(route for route in _patterns(get_resolver()) if route.startswith("api/v1/"))


def console_lists() -> list[str]:
    """Return the names of all lists of the console."""
    return sorted(
        f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry
    )


def answer(client: Client, path: str, **headers: str) -> int:
    """Ask ``path`` with Redis forgotten to be away, and return the status when it came in time."""
    cache._pause.end()
    start = time.monotonic()
    status = client.get(path, headers=headers).status_code
    assert time.monotonic() - start < PATIENCE_SECONDS, f"{path} took {time.monotonic() - start:.1f} s"
    return status


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("route", api_addresses())
def test_an_address_of_the_api_answers(client: Client, keys: dict[str, str], route: str) -> None:
    """200 within a bounded time, for each address that the URL configuration knows."""
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    path = "/" + route.replace("<str:", "{").replace(">", "}").format(**keys)
    assert answer(client, path, Authorization=f"Api-Key {key}") == 200


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("name", console_lists())
def test_a_list_of_the_console_answers(client: Client, keys: dict[str, str], name: str) -> None:
    """200 within a bounded time, for each model that has pages."""
    client.force_login(User.objects.create_superuser("operator"))
    assert answer(client, reverse(name)) == 200


@pytest.mark.usefixtures("no_redis")
def test_the_other_pages_answer(client: Client, keys: dict[str, str]) -> None:
    """Overview, a token's page, its chart, health, metrics and the schema."""
    client.force_login(User.objects.create_superuser("operator"))
    token, trade = Token.objects.get(), Transaction.objects.get()
    pages = [
        reverse("admin:index"),
        reverse("admin:tokens_token_change", args=[token.pk]),
        reverse("admin:tokens_token_candles", args=[token.pk]),
        reverse("admin:tokens_pool_change", args=[Pool.objects.get().pk]),
        reverse("admin:tokens_transaction_change", args=[trade.pk]),
        "/health/live",
        "/health/ready",
        "/metrics",
        "/api/schema",
    ]
    assert {page: answer(client, page) for page in pages} == dict.fromkeys(pages, 200)


@pytest.mark.usefixtures("no_redis")
def test_an_operator_signs_in(client: Client) -> None:
    """Sessions do not live in Redis."""
    User.objects.create_superuser("operator", password="correct horse battery")
    cache._pause.end()
    start = time.monotonic()
    reply = client.post(reverse("admin:login"), {"username": "operator", "password": "correct horse battery"})
    assert (reply.status_code, time.monotonic() - start < PATIENCE_SECONDS) == (302, True)
