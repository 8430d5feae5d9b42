"""JSON-RPC over HTTP on loopback."""

import json
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec

from tests.cluster.node import Node, RpcError


class Reply(NamedTuple):
    """What goes over the wire instead of an answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    after_seconds: float = 0.0


Disturb = Callable[[str, list[Any]], Reply | RpcError | None]
"""Asked before every call: the reply or error that the caller gets instead of the answer, or ``None``."""


def undisturbed(_method: str, _params: list[Any]) -> None:
    """Let every call be answered."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    node: Node
    disturb: Disturb
    counted: Callable[[str], None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    """Seconds: the thread of a client that asks nothing more ends."""
    server: _Server

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_: Any) -> None:  # every call would be a line
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            asked = json.loads(body)
        except ValueError:
            self._send(Reply(400, b'{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}'))
            return
        calls = asked if isinstance(asked, list) else [asked]
        answers = []
        for call in calls:
            method, params = str(call.get("method")), call.get("params") or []
            self.server.counted(method)
            instead = self.server.disturb(method, params)
            if isinstance(instead, Reply):
                time.sleep(instead.after_seconds)
                self._send(instead)
                return
            answers.append(self._answer(call.get("id"), method, params, instead))
        self._send(Reply(body=msgspec.json.encode(answers if isinstance(asked, list) else answers[0])))

    def _answer(self, number: Any, method: str, params: list[Any], instead: RpcError | None) -> dict[str, Any]:
        head = {"jsonrpc": "2.0"}
        try:
            if instead is not None:
                raise instead
            return {**head, "result": self.server.node.answer(method, params), "id": number}
        except RpcError as error:
            return {**head, "error": error.told, "id": number}
        except TypeError as error:
            return {**head, "error": {"code": -32602, "message": f"Invalid params: {error}"}, "id": number}

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


class RpcServer:
    """The HTTP door of a node. ``calls`` counts what was asked, by method."""

    def __init__(self, node: Node, *, port: int = 0, disturb: Disturb = undisturbed) -> None:
        self.calls: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.node, self._server.disturb, self._server.counted = node, disturb, self._count
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address to ask."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _count(self, method: str) -> None:
        with self._lock:
            self.calls[method] = self.calls.get(method, 0) + 1

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class RpcProcess:
    """The same door in a process of its own, so that long answers do not hold up the frames. Counts no calls."""

    def __init__(self, node: Node) -> None:
        self.calls: dict[str, int] = {}
        server = _Server(("127.0.0.1", 0), _Handler)
        server.node, server.disturb, server.counted = node, undisturbed, lambda _method: None
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        # Forked, because the chain is large and already built; so this must be made before any thread is.
        self._process = multiprocessing.get_context("fork").Process(target=self._serve, args=(server,), daemon=True)
        self._process.start()
        server.server_close()

    @staticmethod
    def _serve(server: _Server) -> None:
        os.nice(10)  # a node out there takes no time of this machine at all
        server.serve_forever(0.05)

    def close(self) -> None:
        """Answer nobody any more."""
        self._process.terminate()
        self._process.join()
