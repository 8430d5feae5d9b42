"""Distributions, holdings and differences as people and programs see them."""

from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from holders.models import HolderSnapshot
from megatron.core import api_keys
from megatron.core.choices import Scope
from tests import factories
from tests.factories import NOON, address
from tests.holders import people, shown
from tests.holders.models.test_balances import update
from tests.query_counts import assert_query_count
from tokens.models import Token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def token() -> Token:
    pool = factories.pool()
    shown.snapshot(pool.token)
    people.holding(pool, address("ann"), 250, cost_sol=Decimal("1.5"), realized_pnl_sol=Decimal("-0.25"))
    people.holding(pool, address("bob"), 500)
    people.holding(pool, address("gone"), 0)
    token: Token = pool.token
    return token


def headers() -> dict[str, str]:
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    return {"Authorization": f"Api-Key {key}"}


def test_programs_read_the_newest_distribution(client: Client, token: Token) -> None:
    """Measures, the Lorenz curve, and who was left out for which reason."""
    asked = headers()
    client.get(f"/api/v1/tokens/{token.mint_address}/distribution/", headers=asked)
    with assert_query_count("GET /api/v1/tokens/{mint}/distribution/"):
        found = client.get(f"/api/v1/tokens/{token.mint_address}/distribution/", headers=asked).json()
    assert (found["total_holders"], found["gini"], found["top_10_pct"], found["theil"]) == (200, "0.71", "45", None)
    assert found["lorenz"] == shown.LORENZ
    assert [(one["reason"], one["balance"]) for one in found["excluded"]] == [("curve", "500000000")]
    assert found["sizes"] == {"below_100": 20, "below_1k": 0, "below_10k": 0, "below_100k": 0, "from_100k": 180}


def test_programs_read_holders_and_snapshots_page_by_page(client: Client, token: Token) -> None:
    """The largest first, without those who left; distributions newest first."""
    asked = headers()
    path = f"/api/v1/tokens/{token.mint_address}/holders/?page_size=1"
    client.get(path, headers=asked)
    with assert_query_count("GET /api/v1/tokens/{mint}/holders/"):
        page = client.get(path, headers=asked).json()
    assert [(one["wallet"], one["balance"]) for one in page["results"]] == [(address("bob"), "500")]
    rest = client.get(page["next"], headers=asked).json()
    assert [(one["wallet"], one["cost_sol"], one["realized_sol"]) for one in rest["results"]] == [
        (address("ann"), "1.5", "-0.25")
    ]
    assert rest["next"] is None
    with assert_query_count("GET /api/v1/tokens/{mint}/snapshots/"):
        found = client.get(f"/api/v1/tokens/{token.mint_address}/snapshots/", headers=asked).json()
    assert [(one["origin"], one["is_complete"]) for one in found["results"]] == [("helius_rpc", True)]


def test_what_cannot_be_read_is_said(client: Client) -> None:
    """A token without a list, an address that is none and a parameter that nobody reads."""
    asked = headers()
    assert client.get(f"/api/v1/tokens/{address('x')}/distribution/", headers=asked).status_code == 404
    assert client.get("/api/v1/tokens/0x1/holders/", headers=asked).status_code == 404
    answer = client.get(f"/api/v1/tokens/{address('x')}/snapshots/?size=3", headers=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "size")


@pytest.mark.parametrize("name", ["holdersnapshot", "tokenholder", "holderupdate"])
def test_people_read_lists(desk: Client, token: Token, name: str) -> None:
    """Each list is read-only, shows its figures with units, and finds a token by its mint."""
    update(token_mint=token.mint_address, update_type="holder_exit", new_balance=0, balance_change=-10)
    HolderSnapshot.objects.update(is_complete=False, incomplete_reason="Only the first 2 accounts were asked for")
    desk.get(f"/console/holders/{name}/")
    with assert_query_count(f"GET /console/holders/{name}/"):
        page = desk.get(f"/console/holders/{name}/").content.decode()
    told = {
        "holdersnapshot": ["200, 1 left out", "0.710", "12.00 %", "Only the first 2 accounts"],
        "tokenholder": ["1.5", "SOL"],
        "holderupdate": ["Holder left"],
    }[name]
    assert [text for text in told if text not in page] == []
    assert desk.get(f"/console/holders/{name}/?q={token.mint_address}").status_code == 200
    assert desk.get(f"/console/holders/{name}/add/").status_code == 403
