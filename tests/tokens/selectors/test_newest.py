"""The newest of a token's rows are read by steps back in time where every chunk would be planned, and are the same."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from megatron.core import api_keys
from megatron.core.choices import Scope
from megatron.core.timescale import newest, policies
from tests import factories
from tests.chunks import chunks_planned
from tests.factories import NOON
from tokens.choices import CandleInterval
from tokens.models import Pool, PriceCandle1d, Transaction
from tokens.selectors import charts, desk, trades

pytestmark = pytest.mark.django_db

AGES = (0, 0.3, 2, 5, 11, 12, 40, 41, 90, 300)
"""How many days before its last trade a coin traded."""


@pytest.fixture
def pool() -> Pool:
    """A coin that traded now and then for ten months, and stopped two months ago; others trade every ten days."""
    ended = NOON - timedelta(days=60)
    found = factories.pool(factories.token(creation_timestamp=ended - timedelta(days=300)), last_trade_at=ended)
    for age in AGES:
        factories.transaction(found, block_time=ended - timedelta(days=age))
        factories.candle(found.token, bucket=ended - timedelta(days=age))
    other = factories.pool()
    for age in range(0, 120, 10):
        factories.transaction(other, block_time=NOON - timedelta(days=age))
        factories.candle(other.token, bucket=NOON - timedelta(days=age))
    return found


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server without chunks be asked like one that has them."""
    monkeypatch.setattr(policies, "level", lambda _: "apache")


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9, 10, 50])
@pytest.mark.usefixtures("chunks")
def test_endurance_13_the_newest_by_steps_are_the_newest(pool: Pool, limit: int) -> None:
    """However many are asked for and wherever they lie, the steps give what one query gives."""
    expected = list(Transaction.objects.filter(token=pool.token).order_by("-block_time", "-id")[:limit])
    assert list(desk.latest_trades(token=pool.token, limit=limit)) == expected
    unknown = newest.Lifetime("block_time")
    found = Transaction.objects.filter(token=pool.token).order_by("-block_time", "-id")
    assert newest.newest(found, limit=limit, lifetime=unknown) == expected


@pytest.mark.usefixtures("chunks")
def test_endurance_13_the_newest_candle_before_a_time_is_found_by_steps(pool: Pool) -> None:
    """Before any time, and before none: the same candle as without steps."""
    for days in (None, 59, 60, 61, 70, 101, 400):
        before = None if days is None else NOON - timedelta(days=days)
        found = trades.find_latest_candle(token=pool.token, interval=CandleInterval.M1, before=before)
        starts = [NOON - timedelta(days=60 + age) for age in AGES]
        expected = max((at for at in starts if before is None or at < before), default=None)
        assert (found and found.bucket) == expected, days


@pytest.mark.community
def test_endurance_13_a_latest_trades_plan_asks_a_few_chunks(pool: Pool) -> None:
    """The newest trade of a coin that stopped two months ago, and its newest candle, plan what is near it and no more."""
    with CaptureQueriesContext(connection) as queries:
        desk.latest_trades(token=pool.token, limit=2)
        trades.find_latest_candle(token=pool.token, interval=CandleInterval.M1)
    asked = [
        query["sql"] for query in queries if '"transactions"' in query["sql"] or "price_candles_1m" in query["sql"]
    ]
    assert len(asked) == 2
    assert all(chunks_planned(statement) <= 3 for statement in asked), asked


@pytest.mark.usefixtures("chunks")
def test_endurance_13_pages_of_trades_by_steps_are_all_of_them(pool: Pool) -> None:
    """Page by page, each read by steps from where the last one ended, every trade comes once and in order."""
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    address: Any = f"/api/v1/tokens/{pool.token.mint_address}/transactions/?page_size=3"
    seen: list[str] = []
    while address:
        page = client.get(address).json()
        seen += [row["block_time"] for row in page["results"]]
        address = page["next"]
    expected = [NOON - timedelta(days=60 + age) for age in AGES]
    assert [datetime.fromisoformat(one) for one in seen] == expected


@pytest.mark.usefixtures("chunks")
def test_endurance_13_the_shortest_interval_is_found_by_steps(pool: Pool) -> None:
    """The same as without steps: of a coin with minutes, with days alone, and with none."""
    assert charts.first_filled_interval(token=pool.token) == CandleInterval.M1
    quiet = factories.pool(last_trade_at=NOON).token
    assert charts.first_filled_interval(token=quiet) is None
    factories.candle(quiet, model=PriceCandle1d, bucket=NOON.replace(hour=0))
    assert charts.first_filled_interval(token=quiet) == CandleInterval.D1


@pytest.mark.community
def test_endurance_13_a_mint_is_searched_within_its_tokens_life(client: Client, pool: Pool) -> None:
    """The console's trades of a mint are all of them, and a coin that lived a day plans that day."""
    client.force_login(User.objects.create_superuser("operator"))
    brief = factories.pool(factories.token(creation_timestamp=NOON - timedelta(days=90)))
    brief.last_trade_at = NOON - timedelta(days=89)
    brief.save()
    for hours in (0, 20):
        factories.transaction(brief, block_time=NOON - timedelta(days=90, hours=-hours))
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/console/tokens/transaction/", {"q": brief.token.mint_address})
    assert page.context["cl"].result_count == 2
    asked = [query["sql"] for query in queries if 'FROM "transactions"' in query["sql"]]
    assert asked
    if policies.level(connection) != "none":
        assert all(chunks_planned(statement) <= 5 for statement in asked), asked
    other = client.get("/console/tokens/transaction/", {"q": pool.token.mint_address})
    assert other.context["cl"].result_count == len(AGES)


@pytest.mark.parametrize("at", [None, NOON, NOON - timedelta(days=20), NOON - timedelta(days=500)])
@pytest.mark.parametrize("first", [None, NOON - timedelta(days=45)])
@pytest.mark.parametrize("last", [None, NOON - timedelta(days=3)])
def test_endurance_13_steps_leave_nothing_out(first: Any, last: Any, at: Any) -> None:
    """The stretches touch each other, from past the end to before the beginning."""
    steps = list(newest.Lifetime("block_time", first=first, last=last).steps(at=at))
    assert all(earlier[0] == later[1] for earlier, later in pairwise(steps))
    forever = datetime.max.replace(tzinfo=UTC)
    assert steps == [] or steps[-1][0] <= (first or datetime.min.replace(tzinfo=UTC))
    assert steps == [] or steps[0][1] == forever or steps[0][1] > min(last or forever, at or forever)
    # Nothing is left to look for only where all of it is older than the first.
    assert steps or min(last or forever, at or forever) < (first or NOON) - timedelta(days=1)
