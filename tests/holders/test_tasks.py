"""Celery doors of the queue: each reads the clock, takes what the registry has, and calls one service."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from holders import tasks
from holders.models import HolderScoreJob
from holders.services import analyses
from megatron.core.queue import Drained
from tests import factories
from tests.factories import NOON
from tests.holders.building import job, usage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(settings: Any) -> Any:
    settings.CREDITS_PER_MONTH = {"helius": 100}
    settings.SOLANA_RPC_URL = settings.HELIUS_API_KEY = ""
    with time_machine.travel(NOON, tick=False):
        yield


def test_due_jobs_are_done_without_any_provider() -> None:
    """A house without a node analyses from its own trades: here nobody holds the token, and the job says so."""
    row = job()
    assert tasks.analyse_holders() == 1
    row.refresh_from_db()
    assert (row.finished_at, row.evidence["skipped"]) == (NOON, "Nobody is known to hold it.")


@pytest.mark.parametrize(("done", "wakes"), [(Drained(finished=2, postponed=1), 1), (Drained(finished=2), 0)])
def test_a_full_run_wakes_the_next(monkeypatch: pytest.MonkeyPatch, done: Drained, wakes: int) -> None:
    """Three jobs are one run's worth; whoever did fewer has seen the end of the queue."""
    woken: list[int] = []
    monkeypatch.setattr(analyses, "run_due", lambda **_: done)
    monkeypatch.setattr(tasks.analyse_holders, "delay", lambda: woken.append(1))
    assert (tasks.analyse_holders(), len(woken)) == (2, wakes)


def test_stopped_budgets_are_counted() -> None:
    """One provider of one is at its hard stop."""
    assert tasks.watch_credits() == 0
    usage(credits_used=85)
    assert tasks.watch_credits() == 1


def test_old_analyses_are_forgotten() -> None:
    """What was done more than 30 days ago goes, what waits stays."""
    job(finished_at=NOON - timedelta(days=31), token_mint=factories.address("old"))
    kept = job()
    assert tasks.forget_analyses() == 1
    assert HolderScoreJob.objects.get() == kept
