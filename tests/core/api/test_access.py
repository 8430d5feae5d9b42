import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from megatron.core import api_keys
from megatron.core.pause import PAUSE_SECONDS


def key_for(*scopes: str, **options: Any) -> str:
    return api_keys.issue(name="-".join(scopes), scopes=scopes, actor="test", now=datetime.now(UTC), **options)[1]


def get(path: str, **headers: str) -> Any:
    return Client().get(path, headers=headers)


def test_a_key_opens_what_its_scope_says() -> None:
    """A key for reading reads, and does not scrape; the other way round too."""
    reads, scrapes = key_for("read"), key_for("metrics")
    assert get("/api/v1/entries/", Authorization=f"Api-Key {reads}").status_code == 200
    assert get("/api/v1/scraping/", Authorization=f"Api-Key {reads}").status_code == 403
    assert get("/api/v1/scraping/", Authorization=f"Api-Key {scrapes}").status_code == 200
    refused = get("/api/v1/entries/", Authorization=f"Api-Key {scrapes}")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This needs an API key with the scope 'read'.")


def test_the_scheme_is_not_a_matter_of_case() -> None:
    """`api-key` is `Api-Key`."""
    assert get("/api/v1/entries/", Authorization=f"api-key {key_for('read')}").status_code == 200


@pytest.mark.parametrize("header", ["Api-Key", "Api-Key ", "Api-Key mgt_00000000_wrong", "Api-Key mgt_é_x"])
def test_a_key_that_is_none_is_refused(header: str) -> None:
    """A wrong key is 401 even where no key is needed, so that a caller learns of it."""
    assert get("/api/v1/entries/", Authorization=header.encode().decode("latin-1")).status_code == 401


def test_the_use_of_a_key_is_noted() -> None:
    """The console can show which keys are alive."""
    get("/api/v1/entries/", Authorization=f"Api-Key {key_for('read')}")
    assert api_keys.ApiKey.objects.get().last_used_at is not None


def test_an_operator_in_the_browser_needs_no_key() -> None:
    """A session of the console reads the API; that of an account without console rights does not."""
    users = get_user_model().objects
    client = Client()
    client.force_login(users.create_user("ann", password="x", is_staff=True))
    assert client.get("/api/v1/entries/").status_code == 200
    client.force_login(users.create_user("bob", password="x"))
    assert client.get("/api/v1/entries/").status_code == 403


def test_an_operators_write_needs_the_csrf_token() -> None:
    """Another site cannot write with an operator's cookie."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_user("ann", password="x", is_staff=True))
    assert client.post("/api/v1/writing/", {"text": "x"}, content_type="application/json").status_code == 403


def test_anybody_may_read_when_the_operator_says_so(settings: Any) -> None:
    """API_ANONYMOUS_READ opens reading, from this machine and elsewhere alike; never another scope, never a write."""
    assert get("/api/v1/entries/").status_code == 401
    settings.API_ANONYMOUS_READ = True
    assert get("/api/v1/entries/").status_code == 200
    assert get("/api/v1/scraping/").status_code == 401
    assert Client().post("/api/v1/writing/", {"text": "x"}, content_type="application/json").status_code == 401


def test_a_key_has_its_own_rate() -> None:
    """The third call of a minute is refused when two are allowed; the reply says how long to wait."""
    key = key_for("read", rate_per_minute=2)
    other = key_for("metrics", "read")
    statuses = [get("/api/v1/entries/", Authorization=f"Api-Key {key}") for _ in range(3)]
    assert [reply.status_code for reply in statuses] == [200, 200, 429]
    assert 1 <= int(statuses[2].headers["Retry-After"]) <= 61
    assert statuses[2].json()["type"] == "urn:megatron:problem:throttled"
    assert get("/api/v1/entries/", Authorization=f"Api-Key {other}").status_code == 200


def test_strangers_share_a_rate_by_address(settings: Any) -> None:
    """One address uses up its own minute only."""
    settings.API_ANONYMOUS_READ, settings.API_ANONYMOUS_RATE = True, 1
    client = Client()
    assert [client.get("/api/v1/entries/", REMOTE_ADDR="203.0.113.1").status_code for _ in range(2)] == [200, 429]
    assert client.get("/api/v1/entries/", REMOTE_ADDR="203.0.113.2").status_code == 200


def test_without_redis_requests_are_answered(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The limit fails open, and the log says so."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    key = key_for("read", rate_per_minute=1)
    assert [get("/api/v1/entries/", Authorization=f"Api-Key {key}").status_code for _ in range(3)] == [200] * 3
    assert "limits.cache_away" in caplog.text


def test_a_redis_that_says_nothing_costs_its_time_out_once(
    settings: Any, mute_redis_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request waits half a second, the next ones not at all; after the pause one asks again, and no password
    is told."""
    mute = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "OPTIONS": {"socket_timeout": 0.5}}
    mute["LOCATION"] = mute_redis_url.replace("redis://", "redis://:open-sesame@")
    settings.CACHES = {"default": mute}
    key = key_for("read", rate_per_minute=1)
    assert get("/api/v1/entries/", Authorization=f"Api-Key {key}").status_code == 200
    start = time.monotonic()
    for _ in range(20):
        assert get("/api/v1/entries/", Authorization=f"Api-Key {key}").status_code == 200
    assert time.monotonic() - start < 5, "twenty time-outs would be ten seconds"
    assert caplog.text.count("limits.cache_away") == 1
    assert "open-sesame" not in caplog.text
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    later = time.monotonic() + PAUSE_SECONDS
    monkeypatch.setattr("megatron.core.pause.time.monotonic", lambda: later)
    statuses = [get("/api/v1/entries/", Authorization=f"Api-Key {key}").status_code for _ in range(2)]
    assert statuses == [200, 429]
