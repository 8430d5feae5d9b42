"""Price and last hour of a token, and the hot list, as programs read them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from redis import Redis

from tests import factories
from tests.factories import NOON
from tokens.models import Token

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db

MARKET = {
    "price": "5",
    "price_usd": "750",
    "volume_1h_sol": "4",
    "volume_1h_usd": "600",
    "change_1h_pct": "150",
    "last_trade_at": "2026-07-03T12:00:00Z",
}


@pytest.fixture
def traded() -> Token:
    """A token that opened at 2, traded 4 SOL this hour, and stands at 5."""
    token = factories.token()
    factories.pool(token, latest_price=Decimal(5), latest_price_usd=Decimal(750))
    flat = {name: Decimal(2) for name in ("open", "high", "low", "close")}
    factories.candle(token, volume_sol=Decimal(4), volume_usd=Decimal(600), **flat)
    return token


def test_a_token_tells_its_market_in_lists_and_alone(get: Get, traded: Token) -> None:
    """Price, volume and change of the last hour, all as text."""
    with time_machine.travel(NOON, tick=False):
        assert get("tokens/")["results"][0]["market"] == MARKET
        assert get(f"tokens/{traded.mint_address}/")["market"] == MARKET


def test_a_token_without_a_price_has_no_market(get: Get) -> None:
    """Not known is null, not nothing."""
    token = factories.token()
    assert get(f"tokens/{token.mint_address}/")["market"] is None


def test_the_hot_list_without_scores_is_by_the_hours_volume(get: Get, traded: Token) -> None:
    """Most first, with no score, the token and its market; ``limit`` cuts."""
    quiet = factories.token()
    factories.candle(quiet, bucket=NOON - timedelta(minutes=1), volume_sol=Decimal("0.5"))
    with time_machine.travel(NOON, tick=False):
        body = get("tokens/hot/")
        assert body["at"] == "2026-07-03T12:00:00Z"
        assert [(it["score"], it["token"]["mint"]) for it in body["results"]] == [
            (None, traded.mint_address),
            (None, quiet.mint_address),
        ]
        assert [it["token"]["market"] for it in body["results"]] == [MARKET, None]
        assert len(get("tokens/hot/", limit="1")["results"]) == 1


def test_a_second_reader_gets_it_from_the_cache(get: Get, traded: Token, redis: Redis) -> None:
    """The list fills ``price:current`` for the rows it shows."""
    with time_machine.travel(NOON, tick=False):
        get("tokens/")
        assert redis.keys("*") == [f"price:current:{traded.pk}"]
        assert get("tokens/")["results"][0]["market"] == MARKET


def test_a_limit_beyond_the_list_is_refused(problem: Callable[..., dict[str, Any]]) -> None:
    """At most 200 are ranked."""
    assert problem(400, "tokens/hot/", limit="201")["errors"][0]["field"] == "limit"
