"""Technical scores and sell-offs, as programs and operators read them."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from megatron.core import api_keys
from megatron.core.choices import Scope
from scoring.models import SelloffEvent
from scoring.services import technical
from tests import factories
from tests.query_counts import assert_query_count
from tests.scoring.market import NOW, rolled, trade
from tokens.models import Pool

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def now() -> Any:
    with time_machine.travel(NOW + MINUTE, tick=False):
        yield


@pytest.fixture
def ask(client: Client) -> Any:
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOW)
    return lambda path: client.get(path, headers={"Authorization": f"Api-Key {key}"})


def fallen() -> Pool:
    """Create a curve whose price fell by 40 percent, scored twice."""
    pool = factories.pool()
    trade(pool, "20", "100")
    trade(pool, "2", "60", kind="sell")
    rolled()
    for at in (NOW, NOW + MINUTE):
        technical.score(mints=[pool.token.mint_address], now=at)
    return pool


def test_a_program_reads_a_tokens_technical_scores(ask: Any) -> None:
    """Newest first, numbers as text, with what the points follow from."""
    pool = fallen()
    fallen()
    ask("/api/v1/selloffs/")  # what a process reads once
    with assert_query_count("GET /api/v1/tokens/{mint}/scores/technical/"):
        found = ask(f"/api/v1/tokens/{pool.token.mint_address}/scores/technical/").json()["results"]
    assert [row["measured_at"] for row in found] == ["2026-07-03T14:01:30Z", "2026-07-03T14:00:30Z"]
    assert [found[0]["price_drop_15m"], found[0]["selloff_response_score"], found[0]["price"]] == ["40", "-35", "60"]
    assert found[0]["inputs"]["high_15m"] == "100"


def test_a_window_of_scores(ask: Any) -> None:
    """The window is half-open."""
    mint = fallen().token.mint_address
    path = f"/api/v1/tokens/{mint}/scores/technical/?after=2026-07-03T14:00:30Z&before=2026-07-03T14:01:30Z"
    assert [row["measured_at"] for row in ask(path).json()["results"]] == ["2026-07-03T14:00:30Z"]
    assert ask(f"/api/v1/tokens/{factories.address('nobody')}/scores/technical/").status_code == 404
    assert ask(f"/api/v1/tokens/{mint}/scores/technical/?limit=3").status_code == 400


def test_a_program_reads_the_selloffs_of_now(ask: Any) -> None:
    """With status open only those that go on, with their fall in percent."""
    mint = fallen().token.mint_address
    ended = fallen().token.mint_address
    SelloffEvent.objects.filter(token_mint=ended).update(status="expired", ended_at=NOW + MINUTE, duration_minutes=1)
    ask("/api/v1/selloffs/")
    with assert_query_count("GET /api/v1/selloffs/"):
        found = ask("/api/v1/selloffs/?status=open").json()["results"]
    assert [(row["mint"], row["drop_percentage"], row["ended_at"]) for row in found] == [(mint, "40", None)]
    assert len(ask("/api/v1/selloffs/").json()["results"]) == 2


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        ("technicalscore", "of 333"),
        ("activitymetric", "0 / 1"),
        ("technicaldue", ""),
    ],
)
def test_an_operator_reads_the_lists(client: Client, page: str, seen: str) -> None:
    """Each list shows its rows; more rows ask no more queries."""
    pool = fallen()
    technical.score(mints=None, now=NOW + MINUTE)
    client.force_login(User.objects.create_superuser("operator"))
    path = reverse(f"admin:scoring_{page}_changelist")
    client.get(path)
    with assert_query_count(f"GET /console/scoring/{page}/"):
        shown = client.get(path).content.decode()
    assert (seen or str(pool.token_id)) in shown
    if page != "technicaldue":
        assert client.get(path, {"q": pool.token.mint_address}).status_code == 200
