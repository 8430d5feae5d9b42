"""Lists stay fast: a fixed number of queries whatever the number of rows, and exact search on keys."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.factories import NOON
from tokens.models import Pool, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m, Token, Transaction

pytestmark = pytest.mark.django_db

QUERIES = {
    "token": 9,
    "pool": 7,
    "poolmilestone": 7,
    "transaction": 7,
    "pricecandle1m": 7,
    "pricecandle5m": 7,
    "pricecandle1h": 7,
    "pricecandle1d": 7,
    "candledue": 7,
    "solusdprice": 10,
    "quoteusdprice": 7,
    "streamcursor": 18,
    "rejectedmessage": 7,
}
"""Queries of each list, session, operator and navigation included; streams have a desk above their list.

A higher number needs a reason."""


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def fill(rows: int) -> None:
    """Create ``rows`` rows of everything, each of a token of its own."""
    for number in range(rows):
        at = NOON + timedelta(minutes=number)
        token = factories.token()
        pool = factories.pool(token)
        factories.milestone(pool)
        factories.transaction(pool, block_time=at)
        for model in (PriceCandle1m, PriceCandle5m, PriceCandle1h, PriceCandle1d):
            factories.candle(token, model=model)
        factories.candle_due(token)
        factories.sol_usd(at)
        factories.quote_usd(at)
        factories.price_source(mint=pool.pool_address)
        factories.cursor(source=f"feed {number}")
        factories.rejected(f"message {number}".encode(), waits_for=pool.pool_address)


def list_of(name: str) -> str:
    return reverse(f"admin:tokens_{name}_changelist")


@pytest.mark.parametrize("name", QUERIES)
def test_a_list_asks_the_same_number_of_queries_for_any_number_of_rows(
    console: Client, django_assert_num_queries: Any, name: str
) -> None:
    """Twelve rows of twelve tokens cost what is written above, so no list asks once a row."""
    fill(12)
    console.get(list_of(name))
    with django_assert_num_queries(QUERIES[name]):
        answer = console.get(list_of(name))
    assert answer.context["cl"].result_count == 12


def found(console: Client, name: str, key: str) -> int:
    return int(console.get(list_of(name), {"q": key}).context["cl"].result_count)


def test_search_finds_whole_keys_only(console: Client) -> None:
    """A mint, a pool, a signature and a wallet are found by their whole key, and nothing by its beginning."""
    fill(3)
    token, trade = Token.objects.earliest("id"), Transaction.objects.earliest("id")
    pool = Pool.objects.get(token=token)
    searches = {
        ("token", token.mint_address): 1,
        ("token", token.mint_address[:-1]): 0,
        ("pool", pool.pool_address): 1,
        ("pool", token.mint_address): 1,
        ("transaction", trade.signature): 1,
        ("transaction", trade.user_address): 3,
        ("transaction", token.mint_address): 1,
        ("pricecandle1m", token.mint_address): 1,
        ("rejectedmessage", pool.pool_address): 1,
        ("rejectedmessage", "message"): 0,
    }
    assert {search: found(console, *search) for search in searches} == searches


def test_transactions_are_listed_newest_first(console: Client) -> None:
    """The order is that of the ids, which is the order of time."""
    fill(3)
    listed = [trade.block_time for trade in console.get(list_of("transaction")).context["cl"].result_list]
    assert listed == [NOON + timedelta(minutes=number) for number in (2, 1, 0)]


def test_a_candles_page_is_found_by_the_time_in_its_id(console: Client) -> None:
    """The page of a candle opens by its id alone, and another time in the id, or none that exists, finds nothing."""
    candle = factories.candle(factories.token())
    assert console.get(reverse("admin:tokens_pricecandle1m_change", args=[candle.pk])).status_code == 200
    for other in (factories.token().pk, UUID(int=2**128 - 1)):
        assert console.get(reverse("admin:tokens_pricecandle1m_change", args=[other])).status_code == 302


def test_facts_cannot_be_changed_in_the_console(console: Client) -> None:
    """Adding, changing and deleting a token or a trade is refused, to a superuser too."""
    trade = factories.transaction()
    refused = [
        console.get(reverse("admin:tokens_token_add")),
        console.post(reverse("admin:tokens_token_change", args=[trade.token_id]), {"symbol": "X"}),
        console.post(reverse("admin:tokens_token_delete", args=[trade.token_id]), {"post": "yes"}),
        console.post(reverse("admin:tokens_transaction_change", args=[trade.pk]), {"slot": 1}),
        console.post(reverse("admin:tokens_transaction_delete", args=[trade.pk]), {"post": "yes"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5


def test_the_console_needs_an_operator(client: Client) -> None:
    """A visitor is sent to the login, from lists and from the chart's data alike."""
    token = factories.token()
    asked = [
        list_of("token"),
        reverse("admin:tokens_token_candles", args=[token.pk]),
        reverse("admin:tokens_find"),
        reverse("admin:index"),
    ]
    assert [client.get(path).status_code for path in asked] == [302] * 4
    assert all("/login/" in client.get(path).headers["Location"] for path in asked)


def test_the_pools_market_cap_is_told_as_a_person_reads_it(console: Client) -> None:
    """Short and with its unit, not the column's thirty digits."""
    factories.pool(market_cap=Decimal("255.85194772712"), market_cap_usd=None)
    page = console.get(list_of("pool")).content.decode()
    assert "255.9 SOL" in page
    assert "255.85194" not in page
