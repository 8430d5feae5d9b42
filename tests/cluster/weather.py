"""Plays a chain through its plan of faults, and keeps the books: what was delivered, what was lost."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.faults import ABRUPT, CLEAN, HALF_OPEN, FaultPlan, Outage
from tests.cluster.landing import Landing
from tests.cluster.lies import Liar
from tests.cluster.node import FINALIZED, Node, RpcError
from tests.cluster.rpc import Reply
from tests.cluster.sockets import Session, Subscription

GARBAGE = (
    '{"jsonrpc":"2.0","method":"logsNotification","params":{"result":{"context":{"slot":4550',
    "<html><body>502 Bad Gateway</body></html>",
    '{"jsonrpc":"2.0","method":"logsNotification","params":null}',
    "\0\0\0\0",
    '{"wholly":"unknown"}',
)
_JSON_429 = b'{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests for a specific RPC call"},"id":1}'
_REPLIES: dict[str, Reply | RpcError] = {
    "429 with Retry-After": Reply(429, b"slow down", "text/plain", (("Retry-After", "0"),)),
    "429": Reply(429, b"slow down", "text/plain"),
    "429 in JSON-RPC": Reply(200, _JSON_429),
    "500": Reply(500, b"oops", "text/plain"),
    "503": Reply(503, b"", "text/plain"),
    "HTML": Reply(200, b"<!DOCTYPE html><title>Just a moment</title>", "text/html; charset=utf-8"),
    "-32005": RpcError(-32005, "Node is behind by 42 slots", {"numSlotsBehind": 42}),
    "-32603": RpcError(-32603, "Internal error"),
    "empty": Reply(200, b""),
    "slow": Reply(503, b"", "text/plain", after_seconds=0.3),
    "error without a code": Reply(200, b'{"jsonrpc":"2.0","error":"rate limited","id":1}'),
    "message of a limit": Reply(200, b'{"status":429,"message":"Too many requests"}'),
    "empty object": Reply(200, b"{}"),
    "neither result nor error": Reply(200, b'{"jsonrpc":"2.0","id":1}'),
    "text": Reply(200, b'"try again later"'),
    "batch": Reply(200, b'[{"jsonrpc":"2.0","result":null,"id":1}]'),
}
MOST_WITHHELD = 2
Key = tuple[str, str, int]
"""(program, signature, slot)."""


class Weather:
    """One run of a plan. Ask its books when the run is over."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.pace: Callable[[Weather], None] = lambda _weather: None
        """Called after every step; may wait."""
        self.delivered: set[Key] = set()
        self.garbage_sent = self.sent = 0
        self._held: list[tuple[int, Session, Key, bytes]] = []
        self.step = 0
        self._closed = False
        self._calls = 0
        self._withheld: Counter[str] = Counter()
        self._lock = threading.Lock()
        node = Node(plan.chain, behind=self._behind)
        self.liar = Liar(plan, node)
        node.lie = self.liar.answer
        node.unknown = lambda signature: self._withhold(signature, "unknown")
        node.incomplete = lambda signature: self._withhold(signature, "incomplete")
        node.truncated = frozenset(
            landing.signature
            for block in plan.chain.timeline
            for landing in block.landings
            if self._chance(plan.odds.truncated, "truncated", landing.signature)
        )
        self.cluster = Cluster(
            plan.chain, node=node, disturb=self._disturb, deliver=self._deliver, refuse=lambda: self._closed
        )

    # -- playing

    def play(self) -> None:
        """Play the whole chain, faults and all, until everything on it is finalized. Connections that ended are waited
        for."""
        cluster, plan = self.cluster, self.plan
        expected = sum(len(session.subscriptions) for session in cluster.sessions())
        outages = {outage.step: outage for outage in plan.outages}
        reopen: int | None = None
        last = plan.chain.last_slot
        while cluster.node.head(FINALIZED, step=cluster.node.step).slot < last + 8:
            self.step = cluster.node.step + 1
            if (outage := outages.get(self.step)) is not None:
                self._cut(outage)
                reopen = self.step + outage.steps
            if reopen is not None and self.step >= reopen:
                self._closed, reopen = False, None
                self._await_subscriptions(expected)
            self.liar.forget(self.step)
            for _ in range(plan.garbage.count(self.step)):
                self._send_garbage()
            cluster.step()
            self._release()
            cluster.wait_for_readers()
            self.pace(self)
        self._release(everything=True)
        self.liar.remember()

    def _cut(self, outage: Outage) -> None:
        sessions = [session for session in self.cluster.sessions() if session.subscriptions]
        if outage.program:
            sessions = sessions[outage.program - 1 : outage.program]
        self._closed = True
        for session in sessions:
            # What was sent before is there: which frames are lost does not depend on anybody's speed.
            session.settle()
            if outage.how == HALF_OPEN:
                session.freeze()
                session.subscriptions = {}
            else:
                session.end(clean=outage.how == CLEAN)
                assert outage.how in (CLEAN, ABRUPT)

    def _await_subscriptions(self, expected: int) -> None:
        until = time.monotonic() + 30
        while sum(len(s.subscriptions) for s in self.cluster.sessions() if not s.muted) < expected:
            if time.monotonic() > until:
                raise TimeoutError(f"Plan {self.plan.seed}: not connected again within 30 s")
            time.sleep(0.003)

    def _send_garbage(self) -> None:
        for session in self.cluster.sessions():
            if not session.muted:
                session.send(GARBAGE[(self.plan.seed + self.garbage_sent) % len(GARBAGE)].encode())
                self.garbage_sent += 1
                self.sent += 1

    # -- frames

    def _dice(self, *what: object) -> random.Random:
        return random.Random(f"{self.plan.seed} {what}")

    def _chance(self, odds: float, *what: object) -> bool:
        return odds > 0 and self._dice(*what).random() < odds

    def _deliver(self, session: Session, wanted: Subscription, landing: Landing, frame: bytes) -> None:
        key, odds = (_program(wanted), landing.signature, landing.slot), self.plan.odds
        if landing.slot <= self.plan.chain.first_slot + 1:
            self._send(session, key, frame)  # so that everybody knows from where on they listen
            return
        if self._chance(odds.dropped, "dropped", key):
            return
        if self._chance(odds.late, "late", key):
            self._held.append((self.step + self._dice("how late", key).randrange(1, 12), session, key, frame))
        elif self._chance(odds.shuffled, "shuffled", key):
            self._held.append((self.step, session, key, frame))
        else:
            self._send(session, key, frame)
        if self._chance(odds.twice, "twice", key):
            self._held.append((self.step + self._dice("again", key).randrange(6), session, key, frame))

    def _send(self, session: Session, key: Key, frame: bytes) -> None:
        if not session.muted:
            session.send(frame)
            self.sent += 1
            self.delivered.add(key)

    def _release(self, *, everything: bool = False) -> None:
        """Send what was held back and is due, in no particular order."""
        due = [held for held in self._held if everything or held[0] <= self.step]
        self._held = [held for held in self._held if held not in due]
        self._dice("release", self.step).shuffle(due)
        for _, session, key, frame in due:
            self._send(session, key, frame)

    # -- calls

    def _behind(self) -> int:
        for lag in self.plan.lags:
            if lag.step <= self.step < lag.step + lag.steps and self._dice("lag", self._calls).random() < lag.share:
                return lag.behind
        return 0

    def _disturb(self, _method: str, _params: list[Any]) -> Reply | RpcError | None:
        with self._lock:
            self._calls += 1
            call = self._calls
        for storm in self.plan.storms:
            if storm.first_call < call <= storm.first_call + storm.calls:
                return _REPLIES[storm.kind]
        return None

    def _withhold(self, signature: str, how: str) -> bool:
        if not self._chance(self.plan.withheld, how, signature):
            return False
        with self._lock:
            self._withheld[how + signature] += 1
            return self._withheld[how + signature] <= MOST_WITHHELD

    # -- the books

    def losses(self, program: str) -> dict[str, int]:
        """Return what succeeded on the main chain and was never delivered for ``program``, with its slot.

        What came from a branch and landed again elsewhere is no loss: it is known, and in the wrong place.
        """
        known = {signature for kind, signature, _ in self.delivered if kind == program}
        return {
            landing.signature: landing.slot
            for landing in self.plan.chain.landings()
            if not landing.failed and program in landing.programs and landing.signature not in known
        }

    def moved(self, program: str) -> dict[str, int]:
        """Return what was delivered from a branch only, and then not again from where it landed on the main chain."""
        known = {signature for kind, signature, _ in self.delivered if kind == program}
        return {
            landing.signature: landing.slot
            for landing in self.plan.chain.landings()
            if not landing.failed
            and program in landing.programs
            and landing.signature in known
            and (program, landing.signature, landing.slot) not in self.delivered
        }

    def invisible(self, program: str) -> set[int]:
        """Return the slots in which a truncated log hid what happened, and which may therefore be asked for again."""
        truncated = self.cluster.node.truncated
        return {
            one.slot for one in self.plan.chain.landings() if one.signature in truncated and program in one.programs
        }


def _program(wanted: Subscription) -> str:
    return min(wanted.mentions) if wanted.mentions else ""
