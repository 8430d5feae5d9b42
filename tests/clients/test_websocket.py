"""The machine that all WebSocket feeds share, against a server that fails in every way."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import pytest
import structlog
from websockets.sync.server import ServerConnection

from megatron.clients import meter
from megatron.clients.errors import Refused, TryLater
from megatron.clients.ports import Frame, Heard, Lost
from megatron.clients.reconnection import Backoff, Reconnection
from megatron.clients.stream_account import StreamAccount
from megatron.clients.subscriptions import JsonRpcSubscription
from megatron.clients.websocket import Limits, WebSocketFeed
from megatron.core.log_cap import CappedLog
from tests.clients.loopback import ACKNOWLEDGED, LIMITS, Loopback, Pauses, first, kinds, reconnection, running, speaking

KEY = "a1b2c3d4-e5f6-7890"


def listen(
    url: str, *, stop: Event | None = None, limits: Limits = LIMITS, pauses: Pauses | None = None, **options: Any
) -> Iterator[Heard]:
    feed = WebSocketFeed(
        "feed",
        url=url,
        endpoint="logsSubscribe",
        limits=limits,
        reconnection=reconnection(pauses or Pauses(), **options),
    )
    return feed.listen(lambda: JsonRpcSubscription("logsSubscribe", ["all"]), stop=stop or Event())


def until_lost(heard: Iterator[Heard]) -> list[Heard]:
    """Return what is heard up to and with the first loss."""
    items = []
    for item in heard:
        items.append(item)
        if isinstance(item, Lost):
            break
    heard.close()  # type: ignore[attr-defined]  # a generator
    return items


def payloads(items: list[Heard]) -> list[bytes]:
    return [item.payload for item in items if isinstance(item, Frame)]


def test_what_comes_is_heard_in_order() -> None:
    """First that the subscription stands, then each frame as it came."""
    with speaking('{"a":1}', '{"b":2}') as server:
        heard = first(listen(server.url), 3)
    assert kinds(heard) == ["Opened", "Frame", "Frame"]
    assert payloads(heard) == [b'{"a":1}', b'{"b":2}']
    assert server.heard == [[{"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": ["all"]}]]


def test_garbage_is_a_frame() -> None:
    """A page, bytes, half of a message: decoding is not the feed's work."""
    garbage = ["<html>", b"\x00\xff\xfe", '{"half', ""]
    with speaking(*garbage) as server:
        heard = first(listen(server.url), 5)
    assert payloads(heard) == [b"<html>", b"\x00\xff\xfe", b'{"half', b""]


def test_what_comes_before_the_acknowledgement_is_kept() -> None:
    """It is heard after the opening, in its order."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        for message in ('{"early":1}', "<early>", ACKNOWLEDGED, '{"late":2}'):
            connection.send(message)
        connection.recv()
        connection.recv()

    with running(script) as server:
        heard = first(listen(server.url), 4)
    assert kinds(heard) == ["Opened", "Frame", "Frame", "Frame"]
    assert payloads(heard) == [b'{"early":1}', b"<early>", b'{"late":2}']


def test_a_feed_that_is_refused_raises() -> None:
    """A method that the plan does not include will not be there the next time."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        connection.send(json.dumps({"error": {"code": -32601, "message": "Method not found"}, "id": 1}))
        connection.recv()
        connection.recv()

    with running(script) as server, pytest.raises(Refused, match="-32601 Method not found"):
        list(listen(server.url))


def test_a_refusal_that_passes_is_tried_again() -> None:
    """A rate limit ends; until then nothing stands and nothing is lost."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        error = json.dumps({"error": {"code": -32005, "message": "Too many requests"}, "id": 1})
        connection.send(error if number < 2 else ACKNOWLEDGED)
        connection.recv()
        connection.recv()

    pauses = Pauses()
    with running(script) as server:
        assert kinds(first(listen(server.url, pauses=pauses), 1)) == ["Opened"]
    assert pauses.seconds == [0.25, 0.5]


@pytest.mark.parametrize(("status", "raises"), [(401, True), (403, True), (404, True), (410, True), (301, True)])
def test_an_address_that_answers_otherwise_is_refused(status: int, raises: bool) -> None:
    """A wrong key, a retired address, a redirect: nothing is followed, and waiting does not help."""

    def answer(connection: ServerConnection, request: Any) -> Any:
        reply = connection.respond(status, "no")
        reply.headers["Location"] = "ws://127.0.0.1:1/elsewhere"
        return reply

    with speaking(process_request=answer) as server, pytest.raises(Refused, match=f"HTTP {status}"):
        list(listen(server.url))


@pytest.mark.parametrize("status", [200, 408, 429, 500, 503])
def test_an_address_that_is_busy_is_tried_again(status: int) -> None:
    """Also one that answers with a page; nobody is asked sooner than he said."""

    def answer(connection: ServerConnection, request: Any) -> Any:
        reply = connection.respond(status, "<html>busy")
        reply.headers["Retry-After"] = "7"
        return reply

    pauses = Pauses(most=2)
    with speaking(process_request=answer) as server:
        assert list(listen(server.url, pauses=pauses)) == []
    assert pauses.seconds == [7.0, 7.0]


@pytest.mark.parametrize("url", ["https://example.com/", "ws://127.0.0.1:99999/", "nonsense"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Nothing can be connected to."""
    with pytest.raises(Refused, match="address is none"):
        list(listen(url))


def test_a_lost_connection_is_told_and_made_again() -> None:
    """Each connection is one opening and one loss, whatever came in between."""
    stop = Event()
    with speaking('{"a":1}', then="hang up") as server:
        heard = first(listen(server.url, stop=stop), 6)
    assert kinds(heard) == ["Opened", "Frame", "Lost"] * 2
    assert "1000" in heard[2].reason  # type: ignore[union-attr]  # the closing's code


def test_a_line_that_breaks_is_a_loss() -> None:
    """No farewell, as when a machine dies."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        connection.send(ACKNOWLEDGED)
        connection.send('{"a":1}')
        connection.socket.shutdown(socket.SHUT_RDWR)

    with running(script) as server:
        heard = until_lost(listen(server.url))
    assert kinds(heard) == ["Opened", "Frame", "Lost"]


def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    """It is said why, memory is not filled, and the next connection is made."""
    limits = replace(LIMITS, most_bytes=1000)
    with speaking('{"a":1}', "x" * 1001) as server:
        heard = first(listen(server.url, limits=limits), 5)
    assert kinds(heard) == ["Opened", "Frame", "Lost", "Opened", "Frame"]
    assert "1009" in heard[2].reason  # type: ignore[union-attr]  # the closing's code


def test_frames_of_many_megabytes_are_let_through() -> None:
    """A block is longer than the library's own limit of one MiB."""
    with speaking("x" * (3 << 20)) as server:
        heard = first(listen(server.url), 2)
    assert len(payloads(heard)[0]) == 3 << 20


def test_no_sign_of_life_is_a_loss() -> None:
    """A connection that is half open stays silent: it is asked, and does not answer."""

    told = Event()

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        connection.recv_flow_control.acquire()  # nothing is read any more, pings neither
        connection.send(ACKNOWLEDGED)
        told.wait(30)
        connection.recv_flow_control.release()

    limits = replace(LIMITS, ping_seconds=0.1, pong_seconds=0.3)
    with running(script) as server:
        heard = until_lost(listen(server.url, limits=limits))
        told.set()
    assert kinds(heard)[-1] == "Lost"
    assert "no sign of life" in heard[-1].reason  # type: ignore[union-attr]


def test_a_quiet_connection_that_answers_lives() -> None:
    """It is told about every second that nothing came."""
    limits = replace(LIMITS, ping_seconds=0.1, pong_seconds=30)
    with speaking() as server:
        heard = first(listen(server.url, limits=limits), 3)
    assert kinds(heard) == ["Opened", "Quiet", "Quiet"]
    assert (heard[2].at - heard[1].at).total_seconds() >= 1


def test_a_feed_that_is_never_quiet_and_is_has_stalled() -> None:
    """It answers pings, but brings nothing: a subscription that was forgotten over there."""
    limits = replace(LIMITS, ping_seconds=0.1, pong_seconds=30, stall_seconds=0.5)
    with speaking('{"a":1}') as server:
        heard = until_lost(listen(server.url, limits=limits))
    assert kinds(heard) == ["Opened", "Frame", "Lost"]
    assert "stalled" in heard[-1].reason  # type: ignore[union-attr]


def test_a_subscription_that_nobody_acknowledges_is_tried_again() -> None:
    """It never stood: nothing is lost."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        if number == 1:
            connection.send(ACKNOWLEDGED)
        connection.recv()

    with running(script) as server:
        heard = first(listen(server.url, limits=replace(LIMITS, acknowledge_seconds=0.3)), 1)
    assert kinds(heard) == ["Opened"]
    assert len(server.heard) == 2


@pytest.mark.parametrize("frames", [(), ('{"a":1}',)])
def test_stop_ends_a_waiting_reader(frames: tuple[str, ...]) -> None:
    """The connection is closed, its loss is told, and the reader goes home."""
    stop = Event()
    heard: list[Heard] = []
    with speaking(*frames) as server:
        stream = listen(server.url, stop=stop)
        heard.append(next(stream))
        reader = Thread(target=lambda: heard.extend(stream))
        reader.start()
        stop.set()
        reader.join(30)
        assert not reader.is_alive()
    assert kinds(heard)[-1] == "Lost"
    assert heard[-1].reason == "stopped"  # type: ignore[union-attr]


def test_stop_ends_an_attempt_to_connect() -> None:
    """Who is connecting to a machine that does not answer is not waited for."""
    stop = Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}"
        limits = replace(LIMITS, connect_seconds=60)
        reader = Thread(target=lambda: list(listen(url, stop=stop, limits=limits)))
        reader.start()
        with closing(mute.accept()[0]):  # somebody is connecting, and nobody shakes his hand
            stop.set()
            reader.join(30)
            assert not reader.is_alive()


def test_stop_ends_a_pause() -> None:
    """The pause is the event's own waiting."""
    stop = Event()
    threading.Timer(0.1, stop.set).start()
    Reconnection("test", backoff=Backoff(draw=lambda: 1.0))._pause(stop, 3600)
    assert stop.is_set()


def test_nothing_listens_after_the_reader_left() -> None:
    """Closing the stream closes the connection, and its threads end."""
    before = threading.active_count()
    with speaking('{"a":1}') as server:
        first(listen(server.url), 2)
    wait_for(lambda: threading.active_count() <= before)


def test_a_slow_reader_holds_the_sender_back() -> None:
    """Little is read ahead, nothing is lost, and the order stays."""
    sent: list[int] = []
    frames, size = 400, 100_000

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        connection.send(ACKNOWLEDGED)
        for frame in range(frames):
            connection.send(f"{frame:06}" + "x" * size)
            sent.append(frame)
        connection.recv()

    with running(script) as server:
        stream = listen(server.url, limits=replace(LIMITS, most_waiting=4))
        heard = first_two = [next(stream), next(stream)]
        settled = wait_until_settled(lambda: len(sent))
        assert settled < frames  # the rest waits over there
        for item in stream:
            if isinstance(item, Frame):
                heard.append(item)
            if len(heard) == frames + 1:
                break
        stream.close()  # type: ignore[attr-defined]  # a generator
    assert first_two is heard
    assert [int(payload[:6]) for payload in payloads(heard)] == list(range(frames))


def test_a_reader_who_stayed_away_has_not_lost_the_line() -> None:
    """However long he was busy, what waits for him is taken before anything is called dead or stalled."""
    limits = replace(LIMITS, ping_seconds=0.01, pong_seconds=0.05, stall_seconds=0.05, most_waiting=2)
    frames = [f"{number}" + "x" * 1000 for number in range(50)]
    with speaking(*frames) as server:
        stream = listen(server.url, limits=limits)
        heard = [next(stream), next(stream)]
        time.sleep(0.3)  # longer than both
        heard += [next(stream) for _ in range(49)]
        stream.close()  # type: ignore[attr-defined]  # a generator
    assert [kind for kind in kinds(heard) if kind == "Lost"] == []
    assert payloads(heard) == [frame.encode() for frame in frames]


def test_pauses_grow_and_are_capped() -> None:
    """Twice as long each time up to half a minute; random parts of that, so that not all come back at once."""
    pauses = Pauses(most=10)
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        url = f"ws://127.0.0.1:{gone.getsockname()[1]}"
    assert list(listen(url, pauses=pauses)) == []
    assert pauses.seconds == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert [Backoff(draw=lambda: 0.5).pause_after(0), Backoff(draw=lambda: 0.0).pause_after(0)] == [0.125, 0.0]


def test_a_connection_that_held_makes_the_pause_short_again() -> None:
    """One that broke at once does not."""
    backoff = Backoff(draw=lambda: 1.0)
    assert [backoff.pause_after(lived) for lived in (0, 0, 29.9, 30.0, 0, 0)] == [0.25, 0.5, 1.0, 0.25, 0.5, 1.0]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_ten_thousand_failures_are_a_handful_of_lines() -> None:
    """One in ten seconds of each kind, and each says how many were left out."""
    clock, pauses = Clock(), Pauses(most=10_000)

    def fail() -> Iterator[Heard]:
        clock.seconds += 1 / 128
        raise TryLater("no route")
        yield  # a generator

    with structlog.testing.capture_logs() as lines:
        log = CappedLog(structlog.get_logger(), now=clock)
        list(reconnection(pauses, log=log, now=clock).run(fail, stop=Event()))
    assert len(pauses.seconds) == 10_000
    assert len(lines) == 8
    assert lines[0]["event"] == "stream.unreachable"
    assert lines[1]["left_out"] == 1279


def test_the_key_is_never_told() -> None:
    """Neither in a reason, nor in a line of the log, nor in a refusal."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        connection.send(ACKNOWLEDGED)
        connection.close(1008, f"bad key {KEY}")

    with running(script) as server, structlog.testing.capture_logs() as lines:
        heard = first(listen(f"{server.url}/v1/{KEY}?api-key={KEY}"), 3)
    assert "bad key [hidden]" in heard[1].reason  # type: ignore[union-attr]
    assert KEY not in repr(heard)
    assert KEY not in repr(lines)
    assert lines[0]["event"] == "stream.lost"
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        url = f"ws://127.0.0.1:{gone.getsockname()[1]}/?api-key={KEY}"
    with structlog.testing.capture_logs() as lines:
        list(listen(url, pauses=Pauses(most=1)))
    assert len(lines) == 1
    assert KEY not in repr(lines)


def test_a_stream_is_paid_by_its_bytes() -> None:
    """About once a minute and at the end; what is not enough for a unit counts later."""
    meter.take()
    clock = Clock()
    account = StreamAccount(provider="helius", endpoint="transactionSubscribe", now=clock)
    account.add(250_000)
    assert meter.take() == []
    clock.seconds = 60.0
    account.add(10_000)
    account.add(40_000)
    account.settle()
    account.settle()
    noted = [(call.provider, call.endpoint, call.credits, call.kind) for call in meter.take()]
    assert noted == [
        ("helius", "transactionSubscribe", 6, "stream"),
        ("helius", "transactionSubscribe", 3, "stream"),
    ]


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for as long as a busy machine may need."""
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never held")


def wait_until_settled(count: Callable[[], int]) -> int:
    """Return a count that has not changed for half a second."""
    before = -1
    while before != (now := count()):
        before = now
        time.sleep(0.5)
    return now
