"""Subscriptions over WebSocket on loopback."""

import json
import logging
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

LOGS, BLOCKS, TRANSACTIONS, SLOTS = "logs", "block", "transaction", "slot"
_numbers = count(24_040)
_silent = logging.getLogger("tests.cluster")
_silent.setLevel(logging.CRITICAL)


class Subscription(NamedTuple):
    """What one client asked for. ``mentions`` is ``None`` for everything."""

    number: int
    kind: str
    commitment: str
    mentions: frozenset[str] | None = None
    encoding: str = "json"
    failed: bool = True


class Session:
    """One connection. Frames wait in a queue, so a slow reader holds up nobody but itself."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.subscriptions: dict[int, Subscription] = {}
        self.muted = False
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    @property
    def pending(self) -> int:
        """Return how many frames wait to be sent."""
        return self._waiting.qsize()

    def send(self, frame: bytes) -> None:
        """Send a frame after those that wait."""
        if not self.muted:
            self._waiting.put(frame)

    def _write(self) -> None:
        while (frame := self._waiting.get()) is not None:
            try:
                self.connection.send(frame, text=True)
            except (ConnectionClosed, OSError):
                return

    def hear(self) -> None:
        """Answer requests until the connection ends."""
        try:
            for message in self.connection:
                reply = self._answer(json.loads(message))
                if reply is not None:
                    self.send(json.dumps(reply).encode())
        except (ConnectionClosed, ValueError, OSError):
            pass
        finally:
            self._waiting.put(None)

    def _answer(self, call: dict[str, Any]) -> dict[str, Any] | None:
        method, params, number = str(call.get("method")), call.get("params") or [], call.get("id")
        if method.endswith("Unsubscribe"):
            gone = params[0] in self.subscriptions
            self.subscriptions = {key: kept for key, kept in self.subscriptions.items() if key != params[0]}
            return {"jsonrpc": "2.0", "result": gone, "id": number}
        kind = method.removesuffix("Subscribe")
        if kind not in (LOGS, BLOCKS, TRANSACTIONS, SLOTS):
            return {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": number}
        wanted = _subscription(kind, params)
        # The answer stands in the queue before the first frame can.
        self.send(json.dumps({"jsonrpc": "2.0", "result": wanted.number, "id": number}).encode())
        self.subscriptions = {**self.subscriptions, wanted.number: wanted}
        return None

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until the client has taken everything that was sent off the line; say whether it has."""
        until = time.monotonic() + timeout
        while self.pending and time.monotonic() < until:
            time.sleep(0.001)
        try:
            return self.connection.ping().wait(max(0.0, until - time.monotonic()))
        except (ConnectionClosed, OSError):
            return False

    def end(self, *, clean: bool) -> None:
        """End the connection: with a close frame after what waits, or at once with a reset."""
        self.muted = True
        self._waiting.put(None)
        if clean:
            self._writer.join(5)
            self.connection.close(1001, "going away")
            return
        try:
            raw = self.connection.socket
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def freeze(self) -> None:
        """Fall silent without ending: nothing is sent any more, pings are not answered."""
        self.muted = True
        self.connection.protocol.recv_frame = lambda frame: None  # type: ignore[method-assign]


def _subscription(kind: str, params: list[Any]) -> Subscription:
    wanted = params[0] if params else None
    options = params[1] if len(params) > 1 else {}
    mentions = None
    if isinstance(wanted, dict):
        named = wanted.get("mentions") or wanted.get("accountInclude") or wanted.get("mentionsAccountOrProgram")
        mentions = frozenset([named] if isinstance(named, str) else named) if named else None
    commitment = options.get("commitment", "processed" if kind == SLOTS else "finalized")
    failed = not (kind == TRANSACTIONS and isinstance(wanted, dict) and wanted.get("failed") is False)
    encoding = options.get("encoding", "jsonParsed" if kind == TRANSACTIONS else "json")
    return Subscription(next(_numbers), kind, commitment, mentions, encoding, failed)


class SocketServer:
    """The WebSocket door. ``refuse`` says whether a new connection is turned away (HTTP 503)."""

    def __init__(self, *, port: int = 0, refuse: Callable[[], bool] = lambda: False) -> None:
        self._sessions: set[Session] = set()
        self._lock = threading.Lock()
        self._refuse = refuse
        self.accepted = 0
        self._server: Server = serve(
            self._serve,
            "127.0.0.1",
            port,
            compression=None,
            ping_interval=None,
            process_request=self._door,
            max_size=1 << 20,
            logger=_silent,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _door(self, connection: ServerConnection, _request: Any) -> Any:
        return connection.respond(503, "try later\n") if self._refuse() else None

    def _serve(self, connection: ServerConnection) -> None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(connection)
        with self._lock:
            self._sessions.add(session)
            self.accepted += 1
        try:
            session.hear()
        finally:
            with self._lock:
                self._sessions.discard(session)

    @property
    def url(self) -> str:
        """Return the address to connect to."""
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def sessions(self) -> list[Session]:
        """Return the open connections, the oldest subscription first."""
        with self._lock:
            found = list(self._sessions)
        return sorted(found, key=lambda session: min(session.subscriptions, default=0))

    def close(self) -> None:
        """End all connections and listen no more."""
        for session in self.sessions():
            session.end(clean=False)
        self._server.shutdown()
        self._thread.join()
