"""The one WebSocket machine that all feeds over WebSocket share.

Nothing is read ahead without bound: the library keeps at most ``most_waiting`` frames, then stops reading, and the
network holds the sender back. A watchdog tells a dead connection from a quiet one.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock, Thread
from typing import Final, Protocol

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.protocol import State
from websockets.sync.client import ClientConnection, reconnect

from megatron.clients import costs
from megatron.clients.errors import Refused, TryLater
from megatron.clients.http import parse_retry_after, secrets_in
from megatron.clients.ports import Frame, Heard, Opened, Quiet
from megatron.clients.reconnection import Reconnection
from megatron.clients.stream_account import StreamAccount
from megatron.core import clock
from megatron.core.redaction import Redactor

TICK: Final = 0.2
"""Seconds after which a waiting reader looks whether it shall stop."""
QUIET_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 0.3
_MOST_EARLY: Final = 256  # frames before the acknowledgement: several subscriptions on one connection are asked in turn

# The library would tell headers and addresses at DEBUG.
_library_log = logging.getLogger(f"{__name__}.library")
_library_log.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited for what, in seconds, and how much is taken in. ``stall_seconds``: a feed that is never quiet
    brought nothing for so long; ``None`` for one that may be quiet."""

    connect_seconds: float = 10.0
    acknowledge_seconds: float = 10.0
    ping_seconds: float = 20.0
    pong_seconds: float = 10.0
    stall_seconds: float | None = 120.0
    most_bytes: int = 32 << 20
    most_waiting: int = 16


DEFAULT_LIMITS: Final = Limits()


class Dialogue(Protocol):
    """What is said on a connection, by the rules of one vendor."""

    def requests(self) -> Sequence[str]:
        """Return what is sent first; each is acknowledged once."""
        ...

    def is_acknowledgement(self, raw: bytes) -> bool:
        """Say whether ``raw``, which came before all was acknowledged, acknowledges a request. Raises ``Refused`` or
        ``TryLater`` for a refusal."""
        ...

    def reply(self, raw: bytes) -> str | None:
        """Return what is sent in answer to a frame, if anything."""
        ...


def _stay(self: reconnect, exc: Exception) -> Exception | str:  # noqa: ARG001  # the library's hook
    return exc


class _Direct(reconnect):
    """Follows no redirect: the key in the address is for nobody else."""

    process_redirect = _stay


class WebSocketFeed:
    """Listens to one address, and connects again by itself. ``name`` stands in logs and reasons, ``endpoint`` in the
    accounts."""

    def __init__(
        self,
        name: str,
        *,
        url: str,
        endpoint: str,
        limits: Limits = DEFAULT_LIMITS,
        reconnection: Reconnection | None = None,
    ) -> None:
        self._name, self._url, self._limits = name, url, limits
        self._redactor = Redactor(secrets_in(url))
        self._account = StreamAccount(provider=costs.provider_of(url, default=name), endpoint=endpoint)
        self._reconnection = reconnection or Reconnection(name)

    def listen(self, dialogue: Callable[[], Dialogue], *, stop: Event) -> Iterator[Heard]:
        """Yield what is heard until ``stop`` is set; each connection is one ``dialogue()``. Raises ``Refused``."""
        return self._reconnection.run(partial(self._connection, dialogue, stop), stop=stop)

    def _connection(self, dialogue: Callable[[], Dialogue], stop: Event) -> Iterator[Heard]:
        connection = self._opened(stop)
        if connection is None:
            return
        try:
            yield from self._conversation(connection, dialogue(), stop)
        except ConnectionClosed as closed:
            cause = f": {closed.__cause__}" if closed.__cause__ else ""
            raise TryLater(self._told(f"{closed}{cause}")) from None
        finally:
            connection.close()
            self._account.settle()

    def _opened(self, stop: Event) -> ClientConnection | None:
        """Return the open connection; ``None`` when ``stop`` was set first. Raises ``TryLater`` and ``Refused``."""
        # Looking up names, connecting and shaking hands cannot be interrupted: that is done beside us.
        attempt = _Attempt(self._open)
        while not attempt.over.wait(TICK):
            if stop.is_set():
                attempt.abandon()
                return None
        try:
            return attempt.result()
        except InvalidStatus as error:
            status, headers = error.response.status_code, error.response.headers
            told = self._told(f"HTTP {status} instead of a WebSocket")
            if 300 <= status < 500 and status not in (408, 425, 429):
                raise Refused(told) from None
            raise TryLater(told, retry_after=parse_retry_after(headers.get("Retry-After", ""))) from None
        except InvalidURI:
            raise Refused(self._told("the address is none of a WebSocket: it begins with ws:// or wss://")) from None
        except (OSError, WebSocketException) as error:
            # Not chained: the error may carry the address and its key.
            raise TryLater(self._told(f"cannot connect: {type(error).__name__}: {error}")) from None
        except ValueError as error:
            raise Refused(self._told(f"the address is none: {error}")) from None

    def _open(self) -> ClientConnection:
        opening = _Direct(
            self._url,
            # Neither a proxy nor a certificate of the environment may change whom we listen to.
            proxy=None,
            ssl=httpx.create_ssl_context(trust_env=False) if self._url.startswith("wss:") else None,
            compression=None,  # the processor costs more than the line
            open_timeout=self._limits.connect_seconds,
            ping_interval=None,  # it would take a reader who is busy for a dead line: see _Watchdog
            close_timeout=_CLOSE_SECONDS,
            max_size=self._limits.most_bytes,
            max_queue=self._limits.most_waiting,
            user_agent_header="megatron",
            logger=_library_log,
        )
        return opening.__enter__()

    def _conversation(self, connection: ClientConnection, dialogue: Dialogue, stop: Event) -> Iterator[Heard]:
        early = self._subscribe(connection, dialogue, stop)
        if stop.is_set():
            return
        yield Opened(clock.utc_now())
        watchdog = _Watchdog(connection, self._limits, self._told)
        while not stop.is_set():
            watchdog.ping()
            try:
                raw = early.popleft() if early else connection.recv(timeout=TICK, decode=False)
            except TimeoutError:
                if connection.state is not State.OPEN:  # too much came, and the other side does not hang up
                    connection.close()
                if watchdog.is_quiet():
                    yield Quiet(clock.utc_now())
                continue
            watchdog.hear()
            self._account.add(len(raw))
            if (reply := dialogue.reply(raw)) is not None:
                connection.send(reply)
            yield Frame(clock.utc_now(), raw)

    def _subscribe(self, connection: ClientConnection, dialogue: Dialogue, stop: Event) -> deque[bytes]:
        """Ask, and wait until all is acknowledged; return the frames that came before that."""
        requests = dialogue.requests()
        for request in requests:
            connection.send(request)
        early: deque[bytes] = deque()
        waiting, until = len(requests), time.monotonic() + self._limits.acknowledge_seconds
        while waiting and not stop.is_set():
            if time.monotonic() > until or len(early) > _MOST_EARLY:
                raise TryLater(self._told("the subscription was not acknowledged"))
            try:
                raw = connection.recv(timeout=TICK, decode=False)
            except TimeoutError:
                continue
            if dialogue.is_acknowledgement(raw):
                waiting -= 1
            else:
                early.append(raw)
        return early

    def _told(self, message: str) -> str:
        return self._redactor.text(f"{self._name}: {message}")


class _Attempt:
    """Opens a connection in a thread of its own; what comes after it was abandoned is closed."""

    def __init__(self, open_: Callable[[], ClientConnection]) -> None:
        self.over = Event()
        self._open, self._guard, self._abandoned = open_, Lock(), False
        self._connection: ClientConnection | None = None
        self._error: Exception | None = None
        Thread(target=self._run, name="websocket opening", daemon=True).start()

    def _run(self) -> None:
        try:
            connection = self._open()
        except Exception as error:  # noqa: BLE001  # raised again by result()
            self._error = error
        else:
            with self._guard:
                abandoned, self._connection = self._abandoned, connection
            if abandoned:
                connection.close()
        self.over.set()

    def abandon(self) -> None:
        """Close the connection as soon as there is one."""
        with self._guard:
            self._abandoned = True
        if self._connection is not None:
            self._connection.close()

    def result(self) -> ClientConnection:
        """Return the connection or raise what went wrong."""
        if self._error is not None:
            raise self._error
        assert self._connection is not None
        return self._connection


class _Watchdog:
    """Tells a connection that is dead or stalled from one that is quiet, and from a reader who is slow.

    A frame is a sign of life when it is taken, and silence counts only when nothing waits to be taken: however long the
    reader stayed away, a line on which something came is alive.
    """

    def __init__(self, connection: ClientConnection, limits: Limits, told: Callable[[str], str]) -> None:
        self._connection, self._limits, self._told = connection, limits, told
        self._heard = self._said_quiet = self._pinged = time.monotonic()
        self._pong: Event | None = None

    def ping(self) -> None:
        """Ask for a sign of life when it is time."""
        now = time.monotonic()
        if now - self._pinged >= self._limits.ping_seconds and (self._pong is None or self._pong.is_set()):
            self._pong, self._pinged = self._connection.ping(), now

    def hear(self) -> None:
        """A frame came."""
        self._heard = self._said_quiet = time.monotonic()

    def is_quiet(self) -> bool:
        """Say whether it is time to say that nothing came. Raises ``TryLater`` when that is not quiet but the end."""
        now, limits = time.monotonic(), self._limits
        silent = now - self._heard
        asked = self._pong is not None and not self._pong.is_set()
        if asked and now - max(self._pinged, self._heard) >= limits.pong_seconds:
            raise TryLater(self._told(f"no sign of life for {silent:.0f} s: the line is dead"))
        if limits.stall_seconds is not None and silent >= limits.stall_seconds:
            raise TryLater(self._told(f"nothing came for {silent:.0f} s: the feed has stalled"))
        if now - self._said_quiet < QUIET_SECONDS:
            return False
        self._said_quiet = now
        return True
