"""The cluster: a chain, how far it was played, and the doors to it."""

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Self

from tests.cluster import views
from tests.cluster.chain import SLOTS_A_SECOND, Block, Chain
from tests.cluster.landing import Landing
from tests.cluster.node import CONFIRMED, FINALIZED, PROCESSED, Node
from tests.cluster.rpc import Disturb, RpcProcess, RpcServer, undisturbed
from tests.cluster.sockets import BLOCKS, LOGS, SLOTS, Session, SocketServer, Subscription

MOST_PENDING = 500
"""Frames that may wait for a reader before a cluster that plays as fast as possible waits too."""

Deliver = Callable[[Session, Subscription, Landing, bytes], None]
"""Brings one frame about one transaction to a session, or does not."""


def deliver(session: Session, _wanted: Subscription, _landing: Landing, frame: bytes) -> None:
    """Send the frame."""
    session.send(frame)


class Cluster:
    """Serves a chain on loopback until it is closed. Blocks come when a test plays them, or by the clock."""

    def __init__(
        self,
        chain: Chain,
        *,
        node: Node | None = None,
        disturb: Disturb = undisturbed,
        deliver: Deliver = deliver,
        refuse: Callable[[], bool] = lambda: False,
        http_port: int = 0,
        ws_port: int = 0,
        apart: bool = False,
    ) -> None:
        """Open the doors; ``apart`` answers calls from a process of its own, undisturbed and on any port."""
        self.chain = chain
        self.node = node or Node(chain)
        self.on_block: list[Callable[[Block], None]] = []
        """Called before a block's frames are sent."""
        self._deliver = deliver
        self._rpc = RpcProcess(self.node) if apart else RpcServer(self.node, port=http_port, disturb=disturb)
        self._sockets = SocketServer(port=ws_port, refuse=refuse)
        self._logs = lru_cache(maxsize=4096)(self._logs_frame)
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def http_url(self) -> str:
        """Return where JSON-RPC is served."""
        return self._rpc.url

    @property
    def ws_url(self) -> str:
        """Return where subscriptions are served."""
        return self._sockets.url

    @property
    def calls(self) -> dict[str, int]:
        """Return how often each RPC method was asked for."""
        return dict(self._rpc.calls)

    @property
    def connections(self) -> int:
        """Return how many WebSocket connections were accepted so far."""
        return self._sockets.accepted

    def sessions(self) -> list[Session]:
        """Return the open connections."""
        return self._sockets.sessions()

    def subscribed(self, *, timeout: float = 10.0, count: int = 1) -> None:
        """Wait until ``count`` subscriptions stand. Raises ``TimeoutError``."""
        until = time.monotonic() + timeout
        while sum(len(session.subscriptions) for session in self.sessions()) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"No {count} subscriptions within {timeout} s")
            time.sleep(0.005)

    def play(self, *, until_slot: int | None = None, steps: int | None = None, rate: float | None = None) -> None:
        """Play blocks: ``steps`` of them, or until the confirmed head is at or past ``until_slot``.

        Without ``rate`` as fast as the slowest reader reads; with it by the clock, ``rate`` frames a second on average.
        """
        started, frames, done = time.monotonic(), 0, 0
        while not self._closing.is_set():
            if steps is not None and done >= steps:
                return
            if until_slot is not None and self.node.head(CONFIRMED, step=self.node.step).slot >= until_slot:
                return
            block = self.step()
            done += 1
            if rate is None:
                self.wait_for_readers()
                continue
            frames += max(len(block.landings), 1 if block.slot <= self.chain.last_slot else int(rate / SLOTS_A_SECOND))
            self._closing.wait(max(0.0, started + frames / rate - time.monotonic()))

    def finish(self, *, extra_slots: int = 8) -> None:
        """Play to the end, and on until everything is finalized, and ``extra_slots`` more."""
        last = self.chain.last_slot
        while self.node.head(FINALIZED, step=self.node.step).slot < last + extra_slots:
            self.play(steps=1)

    def step(self) -> Block:
        """Play one block: every subscription gets its frames at the commitment it asked for."""
        node = self.node
        before = {level: node.head(level, step=node.step) for level in (CONFIRMED, FINALIZED)}
        played = self.chain.played(node.step + 1)
        for called in self.on_block:
            called(played)
        node.step += 1
        confirmed = node.head(CONFIRMED, step=node.step)
        finalized = node.head(FINALIZED, step=node.step)
        fresh = {
            PROCESSED: [played],
            CONFIRMED: [confirmed] if confirmed.slot != before[CONFIRMED].slot else [],
            FINALIZED: self._between(before[FINALIZED].slot, finalized),
        }
        for session in self.sessions():
            for wanted in session.subscriptions.values():
                for block in fresh[wanted.commitment]:
                    self._tell(session, wanted, block, finalized.slot)
        return played

    def _between(self, after: int, last: Block) -> list[Block]:
        view = self.chain.view(last)
        return [block for slot in view.slots(after + 1, last.slot) if (block := view.block(slot)) is not None]

    def _tell(self, session: Session, wanted: Subscription, block: Block, root: int) -> None:
        if wanted.kind == SLOTS:
            session.send(views.slot_frame(block, root, wanted.number))
            return
        if wanted.kind == BLOCKS:
            mentions = next(iter(wanted.mentions), None) if wanted.mentions else None
            session.send(views.block_frame(block, wanted.number, encoding=wanted.encoding, mentions=mentions))
            return
        for landing in block.landings:
            if wanted.mentions is not None and wanted.mentions.isdisjoint(landing.addresses):
                continue
            if wanted.kind == LOGS:
                frame = self._logs(landing) + b"%d}}" % wanted.number
            elif landing.failed and not wanted.failed:
                continue
            else:
                frame = views.transaction_frame(landing, wanted.number, encoding=wanted.encoding)
            self._deliver(session, wanted, landing, frame)

    def _logs_frame(self, landing: Landing) -> bytes:
        frame = views.logs_frame(landing, 0, truncated=landing.signature in self.node.truncated)
        return frame.removesuffix(b"0}}")

    def wait_for_readers(self, patience: float = 20.0) -> None:
        """Wait until nobody has more than ``MOST_PENDING`` frames to read."""
        until = time.monotonic() + patience
        while any(s.pending > MOST_PENDING for s in self.sessions()) and time.monotonic() < until:
            time.sleep(0.002)

    def close(self) -> None:
        """End all connections and stop answering."""
        self._closing.set()
        self._sockets.close()
        self._rpc.close()
