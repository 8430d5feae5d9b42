"""One soak: traffic by the clock, lag by looking at what is committed, and the rows of the chain at the end."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from tests.cluster import chain
from tests.cluster.chain import Block, Chain, Fork
from tests.cluster.cluster import Cluster
from tests.cluster.landing import Landing
from tests.cluster.market import CurveTrade, PoolTrade
from tests.soak.processes import VENUES, Processes
from tokens.choices import Program
from tokens.domain.programs import ADDRESSES

LOOK_SECONDS = 0.02
BUILT_A_SECOND = 10_000
WARM_SECONDS = 5
PATIENCE_SECONDS = 240


@dataclass(slots=True)
class Outcome:
    """What a soak showed. ``wrong`` says in words what must not be."""

    frames: int = 0
    trades: int = 0
    lag_s: list[float] = field(default_factory=list)
    lost: int = 0
    memory_mb: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each process after a quarter of the time, and at the end."""
    kills: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    """By cause."""
    compared_after_s: float = float("nan")
    """From the last block to when everything was compared with the chain."""
    wrong: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the lag that ``share`` of the samples do not exceed, in seconds."""
        ordered = sorted(self.lag_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def run(
    *,
    seconds: float,
    rate: float,
    kill: bool = False,
    compare: bool = True,
    seed: int = 1,
    say: Callable[[str], None] = lambda _line: None,
) -> Outcome:
    """Return how the house comes through ``seconds`` of traffic at ``rate`` transactions a second; with ``kill`` any of its
    processes is killed at random moments. Without ``compare`` it is not waited, a minute and more, until everything is
    final, and nothing counts as lost."""
    outcome = Outcome()
    slots = int(seconds * chain.SLOTS_A_SECOND)
    start = time.time() + 30 + seconds * rate / BUILT_A_SECOND
    forks = [Fork(at, 1 + at % 32) for at in range(120, slots - 60, 240)]
    built = chain.build(
        seed=seed, slots=slots, per_slot=rate / chain.SLOTS_A_SECOND, coins=200, forks=forks, first_second=int(start)
    )
    with Cluster(built, apart=True) as cluster, Processes(http_url=cluster.http_url, ws_url=cluster.ws_url) as house:
        house.start_house()
        cluster.subscribed(timeout=60, count=len(VENUES))
        say(f"playing {sum(len(block.landings) for block in built.timeline)} transactions")
        watch = _Watch(cluster, house, outcome, say)
        killer = _Killer(house, outcome, seed, say)
        watch.start()
        if kill:
            killer.start()
        try:
            while cluster.node.step < len(built.timeline):
                cluster.play(steps=chain.SLOTS_A_SECOND * 5, rate=rate)
                watch.tell()
        finally:
            killer.stop()
        if compare:
            say("the chain is played; waiting until everything is final")
            _settle(cluster, house, outcome, rate)
        watch.stop()
        if compare:
            _compare(built, house, outcome)
    return outcome


class _Watch(threading.Thread):
    """Looks how far the monitors have committed, and how much memory is used."""

    def __init__(self, cluster: Cluster, house: Processes, outcome: Outcome, say: Callable[[str], None]) -> None:
        super().__init__(daemon=True)
        self._cluster, self._house, self._outcome, self._say = cluster, house, outcome, say
        self._sent: dict[str, list[tuple[int, float]]] = {venue: [] for venue in VENUES}
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._memory: list[dict[str, int]] = []
        cluster.on_block.append(self._block)

    def _block(self, _played: Block) -> None:
        # The block that is played now makes the one before it confirmed: its frames are sent next.
        block = self._cluster.chain.played(self._cluster.node.step)
        self._outcome.frames += len(block.landings)
        for venue in VENUES:
            # What leaves no rows leaves no trace to look for.
            if any(_trades(one) and ADDRESSES[Program(venue)] in one.programs for one in block.landings):
                self._sent[venue].append((block.slot, time.monotonic()))

    def run(self) -> None:
        looked = 0.0
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._house.database_url, autocommit=True, connect_timeout=3) as server:
                    while not self._ended.wait(LOOK_SECONDS):
                        self._look(server)
                        if time.monotonic() - looked > 1:
                            looked = time.monotonic()
                            self._memory.append({name: self._house.memory_bytes(name) for name in self._house.names})
            except psycopg.Error:
                time.sleep(0.2)

    def _look(self, server: psycopg.Connection) -> None:
        rows = server.execute("SELECT venue, last_slot FROM stream_cursors WHERE source = 'solana-logs'").fetchall()
        now = time.monotonic()
        for venue, slot in rows:
            waiting = self._sent.get(venue, [])
            while waiting and waiting[0][0] <= slot:
                _, sent = waiting.pop(0)
                if sent - self._began > WARM_SECONDS:
                    self._outcome.lag_s.append(now - sent)

    def tell(self) -> None:
        """Say how it goes."""
        now = self._memory[-1] if self._memory else {}
        told = "  ".join(f"{name} {now.get(name, 0) >> 20} MB" for name in ("monitor-pumpfun", "worker"))
        lag = f"lag p50 {self._outcome.percentile(0.5):.2f} p99 {self._outcome.percentile(0.99):.2f} s"
        self._say(f"{self._outcome.frames} frames  {lag}  {told}")

    def stop(self) -> None:
        """Look no more; write down how the memory grew."""
        self._ended.set()
        self.join()
        if self._memory:
            first, last = self._memory[len(self._memory) // 4], self._memory[-1]
            self._outcome.memory_mb = {name: (first[name] >> 20, last[name] >> 20) for name in last}


class _Killer(threading.Thread):
    """Kills something every now and then, and starts it again."""

    def __init__(self, house: Processes, outcome: Outcome, seed: int, say: Callable[[str], None]) -> None:
        super().__init__(daemon=True)
        self._house, self._outcome, self._say = house, outcome, say
        self._dice = random.Random(f"killer {seed}")
        self._ended = threading.Event()

    def run(self) -> None:
        victims: list[str] = []
        while not self._ended.wait(self._dice.uniform(6, 15)):
            victims = victims or self._dice.sample(self._house.names, len(self._house.names))
            victim = victims.pop()
            self._say(f"kill -9 {victim}")
            self._outcome.kills[victim] += 1
            self._house.kill(victim)
            time.sleep(self._dice.uniform(0.2, 3))
            self._house.start(victim)

    def stop(self) -> None:
        """Let everybody live from now on."""
        self._ended.set()
        if self.is_alive():
            self.join()


_CURVES = "SELECT base_mint, virtual_sol_reserves, virtual_token_reserves FROM pools WHERE pool_type = 'initial'"
_SETTLED = "SELECT venue, settled_slot FROM venue_states ORDER BY venue"
_HEARD = "SELECT venue, last_slot FROM stream_cursors WHERE verified_slot IS NOT NULL ORDER BY venue"
_OPEN = "SELECT count(*) FROM slot_gaps WHERE finished_at IS NULL"


def _settle(cluster: Cluster, house: Processes, outcome: Outcome, rate: float) -> None:
    """Play empty blocks until everything is compared; who gets on is waited for, who stands for PATIENCE_SECONDS is not."""
    last, began = cluster.chain.last_slot, time.monotonic()
    seen: object = None
    moved, left = began, "nothing was looked at"
    while time.monotonic() - moved < PATIENCE_SECONDS:
        cluster.play(steps=3, rate=rate)
        try:
            with psycopg.connect(house.database_url, autocommit=True, connect_timeout=3) as server:
                settled, heard, gaps = (server.execute(sql).fetchall() for sql in (_SETTLED, _HEARD, _OPEN))
        except psycopg.Error as error:
            left = str(error)
            continue
        behind = [venue for venue, slot in settled if slot is None or slot < last]
        left = f"{len(behind)} venues are not compared, {gaps[0][0]} gaps are open"
        if len(settled) == len(VENUES) and not behind and not gaps[0][0]:
            outcome.compared_after_s = time.monotonic() - began
            return
        reached = ([min(slot or 0, last) for _, slot in (*heard, *settled)], gaps)
        if reached != seen:
            seen, moved = reached, time.monotonic()
    outcome.wrong.append(left)


def _compare(built: Chain, house: Processes, outcome: Outcome) -> None:
    expected = Counter({(one.signature, one.slot): _trades(one) for one in built.landings() if _trades(one)})
    with psycopg.connect(house.database_url) as server:
        rows = server.execute("SELECT signature, slot, count(*) FROM transactions GROUP BY 1, 2").fetchall()
        stored = Counter({(signature, slot): count for signature, slot, count in rows})
        pools = server.execute(_CURVES)
        states = {mint: (int(quote or 0), int(token or 0)) for mint, quote, token in pools.fetchall()}
        outcome.gaps = Counter(cause for (cause,) in server.execute("SELECT cause FROM slot_gaps").fetchall())
    outcome.trades = stored.total()
    outcome.lost = (expected - stored).total()
    if outcome.lost:
        outcome.wrong.append(f"{outcome.lost} trades are missing")
    if extra := (stored - expected).total():
        outcome.wrong.append(f"{extra} trades are not on the chain")
    curves = {w.mint: w.after for one in built.landings() for w in one.happened if isinstance(w, CurveTrade)}
    other = [mint for mint, held in curves.items() if states.get(mint) != (held.virtual_quote, held.virtual_token)]
    if other:
        outcome.wrong.append(f"{len(other)} curves hold something else than on the chain")


def _trades(landing: Landing) -> int:
    return sum(isinstance(what, CurveTrade | PoolTrade) for what in landing.happened)
