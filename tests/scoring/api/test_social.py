"""How a token is followed, as programs and operators read it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from megatron.core import api_keys
from megatron.core.choices import Scope
from tests import factories
from tests.factories import NOON
from tests.scoring.following import metric, poll, score

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def ask(client: Client) -> Any:
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    return lambda path: client.get(path, headers={"Authorization": f"Api-Key {key}"})


def test_a_program_reads_the_points_and_what_each_source_last_said(ask: Any) -> None:
    """Unknown is null, numbers with a fraction are text, and every line has its reason."""
    token = factories.token()
    score(token, calculated_at=NOON - timedelta(hours=1), available_max=0, community_score=None, virality_score=None)
    score(token)
    metric(token, timestamp=NOON - timedelta(minutes=10), telegram_members=1)
    metric(token, social_growth_rate_1h=Decimal("12.50"))
    metric(token, source="discord", telegram_members=None, discord_members=7)
    metric()
    found = ask(f"/api/v1/tokens/{token.mint_address}/social/").json()
    assert {
        name: found["score"][name] for name in ("twitter_score", "community_score", "total_score", "available_max")
    } == {
        "twitter_score": None,
        "community_score": "26.67",
        "total_score": "37",
        "available_max": "71",
    }
    line = found["score"]["breakdown"][0]["components"][0]
    assert line["reason"] == "99 members on Telegram and Discord; 40 points from 1000"
    assert [
        (row["source"], row["telegram_members"], row["discord_members"], row["social_growth_rate_1h"])
        for row in found["readings"]
    ] == [("discord", None, 7, None), ("telegram", 99, None, "12.5")]


def test_a_token_of_which_nothing_is_known_says_so(ask: Any) -> None:
    """Not zero points: none."""
    token = factories.token()
    found = ask(f"/api/v1/tokens/{token.mint_address}/social/").json()
    assert found == {"mint": token.mint_address, "score": None, "readings": []}


def test_readings_are_listed_newest_first_and_by_source(ask: Any) -> None:
    """In pages, of this token only."""
    token = factories.token()
    for minutes in range(3):
        metric(token, timestamp=NOON - timedelta(minutes=minutes), telegram_members=minutes)
    metric(token, source="discord")
    metric()
    path = f"/api/v1/tokens/{token.mint_address}/social/readings/"
    first = ask(f"{path}?source=telegram&page_size=2").json()
    assert [row["telegram_members"] for row in first["results"]] == [0, 1]
    assert [row["telegram_members"] for row in ask(first["next"]).json()["results"]] == [2]
    assert len(ask(path).json()["results"]) == 4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/tokens/nobody/social/", 404),
        ("/api/v1/tokens/%00/social/", 404),
        (f"/api/v1/tokens/{factories.address('unseen')}/social/", 404),
        ("/api/v1/tokens/nobody/social/readings/", 404),
        ("/api/v1/tokens/{mint}/social/?page=2", 400),
        ("/api/v1/tokens/{mint}/social/readings/?source=friendster", 400),
    ],
)
def test_what_does_not_exist_is_told(ask: Any, path: str, status: int) -> None:
    """An unknown token is not found, an unknown parameter or source is a mistake."""
    assert ask(path.format(mint=factories.token().mint_address)).status_code == status


def test_a_stranger_reads_nothing(client: Client) -> None:
    """Neither door opens without a key."""
    mint = factories.token().mint_address
    assert client.get(f"/api/v1/tokens/{mint}/social/").status_code == 401
    assert client.get(f"/api/v1/tokens/{mint}/social/readings/").status_code == 401


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("socialmetric", ["99 / —", "+12.5 % / —", "TOKEN"]),
        ("socialscore", ["37.00 of 71", "26.67", "10.33", "TOKEN"]),
        ("socialpoll", ["Refused: telegram: the page shows no group", "TOKEN"]),
    ],
)
def test_an_operator_reads_each_list_and_row(client: Client, page: str, shown: list[str]) -> None:
    """What is unknown is a dash; each row opens."""
    token = factories.token(symbol="TOKEN")
    rows = {
        "socialmetric": metric(token, social_growth_rate_1h=Decimal("12.50"), raw_data={"said": "<b>"}),
        "socialscore": score(token),
        "socialpoll": poll(token),
    }
    client.force_login(User.objects.create_superuser("operator"))
    listed = client.get(reverse(f"admin:scoring_{page}_changelist"), {"q": token.mint_address}).content.decode()
    assert [text for text in shown if text not in listed] == []
    opened = client.get(reverse(f"admin:scoring_{page}_change", args=[rows[page].pk]))
    assert opened.status_code == 200
    assert "<b>" not in opened.content.decode().replace("<b>&", "")
