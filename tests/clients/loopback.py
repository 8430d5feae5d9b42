"""A WebSocket server on this machine that says what a test lets it say."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from threading import Event, Thread
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from megatron.clients.ports import Heard
from megatron.clients.reconnection import Backoff, Reconnection
from megatron.clients.websocket import Limits

LIMITS = Limits(connect_seconds=5, acknowledge_seconds=5, stall_seconds=None)
ACKNOWLEDGED = json.dumps({"jsonrpc": "2.0", "result": 4711, "id": 1})


class Loopback:
    """A running server: its address, and what clients sent, a list for each connection."""

    def __init__(self, script: Callable[["Loopback", ServerConnection, int], None], **options: Any) -> None:
        self.heard: list[list[Any]] = []
        self._script = script
        self._server: Server = serve(self._talk, "127.0.0.1", 0, ping_interval=None, close_timeout=1, **options)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def _talk(self, connection: ServerConnection) -> None:
        self.heard.append([])
        with suppress(ConnectionClosed, OSError):
            self._script(self, connection, len(self.heard) - 1)

    def receive(self, connection: ServerConnection, number: int) -> Any:
        """Read one message of connection ``number`` and remember it."""
        message = json.loads(connection.recv())
        self.heard[number].append(message)
        return message

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


@contextmanager
def speaking(*frames: str | bytes, then: str = "stay", requests: int = 1, **options: Any) -> Iterator[Loopback]:
    """Acknowledge each request, send ``frames``, and then stay until the client goes, or ``hang up``."""

    def script(server: Loopback, connection: ServerConnection, number: int) -> None:
        for _ in range(requests):
            server.receive(connection, number)
            connection.send(ACKNOWLEDGED)
        for frame in frames:
            connection.send(frame)
        while then == "stay":
            server.receive(connection, number)

    with running(script, **options) as server:
        yield server


@contextmanager
def running(script: Callable[[Loopback, ServerConnection, int], None], **options: Any) -> Iterator[Loopback]:
    """Run a server that does ``script`` for each connection."""
    server = Loopback(script, **options)
    try:
        yield server
    finally:
        server.close()


class Pauses:
    """Stands in for waiting: remembers for how long, and says stop after ``most`` pauses."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.seconds: list[float] = []
        self._most = most

    def __call__(self, stop: Event, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self._most:
            stop.set()


def reconnection(pauses: Pauses, **options: Any) -> Reconnection:
    """Connections without waiting between them; the jitter always draws the whole ceiling."""
    return Reconnection("test", pause=pauses, backoff=Backoff(draw=lambda: 1.0), **options)


def first(heard: Iterator[Heard], count: int) -> list[Heard]:
    """Return the first ``count`` items and close."""
    items = list(islice(heard, count))
    heard.close()  # type: ignore[attr-defined]  # a generator
    return items


def kinds(items: Sequence[Heard]) -> list[str]:
    """Return what the items are."""
    return [type(item).__name__ for item in items]
