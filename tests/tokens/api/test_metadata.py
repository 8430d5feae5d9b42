"""A token's document and its graduation in the API."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import PoolStatus, PoolType, Venue

pytestmark = pytest.mark.django_db

Get = Callable[..., dict[str, Any]]


def test_a_token_carries_what_its_document_says(get: Get) -> None:
    """State, address, digest and links stand with the token; what the document leaves out is null."""
    row = factories.fetched_metadata()
    shown = get(f"tokens/{row.token.mint_address}/")["metadata"]
    assert shown == {
        "state": "fetched",
        "uri": row.uri,
        "found_at": "https://coin.example/1.json",
        "fetched_at": "2026-07-03T12:00:00Z",
        "digest": "0" * 64,
        "name": None,
        "symbol": None,
        "description": "A coin.",
        "image_url": "https://coin.example/1.png",
        "twitter": "https://x.com/coin",
        "telegram": None,
        "website": None,
        "discord": None,
    }


@pytest.mark.parametrize(
    ("fields", "state"), [({}, "waiting"), ({"quarantined_at": NOON, "last_error": "HTTP 404"}, "failed")]
)
def test_a_document_that_was_not_fetched_says_so(get: Get, fields: dict[str, Any], state: str) -> None:
    """A reader can tell what is still to come from what failed."""
    row = factories.metadata(**fields)
    assert get(f"tokens/{row.token.mint_address}/")["metadata"]["state"] == state


def test_a_token_without_a_uri_has_no_document(get: Get) -> None:
    """Nothing is null."""
    assert get(f"tokens/{factories.token().mint_address}/")["metadata"] is None


def test_a_migrated_curve_names_its_successor(get: Get) -> None:
    """The curve tells into which pool it went, and when."""
    token = factories.token(is_graduated=True)
    amm = factories.pool(token, pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    curve = factories.pool(
        token,
        status=PoolStatus.MIGRATED,
        successor=amm,
        migration_slot=7,
        migration_signature=factories.signature("migration"),
    )
    shown = get(f"pools/{curve.pool_address}/")
    assert (shown["successor"], shown["migration_slot"]) == (amm.pool_address, 7)
    assert shown["migration_signature"] == factories.signature("migration")
    pools = get(f"tokens/{token.mint_address}/")["pools"]
    assert {pool["address"]: pool["successor"] for pool in pools} == {
        curve.pool_address: amm.pool_address,
        amm.pool_address: None,
    }
