"""What calls to providers cost, from the call to the row."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from holders.models import ApiCreditUsage
from holders.services import credits  # noqa: A004  # Python's own greets at the prompt only
from megatron.clients import meter
from megatron.clients.meter import Call
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def call(seconds: float = 0, **facts: Any) -> Call:
    """Return one answered call of a Helius method that cost ten credits."""
    told = {"provider": "helius", "endpoint": "getBlock", "credits": 10, "milliseconds": 100, "status": 200}
    return Call(at=NOON + timedelta(seconds=seconds), **{**told, "kind": "read", **facts})


def test_calls_of_a_second_that_ended_alike_are_one_row() -> None:
    """Calls and credits add up, the time is their mean; another second, method or end is a row of its own."""
    calls = [
        call(0.1),
        call(0.9, milliseconds=201),
        call(1.0),
        call(0.2, endpoint="getSlot", credits=1),
        call(0.3, status=429, error="TryLater"),
        call(0.4, status=None, error="ConnectTimeout"),
    ]
    assert credits.store(calls=calls) == 5
    columns = ("endpoint", "calls", "credits_used", "response_time_ms", "status_code", "error_message")
    assert sorted(ApiCreditUsage.objects.values_list(*columns), key=str) == sorted(
        [
            ("getBlock", 2, 20, 150, 200, None),
            ("getBlock", 1, 10, 100, 200, None),
            ("getSlot", 1, 1, 100, 200, None),
            ("getBlock", 1, 10, 100, 429, "TryLater"),
            ("getBlock", 1, 10, 100, None, "ConnectTimeout"),
        ],
        key=str,
    )


def test_a_stream_has_no_time_and_no_status() -> None:
    """What a feed's bytes cost is a row like any other, with what is not known as NULL."""
    credits.store(calls=[call(endpoint="logsSubscribe", milliseconds=None, status=None, kind="stream", credits=3)])
    row = ApiCreditUsage.objects.get()
    assert (row.credits_used, row.response_time_ms, row.status_code, row.error_message) == (3, None, None, None)
    assert (row.request_type, row.timestamp) == ("stream", NOON)


def test_a_flush_writes_what_was_noted_once(settings: Any) -> None:
    """The sink named in the settings gets each call once."""
    meter.take()
    meter.note(call())
    settings.CREDITS_SINK = "holders.services.credits.store"
    assert meter.flush()
    assert meter.flush()
    assert ApiCreditUsage.objects.get().credits_used == 10


def test_a_database_that_is_away_loses_no_account(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls wait, in their order, and are written when it is back; nobody hears of it but the log."""
    meter.take()
    meter.note(call(credits=1))
    settings.CREDITS_SINK = "holders.services.credits.store"

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the database is full")

    with monkeypatch.context() as patch:
        patch.setattr(ApiCreditUsage.objects, "bulk_create", away)
        assert not meter.flush()
    meter.put_back([call(-1, credits=2), *meter.take()])
    assert [noted.credits for noted in meter._calls] == [2, 1]
    assert meter.flush()
    assert ApiCreditUsage.objects.count() == 2
