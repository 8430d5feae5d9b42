"""Faults are planned by a seed, and the books say exactly what came of them."""

import json
import threading
from collections import Counter
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.cluster.faults import STORMS, FaultPlan
from tests.cluster.test_cluster import ask
from tests.cluster.weather import Weather
from tokens.domain.decode import Undecodable, decode_message
from tokens.domain.programs import PUMP

SEEDS = range(200)


class Listener(threading.Thread):
    """Subscribes to pump.fun's logs, and again whenever the connection ends."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.got, self.garbage, self.stop = url, Counter[tuple[str, int]](), 0, threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with connect(self.url, compression=None, ping_interval=0.1, ping_timeout=0.3) as client:
                    wanted = [{"mentions": [PUMP]}, {"commitment": "confirmed"}]
                    client.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": wanted}))
                    while not self.stop.is_set():
                        self._take(client)
            except (ConnectionClosed, OSError, Exception) as error:  # refused with 503, too
                if self.stop.wait(0.01):
                    raise SystemExit from error

    def _take(self, client: Any) -> None:
        try:
            for one in decode_message(client.recv(timeout=0.2, decode=False)):
                if one.signature is not None:
                    self.got[one.signature, one.slot or 0] += 1
        except TimeoutError:
            pass
        except Undecodable:
            self.garbage += 1


def test_a_seed_is_a_plan() -> None:
    """The same seed plans the same faults on the same chain; another seed others."""
    first, again, other = (FaultPlan.from_seed(seed) for seed in (8, 8, 9))
    for field in ("odds", "outages", "lags", "storms", "garbage", "withheld", "forks"):
        assert getattr(first, field) == getattr(again, field)
    assert [block.slot for block in first.chain.timeline] == [block.slot for block in again.chain.timeline]
    assert (first.odds, first.outages, first.forks) != (other.odds, other.outages, other.forks)


def test_plans_hold_every_fault() -> None:
    """Among 200 seeds there is each kind of fault, and branches of 32 slots."""
    plans = [FaultPlan.from_seed(seed, slots=60, per_slot=1) for seed in SEEDS]
    assert {storm.kind for plan in plans for storm in plan.storms} == set(STORMS)
    assert {outage.how for plan in plans for outage in plan.outages} == {"clean", "abrupt", "half-open"}
    assert max(lag.behind for plan in plans for lag in plan.lags) == 200
    assert all(any(plan.odds[place] for plan in plans) for place in range(5))
    spans = Counter(block.slot - (block.fork or 0) for plan in plans for block in plan.chain.timeline if block.fork)
    assert max(spans) == 32
    assert min(spans) == 1


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_the_books_are_true(seed: int) -> None:
    """A listener gets exactly what the books call delivered, however the connection ended, and nothing else."""
    plan = FaultPlan.from_seed(seed, slots=80, per_slot=3)
    weather = Weather(plan)
    with weather.cluster as cluster:
        listener = Listener(cluster.ws_url)
        listener.start()
        cluster.subscribed()
        weather.play()
        for session in cluster.sessions():
            if not session.muted:
                session.settle()
        threading.Event().wait(0.3)
        listener.stop.set()
        listener.join(5)
    assert set(listener.got) == {(signature, slot) for _, signature, slot in weather.delivered}
    known = {signature for signature, _ in listener.got}
    on_chain = {one.signature for one in plan.chain.landings() if not one.failed and PUMP in one.programs}
    assert set(weather.losses(PUMP)) == on_chain - known
    assert (listener.garbage > 0) == (weather.garbage_sent > 0)


def test_storms_end() -> None:
    """Calls that get an error instead of an answer get the answer when they are made again often enough."""
    plan = next(plan for seed in SEEDS if len((plan := FaultPlan.from_seed(seed, slots=40, per_slot=1)).storms) >= 4)
    with Weather(plan).cluster as cluster:
        answers = [_asked(cluster) for _ in range(plan.storms[-1].first_call + plan.storms[-1].calls + 1)]
    assert answers[-1] is True
    assert answers.count(False) == sum(storm.calls for storm in plan.storms)


def _asked(cluster: Any) -> bool:
    try:
        return isinstance(ask(cluster, "getSlot", {"commitment": "confirmed"}), int)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def test_without_faults_nothing_is_lost() -> None:
    """The same traffic without faults delivers everything, branches included."""
    plan = FaultPlan.from_seed(4, slots=60, per_slot=3).without_faults()
    weather = Weather(plan)
    with weather.cluster as cluster:
        listener = Listener(cluster.ws_url)
        listener.start()
        cluster.subscribed()
        weather.play()
        listener.stop.set()
        listener.join(5)
    assert weather.losses(PUMP) == {}
