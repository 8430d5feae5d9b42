"""The rules of the queue of analyses, each broken with plain SQL."""

import pytest
from django.db import connection

from holders.models import HolderScoreJob
from tests import breaking
from tests.breaking import Build, Case
from tests.factories import NOON
from tests.holders.building import job

pytestmark = pytest.mark.django_db

BROKEN: list[Case] = [
    ("holder_job_priority_1_to_2000", job, {"priority": 0}),
    ("holder_job_priority_1_to_2000", job, {"priority": 2001}),
    ("holder_job_reason_known", job, {"reason": "because"}),
    ("holder_job_credits_with_their_time", job, {"credits_used": 1}),
    ("holder_job_credits_with_their_time", job, {"credits_used": -1, "paid_at": NOON}),
    (
        "holderscorejob_finished_or_quarantined",
        job,
        {"finished_at": NOON, "quarantined_at": NOON, "last_error": "why"},
    ),
    ("holderscorejob_leased_only_while_open", job, {"leased_until": NOON, "finished_at": NOON}),
    ("holderscorejob_quarantined_with_reason", job, {"quarantined_at": NOON}),
]
FIELDS: list[Case] = [*breaking.field_cases(job, HolderScoreJob)]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {"holder_job_one_open_a_token": (job, ("token_mint",))}


@pytest.mark.parametrize(("name", "build", "change"), [*BROKEN, *FIELDS], ids=[case[0] for case in [*BROKEN, *FIELDS]])
def test_a_job_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_a_second_waiting_job_is_refused(name: str) -> None:
    """G9: the seed's unique key of token and processed_at lets two NULLs stand side by side, this one does not."""
    assert breaking.refusal_of_second(*TWINS[name]) == name


def test_the_seeds_queries_of_the_queue_run() -> None:
    """What is claimed next, by the seed's own columns: the most urgent, then the longest waiting; done ones are out."""
    first = job(priority=800)
    job(priority=300)
    job(priority=900, finished_at=NOON)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT token_mint, priority, attempts, last_error FROM holder_score_queue WHERE processed_at IS NULL"
            " ORDER BY priority DESC, scheduled_at ASC LIMIT 1"
        )
        assert cursor.fetchall() == [(first.token_mint, 800, 0, "")]
