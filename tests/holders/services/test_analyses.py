"""Analyses as work: leased, staged, resumed, paid within the budget, tried again, set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from holders.choices import HolderOrigin
from holders.models import HolderScoreJob, HolderSnapshot, TokenHolder
from holders.services import analyses, budget, quality, snapshots, wallets
from megatron.clients import meter
from megatron.clients.errors import TryLater
from megatron.core import nudges
from megatron.core.queue import Drained
from tests import factories
from tests.factories import NOON
from tests.holders.building import job, usage
from tokens.models import Pool, Token

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SOURCE: Any = object()
"""A source of lists that only the stand-in of the stage looks at."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a stage's stand-in answers: figures and one thing that is no figure."""

    figure: int
    other: object


class Wallets:
    """A :class:`~megatron.clients.ports.WalletSource` of which only the price is asked."""

    credits_each, credits_a_batch = 20, 5


class Killed(BaseException):
    """Stands for a worker that dies: nothing of ours may catch it."""


class Stages:
    """Stand-ins for the three stages, which write what the others need, note their arguments and fail when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.fail: dict[str, BaseException] = {}
        self.after: dict[str, BaseException] = {}
        self.holders, self.credits = 7, 0

    def _enter(self, stage: str, fact: Any) -> None:
        self.calls.append((stage, fact))
        if stage in self.fail:
            raise self.fail[stage]

    def _leave(self, stage: str) -> Told:
        if stage in self.after:
            raise self.after[stage]
        return Told(3, object())

    def take(self, *, token_mint: str, source: Any, now: datetime, most: int) -> Told | None:
        self._enter("take", source is not None)
        if not self.holders:
            return None
        if source is not None:
            meter.note(meter.Call(at=now, provider="helius", endpoint="getTokenAccounts", credits=self.credits))
        HolderSnapshot.objects.create(
            token_mint=token_mint,
            snapshot_time=now,
            data_source=HolderOrigin.TRADES,
            is_complete=True,
            total_holders=self.holders,
            unique_holders=self.holders + 1,
            holders_fetched=self.holders + 1,
            has_trades=True,
            raw_distribution={"excluded": [{"wallet": factories.address("holder 0"), "reason": "curve"}]},
        )
        for number in range(self.holders + 1):
            TokenHolder.objects.get_or_create(
                token_mint=token_mint,
                wallet_address=factories.address(f"holder {number}"),
                defaults={"current_balance": 1_000 - number, "last_updated": now},
            )
        return self._leave("take")

    def analyse(self, *, wallets: Sequence[str], source: Any, now: datetime, budget: int | None) -> Told:
        self._enter("analyse", (len(wallets), source is not None, budget))
        if source is not None:
            meter.note(meter.Call(at=now, provider="helius", endpoint="getSignaturesForAddress", credits=self.credits))
        return self._leave("analyse")

    def measure(self, *, token_mint: str, snapshot_time: datetime, now: datetime) -> Told:
        self._enter("measure", snapshot_time)
        HolderSnapshot.objects.filter(token_mint=token_mint, snapshot_time=snapshot_time).update(measured_at=now)
        return self._leave("measure")


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Stages:
    settings.CREDITS_PER_MONTH = {"helius": 100_000}
    made = Stages()
    monkeypatch.setattr(snapshots, "take", made.take)
    monkeypatch.setattr(wallets, "analyse", made.analyse)
    monkeypatch.setattr(quality, "measure", made.measure)
    return made


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(nudges, "ring", names.append)
    return names


def curve_job(quote_pct: int = 20, **fields: Any) -> HolderScoreJob:
    """Create the due job of a curve that raised ``quote_pct`` of its target."""
    pool = factories.pool(quote_target=100, real_sol_reserves=quote_pct)
    return job(token_mint=pool.token.mint_address, **fields)


def run(now: datetime = NOON, *, paid: bool = True, **options: Any) -> Drained:
    sources: dict[str, Any] = {"holder_source": SOURCE if paid else None, "wallet_source": Wallets() if paid else None}
    return analyses.run_due(**sources, now=now, **options)


def told(row: HolderScoreJob) -> dict[str, Any]:
    row.refresh_from_db()
    evidence: dict[str, Any] = row.evidence
    return evidence


def test_a_job_goes_through_its_three_stages(stages: Stages, rung: list[str]) -> None:
    """Listed, looked at, measured; who scores is woken, and the job says what was done and what it did cost."""
    stages.credits = 12
    row = curve_job(priority=300)
    assert run() == Drained(finished=1)
    assert stages.calls == [("take", True), ("analyse", (7, True, 145)), ("measure", NOON)]
    said = told(row)
    assert said["snapshot"] == {
        "listed": True,
        "planned_credits": 50,
        "credits": 12,
        "points_a_credit": "6.00",
        "figure": 3,
    }
    assert {name: said["wallets"][name] for name in ("sampled", "unknown", "credits", "figure")} == {
        "sampled": 7,
        "unknown": 7,
        "credits": 12,
        "figure": 3,
    }
    assert said["quality"] == {"at": NOON.isoformat(), "figure": 3}
    assert (row.finished_at, row.processed_at, row.credits_used, row.paid_at) == (NOON, NOON, 24, NOON)
    assert rung == ["holders_measured"]


def test_the_most_urgent_goes_first_and_then_the_longest_waiting(stages: Stages) -> None:
    """Larger is more urgent; what is not due yet waits, however urgent."""
    seen: list[tuple[int, int]] = []
    for priority, minutes in ((200, 0), (900, 5), (900, 9), (50, 1)):
        curve_job(priority=priority, scheduled_at=NOON - minutes * MINUTE)
    curve_job(priority=1_000, due_at=NOON + MINUTE)
    run(seen=lambda row: seen.append((row.priority, (NOON - row.scheduled_at) // MINUTE)), limit=10)
    assert seen == [(900, 9), (900, 5), (200, 0), (50, 1)]


STAGES = ("take", "analyse", "measure")


@pytest.mark.parametrize("when", ["fail", "after"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_that_dies_is_taken_over_where_it_stood(stages: Stages, stage: str, when: str) -> None:
    """Killed before or right after a stage's own commit: the next worker repeats no snapshot that is there, nor anything
    that was noted, and ends with one measured snapshot."""
    row = curve_job(priority=300)
    getattr(stages, when)[stage] = Killed()
    with pytest.raises(Killed):
        run()
    before, stages.fail, stages.after = [name for name, _ in stages.calls], {}, {}
    stages.calls.clear()
    assert run(NOON + MINUTE) == Drained()
    later = NOON + 11 * MINUTE
    assert run(later) == Drained(finished=1)
    repeated = {"take": ["take"], "analyse": ["analyse"], "measure": ["measure"]}[stage]
    from_here = STAGES[STAGES.index(stage) :]
    resumed = from_here[1:] if (stage, when) == ("take", "after") else from_here
    assert [name for name, _ in stages.calls] == list(resumed)
    assert before[-1:] == repeated
    assert HolderSnapshot.objects.filter(measured_at__isnull=False).count() == HolderSnapshot.objects.count() == 1
    assert told(row)["wallets"]["at"] == HolderSnapshot.objects.get().snapshot_time.isoformat()


def test_a_killed_workers_credits_count(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were set aside before each call: 50 for the list, 145 for seven wallets; nobody lived to say that it was less."""
    row = curve_job(priority=300)
    monkeypatch.setattr(budget, "settle", lambda **_: None)
    stages.fail["analyse"] = Killed()
    with pytest.raises(Killed):
        run()
    row.refresh_from_db()
    assert (row.paid_at, row.credits_used) == (NOON, 195)


def test_an_old_snapshot_is_not_taken_up_again(stages: Stages) -> None:
    """A job that is released an hour later begins anew: its holders have changed."""
    curve_job()
    stages.fail["measure"] = TryLater("busy")
    run()
    stages.fail = {}
    stages.calls.clear()
    assert run(NOON + timedelta(hours=1)) == Drained(finished=1)
    assert [name for name, _ in stages.calls] == list(STAGES)


def test_what_fails_is_tried_again_and_then_set_aside(stages: Stages) -> None:
    """After one and five minutes; the third failure is the last."""
    row, now, waits = curve_job(), NOON, []
    stages.fail["measure"] = TryLater("busy")
    for _ in range(3):
        run(now)
        row.refresh_from_db()
        waits.append((row.due_at - now, row.attempts, row.quarantined_at))
        now = row.due_at
    last = NOON + 6 * MINUTE
    assert waits == [(MINUTE, 1, None), (5 * MINUTE, 2, None), (timedelta(0), 3, last)]
    assert row.last_error == "TryLater: busy"


def test_the_last_attempt_does_without_sources(stages: Stages) -> None:
    """A provider that is away for longer stops no analysis: it is made from our own trades."""
    row = curve_job()
    stages.fail["take"] = TryLater("away")
    run(NOON)
    run(NOON + MINUTE)
    stages.fail = {}
    stages.calls.clear()
    assert run(NOON + 6 * MINUTE) == Drained(finished=1)
    assert [fact for _, fact in stages.calls][:2] == [False, (7, False, None)]
    assert told(row)["alone"] == "Attempt 3, so without any source: TryLater: away"


def test_at_the_hard_stop_analyses_go_on_without_a_call(stages: Stages) -> None:
    """85 % of the month are used: no source is asked, no credit set aside, the job is done all the same."""
    usage(timestamp=NOON, credits_used=85_000)
    row = curve_job(priority=2_000)
    assert run() == Drained(finished=1)
    assert stages.calls == [("take", False), ("analyse", (7, False, None)), ("measure", NOON)]
    assert told(row)["budget"]["light"] == "stop"
    assert (row.credits_used, row.paid_at) == (0, None)


def test_a_job_spends_what_its_priority_is_worth(stages: Stages) -> None:
    """At a point a credit a job of 50 may spend 50: the list did cost 2, so the wallets get the other 48."""
    stages.credits = 2
    curve_job(priority=50)
    run()
    assert stages.calls[:2] == [("take", True), ("analyse", (7, True, 48))]


def test_a_look_up_that_is_not_worth_its_cost_is_left_out(stages: Stages) -> None:
    """Two wallets' price is more than the job is worth: the list is still bought, nobody is looked up."""
    curve_job(priority=20)
    run()
    assert stages.calls[:2] == [("take", True), ("analyse", (7, False, None))]


def test_an_hour_that_is_paid_for_goes_on_without_a_call(stages: Stages) -> None:
    """The hundred paid analyses of the hour are made; the next rests on our own trades."""
    for _ in range(100):
        job(finished_at=NOON, paid_at=NOON, credits_used=1)
    curve_job(priority=900)
    run()
    assert stages.calls[0] == ("take", False)


def test_without_a_limit_any_look_up_is_paid(stages: Stages, settings: Any) -> None:
    """Nobody set a budget: every wallet that nobody knows is asked for."""
    settings.CREDITS_PER_MONTH = {}
    curve_job(priority=1)
    run()
    assert stages.calls[:2] == [("take", True), ("analyse", (7, True, None))]


@pytest.mark.parametrize(("quote_pct", "holders"), [(4, 7), (20, 4)])
def test_outside_the_window_nothing_is_paid_for_wallets(stages: Stages, quote_pct: int, holders: int) -> None:
    """Below 5 % or with four holders there is no score that a look-up could serve; the snapshot is still taken."""
    stages.holders = holders
    curve_job(quote_pct)
    assert run() == Drained(finished=1)
    assert stages.calls[1] == ("analyse", (holders, False, None))


def test_a_graduated_token_is_left_alone(stages: Stages) -> None:
    """It graduated while its job waited: the job is done, and says why nothing was."""
    row = curve_job()
    Pool.objects.update(status="complete")
    assert run() == Drained(finished=1)
    assert (stages.calls, told(row)) == ([], {"skipped": "The curve is full: its score is frozen."})


def test_a_token_that_nobody_holds_is_left_alone(stages: Stages, rung: list[str]) -> None:
    """There is nothing to measure, and nobody is woken."""
    stages.holders = 0
    row = curve_job()
    assert run() == Drained(finished=1)
    assert (told(row)["skipped"], rung) == ("Nobody is known to hold it.", [])


def test_an_unknown_mint_is_set_aside_at_once(stages: Stages) -> None:
    """Trying again does not store it."""
    row = job(token_mint=factories.address("nobody's"))
    assert run() == Drained(quarantined=1)
    row.refresh_from_db()
    assert row.last_error.startswith("UnknownToken:")
    assert not Token.objects.exists()


def test_excluded_accounts_are_not_looked_at(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The curve holds most and is no holder: no look-up is spent on it."""
    asked: list[Sequence[str]] = []

    def analyse(**given: Any) -> Told:
        asked.append(given["wallets"])
        return Told(1, None)

    monkeypatch.setattr(wallets, "analyse", analyse)
    curve_job()
    run()
    assert list(asked[0]) == [factories.address(f"holder {number}") for number in range(1, 8)]
