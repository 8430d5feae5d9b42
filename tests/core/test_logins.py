import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client, RequestFactory

from megatron.core.logins import AT_ONCE, GuardedBackend
from megatron.core.models import AuditEntry

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def ann() -> None:
    get_user_model().objects.create_superuser("ann", password=PASSWORD)


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def sign_in(password: str, *, name: str = "ann", address: str = "203.0.113.5", **headers: str) -> bool:
    """Return whether the console's login let the visitor in."""
    reply = Client().post(
        "/console/login/", {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers
    )
    return reply.status_code == 302


def test_the_right_password_opens() -> None:
    """Four failures are forgiven."""
    assert [sign_in("wrong") for _ in range(4)] == [False] * 4
    assert sign_in(PASSWORD)


def test_five_failures_close_the_door_for_that_account_and_address(at_noon: Any) -> None:
    """Even the right password is refused then; from elsewhere, and a quarter of an hour later, it opens."""
    for _ in range(5):
        sign_in("wrong")
    assert not sign_in(PASSWORD)
    assert sign_in(PASSWORD, address="198.51.100.9")
    at_noon.move_to(NOON + timedelta(minutes=16))
    assert sign_in(PASSWORD)


def test_thirty_failures_close_the_door_for_an_address() -> None:
    """Trying many names does not help."""
    for number in range(30):
        sign_in("wrong", name=f"guess{number}")
    assert not sign_in(PASSWORD)
    assert AuditEntry.objects.count() == 30


def test_a_closed_door_writes_nothing_more() -> None:
    """Whoever keeps knocking does not fill the log."""
    for _ in range(20):
        sign_in("wrong")
    assert AuditEntry.objects.count() == 5


def test_failures_are_in_the_audit_log_without_what_was_typed() -> None:
    """A known account is named; an unknown one may be a password in the wrong field and is kept as a digest."""
    sign_in("wrong")
    sign_in("wrong", name=PASSWORD)
    known, unknown = AuditEntry.objects.order_by("sequence")
    assert (known.actor, known.action, known.object_id) == ("ann", "login.failed", "203.0.113.5")
    assert unknown.actor.startswith("unknown:")
    assert PASSWORD not in str(list(AuditEntry.objects.values()))


def test_a_forged_address_does_not_open_another_door() -> None:
    """X-Forwarded-For is not believed when there is no proxy of ours."""
    for number in range(5):
        sign_in("wrong", **{"X-Forwarded-For": f"198.51.100.{number}"})
    assert not sign_in(PASSWORD, **{"X-Forwarded-For": "198.51.100.77"})


def test_behind_our_proxy_the_forwarded_address_counts(settings: Any) -> None:
    """With TRUSTED_PROXIES=1 the last hop is the visitor; what he wrote before it is not believed."""
    settings.TRUSTED_PROXIES = 1
    for number in range(5):
        sign_in("wrong", address="10.0.0.1", **{"X-Forwarded-For": f"192.0.2.{number}, 203.0.113.8"})
    assert not sign_in(PASSWORD, address="10.0.0.1", **{"X-Forwarded-For": "203.0.113.8"})
    assert sign_in(PASSWORD, address="10.0.0.1", **{"X-Forwarded-For": "203.0.113.9"})


def test_shield_09_a_right_login_is_in_the_audit_log() -> None:
    """As a wrong one is: who, from where, when."""
    assert sign_in(PASSWORD)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id, entry.at) == ("ann", "login.succeeded", "203.0.113.5", NOON)


def test_shield_09_a_network_of_ipv6_is_one_visitor() -> None:
    """Another address of the same /64 finds the same closed door, another network does not."""
    for number in range(5):
        sign_in("wrong", address=f"2001:db8:1:2::{number}")
    assert not sign_in(PASSWORD, address="2001:db8:1:2:ffff::1")
    assert sign_in(PASSWORD, address="2001:db8:1:3::1")
    for _ in range(5):
        sign_in("wrong", address="::ffff:198.51.100.9")
    assert not sign_in(PASSWORD, address="198.51.100.9")


def test_shield_09_without_redis_the_door_is_neither_open_nor_shut(settings: Any) -> None:
    """Failures are counted in the database alone."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert sign_in(PASSWORD)
    for _ in range(5):
        sign_in("wrong")
    assert not sign_in(PASSWORD)
    assert AuditEntry.objects.filter(action="login.failed").count() == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("names", "allowed"), [(["ann"] * 12, 5), ([f"guess{number}" for number in range(36)], 30)])
def test_shield_09_attempts_at_once_do_not_pass_the_limit(
    names: list[str], allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve for one account, thirty-six for one address, all at once and each slow: exactly the limit is tried."""
    tried: list[str] = []

    def slow(self: Any, request: Any, username: str, *_: Any, **__: Any) -> None:
        tried.append(username)
        threading.Event().wait(0.02)

    monkeypatch.setattr(ModelBackend, "authenticate", slow)
    ready = threading.Barrier(len(names))

    def attempt(name: str) -> None:
        try:
            request = RequestFactory().post("/console/login/", REMOTE_ADDR="203.0.113.5")
            connection.ensure_connection()
            ready.wait()
            with suppress(PermissionDenied):
                GuardedBackend().authenticate(request, name, "wrong")
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == allowed
    assert AuditEntry.objects.filter(action="login.failed").count() == allowed


def test_shield_09_guesses_do_not_take_the_threads_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """While as many passwords are tried as a process tries at once, the next is asked to come again, and pages answer."""
    began, go_on = threading.Semaphore(0), threading.Event()

    def slow(_self: ModelBackend, *_: Any, **__: Any) -> None:
        began.release()
        assert go_on.wait(30)

    monkeypatch.setattr(GuardedBackend, "authenticate", slow)
    wrong = {"username": "operator", "password": "guess"}
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(Client().post("/console/login/", wrong).status_code))
        for _ in range(AT_ONCE)
    ]
    try:
        for thread in threads:
            thread.start()
            assert began.acquire(timeout=30)
        busy = Client().post("/console/login/", wrong)
        assert (busy.status_code, busy["Retry-After"]) == (429, "2")
        assert "try again" in busy.content.decode()
        assert Client().get("/console/login/").status_code == 200
        assert Client().get("/health/live").status_code == 200
    finally:
        go_on.set()
        for thread in threads:
            thread.join(30)
    assert statuses == [200] * AT_ONCE
    assert Client().post("/console/login/", wrong).status_code == 200
