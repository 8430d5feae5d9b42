"""Holder scores and risks as people and programs see them."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from megatron.core import api_keys
from megatron.core.choices import Scope
from scoring.models import HolderScore, RiskMetric
from scoring.services import holder
from tests import factories
from tests.factories import NOON
from tests.scoring.holder_rows import freeze, holder_score, risk_metric, snapshot

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
_readers = count()


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def mint() -> str:
    """A token that was scored: its largest holder has 22 percent, and its creator sold half."""
    pool = factories.pool()
    creator, mint = pool.token.creator_address, pool.token.mint_address
    for minutes, kind, amounts in ((9, "buy", (1, 100)), (3, "sell", (50, 1))):
        factories.transaction(
            pool,
            block_time=NOON - minutes * MINUTE,
            slot=420_000_000 - minutes,
            type=kind,
            user_address=creator,
            amount_in=amounts[0],
            amount_out=amounts[1],
        )
    snapshot(mint, top_1_percentage=22)
    holder.score_measured(now=NOON)
    return mint


def api(address: str, **query: Any) -> Any:
    _, key = api_keys.issue(name=f"reader {next(_readers)}", scopes=[Scope.READ], actor="test", now=NOON)
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return caller.get(f"/api/v1/{address}", query)


def page(console: Client, address: str) -> str:
    """Return a page of the console as text."""
    response = console.get(f"/console/scoring/{address}")
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_of_scores_says_what_was_to_be_had(console: Client, mint: str) -> None:
    """Points stand beside what could be known of them, with progress and confidence."""
    shown = page(console, f"holderscore/?q={mint}")
    assert "67.0 of 151" in shown
    assert "50.0 %" in shown
    assert "Low, 0.0 %" in shown


def test_a_score_is_told_line_by_line(console: Client, mint: str) -> None:
    """Its page has each line with points and reason; what is unknown says so."""
    shown = page(console, f"holderscore/{HolderScore.objects.get().pk}/change/")
    assert "Distribution, top 1: 0" in shown
    assert "Quality, bots: unknown" in shown
    assert "The number of holders is 120: a point for each 10, 31 at most" in shown


def test_risks_are_told_in_words(console: Client, mint: str) -> None:
    """The list names signs and red flags, the page says why each sign was seen, was not, or is unknown."""
    listed = page(console, f"riskmetric/?q={mint}")
    assert "Creator dumping, Single wallet dominance" in listed
    assert "One wallet holds 22 %, more than 15 %" in listed
    told = page(console, f"riskmetric/{RiskMetric.objects.get().pk}/change/")
    assert "The creator sold 50 % of his peak in 60 minutes; a sign is more than 20 %" in told
    assert 'Insider selling <span class="mg-pill">Unknown</span>' in told


def test_frozen_scores_have_a_list(console: Client) -> None:
    """A frozen copy shows its points, and when the token graduated."""
    freeze(score={"total_score": 200.5, "available_max": 333})
    assert "200.5 of 333" in page(console, "holderscorefreeze/")


def test_the_api_lists_scores_newest_first(mint: str) -> None:
    """Numbers are text, unknown is null, lines and inputs come along; filters narrow."""
    holder_score(token_mint=mint, timestamp=NOON + MINUTE, confidence_level="HIGH")
    body = api("holder-scores/", mint=mint).json()
    newest, first = body["results"]
    assert (newest["measured_at"], newest["total_score"], newest["confidence"]) == (
        "2026-07-03T12:01:00Z",
        "200",
        "HIGH",
    )
    assert (first["mint"], first["quality_score"], first["available_max"]) == (mint, None, "151")
    assert first["breakdown"][0]["components"][1]["reason"].startswith(
        "The largest holder's percent is 22, at least 20"
    )
    assert first["inputs"]["top_1_pct"] == "22"
    assert [one["confidence"] for one in api("holder-scores/", confidence="HIGH").json()["results"]] == ["HIGH"]
    assert api("holder-scores/", mint=mint, before=NOON.isoformat()).json()["results"] == []
    assert api("holder-scores/", frozen="true").json()["results"] == []


def test_the_api_lists_risks_with_signs_and_flags(mint: str) -> None:
    """Each sign says whether it was seen, was not, or is unknown, and flags are words."""
    risk_metric(risk_level="low")
    (found,) = api("risks/", mint=mint).json()["results"]
    assert (found["level"], found["liquidity_removal_risk"], found["bot_activity_score"]) == ("high", "0", None)
    assert {name: sign["seen"] for name, sign in found["signs"].items()} == {
        "single_wallet_dominance": True,
        "whale_coordination_detected": False,
        "bot_swarm_detected": None,
        "creator_dumping": True,
        "insider_selling": None,
        "pump_dump_pattern": None,
        "coordinated_buying": False,
    }
    assert [flag["words"] for flag in found["red_flags"]] == ["One wallet holds 22 %, more than 15 %"]
    assert [one["level"] for one in api("risks/", level="low").json()["results"]] == ["low"]


@pytest.mark.parametrize("query", [{"mint": "nobody"}, {"level": "fine"}, {"colour": "red"}, {"after": "9999-01-01"}])
def test_the_api_refuses_what_it_does_not_know(query: dict[str, str]) -> None:
    """A wrong or unknown parameter is a problem, not silence."""
    response = api("risks/", **query)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
