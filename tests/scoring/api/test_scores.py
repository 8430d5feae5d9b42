"""Scores as programs read them: lists by score, one token's, its history in words, and why."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from megatron.core import api_keys
from megatron.core.choices import Scope
from scoring.services import totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts, shown
from tokens.models import Token

pytestmark = pytest.mark.django_db


@pytest.fixture
def get() -> Any:
    """Ask an address below ``/api/v1/`` and return the body of the answer with the status that is expected."""
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")

    def ask(address: str, status: int = 200, **query: Any) -> dict[str, Any]:
        answer = caller.get(f"/api/v1/{address}", query)
        assert answer.status_code == status, answer.content
        body: dict[str, Any] = answer.json()
        return body

    return ask


def scored() -> Token:
    """Return a token with a technical score at noon and holders a minute later."""
    token = factories.token()
    parts.technical(token)
    totals.refresh(mints=[token.mint_address], now=NOON)
    parts.holder(token, at=parts.later(1))
    totals.refresh(mints=[token.mint_address], now=parts.later(1))
    return token


def test_a_score_has_its_parts_and_what_was_to_be_had(get: Any) -> None:
    """Points are text; a part that nobody knows is null; details say what is unknown."""
    found = get(f"tokens/{scored().mint_address}/score/")
    score = found["score"]
    assert (score["technical_score"], score["holder_score"], score["social_score"]) == ("333", "274.75", None)
    assert (score["total_raw"], score["total_adjusted"], score["available_max"]) == ("607.75", 608, 666)
    assert (score["ratio"], score["completeness"]) == ("0.9129", "66.6667")
    assert "honeypot" in score["details"]["unknown"]
    assert found["why_unknown"] is None


def test_a_token_without_a_score_says_why(get: Any) -> None:
    """Null and a reason; an unknown token is a 404."""
    token = factories.token()
    found = get(f"tokens/{token.mint_address}/score/")
    assert found["score"] is None
    assert "Its market was not measured" in found["why_unknown"]
    assert get(f"tokens/{factories.address('nobody')}/score/", 404)["status"] == 404
    assert get(f"tokens/{token.mint_address}/score/explain/", 404)["detail"].startswith("It had no score at")


def test_history_tells_what_changed(get: Any) -> None:
    """Newest first, page by page, each against the one before it, also across the edge of a page."""
    token = scored()
    first = get(f"tokens/{token.mint_address}/scores/", page_size=1)
    (newest,) = first["results"]
    assert newest["changes"] == [
        "The total went from 333 to 608 (+275).",
        "Holders is known now: 274.75.",
        "Distribution is known now: 101.",
        "Quality is known now: 95.",
        "Activity is known now: 78.75.",
        "Of 666 points instead of 333.",
        "66.7 % of the data was there, before 33.3 %.",
    ]
    (oldest,) = get(first["next"].split("/api/v1/")[1])["results"]
    assert (oldest["changes"], oldest["total_adjusted"]) == ([], 333)


def test_an_explanation_is_that_of_the_command(get: Any) -> None:
    """Lines with reasons, and that computing again gives the same; with a time, as it was then."""
    token = scored()
    found = get(f"tokens/{token.mint_address}/score/explain/")
    assert (found["computed_again"]["is_same"], found["score"]["total_adjusted"]) == (True, 608)
    assert found["parts"][1]["blocks"][0]["components"][0]["reason"] == (
        "The Gini coefficient is 0.45, at least 0.3 and below 0.5"
    )
    past = get(f"tokens/{token.mint_address}/score/explain/", at=NOON.isoformat())
    assert past["score"]["available_max"] == 333


def test_lists_are_in_the_order_of_the_score(get: Any) -> None:
    """By ratio, by total and by a part; what is unknown comes last; graduated ones can be asked for."""
    high = factories.token(symbol="HIGH", is_graduated=True, graduation_platform="pumpswap", graduation_timestamp=NOON)
    whole, low = factories.token(symbol="WHOLE"), factories.token(symbol="LOW")
    shown.newest_score(high, technical_score=300)
    shown.newest_score(whole, technical_score=250, holder_score=250, social_score=100, available_max=999)
    shown.newest_score(low, technical_score=None, holder_score=Decimal("12.5"))

    def symbols(**query: Any) -> list[str]:
        return [row["symbol"] for row in get("scores/", **query)["results"]]

    assert symbols() == ["HIGH", "WHOLE", "LOW"]
    assert symbols(ordering="-total") == ["WHOLE", "HIGH", "LOW"]
    assert symbols(ordering="-holder") == ["WHOLE", "LOW", "HIGH"]
    assert symbols(graduated="true") == ["HIGH"]
    assert get("scores/", 400, order="total")["status"] == 400


def test_a_stranger_reads_nothing(client: Client) -> None:
    """Without a key no score is told."""
    assert client.get("/api/v1/scores/").status_code in (401, 403)
