"""One plan, from the first frame to the last row, and what is wrong with the outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import stamina
from django.test import override_settings

from megatron.clients.http import ATTEMPTS
from tests.cluster.faults import HALF_OPEN, FaultPlan
from tests.cluster.node import Node
from tests.cluster.weather import Weather
from tests.cluster.wishes import BYSTANDER
from tests.faults import rows
from tests.faults.house import FLUSH_SECONDS, TALLY_SECONDS, VENUES, House
from tokens.choices import GapCause, GapOutcome, Program
from tokens.domain import programs
from tokens.models import ChainReorg, RejectedMessage, SlotGap, Transaction
from tokens.services import backfill, gaps
from tokens.services.monitor import follow

_BY_US = frozenset({GapCause.MISSED, GapCause.COVERAGE, GapCause.CONSERVATION})
"""Causes that say: something did not come though the line stood."""


@dataclass(slots=True)
class Verdict:
    """What is wrong after a run, in words; empty when nothing is. The figures say what was survived."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    trades: int = 0
    losses: int = 0
    dropped: int = 0
    gaps: int = 0
    reorgs: int = 0


def run_plan(seed: int, *, slots: int = 110) -> Verdict:
    """Return how the real monitor and workers come through the plan of a seed, down to the final rows."""
    return run(FaultPlan.from_seed(seed, slots=slots))


def run(plan: FaultPlan) -> Verdict:
    """Return how a plan ends. Empties the tables of the room ``tokens`` first."""
    rows.empty()
    verdict = Verdict(plan.seed)
    weather = Weather(plan)
    with weather.cluster as cluster, _hurried(), _dense(plan):
        # Short only where a line goes dead without a word: a busy machine must not look like one that does.
        dead = any(outage.how == HALF_OPEN for outage in plan.outages)
        house = House(cluster, pong_seconds=2.0 if dead else 20.0)
        weather.pace = house.pace
        house.start()
        try:
            cluster.subscribed(count=len(VENUES))
            weather.play()
            house.catch_up(weather)
            if left := house.settle(plan.chain.last_slot):
                verdict.wrong.append(f"not done: {left}")
        finally:
            house.close()
    _judge(verdict, weather)
    kept = rows.snapshot()
    verdict.trades = len(kept["transactions"])
    verdict.wrong += rows.differences(kept, rows.expected(plan.chain, house.clock()))
    return verdict


@contextmanager
def _hurried() -> Iterator[None]:
    """Leave out the pauses before calls are made again, store more often, and keep no accounts of calls."""
    with (
        stamina.set_testing(True, attempts=ATTEMPTS),
        patch.multiple(follow, FLUSH_SECONDS=FLUSH_SECONDS, TALLY_SECONDS=TALLY_SECONDS),
        override_settings(CREDITS_SINK=""),
    ):
        yield


@contextmanager
def _dense(plan: FaultPlan) -> Iterator[None]:
    """Ask for whole blocks in every other plan, as where traffic is dense: a plan's blocks are small. Where the plan wants it,
    read block by block what is hardly old, as after a long absence."""
    with (
        patch.object(backfill, "BLOCK_WORTH", 3 if plan.seed % 2 else backfill.BLOCK_WORTH),
        patch.object(gaps, "REACH", 12 if plan.by_blocks else gaps.REACH),
    ):
        yield


def _judge(verdict: Verdict, weather: Weather) -> None:
    for venue in VENUES:
        _judge_gaps(verdict, weather, venue)
    verdict.dropped = len(weather.plan.forks)
    verdict.reorgs = ChainReorg.objects.count()
    if undone := Transaction.objects.filter(commitment__lt=2).count():
        verdict.wrong.append(f"{undone} trades are not final")
    garbage = RejectedMessage.objects.filter(reason="undecodable").count()
    if garbage > weather.garbage_sent:
        verdict.wrong.append(f"{garbage} messages could not be read, of {weather.garbage_sent} that cannot")


def _judge_gaps(verdict: Verdict, weather: Weather, venue: Program) -> None:
    address = programs.ADDRESSES[venue]
    lost = weather.losses(address)
    found = list(SlotGap.objects.filter(venue=venue))
    verdict.losses += len(lost)
    verdict.gaps += len(found)
    healed = SlotGap.objects.filter(outcome=GapOutcome.HEALED).values_list("slot_from", "slot_to")
    # What is of both venues and came for the other is no loss to anybody, and what a fork had and was asked for there has been
    # moved since: it is known.
    known = {signature for _, signature, _ in weather.delivered}
    known.update(*ChainReorg.objects.values_list("signatures", flat=True))
    if weather.plan.by_blocks:
        # In a block, what called a program without an effect is nobody's: there was nothing to lose.
        known.update(one.signature for one in weather.plan.chain.landings() if one.wish.kind == BYSTANDER)
    for signature, slot in lost.items():
        if signature not in known and not any(first <= slot <= (last or 0) for first, last in healed):
            verdict.wrong.append(f"{venue}: the loss of {signature} in slot {slot} was not noticed")
    slots = {*lost.values(), *weather.moved(address).values(), *weather.invisible(address)}
    for gap in found:
        if gap.cause not in _BY_US or any(gap.slot_from <= slot <= (gap.slot_to or 0) for slot in slots):
            continue
        if gap.cause != GapCause.COVERAGE or not _is_unproven(gap, weather.cluster.node):
            verdict.wrong.append(f"{venue}: {gap} was invented")


def _is_unproven(gap: SlotGap, node: Node) -> bool:
    """Return whether a gap is over exactly what the node kept back: it ends with a block that ``getBlock`` did not give, or lies
    between the neighbours of items of a list that nobody can read (of several, from the oldest to the newest)."""
    first, last = gap.slot_from, gap.slot_to or 0
    begins = any(older <= first <= newer for older, newer in node.unread)
    ends = any(older <= last <= newer for older, newer in node.unread)
    return last in node.denied or (begins and ends)
