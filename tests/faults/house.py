"""The part of the system that lives on feeds: monitors in threads, and the workers' rounds, on a clock that runs fast."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

from megatron.clients.errors import ClientError
from megatron.clients.reconnection import Reconnection
from megatron.clients.solana_rpc import SolanaRpc
from megatron.clients.solana_ws import SolanaLogs
from megatron.clients.websocket import Limits
from megatron.core import queue
from tests.cluster.cluster import Cluster
from tests.cluster.weather import Weather
from tokens.choices import Program
from tokens.models import RejectedMessage, SlotGap, VenueState
from tokens.services import candles, finality, gaps, rejections
from tokens.services.monitor import Monitor, follow

VENUES = (Program.PUMPFUN, Program.PUMPSWAP)
FAST = 40
"""How much faster the clock runs: pauses of seconds pass in a blink."""
FLUSH_SECONDS = 0.02
TALLY_SECONDS = 0.2
STEPS_BETWEEN = 12
"""Blocks that may be played before the monitors have stored what they got. Less than the 32 slots to finality, as on the
real chain, where these are many seconds."""
IDLE_ROUNDS = 2 * queue.LONGEST_PAUSE // finality.QUIET
"""Rounds, each of a minute, in which nothing gets on before the house is said to stand still: whatever is to be done again is
due again in half of them. Rounds and not seconds, so that a busy machine does not look like a house that stands still."""


class Clock:
    """Begins when the chain does."""

    def __init__(self, first_second: int) -> None:
        self._base, self._began = datetime.fromtimestamp(first_second, UTC) + timedelta(seconds=60), time.monotonic()

    def __call__(self) -> datetime:
        return self._base + FAST * timedelta(seconds=time.monotonic() - self._began)

    def skip(self, pause: timedelta) -> None:
        """Let a pause in which nobody does anything be over."""
        self._base += pause


class House:
    """Follows the cluster until it is closed. Raises what a thread raised, when it is."""

    def __init__(self, cluster: Cluster, *, pong_seconds: float = 20.0) -> None:
        self._cluster = cluster
        self.clock = Clock(cluster.chain.main[0].block_time)
        self.chain = SolanaRpc(cluster.http_url, per_second=1e6)
        landed = {landing.signature for landing in cluster.chain.landings() if not landing.failed}
        self._never = [one.signature for one in cluster.chain.dropped() if one.signature not in landed]
        self._stop = threading.Event()
        self._stop_rounds = threading.Event()
        self._flushes = [0] * len(VENUES)
        self._given_up = 0
        self.failures: list[BaseException] = []
        self.monitors = [
            Monitor(venue=venue, sources=[_logs(cluster.ws_url, pong_seconds)], chain=self.chain, clock=self.clock)
            for venue in VENUES
        ]
        runs: list[Callable[[], None]] = [self._monitor(place) for place in range(len(VENUES))]
        self._threads = [threading.Thread(target=self._guarded, args=(run,), daemon=True) for run in runs]
        self._rounds = threading.Thread(target=self._guarded, args=(self._make_rounds,), daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        for thread in (*self._threads, self._rounds):
            thread.start()

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  # told by close()
            self.failures.append(error)
        finally:
            connection.close()

    def _monitor(self, place: int) -> Callable[[], None]:
        def flushed(_report: follow.Report) -> None:
            self._flushes[place] += 1

        def run() -> None:
            self.monitors[place].run(stop=self._stop, tell=flushed)

        return run

    def _make_rounds(self) -> None:
        while not self._stop_rounds.wait(0.02):
            self.round()

    def round(self) -> None:
        """Do once what the beat wakes workers for."""
        try:
            gaps.heal_due(chain=self.chain, now=self.clock())
            finality.settle_all(chain=self.chain, now=self.clock())
        except ClientError:
            pass  # the next round asks again
        rejections.retry_answered(now=self.clock())
        rejections.complete(chain=self.chain, now=self.clock())
        candles.roll(now=self.clock())

    def pace(self, weather: Weather) -> None:
        """Wait, now and then, until everything that was sent is stored."""
        if weather.step % STEPS_BETWEEN == 0:
            self.catch_up(weather)

    def catch_up(self, weather: Weather, *, patience: float = 20.0) -> None:
        """Wait until the monitors have stored what they were sent, or ``patience`` seconds.

        What has not come by then went with a line that a busy machine took for dead: it is not waited for again.
        """
        until = time.monotonic() + patience
        while not self.failures:
            taken = sum(monitor.report.frames for monitor in self.monitors)
            completing = sum(monitor.report.completing for monitor in self.monitors)
            if taken + self._given_up >= weather.sent and not completing:
                break
            if time.monotonic() >= until:
                self._given_up = max(self._given_up, weather.sent - taken)
                break
            time.sleep(0.003)
        before = list(self._flushes)
        while time.monotonic() < until and any(now <= then for now, then in zip(self._flushes, before, strict=True)):
            time.sleep(0.003)

    def settle(self, through_slot: int) -> str:
        """Make rounds until all venues are compared up to a slot and nothing is left to do; return what is left when
        :data:`IDLE_ROUNDS` rounds on end have brought nothing further."""
        self._stop_rounds.set()
        self._rounds.join()
        idle, reached = 0, self._reached(through_slot)
        while (left := self._left(through_slot)) and idle < IDLE_ROUNDS and not self.failures:
            self._cluster.play(steps=2)  # a chain does not end: empty blocks make the last ones final
            self.clock.skip(finality.QUIET)
            self.round()
            now_reached = self._reached(through_slot)
            idle = 0 if now_reached != reached else idle + 1
            reached = now_reached
        candles.roll_all(now=self.clock())
        return f"{left}; {self._reasons()}" if left else ""

    def _reached(self, through_slot: int) -> object:
        """Return what changes when work gets on: how far each venue is compared and each gap healed, and how much waits."""
        slots = VenueState.objects.order_by("venue").values_list("settled_slot", flat=True)
        return (
            [min(slot or 0, through_slot) for slot in slots],
            list(
                SlotGap.objects.filter(finished_at=None, slot_from__lte=through_slot)
                .order_by("id")
                .values_list("id", "healed_to")
            ),
            RejectedMessage.objects.filter(status="waiting").count(),
        )

    def _reasons(self) -> str:
        """Return in words why venues are not compared and gaps not healed, as the house itself knows."""
        venues = VenueState.objects.order_by("venue").values_list("venue", "settled_slot", "comparison_error")
        open_gaps = SlotGap.objects.filter(finished_at=None).order_by("slot_from")
        told = [f"{venue} at {slot}: {error or 'no error'}" for venue, slot, error in venues]
        return "; ".join(
            [*told, *(f"{gap} ({gap.attempts} attempts): {gap.last_error or 'no error'}" for gap in open_gaps)]
        )

    def _left(self, through_slot: int) -> str:
        unsettled = VenueState.objects.exclude(settled_slot__gte=through_slot)
        # What was cut on a fork and never landed again waits for good.
        waiting = RejectedMessage.objects.filter(status="waiting").exclude(reason="undecodable")
        waiting = waiting.exclude(waits_for__in=self._never)
        # The chain goes on, and so do the lies about its empty blocks: those are nobody's trades.
        open_gaps = SlotGap.objects.filter(finished_at=None, slot_from__lte=through_slot)
        left = {
            "venues not watched": len(VENUES) - VenueState.objects.filter(settled_slot__isnull=False).count(),
            "venues not settled": unsettled.count(),
            "open gaps": open_gaps.count(),
            "messages that wait": waiting.count(),
        }
        return ", ".join(f"{count} {what}" for what, count in left.items() if count)

    def close(self) -> None:
        """Stop everything. Raises the first thing that went wrong in a thread."""
        self._stop.set()
        self._stop_rounds.set()
        for thread in (*self._threads, self._rounds):
            thread.join(10)
        self.chain.close()
        if self.failures:
            raise self.failures[0]


def _logs(url: str, pong_seconds: float) -> SolanaLogs:
    limits = Limits(
        connect_seconds=20, acknowledge_seconds=20, ping_seconds=0.2, pong_seconds=pong_seconds, stall_seconds=None
    )
    pauses = Reconnection("solana-logs", pause=lambda stop, seconds: stop.wait(min(seconds, 0.05)))
    return SolanaLogs(url, limits=limits, reconnection=pauses)
