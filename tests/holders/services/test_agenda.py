"""One waiting analysis a token, asked for by milestones, tiers, first good scores and operators."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from holders.choices import JobReason
from holders.domain.priority import Scores
from holders.models import HolderScoreJob
from holders.selectors import agenda as waiting
from holders.services import agenda
from holders.services.agenda import Planned
from tests import factories
from tests.factories import NOON
from tests.holders.building import job
from tokens.choices import PoolStatus
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Pool, PoolMilestone, Token

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
ON_SALE = 793_100_000_000_000


def curve(*, quote_pct: int = 20, buyers: int = 5, **fields: Any) -> Pool:
    """Create a curve that raised ``quote_pct`` of its target, bought by so many wallets, that traded at :data:`NOON`."""
    made = factories.pool(quote_target=100, real_sol_reserves=quote_pct, **fields)
    for number in range(buyers):
        factories.transaction(made, user_address=factories.address(f"buyer {number}"))
    return made


def mint(of: Pool) -> str:
    return of.token.mint_address


def scored(
    of: Pool, technical: int | None, holder: int | None = None, momentum: int | None = None
) -> dict[str, Scores]:
    known = {"technical": technical, "holder": holder, "momentum": momentum}
    return {mint(of): Scores(**{name: None if it is None else Decimal(it) for name, it in known.items()})}


def facts(row: HolderScoreJob) -> tuple[int, str, Any]:
    return row.priority, row.reason, row.due_at


def test_asking_again_raises_the_priority_and_brings_the_job_forward() -> None:
    """G9: one row a token while it is not done; the more urgent wish wins, a milder one changes nothing."""
    token = curve().token.mint_address
    first = agenda.schedule(token_mint=token, priority=300, reason=JobReason.TIER_DUE, now=NOON + MINUTE)
    agenda.schedule(token_mint=token, priority=900, reason=JobReason.FIRST_ANALYSIS, now=NOON)
    again = agenda.schedule(token_mint=token, priority=50, reason=JobReason.TIER_DUE, now=NOON + 2 * MINUTE)
    assert first is not None
    assert again is not None
    assert (again.pk, *facts(again)) == (first.pk, 900, "first_analysis", NOON)
    assert again.scheduled_at == NOON + MINUTE
    assert HolderScoreJob.objects.count() == 1


def test_a_finished_job_does_not_stand_in_the_way() -> None:
    """The seed's key of token and processed_at let two wait; here one waits, and what is done is history."""
    done = job(finished_at=NOON)
    done.refresh_from_db()
    assert done.processed_at == NOON
    assert agenda.schedule(token_mint=done.token_mint, priority=5, reason=JobReason.HIGH_VOLUME, now=NOON) is not None
    assert HolderScoreJob.objects.filter(token_mint=done.token_mint).count() == 2


def test_a_job_that_failed_keeps_its_pause() -> None:
    """Who asks again makes it more urgent, but only an operator makes it due before its back-off ends."""
    failed = job(attempts=1, due_at=NOON + 5 * MINUTE, last_error="TryLater: busy")
    for reason, due_at in ((JobReason.TIER_DUE, NOON + 5 * MINUTE), (JobReason.OPERATOR, NOON)):
        agenda.schedule(token_mint=failed.token_mint, priority=800, reason=reason, now=NOON)
        failed.refresh_from_db()
        assert (failed.priority, failed.due_at) == (800, due_at)


def test_a_job_that_was_set_aside_stays_as_it_is() -> None:
    """Only an operator's release lets it out; nobody else's wish changes it."""
    aside = job(quarantined_at=NOON, last_error="it kills its worker")
    agenda.schedule(token_mint=aside.token_mint, priority=900, reason=JobReason.TIER_DUE, now=NOON - MINUTE)
    aside.refresh_from_db()
    assert facts(aside) == (200, "tier_due", NOON)


def test_a_graduated_or_unknown_token_is_not_queued() -> None:
    """Its score is frozen, or there is nothing to analyse."""
    graduated = curve(status=PoolStatus.COMPLETE)
    asked: dict[str, Any] = {"priority": 300, "reason": JobReason.OPERATOR, "now": NOON}
    assert agenda.schedule(token_mint=mint(graduated), **asked) is None
    assert agenda.schedule(token_mint=factories.address("nobody's"), **asked) is None


@pytest.mark.django_db(transaction=True)
def test_two_threads_ask_for_one_job() -> None:
    """Both ask at once, many times over: one row, at the higher priority."""
    token, start = curve().token.mint_address, threading.Barrier(2)

    def ask(priority: int) -> None:
        start.wait()
        for _ in range(10):
            agenda.schedule(token_mint=token, priority=priority, reason=JobReason.TIER_DUE, now=NOON)
        connection.close()

    threads = [threading.Thread(target=ask, args=[priority]) for priority in (300, 800)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.priority for row in HolderScoreJob.objects.all()] == [800]


@pytest.mark.community
def test_a_curve_is_planned_by_its_tier() -> None:
    """Never analysed: now. Analysed: when its tier's interval is over, if that is before the planner looks again."""
    of = curve()
    assert agenda.plan(scores={}, now=NOON) == Planned(considered=1, queued=1)
    row = HolderScoreJob.objects.get()
    assert facts(row) == (200, "tier_due", NOON)
    HolderScoreJob.objects.update(finished_at=NOON)
    Pool.objects.update(last_trade_at=NOON + timedelta(seconds=1))
    assert agenda.plan(scores={}, now=NOON + timedelta(seconds=269)) == Planned(considered=1)
    assert agenda.plan(scores={}, now=NOON + timedelta(seconds=270)) == Planned(considered=1, queued=1)
    assert facts(HolderScoreJob.objects.get(token_mint=mint(of), processed_at=None)) == (
        200,
        "tier_due",
        NOON + timedelta(seconds=300),
    )


def test_scores_from_above_decide_the_tier() -> None:
    """A better score makes the waiting job more urgent; the same score again changes nothing."""
    of = curve(quote_pct=60)
    agenda.plan(scores={}, now=NOON)
    assert agenda.plan(scores=scored(of, 250, 250), now=NOON) == Planned(considered=1, raised=1)
    assert agenda.plan(scores=scored(of, 250, 250), now=NOON) == Planned(considered=1)
    assert facts(HolderScoreJob.objects.get()) == (1000, "tier_due", NOON)


def test_a_good_technical_score_without_a_holder_score_is_analysed_first() -> None:
    """Version 025: from 150 points on, at the scale's 900."""
    of = curve(quote_pct=60)
    agenda.plan(scores=scored(of, 150), now=NOON)
    assert facts(HolderScoreJob.objects.get()) == (900, "first_analysis", NOON)


def test_a_fast_curve_is_more_urgent_than_its_tier() -> None:
    """More than ten points an hour: the scale's 500."""
    of = curve()
    agenda.plan(scores=scored(of, None, momentum=11), now=NOON)
    assert facts(HolderScoreJob.objects.get()) == (500, "velocity_change", NOON)


def test_a_milestone_that_no_analysis_saw_is_due_at_once() -> None:
    """Whatever became of the job that it asked for: the next look at the curves finds the milestone itself."""
    of = curve()
    job(token_mint=mint(of), finished_at=NOON)
    factories.milestone(of, threshold_pct=75, reached_at=NOON + timedelta(seconds=1))
    Pool.objects.update(last_trade_at=NOON + timedelta(seconds=1))
    agenda.plan(scores={}, now=NOON + timedelta(seconds=2))
    assert facts(HolderScoreJob.objects.get(processed_at=None)) == (
        800,
        "milestone_crossed",
        NOON + timedelta(seconds=2),
    )
    PoolMilestone.objects.update(reached_at=NOON)
    assert waiting.candidates(now=NOON + MINUTE)[0].milestone_pct is None


OUTSIDE: dict[str, Callable[[], Pool]] = {
    "below the window": lambda: curve(quote_pct=4),
    "full": lambda: curve(quote_pct=100),
    "complete": lambda: curve(status=PoolStatus.COMPLETE),
    "migrated": lambda: curve(status=PoolStatus.MIGRATED),
    "graduated": lambda: curve(of=factories.token(is_graduated=True)),
    "four buyers": lambda: curve(buyers=4),
    "quiet for a day": lambda: curve(last_trade_at=NOON - timedelta(days=1)),
    "progress not known": lambda: curve(initial_real_token_reserves=None, real_sol_reserves=None),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_is_outside_the_window_is_never_queued(case: str) -> None:
    """From 5 % below 100 % of the target, on its curve, traded today, held by five: everything else is left alone."""
    if case == "progress not known":
        factories.pool(real_sol_reserves=None)
    else:
        OUTSIDE[case]()
    assert agenda.plan(scores={}, now=NOON).queued == 0
    assert not HolderScoreJob.objects.exists()


def test_truth_05_the_mayhem_agent_is_none_of_the_five_buyers() -> None:
    """Four wallets and the agent are four; with one more the curve is worth a look."""
    of = curve(buyers=4)
    factories.transaction(of, user_address=MAYHEM_AGENT)
    assert agenda.plan(scores={}, now=NOON).queued == 0
    factories.transaction(of, user_address=factories.address("a fifth"))
    assert agenda.plan(scores={}, now=NOON).queued == 1


def test_a_curve_that_did_not_trade_since_is_left_alone() -> None:
    """Nobody traded after the last analysis: its holders are the same."""
    of = curve()
    job(token_mint=mint(of), finished_at=NOON)
    assert agenda.plan(scores={}, now=NOON + timedelta(hours=1)) == Planned()


@pytest.mark.parametrize("curves", [1, 12])
def test_many_curves_are_planned_with_as_many_statements_as_one(
    curves: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Read, limit the wait, write: beside them only the savepoint of the test's own transaction."""
    for _ in range(curves):
        curve()
    with django_assert_num_queries(5):
        assert agenda.plan(scores={}, now=NOON).queued == curves


@pytest.mark.django_db(transaction=True)
def test_a_planner_gives_way_to_a_writer_of_trades() -> None:
    """A batch of trades that holds the same token's job keeps it; the planner does nothing, soon, and comes again."""
    of, held, done = curve(), threading.Event(), threading.Event()

    def ingest() -> None:
        with transaction.atomic():
            job(token_mint=mint(of))
            held.set()
            done.wait(timeout=20)
        connection.close()

    writer = threading.Thread(target=ingest)
    writer.start()
    held.wait(timeout=20)
    planned = agenda.plan(scores={}, now=NOON)
    done.set()
    writer.join()
    assert planned == Planned(considered=1)
    assert agenda.plan(scores=scored(of, 250, 250), now=NOON).raised == 1


def test_done_jobs_are_forgotten_after_a_month() -> None:
    """What waits and what was set aside stays, however old."""
    old = NOON - timedelta(days=30)
    job(finished_at=old - MINUTE)
    kept = {job(finished_at=old).pk, job(due_at=old).pk, job(quarantined_at=old, last_error="why").pk}
    assert agenda.forget_done(now=NOON) == 1
    assert set(HolderScoreJob.objects.values_list("pk", flat=True)) == kept


def test_the_desk_counts_jobs_by_tier() -> None:
    """Waiting, due, running, failing and set aside; the oldest is the one that waits longest."""
    job(priority=1100, scheduled_at=NOON - MINUTE)
    job(priority=1000, due_at=NOON + MINUTE)
    job(priority=999, leased_until=NOON + MINUTE, attempts=1)
    job(priority=50, attempts=2, last_error="TryLater: busy", due_at=NOON + MINUTE)
    job(priority=10, quarantined_at=NOON, last_error="why")
    job(priority=600, finished_at=NOON)
    lines = {it.tier.value: it for it in waiting.waiting(now=NOON)}
    shown = {
        name: (it.waiting, it.due, it.running, it.failing, it.set_aside, it.oldest)
        for name, it in lines.items()
        if it.waiting + it.running + it.set_aside
    }
    assert shown == {
        "ultra_critical": (2, 1, 0, 0, 0, NOON - MINUTE),
        "critical": (0, 0, 1, 0, 0, None),
        "minimal": (1, 0, 0, 1, 1, NOON),
    }
    assert len(lines) == 7


def sell_to(of: Pool, percent: float) -> None:
    """Let the curve have sold ``percent`` of its tokens, by an update like ingest's."""
    left = ON_SALE - int(ON_SALE * percent / 100)
    Pool.objects.filter(pk=of.pk).update(real_token_reserves=left, last_trade_at=NOON)


@pytest.mark.parametrize(
    ("before", "after", "priority", "passed"),
    [
        (9.9, 10, 500, [10]),
        (24.9, 25, 300, [25]),
        (49.9, 50, 300, [50]),
        (74.9, 75, 800, [75]),
        (5, 60, 500, [10, 25, 50]),
        (9, 99, 800, [10, 25, 50, 75]),
        (10, 24.9, None, []),
        (75, 99, None, []),
        (26, 24, None, []),
        (30, 30, None, []),
    ],
)
def test_a_curve_that_passes_a_threshold_upwards_asks_for_one_job(
    before: float, after: float, priority: int | None, passed: list[int]
) -> None:
    """10, 25, 50 and 75 % on the one scale, once however many are passed; downwards and between nothing happens."""
    of = factories.pool(real_token_reserves=ON_SALE - int(ON_SALE * before / 100))
    sell_to(of, after)
    rows = [
        (row.token_mint, row.priority, row.reason, row.evidence, row.due_at) for row in HolderScoreJob.objects.all()
    ]
    wanted = [(mint(of), priority, "milestone_crossed", {"passed_pct": passed}, NOON)] if priority else []
    assert rows == wanted


@pytest.mark.community
def test_a_threshold_raises_the_job_that_waits() -> None:
    """The trigger makes the same row more urgent that anybody else asked for, and due at once."""
    of = factories.pool(real_token_reserves=ON_SALE // 2)
    job(token_mint=mint(of), priority=50, due_at=NOON + MINUTE)
    sell_to(of, 75)
    assert [facts(row) for row in HolderScoreJob.objects.all()] == [(800, "milestone_crossed", NOON)]


@pytest.mark.parametrize("how", ["complete", "graduated"])
def test_a_full_curve_asks_for_nothing(how: str) -> None:
    """Its score is frozen, whichever row says first that it has graduated."""
    of = factories.pool(real_token_reserves=ON_SALE)
    if how == "complete":
        Pool.objects.update(status=PoolStatus.COMPLETE)
    else:
        Token.objects.update(is_graduated=True)
    sell_to(of, 100)
    assert not HolderScoreJob.objects.exists()
