from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.db import transaction

from megatron.clients import http, meter
from megatron.clients.errors import ClientError, Malformed, OutcomeUnknown, Refused, TryLater
from megatron.clients.http import HttpClient, NetworkInsideTransaction
from tests.clients.recorded import answers

KEY = "a1b2c3d4-e5f6-7890"
OK = httpx.Response(200, json={"ok": True})


def client(transport: httpx.BaseTransport, **options: Any) -> HttpClient:
    return HttpClient(
        "node",
        base_url=f"https://rpc.example.com/?api-key={KEY}",
        per_second=1000,
        secrets=[KEY],
        transport=transport,
        **options,
    )


def outcome(reply: Any, *, write: bool = False, **options: Any) -> tuple[type[ClientError], str, int]:
    """Return which error a reply becomes, its words, and how often it was asked."""
    transport, asked = answers(reply)
    caller = client(transport, **options)
    with pytest.raises(ClientError) as caught:
        (caller.write if write else caller.read)("POST", json={})
    return type(caught.value), str(caught.value), len(asked)


def test_a_reply_is_given_as_it_came() -> None:
    """The body's bytes, after one call."""
    transport, asked = answers(OK)
    assert client(transport).read("GET", "slot", params={"n": 1}) == b'{"ok":true}'
    assert len(asked) == 1


STATUSES = [
    (429, TryLater, TryLater),
    (500, TryLater, OutcomeUnknown),
    (502, TryLater, OutcomeUnknown),
    (503, TryLater, OutcomeUnknown),
    (504, TryLater, OutcomeUnknown),
    (408, TryLater, OutcomeUnknown),
    (425, TryLater, OutcomeUnknown),
    (400, Refused, Refused),
    (401, Refused, Refused),
    (403, Refused, Refused),
    (404, Refused, Refused),
    (302, Refused, Refused),
]


@pytest.mark.parametrize(("status", "read", "write"), STATUSES)
def test_every_status_is_one_of_ours(status: int, read: type[ClientError], write: type[ClientError]) -> None:
    """What may be repeated, what is refused, and what a write must look up; only reads are repeated."""
    assert outcome(httpx.Response(status))[::2] == (read, 4 if read is TryLater else 1)
    assert outcome(httpx.Response(status), write=True)[::2] == (write, 1)


def descendants(kind: type[Exception]) -> list[type[Exception]]:
    return [kind] + [found for child in kind.__subclasses__() for found in descendants(child)]


TRANSPORT_ERRORS = sorted({*descendants(httpx.RequestError), httpx.InvalidURL}, key=lambda kind: kind.__name__)
NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}
OUR_FAULT = {"UnsupportedProtocol", "LocalProtocolError", "InvalidURL"}
NO_TRANSPORT = {"DecodingError", "TooManyRedirects", "RequestError"}


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS, ids=lambda kind: kind.__name__)
def test_every_transport_error_is_exactly_one_of_ours(kind: type[Exception]) -> None:
    """Also those that httpx may add: a write that may have been sent is never told as safe to repeat."""
    name = kind.__name__
    read, _, _ = outcome(kind("broken"))
    write, _, asked = outcome(kind("broken"), write=True)
    assert read is (Refused if name in OUR_FAULT else Malformed if name in NO_TRANSPORT else TryLater)
    assert write is (Refused if name in OUR_FAULT else TryLater if name in NEVER_SENT else OutcomeUnknown)
    assert asked == 1


def test_a_read_that_works_in_the_end_is_a_read_that_worked() -> None:
    """Two failures of different kinds, then the reply."""
    transport, asked = answers(httpx.Response(503), httpx.ReadTimeout("slow"), OK)
    assert client(transport).read("GET") == b'{"ok":true}'
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("Fri, 03 Jul 2026 12:00:30 GMT", 30),
        ("Fri, 03 Jul 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(header: str, seconds: float | None) -> None:
    """What makes no sense counts as absent; a date that has passed as no wait."""
    transport, _ = answers(httpx.Response(429, headers={"Retry-After": header}))
    with time_machine.travel(datetime(2026, 7, 3, 12, tzinfo=UTC), tick=False), pytest.raises(TryLater) as caught:
        client(transport).write("POST")
    assert caught.value.retry_after == (None if seconds is None else timedelta(seconds=seconds))


def test_a_provider_that_asks_for_a_long_pause_is_not_waited_for() -> None:
    """The row is postponed instead: one call, and the time that was asked for."""
    transport, asked = answers(httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(TryLater) as caught:
        client(transport).read("GET")
    assert (len(asked), caught.value.retry_after) == (1, timedelta(hours=1))
    assert http._worth_waiting(TryLater("x", retry_after=timedelta(seconds=20))) == timedelta(seconds=20)


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(200, html="<html>Bad gateway</html>"),
        httpx.Response(200, text="  <!doctype html>", headers={"content-type": "application/json"}),
    ],
)
def test_a_page_is_not_data(page: httpx.Response) -> None:
    """Some gateways say 200 and send their error page; of a write nobody knows then."""
    assert outcome(page)[::2] == (Malformed, 1)
    assert outcome(page, write=True)[0] is OutcomeUnknown


def test_a_reply_that_is_too_long_is_not_read_to_its_end() -> None:
    """The limit counts unpacked bytes, and what is beyond it is never held."""
    sent: list[int] = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            for _ in range(1000):
                sent.append(1000)
                yield b"x" * 1000

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    with pytest.raises(Malformed, match="longer than 5000 bytes"):
        client(transport, most_bytes=5000).read("GET")
    assert sum(sent) == 6000


@pytest.mark.parametrize(
    "reply", [httpx.Response(401), httpx.ConnectError(f"cannot reach https://rpc.example.com/?api-key={KEY}")]
)
def test_no_error_tells_the_key(reply: Any) -> None:
    """Neither its words nor what it was raised from."""
    transport, _ = answers(reply)
    with pytest.raises(ClientError) as caught:
        client(transport).write("POST")
    assert KEY not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__ or caught.value.__context__ is None) == (
        None,
        True,
    )
    assert str(caught.value).startswith("node: ")


@pytest.mark.django_db
def test_nothing_leaves_the_house_inside_a_transaction() -> None:
    """Inside atomic() the call is refused before it is made; the test's own transaction does not count."""
    transport, asked = answers(OK)
    with transaction.atomic(), pytest.raises(NetworkInsideTransaction, match="node was called inside"):
        client(transport).read("GET")
    assert asked == []
    assert client(transport).read("GET") == b'{"ok":true}'


def test_every_call_has_a_time_limit() -> None:
    """Connecting, sending, receiving and waiting for a connection."""
    transport, asked = answers(OK)
    client(transport).read("GET")
    assert asked[0].extensions["timeout"] == {"connect": 5, "read": 15, "write": 15, "pool": 5}


def noted() -> list[tuple[str, str, int, int | None, str, str]]:
    """Return what was noted since the last time, without times."""
    return [(call.provider, call.endpoint, call.credits, call.status, call.error, call.kind) for call in meter.take()]


def test_each_attempt_is_noted_once() -> None:
    """With the method, what it costs, how it ended and how long it took; repeated ones count again."""
    meter.take()
    transport, _ = answers(httpx.Response(503), OK)
    client(transport).read("POST", json={"method": "getSlot"})
    assert noted() == [
        ("node", "getSlot", 1, 503, "TryLater", "read"),
        ("node", "getSlot", 1, 200, "", "read"),
    ]


def test_what_never_reached_the_provider_has_no_status() -> None:
    """Nor does it cost anything."""
    meter.take()
    transport, _ = answers(httpx.ConnectError("no route"))
    caller = HttpClient("solana rpc", base_url="https://mainnet.helius-rpc.com/", per_second=1000, transport=transport)
    with pytest.raises(TryLater):
        caller.write("POST", json={"method": "getBlock"})
    assert noted() == [("helius", "getBlock", 0, None, "ConnectError", "write")]


def test_no_secret_stands_in_the_accounts() -> None:
    """A path is noted without its query, with the key hidden."""
    meter.take()
    transport, _ = answers(OK)
    client(transport).read("GET", f"v2/{KEY}/slot?api-key={KEY}")
    assert noted() == [("node", "v2/[hidden]/slot", 1, 200, "", "read")]


def test_a_page_is_read_where_pages_are_asked_for() -> None:
    """And it is accounted for under the name that its reader gives it."""
    meter.take()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, html="<p>1</p>"))
    http = HttpClient("pages", base_url="https://example.com", per_second=1, pages=True, transport=transport)
    assert http.read("GET", "/somebody", endpoint="page") == b"<p>1</p>"
    assert [call.endpoint for call in meter.take()] == ["page"]
