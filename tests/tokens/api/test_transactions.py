from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests import factories, recordings
from tests.factories import NOON, WSOL
from tests.tokens.services.capture import play
from tokens.choices import TransactionType
from tokens.models import Transaction

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def test_one_trade_in_full(get: Get) -> None:
    """A buy tells what moved in both mints, its prices, fees and the reserves after it; unknown fees are null."""
    factories.sol_usd(NOON)
    pool = factories.pool()
    trade = factories.transaction(
        pool,
        protocol_fee=9_500_000,
        transaction_fee=5000,
        quote_reserves=38_000_000_000,
        token_reserves=835_000_000_000_000,
    )
    assert get(f"tokens/{pool.token.mint_address}/transactions/") == {
        "next": None,
        "results": [
            {
                "signature": trade.signature,
                "event_index": 0,
                "type": "buy",
                "block_time": "2026-07-03T12:00:00Z",
                "slot": 420_000_000,
                "commitment": "confirmed",
                "mint": pool.token.mint_address,
                "pool": pool.pool_address,
                "platform": "pumpfun",
                "quote_mint": WSOL,
                "user": factories.address("trader"),
                "token_amount": {"raw": "35000000000000", "decimals": 6, "amount": "35000000"},
                "quote_amount": {"raw": "1000000000", "decimals": 9, "amount": "1"},
                "price": "0.00000002857142857143",
                "price_usd": "0.000004285714285715",
                "value_usd": "150",
                "fees": {
                    "protocol": {"raw": "9500000", "decimals": 9, "amount": "0.0095"},
                    "platform": None,
                    "creator": None,
                    "share": None,
                    "network": {"raw": "5000", "decimals": 9, "amount": "0.000005"},
                },
                "reserves_after": {
                    "quote": {"raw": "38000000000", "decimals": 9, "amount": "38"},
                    "token": {"raw": "835000000000000", "decimals": 6, "amount": "835000000"},
                },
            }
        ],
    }


def test_a_sell_gives_tokens_for_quote(get: Get) -> None:
    """Whatever the direction, ``token_amount`` is the token and ``quote_amount`` the quote; unknown decimals are
    null."""
    sell = factories.transaction(
        type=TransactionType.SELL, amount_in=7_000_000, amount_in_decimals=6, amount_out=3, amount_out_decimals=None
    )
    (shown,) = get(f"tokens/{sell.token.mint_address}/transactions/")["results"]
    assert shown["token_amount"] == {"raw": "7000000", "decimals": 6, "amount": "7"}
    assert shown["quote_amount"] == {"raw": "3", "decimals": None, "amount": None}


def test_filters_and_order(get: Get) -> None:
    """Newest first, within a second by slot and place; type, user and a half-open window narrow the list."""
    pool = factories.pool()
    first = factories.transaction(pool, slot=1, event_index=9)
    third = factories.transaction(pool, slot=2, event_index=1, type=TransactionType.SELL)
    second = factories.transaction(pool, slot=2, event_index=0)
    last = factories.transaction(
        pool, slot=3, block_time=NOON + timedelta(seconds=1), user_address=factories.address("bob")
    )
    address = f"tokens/{pool.token.mint_address}/transactions/"

    def seen(**query: str) -> list[str]:
        return [trade["signature"] for trade in get(address, **query)["results"]]

    assert seen() == [last.signature, third.signature, second.signature, first.signature]
    assert seen(type="sell") == [third.signature]
    assert seen(user=factories.address("bob")) == [last.signature]
    assert seen(after="2026-07-03T12:00:01Z") == [last.signature]
    assert seen(before="2026-07-03T12:00:01Z", type="buy") == [second.signature, first.signature]


def test_pages_are_stable_while_trades_arrive(client: APIClient) -> None:
    """Trades of one second are paged without loss or repeat although newer ones arrive between the pages."""
    pool = factories.pool()
    made = {factories.transaction(pool).signature for _ in range(7)}
    seen: list[str] = []
    address = f"/api/v1/tokens/{pool.token.mint_address}/transactions/?page_size=2"
    while address:
        body = client.get(address).json()
        seen += [trade["signature"] for trade in body["results"]]
        address = body["next"]
        factories.transaction(pool, block_time=NOON + timedelta(seconds=1))
    assert len(seen) == 7
    assert set(seen) == made


def test_trades_cost_the_same_number_of_queries(client: APIClient, django_assert_num_queries: Any) -> None:
    """The key, the token and its trades with their pools: three queries, however many trades."""
    pool = factories.pool()
    client.get("/api/v1/tokens/")
    for _ in range(9):
        factories.transaction(pool)
    with django_assert_num_queries(3):
        client.get(f"/api/v1/tokens/{pool.token.mint_address}/transactions/")


def test_all_events_of_a_signature(get: Get, problem: Callable[..., dict[str, Any]]) -> None:
    """The events of one transaction, on any pool, in order; one that is not stored is not found, malformed or not."""
    mine = factories.signature("mine")
    later = factories.transaction(signature=mine, event_index=200_000)
    earlier = factories.transaction(signature=mine, event_index=100_000)
    events = get(f"transactions/{mine}/")["results"]
    assert [(event["event_index"], event["mint"]) for event in events] == [
        (100_000, earlier.token.mint_address),
        (200_000, later.token.mint_address),
    ]
    for unknown in (factories.signature("other"), "nonsense", "%00"):
        assert problem(404, f"transactions/{unknown}/")["status"] == 404


def test_truth_03_fees_charged_in_the_token_are_shown_in_the_token(get: Get) -> None:
    """In a pool with wrapped SOL as its base the fees in the quote are null, and stand with the token's decimals."""
    play([("flipped", recordings.content("cases/flipped_fees.json"))])
    mint = Transaction.objects.get().token.mint_address
    (shown,) = get(f"tokens/{mint}/transactions/")["results"]
    fees = shown["fees"]
    assert [fees[name] for name in ("protocol", "platform", "creator", "share")] == [None] * 4
    assert fees["in_token"] == {
        "protocol": {"raw": "384112183649", "decimals": 6, "amount": "384112.183649"},
        "platform": {"raw": "1920560918243", "decimals": 6, "amount": "1920560.918243"},
        "creator": {"raw": "0", "decimals": 6, "amount": "0"},
        "share": None,
    }


def test_truth_04_a_signature_in_an_address_is_64_bytes(problem: Callable[..., dict[str, Any]]) -> None:
    """What is none is said to be none."""
    for odd in ("z" * 88, "1" * 88, "5" * 63, "5" * 101):
        assert problem(404, f"transactions/{odd}/")["detail"].startswith("Not a signature: it is 64 bytes in base58")
