import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from megatron.core import api_keys
from megatron.core.models import IdempotencyRecord
from tests.core.concrete import Errand

pytestmark = pytest.mark.usefixtures("concrete_tables")


@pytest.fixture(autouse=True)
def no_errands(db: None) -> None:
    Errand.objects.all().delete()


def write(caller: Client, key: str | None, **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return caller.post("/api/v1/writing/", body, content_type="application/json", headers=headers)


def test_a_write_that_is_sent_twice_happens_once(caller: Client) -> None:
    """Both get the same status and body; the second is marked as a replay."""
    first, second = write(caller, "k1", text="x"), write(caller, "k1", text="x")
    assert (first.status_code, first.json()) == (201, {"text": "x", "rows": 1})
    assert (second.status_code, second.json()) == (201, {"text": "x", "rows": 1})
    assert [reply.headers.get("Idempotent-Replayed") for reply in (first, second)] == [None, "true"]
    assert Errand.objects.count() == 1


def test_the_same_key_never_serves_another_body(caller: Client) -> None:
    """422, and nothing is written."""
    write(caller, "k1", text="x")
    reply = write(caller, "k1", text="y")
    assert (reply.status_code, reply.json()["type"]) == (422, "urn:megatron:problem:idempotency-key-reused")
    assert Errand.objects.count() == 1


def test_the_order_of_members_does_not_make_another_body(caller: Client) -> None:
    """JSON objects have no order."""
    write(caller, "k1", text="x", note="n")
    assert write(caller, "k1", note="n", text="x").status_code == 201


def test_another_caller_may_use_the_same_key(caller: Client) -> None:
    """Keys belong to their caller."""
    _, key = api_keys.issue(name="other", scopes=["read"], actor="test", now=datetime.now(UTC))
    write(caller, "k1", text="x")
    assert write(Client(headers={"Authorization": f"Api-Key {key}"}), "k1", text="y").json() == {"text": "y", "rows": 2}


def test_an_error_is_not_kept(caller: Client) -> None:
    """After a refusal the same key may be tried again, with what is right."""
    assert write(caller, "k1", fail=True).status_code == 409
    assert IdempotencyRecord.objects.count() == 0
    assert write(caller, "k1", text="x").status_code == 201


@pytest.mark.parametrize("key", [None, "", "x" * 256, "a\tb"])
def test_a_key_is_required(caller: Client, key: str | None) -> None:
    """Without a key, or with one that cannot be, nothing is written."""
    reply = write(caller, key, text="x")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert Errand.objects.count() == 0


def test_a_reply_is_kept_for_a_day(caller: Client) -> None:
    """After 24 hours the key is new again, and the old record is gone."""
    noon = datetime(2026, 7, 3, 12, tzinfo=UTC)
    with time_machine.travel(noon, tick=False):
        write(caller, "k1", text="x")
    with time_machine.travel(noon + timedelta(hours=24), tick=False):
        assert write(caller, "k1", text="x").json()["rows"] == 1
    with time_machine.travel(noon + timedelta(hours=24, seconds=1), tick=False):
        assert write(caller, "k1", text="x").json()["rows"] == 2
    assert IdempotencyRecord.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_rivals_with_one_key_write_once(transactional_db: None) -> None:
    """Six senders at once: one row, one reply for all."""
    _, key = api_keys.issue(name="rivals", scopes=["read"], actor="test", now=datetime.now(UTC))
    bodies: list[Any] = []

    def rival() -> None:
        try:
            bodies.append(write(Client(headers={"Authorization": f"Api-Key {key}"}), "k1", text="x").json())
        finally:
            connection.close()

    rivals = [threading.Thread(target=rival) for _ in range(6)]
    for thread in rivals:
        thread.start()
    for thread in rivals:
        thread.join()
    assert bodies == [{"text": "x", "rows": 1}] * 6
    assert Errand.objects.count() == 1
