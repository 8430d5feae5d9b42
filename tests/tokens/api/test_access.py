from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from megatron.core import api_keys
from megatron.core.choices import Scope
from tests import factories
from tests.factories import NOON
from tokens.api.urls import urlpatterns

pytestmark = pytest.mark.django_db

ADDRESSES = [
    "/api/v1/"
    + str(pattern.pattern).replace("<str:signature>", "x").replace("<str:mint>", "x").replace("<str:address>", "x")
    for pattern in urlpatterns
]


@pytest.fixture
def anonymous() -> APIClient:
    """A program without a key."""
    return APIClient()


@pytest.fixture
def counted_in_memory(settings: Any) -> Iterator[None]:
    """Count requests in this process, so that no other test takes from the limit."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "limits"}}
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_wants_a_key_that_may_read(anonymous: APIClient, address: str) -> None:
    """Without a key, and with a made-up one, the answer is 401; with a key for something else it is 403."""
    refused = anonymous.get(address)
    assert (refused.status_code, refused["Content-Type"]) == (401, "application/problem+json")
    assert anonymous.get(address, HTTP_AUTHORIZATION="Api-Key mgt_12345678_wrong").status_code == 401
    _, key = api_keys.issue(name="metrics only", scopes=[Scope.METRICS], actor="test", now=NOON)
    assert anonymous.get(address, HTTP_AUTHORIZATION=f"Api-Key {key}").status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(client: APIClient, method: str) -> None:
    """A key that may read gets 405 for any other wish."""
    for address in ADDRESSES:
        assert getattr(client, method)(address).status_code == 405, address


def test_a_revoked_key_is_refused_at_once(anonymous: APIClient) -> None:
    """A leaked key stops to work with the next request."""
    row, key = api_keys.issue(name="leaked", scopes=[Scope.READ], actor="test", now=NOON)
    asked: dict[str, Any] = {"path": "/api/v1/tokens/", "HTTP_AUTHORIZATION": f"Api-Key {key}"}
    assert anonymous.get(**asked).status_code == 200
    api_keys.revoke(row, actor="test", reason="leaked", now=NOON)
    assert anonymous.get(**asked).status_code == 401


@pytest.mark.usefixtures("counted_in_memory")
def test_a_key_has_its_own_limit(anonymous: APIClient) -> None:
    """The request after the last one of the minute gets 429 and is told when to come back; another key is not
    touched."""
    keys = [
        api_keys.issue(name=name, scopes=[Scope.READ], actor="test", now=NOON, rate_per_minute=rate)[1]
        for name, rate in (("slow", 2), ("fast", 600))
    ]
    slow, fast = ({"HTTP_AUTHORIZATION": f"Api-Key {key}"} for key in keys)
    address = f"/api/v1/tokens/{factories.token().mint_address}/"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("megatron.core.limits.clock.utc_now", lambda: NOON)
        assert [anonymous.get(address, **slow).status_code for _ in range(3)] == [200, 200, 429]
        refused = anonymous.get(address, **slow)
        assert refused["Content-Type"] == "application/problem+json"
        assert 1 <= int(refused["Retry-After"]) <= 61
        assert anonymous.get(address, **fast).status_code == 200
