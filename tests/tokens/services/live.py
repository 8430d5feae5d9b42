"""A venue followed live, without a network: a chain of the stand-in, its answers, and feeds that bring what they are told."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Event

import httpx
import msgspec

from megatron.clients.errors import Refused
from megatron.clients.ports import Frame, Heard, Lost, Opened
from megatron.clients.solana_rpc import SolanaRpc
from tests.cluster import chain as chains
from tests.cluster import views
from tests.cluster.chain import Chain, Fork
from tests.cluster.landing import Landing
from tests.cluster.node import Node, RpcError
from tokens.choices import Program
from tokens.domain import programs
from tokens.services.monitor import Monitor
from tokens.services.monitor.follow import Report

VENUE = Program.PUMPFUN


def reader(node: Node) -> SolanaRpc:
    """Return the real client of the RPC, answered by a node in this process."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = msgspec.json.decode(request.content)
        try:
            reply = {"jsonrpc": "2.0", "id": 1, "result": node.answer(asked["method"], asked["params"])}
        except RpcError as error:
            reply = {"jsonrpc": "2.0", "id": 1, "error": error.told}
        return httpx.Response(200, content=msgspec.json.encode(reply))

    return SolanaRpc("http://node.test", per_second=1e6, transport=httpx.MockTransport(answer))


class World:
    """A chain that was played to its end and is final, and a clock that stands still a minute later."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.node = Node(chain)
        self.node.step = len(chain.timeline) + 200
        self.rpc = reader(self.node)
        self.now = datetime.fromtimestamp(chain.timeline[-1].block_time, UTC) + timedelta(minutes=2)

    def later(self, seconds: float = 60) -> datetime:
        """Let time pass; return the time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def landings(self, *, dropped: bool = False, venue: Program = VENUE) -> list[Landing]:
        """Return the venue's transactions in the order in which a feed brings them, a dropped fork's too if asked."""
        address = programs.ADDRESSES[venue]
        blocks = self.chain.timeline if dropped else self.chain.main
        return [landing for block in blocks for landing in block.landings if address in landing.addresses]

    def follow(self, *feeds: "Feed", chain: SolanaRpc | None = None, venue: Program = VENUE) -> Report:
        """Let the monitor follow feeds to their end."""
        monitor = Monitor(venue=venue, sources=feeds, chain=chain, clock=self.clock)
        return monitor.run(stop=Event())


def world(*, seed: int = 11, slots: int = 70, per_slot: float = 3.0, fork: Fork | None = None, coins: int = 8) -> World:
    """Return a small world. Its chain is built once: nobody changes one."""
    return World(_chain(seed, slots, per_slot, fork, coins))


@cache
def _chain(seed: int, slots: int, per_slot: float, fork: Fork | None, coins: int) -> Chain:
    forks = [] if fork is None else [fork]
    return chains.build(seed=seed, slots=slots, per_slot=per_slot, forks=forks, coins=coins, recorded=0.0)


class Feed:
    """A :class:`~megatron.clients.ports.TransactionStream` that brings what it is told and ends."""

    complete = True

    def __init__(
        self,
        said: Iterable[Landing | bytes | Heard],
        *,
        at: datetime,
        source: str = "solana-logs",
        commitment: int = 1,
        without: Collection[str] = (),
    ) -> None:
        self.source, self.commitment = source, commitment
        self._said, self._at, self._without = list(said), at, set(without)

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        """Yield one connection, with more of them where the script says so."""
        yield Opened(self._at)
        for one in self._said:
            if isinstance(one, Opened | Frame | Lost):
                yield one
            elif isinstance(one, bytes):
                yield Frame(self._at, one)
            elif isinstance(one, Landing) and one.signature not in self._without:
                yield Frame(self._at, views.logs_frame(one))
        yield Lost(self._at, "the end")


class Refusing(Feed):
    """A feed that a provider will not open."""

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        raise Refused("wrong key")
        yield  # a generator


def trades(landings: Sequence[Landing]) -> list[Landing]:
    """Return those that leave rows."""
    from tests.cluster.market import CurveTrade

    return [one for one in landings if any(isinstance(what, CurveTrade) for what in one.happened)]
