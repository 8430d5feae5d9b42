"""The queue of analyses as operators and programs see it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from holders.models import HolderScoreJob
from megatron.core import api_keys
from megatron.core.choices import Scope
from megatron.core.models import AuditEntry
from tests import factories
from tests.factories import NOON
from tests.holders.building import job, usage

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DESK = "/console/holders/holderscorejob/"


@pytest.fixture(autouse=True)
def noon(settings: Any) -> Any:
    settings.CREDITS_PER_MONTH = {"helius": 1_000}
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def ask(client: Client, query: str = "") -> Any:
    _, key = api_keys.issue(name=f"a reader of {query}", scopes=[Scope.READ], actor="test", now=NOON)
    return client.get(f"/api/v1/holder-jobs/{query}", headers={"Authorization": f"Api-Key {key}"})


def test_the_desk_shows_tiers_and_what_may_be_spent(desk: Client) -> None:
    """A line for each tier, the jobs below, and beside them the month's credits and what an hour pays for."""
    token = factories.token(symbol="WIF")
    job(token_mint=token.mint_address, priority=1100, scheduled_at=NOON - MINUTE)
    job(priority=50, attempts=1, last_error="TryLater: busy", due_at=NOON + MINUTE)
    job(finished_at=NOON, paid_at=NOON, credits_used=25)
    usage(credits_used=39)
    answer = desk.get(DESK)
    page, context = answer.content.decode(), answer.context
    assert [(it.tier.label, it.waiting, it.failing) for it in context["tiers"] if it.waiting] == [
        ("Ultra critical", 1, 0),
        ("Minimal", 1, 1),
    ]
    purse = context["purse"]
    assert (purse.used, purse.left, purse.paid_last_hour, context["done_last_hour"]) == (39, 811, 1, 1)
    assert "Ultra critical 1,100" in page
    assert ">WIF</a>" in page
    assert "TryLater: busy" in page


def test_an_empty_desk_says_what_to_do(desk: Client, settings: Any) -> None:
    """Without jobs and without a budget both cards explain themselves."""
    settings.CREDITS_PER_MONTH = {}
    page = desk.get(DESK).content.decode()
    assert "Nobody waits" in page
    assert "Helius has no budget" in page


def test_a_stopped_month_is_said_in_words(desk: Client) -> None:
    """From 85 % on nothing is paid for, and the desk says what happens instead."""
    usage(credits_used=850)
    page = desk.get(DESK).content.decode()
    assert "Nothing is paid for until the month ends" in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=waiting", {1100, 800, 50}),
        ("state=failing", {50}),
        ("state=aside", {7}),
        ("state=done", {600}),
        ("state=paid", {600}),
        ("tier=ultra_critical", {1100}),
        ("tier=critical", {800}),
        ("tier=minimal", {50, 7}),
        ("tier=nonsense", {1100, 800, 600, 50, 7}),
    ],
)
def test_filters_find_states_and_tiers(desk: Client, query: str, shown: set[int]) -> None:
    """A tier is a stretch of priorities; what a filter does not know changes nothing."""
    job(priority=1100)
    job(priority=800)
    job(priority=600, finished_at=NOON, paid_at=NOON)
    job(priority=50, attempts=1, last_error="why")
    job(priority=7, quarantined_at=NOON, last_error="why")
    listed = desk.get(f"{DESK}?{query}").context["cl"].result_list
    assert {row.priority for row in listed} == shown


def test_an_operator_retries_sets_aside_and_releases(desk: Client) -> None:
    """Each with a reason that the audit log keeps."""
    row = job(attempts=2, due_at=NOON + 5 * MINUTE, last_error="TryLater: busy")
    states = []
    for action in ("retry", "quarantine", "release"):
        desk.post(DESK, {"action": action, "_selected_action": [str(row.pk)], "reason": "looked at it"})
        row.refresh_from_db()
        states.append((row.due_at, row.quarantined_at, row.attempts))
    assert states == [(NOON, None, 2), (NOON, NOON, 2), (NOON, None, 0)]
    assert [entry.action for entry in AuditEntry.objects.order_by("sequence") if entry.action.startswith("work.")] == [
        "work.retry",
        "work.quarantine",
        "work.release",
    ]


def test_a_job_has_its_own_page(desk: Client) -> None:
    """What it did and spent is there to read."""
    row = job(evidence={"snapshot": {"credits": 7}})
    page = desk.get(f"{DESK}{row.pk}/change/").content.decode()
    assert "credits" in page
    assert row.token_mint in page


def test_a_program_reads_jobs(client: Client) -> None:
    """All that is known of a job, with its tier and state in words."""
    row = job(priority=800, scheduled_at=NOON - MINUTE, evidence={"passed_pct": [75]})
    assert ask(client).json() == {
        "next": None,
        "results": [
            {
                "mint": row.token_mint,
                "state": "waiting",
                "priority": 800,
                "tier": "critical",
                "reason": "tier_due",
                "scheduled_at": "2026-07-03T11:59:00Z",
                "due_at": "2026-07-03T12:00:00Z",
                "processed_at": None,
                "attempts": 0,
                "last_error": "",
                "credits_used": 0,
                "evidence": {"passed_pct": [75]},
            }
        ],
    }


def test_a_program_asks_for_one_token_or_state(client: Client) -> None:
    """The newest wish first; a token's history, and only what is done, waits or was set aside."""
    old = job(finished_at=NOON, scheduled_at=NOON - MINUTE)
    new = job(token_mint=old.token_mint)
    job(quarantined_at=NOON, last_error="why")
    asked = {
        query: [row["processed_at"] for row in ask(client, query).json()["results"]]
        for query in (f"?mint={new.token_mint}", "?state=finished")
    }
    assert asked == {
        f"?mint={new.token_mint}": [None, "2026-07-03T12:00:00Z"],
        "?state=finished": ["2026-07-03T12:00:00Z"],
    }
    states = [row["state"] for row in ask(client, "?state=quarantined").json()["results"]]
    assert states == ["quarantined"]


@pytest.mark.parametrize(("query", "field"), [("?state=lost", "state"), ("?mint=0", "mint"), ("?tier=high", "tier")])
def test_a_wrong_question_is_refused(client: Client, query: str, field: str) -> None:
    """A state that is none, an address that is none and an unknown parameter each name themselves."""
    answer = ask(client, query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


def test_a_stranger_reads_no_jobs(client: Client) -> None:
    """Without a key the answer is 401, and the desk asks for the login."""
    job()
    assert client.get("/api/v1/holder-jobs/").status_code == 401
    assert client.get(DESK).status_code == 302
    assert HolderScoreJob.objects.count() == 1
