"""What alarms watch of this room, read from the rows."""

from datetime import timedelta

import pytest

from holders.choices import JobReason
from holders.selectors import gauges
from tests.factories import NOON
from tests.holders import building

pytestmark = pytest.mark.django_db


def seen() -> dict[str, list[tuple[dict[str, str], float]]]:
    return {gauge.name: list(gauge.values) for gauge in gauges.read(now=NOON)}


def test_a_room_without_work_says_zero() -> None:
    """Every state is named, so that a graph has no holes."""
    found = seen()
    assert found["holder_jobs_waiting"] == [({"state": "due"}, 0), ({"state": "later"}, 0), ({"state": "aside"}, 0)]
    assert found["holder_jobs_oldest_seconds"] == [({}, 0)]


def test_analyses_are_counted_by_what_they_wait_for() -> None:
    """Due, planned and set aside are told apart; done ones are not counted, and the longest wait is of what is due."""
    building.job(due_at=NOON - timedelta(minutes=7))
    building.job(due_at=NOON)
    building.job(due_at=NOON + timedelta(hours=1))
    building.job(due_at=NOON - timedelta(days=1), quarantined_at=NOON, last_error="away", reason=JobReason.OPERATOR)
    building.job(due_at=NOON - timedelta(days=1), finished_at=NOON)
    found = seen()
    assert found["holder_jobs_waiting"] == [({"state": "due"}, 2), ({"state": "later"}, 1), ({"state": "aside"}, 1)]
    assert found["holder_jobs_oldest_seconds"] == [({}, 420)]
