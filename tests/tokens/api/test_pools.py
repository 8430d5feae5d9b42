from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests import factories
from tests.factories import NOON
from tokens.choices import PoolStatus, PoolType, Venue

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def test_filters_and_orders_of_pools(get: Get) -> None:
    """Venue, type, status and mint narrow the list; by event or progress pools without one are left out."""
    curve = factories.pool(status=PoolStatus.COMPLETE, real_token_reserves=0)
    amm = factories.pool(
        curve.token,
        pool_type=PoolType.GRADUATED,
        platform=Venue.PUMPSWAP,
        initial_real_token_reserves=None,
        last_trade_at=NOON + timedelta(seconds=1),
    )
    quiet = factories.pool(
        real_token_reserves=None, last_trade_at=None, last_slot=None, last_event_index=None, last_signature=None
    )

    def seen(**query: str) -> list[str]:
        return [pool["address"] for pool in get("pools/", **query)["results"]]

    assert seen() == sorted(pool.pool_address for pool in (curve, amm, quiet))
    assert seen(platform="pumpswap") == [amm.pool_address]
    assert seen(type="graduated") == [amm.pool_address]
    assert seen(status="complete") == [curve.pool_address]
    assert seen(mint=quiet.token.mint_address) == [quiet.pool_address]
    assert seen(ordering="-last_event") == [amm.pool_address, curve.pool_address]
    assert seen(ordering="last_event") == [curve.pool_address, amm.pool_address]
    assert seen(ordering="-progress") == [curve.pool_address]


def test_one_pool_comes_with_its_milestones(get: Get, problem: Callable[..., dict[str, Any]]) -> None:
    """A pool is found by its address; another address is not found."""
    pool = factories.pool()
    factories.milestone(pool, threshold_pct=10)
    body = get(f"pools/{pool.pool_address}/")
    assert (body["address"], body["mint"]) == (pool.pool_address, pool.token.mint_address)
    assert [reached["threshold_pct"] for reached in body["milestones"]] == [10]
    for unknown in (factories.address("nowhere"), "nonsense"):
        assert problem(404, f"pools/{unknown}/")["status"] == 404


def test_pools_cost_the_same_number_of_queries(client: APIClient, django_assert_num_queries: Any) -> None:
    """The key and the pools with their tokens: two queries, however many pools."""
    for _ in range(5):
        factories.pool()
    client.get("/api/v1/pools/")
    with django_assert_num_queries(2):
        client.get("/api/v1/pools/")
