"""What is asked of PumpPortal, and what is made of its replies."""

import json
from threading import Event

import pytest
from websockets.sync.server import ServerConnection

from megatron.clients import pumpportal
from megatron.clients.errors import Refused
from megatron.clients.ports import Frame
from megatron.clients.pumpportal import PumpPortal
from tests import recordings
from tests.clients.loopback import LIMITS, Loopback, Pauses, first, kinds, reconnection, running
from tokens.domain.decode import decode_message

PUMPFUN = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"
KEY = "a1b2c3d4e5f67890"
FRAMES = recordings.lines("frames/pumpportal.jsonl")
SUBSCRIBED = json.dumps({"message": "Successfully subscribed to token creation events."})


def created(mint: str) -> str:
    return json.dumps({"signature": "5" * 88, "mint": mint, "txType": "create", "pool": "pump"})


def talk(*frames: str, requests: int = 2, last: bool = True):
    """Acknowledge so many requests, send frames, and remember what else is asked."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        for _ in range(requests):
            server.receive(connection, number)
            connection.send(SUBSCRIBED)
        for frame in frames:
            connection.send(frame)
        while last:
            server.receive(connection, number)

    return script


def test_new_tokens_and_migrations_are_asked_for() -> None:
    """Without a key no trades; frames are what the decoder reads."""
    with running(talk(*(line.decode() for line in FRAMES))) as server:
        stream = PumpPortal(url=server.url, limits=LIMITS)
        heard = first(stream.listen(program=PUMPFUN, stop=Event()), 1 + len(FRAMES))
    assert (stream.source, stream.commitment, stream.complete) == ("pumpportal", 1, False)
    assert server.heard == [[{"method": "subscribeNewToken"}, {"method": "subscribeMigration"}]]
    frames = [item.payload for item in heard if isinstance(item, Frame)]
    assert frames == FRAMES
    assert [one.events for frame in frames for one in decode_message(frame)] != []


def test_with_a_key_the_trades_of_new_tokens_are_asked_for() -> None:
    """From their creation on, and again on the next connection; the oldest give way."""
    asked = Event()

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        for _ in range(2 if number == 0 else 3):
            server.receive(connection, number)
            connection.send(SUBSCRIBED)
        if number == 0:
            for mint in ("first", "second"):
                connection.send(created(mint))
                server.receive(connection, number)
            return
        asked.set()
        server.receive(connection, number)

    with running(script) as server:
        stream = PumpPortal(KEY, url=server.url, limits=LIMITS, reconnection=reconnection(Pauses()))
        heard = first(stream.listen(program=PUMPFUN, stop=Event()), 5)
        assert asked.is_set()
    assert kinds(heard) == ["Opened", "Frame", "Frame", "Lost", "Opened"]
    assert server.heard[0][2:] == [
        {"method": "subscribeTokenTrade", "keys": ["first"]},
        {"method": "subscribeTokenTrade", "keys": ["second"]},
    ]
    assert server.heard[1] == [
        {"method": "subscribeNewToken"},
        {"method": "subscribeMigration"},
        {"method": "subscribeTokenTrade", "keys": ["first", "second"]},
    ]


def test_only_the_newest_tokens_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trade costs, and there are ever more tokens."""
    monkeypatch.setattr(pumpportal, "MOST_FOLLOWED", 1)

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        for _ in range(2 + number):
            server.receive(connection, number)
            connection.send(SUBSCRIBED)
        for mint in ("first", "second"):
            connection.send(created(mint))
            server.receive(connection, number)

    with running(script) as server:
        stream = PumpPortal(KEY, url=server.url, limits=LIMITS, reconnection=reconnection(Pauses()))
        first(stream.listen(program=PUMPFUN, stop=Event()), 5)
    assert server.heard[1][2] == {"method": "subscribeTokenTrade", "keys": ["second"]}


def test_what_it_refuses_is_refused() -> None:
    """In its own words, without the key."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        connection.send(json.dumps({"errors": "API key is not funded"}))
        server.receive(connection, number)
        server.receive(connection, number)

    with running(script) as server:
        stream = PumpPortal(KEY, url=server.url, limits=LIMITS, reconnection=reconnection(Pauses()))
        with pytest.raises(Refused, match="not funded"):
            first(stream.listen(program=PUMPFUN, stop=Event()), 1)


def test_what_it_refuses_for_now_is_tried_again() -> None:
    """Too many connections are fewer later."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        server.receive(connection, number)
        connection.send(json.dumps({"errors": "Too many requests"}) if number == 0 else SUBSCRIBED)
        server.receive(connection, number)
        connection.send(SUBSCRIBED)
        server.receive(connection, number)

    pauses = Pauses()
    with running(script) as server:
        stream = PumpPortal(url=server.url, limits=LIMITS, reconnection=reconnection(pauses))
        assert kinds(first(stream.listen(program=PUMPFUN, stop=Event()), 1)) == ["Opened"]
    assert pauses.seconds == [0.25]
