"""Yellowstone: a validator's own feed over gRPC, the fastest there is."""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from queue import Empty, Full, Queue, SimpleQueue
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit

import grpc

from megatron.clients import costs
from megatron.clients.block_times import BlockTimes
from megatron.clients.errors import ClientError, Refused, TryLater
from megatron.clients.ports import Frame, Heard, Opened, Quiet
from megatron.clients.protocols import yellowstone_pb2 as wire
from megatron.clients.reconnection import Reconnection
from megatron.clients.stream_account import StreamAccount
from megatron.clients.websocket import DEFAULT_LIMITS, QUIET_SECONDS, TICK, Limits
from megatron.clients.yellowstone_json import to_json
from megatron.core import clock
from megatron.core.redaction import Redactor

METHOD: Final = "/geyser.Geyser/Subscribe"
_FOR_GOOD: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.NOT_FOUND,
    }
)


class Yellowstone:
    """A :class:`~megatron.clients.ports.TransactionStream` of ``Subscribe``: whole transactions, joined with the times of
    their blocks.

    ``endpoint`` is ``https://host:port``, or ``http://`` without TLS; ``token`` goes as x-token. Of the ``limits`` the
    ping's are gRPC's own keep-alive.
    """

    source = "yellowstone"
    complete = True

    def __init__(
        self,
        endpoint: str,
        *,
        token: str = "",
        commitment: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        reconnection: Reconnection | None = None,
    ) -> None:
        self.commitment = commitment
        parts = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
        self._target = f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"
        self._plain = parts.scheme == "http"
        self._token, self._limits = token, limits
        self._redactor = Redactor([token])
        self._account = StreamAccount(
            provider=costs.provider_of(f"https://{self._target}", default=self.source), endpoint="Subscribe"
        )
        self._reconnection = reconnection or Reconnection(self.source)

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        """Yield the transactions that took effect and in which ``program`` took part, as ``getTransaction`` gives them."""
        return self._reconnection.run(partial(self._connection, program, stop), stop=stop)

    def _connection(self, program: str, stop: Event) -> Iterator[Heard]:
        call = _Call(self._channel(), self._token, _asked(program, self.commitment), self._limits.most_waiting)
        held: BlockTimes[wire.TransactionUpdate] = BlockTimes()
        try:
            try:
                yield from self._conversation(call, held, stop)
            except (grpc.RpcError, ClientError) as error:
                for update, _ in held.rest():  # what has come is not lost with the line
                    yield Frame(clock.utc_now(), to_json(update, None))
                raise self._ours(error) from None
        finally:
            call.close()
            self._account.settle()

    def _conversation(self, call: "_Call", held: BlockTimes[wire.TransactionUpdate], stop: Event) -> Iterator[Heard]:
        opened = False
        # Only the seconds that we waited here count: a reader who stayed away has not heard a silence.
        silent = without_trades = quiet = 0.0
        while not stop.is_set():
            began = time.monotonic()
            update = call.next(TICK)
            waited = time.monotonic() - began
            silent, without_trades, quiet = silent + waited, without_trades + waited, quiet + waited
            ready: list[tuple[wire.TransactionUpdate, int | None]] = []
            if update is not None:
                if not opened:  # whatever comes first says that we were understood
                    opened = True
                    yield Opened(clock.utc_now())
                silent = 0.0
                self._account.add(update.ByteSize())
                if update.HasField("ping"):
                    call.pong()
                if update.HasField("transaction"):
                    without_trades = 0.0
                ready += _ready(update, held)
            ready += held.overdue()
            for transaction, seconds in ready:
                quiet = 0.0
                yield Frame(clock.utc_now(), to_json(transaction, seconds))
            self._look(opened=opened, silent=silent, without_trades=without_trades)
            if opened and quiet >= QUIET_SECONDS:
                quiet = 0.0
                yield Quiet(clock.utc_now())

    def _look(self, *, opened: bool, silent: float, without_trades: float) -> None:
        """Raise ``TryLater`` when nothing came for too long: times of blocks come several times a second."""
        limits = self._limits
        if not opened and silent >= limits.acknowledge_seconds:
            raise TryLater("the subscription was not acknowledged")
        if silent >= limits.ping_seconds + limits.pong_seconds:
            raise TryLater(f"no sign of life for {silent:.0f} s: the line is dead")
        if limits.stall_seconds is not None and without_trades >= limits.stall_seconds:
            raise TryLater(f"nothing came for {without_trades:.0f} s: the feed has stalled")

    def _channel(self) -> grpc.Channel:
        options = [
            ("grpc.max_receive_message_length", self._limits.most_bytes),
            ("grpc.keepalive_time_ms", round(self._limits.ping_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", round(self._limits.pong_seconds * 1000)),
            # A proxy of the environment must not change whom we listen to.
            ("grpc.enable_http_proxy", 0),
        ]
        if self._plain:
            return grpc.insecure_channel(self._target, options)
        return grpc.secure_channel(self._target, grpc.ssl_channel_credentials(), options)

    def _ours(self, error: grpc.RpcError | ClientError) -> ClientError:
        if isinstance(error, ClientError):
            return TryLater(f"{self.source}: {error}")
        told = self._redactor.text(f"{self.source}: {error.code().name}: {error.details()}")
        return Refused(told) if error.code() in _FOR_GOOD else TryLater(told)


def _asked(program: str, commitment: int) -> wire.SubscribeRequest:
    return wire.SubscribeRequest(
        transactions={
            "program": wire.TransactionFilter(vote=False, failed=False, account_include=[program]),
        },
        blocks_meta={"times": wire.BlockMetaFilter()},
        commitment=wire.Commitment.Name(commitment),
    )


def _ready(
    update: wire.SubscribeUpdate, held: BlockTimes[wire.TransactionUpdate]
) -> Iterator[tuple[wire.TransactionUpdate, int | None]]:
    """Yield the transactions that an update makes ready: its own, or those that waited for its block's time."""
    if update.HasField("transaction"):
        yield from held.add(update.transaction.slot, update.transaction)
    elif update.HasField("block_meta"):
        meta = update.block_meta
        yield from held.know(meta.slot, meta.block_time.seconds if meta.HasField("block_time") else None)


class _Call:
    """One call, read in a thread of its own: gRPC's waiting cannot be interrupted. At most ``most`` updates are read
    ahead; then gRPC stops reading, and the network holds the sender back."""

    def __init__(self, channel: grpc.Channel, token: str, request: wire.SubscribeRequest, most: int) -> None:
        self._channel = channel
        self._requests: SimpleQueue[wire.SubscribeRequest | None] = SimpleQueue()
        self._requests.put(request)
        # Answered at once, while transactions may take their time: so an idle program's feed is known to stand.
        self._requests.put(wire.SubscribeRequest(ping=wire.Ping(id=1)))
        self._updates: Queue[Any] = Queue(most)
        self._over = Event()
        subscribe = channel.stream_stream(
            METHOD,
            request_serializer=wire.SubscribeRequest.SerializeToString,
            response_deserializer=wire.SubscribeUpdate.FromString,
        )
        self._call = subscribe(iter(self._requests.get, None), metadata=(("x-token", token),) if token else None)
        self._thread = Thread(target=self._read, name="yellowstone", daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> wire.SubscribeUpdate | None:
        """Return the next update, ``None`` when none came in time. Raises what ended the call."""
        try:
            update = self._updates.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(update, Exception):
            raise update
        assert isinstance(update, wire.SubscribeUpdate)
        return update

    def pong(self) -> None:
        """Answer a ping."""
        self._requests.put(wire.SubscribeRequest(ping=wire.Ping(id=1)))

    def close(self) -> None:
        """End the call and its threads."""
        self._over.set()
        self._requests.put(None)
        self._call.cancel()  # type: ignore[no-untyped-call]  # its stubs forgot it
        self._channel.close()
        self._thread.join(timeout=5)

    def _read(self) -> None:
        try:
            for update in self._call:
                self._put(update)
            self._put(TryLater("the stream has ended"))
        except grpc.RpcError as error:
            self._put(error)

    def _put(self, update: Any) -> None:
        while not self._over.is_set():
            with suppress(Full):
                self._updates.put(update, timeout=TICK)
                return
