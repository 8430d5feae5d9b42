from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests import factories
from tests.factories import NOON, WSOL
from tokens.choices import Platform, PoolType, Venue

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def _mints(body: dict[str, Any]) -> list[str]:
    return [token["mint"] for token in body["results"]]


def _of(*tokens: Any) -> list[str]:
    return [token.mint_address for token in tokens]


MIGRATION = ("successor", "migration_slot", "migration_signature")


def test_one_token_in_full(get: Get) -> None:
    """A token tells its state, its current pool, all its pools with milestones, and amounts as text with their
    decimals."""
    curve = factories.pool(factories.token(symbol="TOK", name="Token", creator_address=factories.address("ann")))
    factories.milestone(curve)
    token = curve.token
    state = {
        "address": curve.pool_address,
        "mint": token.mint_address,
        "quote_mint": WSOL,
        "platform": "pumpfun",
        "type": "initial",
        "status": "active",
        "price": "0.00000004252873563218",
        "price_usd": "0.000006379310344827",
        "market_cap": "42.52873563218",
        "market_cap_usd": "6379.310344827",
        "progress_pct": "25",
        "progress_quote_pct": "8.2348",
        "quote_target": {"raw": "85005359057", "decimals": 9, "amount": "85.005359057"},
        "supply": {"raw": "1000000000000000", "decimals": 6, "amount": "1000000000"},
        "reserves": {
            "virtual_quote": {"raw": "37000000000", "decimals": 9, "amount": "37"},
            "virtual_token": {"raw": "870000000000000", "decimals": 6, "amount": "870000000"},
            "real_quote": {"raw": "7000000000", "decimals": 9, "amount": "7"},
            "real_token": {"raw": "594825000000000", "decimals": 6, "amount": "594825000"},
        },
        "last_event_at": "2026-07-03T12:00:00Z",
        "last_slot": 420_000_000,
        "last_signature": curve.last_signature,
    }
    reached = {
        "threshold_pct": 25,
        "reached_at": "2026-07-03T12:00:00Z",
        "slot": 420_000_000,
        "signature": factories.signature(f"25 of {curve.pool_address}"),
    }
    assert get(f"tokens/{token.mint_address}/") == {
        "mint": token.mint_address,
        "symbol": "TOK",
        "name": "Token",
        "decimals": 6,
        "platform": "pumpfun",
        "creator": factories.address("ann"),
        "created_at": "2026-07-03T12:00:00Z",
        "creation_signature": token.creation_signature,
        "initial_supply": {"raw": "1000000000000000", "decimals": 6, "amount": "1000000000"},
        "graduated": False,
        "graduated_at": None,
        "graduated_to": None,
        "uri": None,
        "image_url": None,
        "market": {
            "price": "0.00000004252873563218",
            "price_usd": "0.000006379310344827",
            "volume_1h_sol": "0",
            "volume_1h_usd": None,
            "change_1h_pct": None,
            "last_trade_at": "2026-07-03T12:00:00Z",
        },
        "current_pool": state,
        "graduation_signature": None,
        "token_program": None,
        "metadata": None,
        "pools": [{**state, "initial_price": None, "milestones": [reached]} | dict.fromkeys(MIGRATION)],
    }


def test_t14_a_listed_token_carries_its_current_pool(get: Get) -> None:
    """The list shows the graduated pool if any, else the curve, and null for a token that only side pools trade."""
    graduated = factories.pool(factories.pool().token, pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    side = factories.pool(pool_type=PoolType.PERMISSIONLESS)
    shown = {token["mint"]: token["current_pool"] for token in get("tokens/")["results"]}
    assert shown[graduated.token.mint_address]["address"] == graduated.pool_address
    assert shown[graduated.token.mint_address]["platform"] == "pumpswap"
    assert shown[side.token.mint_address] is None


def test_filters_reach_the_list(get: Get) -> None:
    """Each filter of the address narrows the list."""
    old = factories.pool(
        factories.token(creation_timestamp=NOON - timedelta(days=1), creator_address=factories.address("ann"))
    ).token
    new = factories.pool(
        factories.token(platform=Platform.RAYDIUM_LAUNCHPAD, is_graduated=True), real_token_reserves=0
    ).token
    assert _mints(get("tokens/")) == _of(new, old)
    assert _mints(get("tokens/", platform="pumpfun")) == _of(old)
    assert _mints(get("tokens/", graduated="true")) == _of(new)
    assert _mints(get("tokens/", graduated="false")) == _of(old)
    assert _mints(get("tokens/", creator=factories.address("ann"))) == _of(old)
    assert _mints(get("tokens/", created_after="2026-07-03T12:00:00Z")) == _of(new)
    assert _mints(get("tokens/", created_before="2026-07-03T14:00:00+02:00")) == _of(old)
    assert _mints(get("tokens/", progress_min="25.0001")) == _of(new)
    assert _mints(get("tokens/", progress_max="25")) == _of(old)
    assert _mints(get("tokens/", progress_quote_min="9")) == []
    assert _mints(get("tokens/", progress_quote_max="8.2348")) == _of(new, old)


def test_orders(get: Get) -> None:
    """By creation a token whose creation was not observed comes last; other orders leave out what they do not know."""
    first = factories.pool(last_trade_at=NOON, real_token_reserves=0).token
    second = factories.pool(
        factories.token(creation_timestamp=NOON + timedelta(seconds=1), is_graduated=True, graduation_timestamp=NOON),
        last_trade_at=NOON - timedelta(hours=1),
    ).token
    unseen = factories.token(creation_timestamp=None)
    expected = {
        "-created": (second, first, unseen),
        "created": (first, second),
        "-last_trade": (first, second),
        "last_trade": (second, first),
        "-progress": (first, second),
        "progress": (second, first),
        "-graduated": (second,),
        "graduated": (second,),
    }
    for ordering, tokens in expected.items():
        assert _mints(get("tokens/", ordering=ordering)) == _of(*tokens), ordering


@pytest.mark.parametrize("ordering", ["-created", "created", "-last_trade", "progress_quote"])
def test_pages_are_stable_while_tokens_arrive(client: APIClient, ordering: str) -> None:
    """Following ``next`` shows every token of the first moment once, in order, although others arrive between the
    pages."""
    for minute in (0, 1, 1, 2, 3):
        factories.pool(
            factories.token(creation_timestamp=NOON + timedelta(minutes=minute)),
            last_trade_at=NOON + timedelta(minutes=minute),
        )
    query = {"ordering": ordering, "page_size": 5}
    whole = _mints(client.get("/api/v1/tokens/", query).json())
    assert len(whole) == 5
    seen, address = [], f"/api/v1/tokens/?ordering={ordering}&page_size=2"
    while address:
        body = client.get(address).json()
        seen += _mints(body)
        address = body["next"]
        factories.pool(
            factories.token(creation_timestamp=NOON + timedelta(hours=1)), last_trade_at=NOON - timedelta(hours=1)
        )
        assert len(seen) < 50
    assert [mint for mint in seen if mint in whole] == whole
    assert len(seen) == len(set(seen))


def test_a_list_costs_the_same_number_of_queries_whatever_its_length(
    client: APIClient, django_assert_num_queries: Any
) -> None:
    """One query for the tokens and one for their pools, beside the one that finds the key."""
    factories.pool()
    client.get("/api/v1/tokens/")
    for _ in range(20):
        factories.pool(factories.pool().token, pool_type=PoolType.GRADUATED)
    with django_assert_num_queries(4):
        assert len(client.get("/api/v1/tokens/").json()["results"]) == 21
    with django_assert_num_queries(4):
        client.get("/api/v1/tokens/", {"ordering": "-last_trade", "progress_min": 1})


def test_a_token_is_not_sent_twice(client: APIClient) -> None:
    """A caller who has the newest version gets 304; after a change he gets the token and another tag."""
    curve = factories.pool()
    address = f"/api/v1/tokens/{curve.token.mint_address}/"
    tag = client.get(address)["ETag"]
    assert client.get(address, HTTP_IF_NONE_MATCH=tag).status_code == 304
    curve.status = "complete"
    curve.save(update_fields=["status"])
    changed = client.get(address, HTTP_IF_NONE_MATCH=tag)
    assert changed.status_code == 200
    assert changed["ETag"] != tag


@pytest.mark.parametrize("mint", ["nonsense", "0" * 44, "%00", "%F0%9F%92%A9", factories.address("nobody"), "1" * 4000])
def test_a_mint_that_is_not_known_is_not_found(problem: Callable[..., dict[str, Any]], mint: str) -> None:
    """Whether malformed or only unknown, the answer is a 404 problem on each address of a token."""
    for rest in ("", "transactions/", "candles/"):
        assert problem(404, f"tokens/{mint}/{rest}")["type"] == "urn:megatron:problem:not-found"


def test_a_bad_parameter_is_named(problem: Callable[..., dict[str, Any]]) -> None:
    """The problem lists each wrong parameter with what is allowed, an unknown one with the known ones, and bounds
    pages."""
    fields = {error["field"]: error["detail"] for error in problem(400, "tokens/", platform="moon")["errors"]}
    assert fields == {"platform": "Must be one of: pumpfun, raydium_launchpad, unknown."}
    (unknown,) = problem(400, "tokens/", colour="red")["errors"]
    assert unknown["field"] == "colour"
    assert unknown["detail"].startswith(
        "Unknown parameter. Known here: created_after, created_before, creator, cursor,"
    )
    assert problem(400, "tokens/", page_size="1000000000")["errors"][0]["field"] == "page_size"
    assert problem(400, "tokens/", cursor="made up")["errors"][0]["field"] == "cursor"
    assert problem(400, "tokens/", creator="1\x00")["errors"][0]["field"] == "creator"
    assert problem(400, f"tokens/{factories.address('nobody')}/", fields="mint")["errors"][0]["field"] == "fields"
