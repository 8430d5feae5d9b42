"""The door of holder scores: what was measured is scored first, then what graduated is frozen."""

from datetime import timedelta

import pytest
import time_machine

from scoring import tasks
from scoring.models import HolderScore
from scoring.services import holder
from tests import factories
from tests.factories import NOON
from tests.scoring.holder_rows import snapshot
from tokens.models import Token

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def graduated(minutes_before: int) -> Token:
    """A token that graduated at noon, its holders measured before and not scored yet."""
    token = factories.pool().token
    snapshot(token.mint_address, NOON - minutes_before * MINUTE)
    Token.objects.filter(pk=token.pk).update(is_graduated=True, graduation_timestamp=NOON)
    return token


def test_the_task_scores_and_then_freezes() -> None:
    """A snapshot of before graduation that nobody had scored is the score that is frozen."""
    graduated(5)
    with time_machine.travel(NOON + 2 * MINUTE, tick=False):
        assert tasks.score_holders() == 1
        assert tasks.score_holders() == 0
    assert HolderScore.objects.get().is_frozen


def test_nothing_is_frozen_while_more_waits_to_be_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full batch wakes the task again and freezes nothing: the rest may hold a later score."""
    for minutes in (5, 4):
        graduated(minutes)
    woken: list[bool] = []
    monkeypatch.setattr(tasks.score_holders, "delay", lambda: woken.append(True))
    monkeypatch.setattr(holder, "BATCH", 1)
    with time_machine.travel(NOON + 2 * MINUTE, tick=False):
        assert (tasks.score_holders(), woken) == (1, [True])
    assert not HolderScore.objects.get().is_frozen
