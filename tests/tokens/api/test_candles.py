from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests import factories
from tests.factories import NOON
from tokens.models import PriceCandle1d, PriceCandle1h

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def _buckets(body: dict[str, Any]) -> list[str]:
    return [candle["bucket"][11:16] for candle in body["results"]]


def test_the_default_window_ends_right_after_the_newest_candle(get: Get) -> None:
    """Without a window it is the 24 hours that end with the newest candle, so an old capture is not an empty answer."""
    token = factories.token()
    factories.candle(token, bucket=NOON - timedelta(hours=24))
    factories.candle(token, bucket=NOON - timedelta(hours=23))
    factories.candle(token, volume_usd=None, close_usd=None)
    body = get(f"tokens/{token.mint_address}/candles/")
    assert body["results"][1] == {
        "bucket": "2026-07-03T12:00:00Z",
        "open": "0.000000028",
        "high": "0.000000031",
        "low": "0.000000027",
        "close": "0.00000003",
        "open_usd": "0.0000042",
        "high_usd": "0.00000465",
        "low_usd": "0.00000405",
        "close_usd": None,
        "volume_token": "35000000",
        "volume_sol": "1",
        "volume_usd": None,
        "trade_count": 2,
        "buyer_count": 1,
        "seller_count": 1,
        "filled": False,
    }
    assert _buckets(body) == ["13:00", "12:00"]
    assert {name: body[name] for name in body if name != "results"} == {
        "mint": token.mint_address,
        "interval": "1m",
        "start": "2026-07-02T12:01:00Z",
        "end": "2026-07-03T12:01:00Z",
        "next": None,
    }


def test_a_token_without_candles_answers_with_none(get: Get, time_machine: Any) -> None:
    """The window then ends now."""
    time_machine.move_to(datetime(2026, 7, 3, 15, 30, tzinfo=UTC), tick=False)
    body = get(f"tokens/{factories.token().mint_address}/candles/", interval="5m")
    assert (body["results"], body["start"], body["end"]) == ([], "2026-07-02T15:30:00Z", "2026-07-03T15:30:00Z")


def test_each_interval_has_its_candles(get: Get) -> None:
    """Hours and days come from their own tables; days are shown for 30 days by default."""
    token = factories.token()
    factories.candle(token, model=PriceCandle1h)
    factories.candle(token, model=PriceCandle1d, bucket=datetime(2026, 7, 3, tzinfo=UTC))
    assert _buckets(get(f"tokens/{token.mint_address}/candles/", interval="1h")) == ["12:00"]
    days = get(f"tokens/{token.mint_address}/candles/", interval="1d")
    assert (_buckets(days), days["start"], days["end"]) == (["00:00"], "2026-06-04T00:00:00Z", "2026-07-04T00:00:00Z")


def test_a_window_is_half_open_and_cut_at_the_limit(client: APIClient, get: Get) -> None:
    """The end is not in it; what the limit cuts off is behind ``next``, and following it shows every candle once."""
    token = factories.token()
    for minute in (0, 2, 3, 9, 10):
        factories.candle(token, bucket=NOON + timedelta(minutes=minute))
    window = {"start": "2026-07-03T12:00:00Z", "end": "2026-07-03T12:10:00Z"}
    address = f"tokens/{token.mint_address}/candles/"
    assert _buckets(get(address, **window)) == ["12:00", "12:02", "12:03", "12:09"]
    first = get(address, **window, limit=3)
    assert _buckets(first) == ["12:00", "12:02", "12:03"]
    second = client.get(first["next"]).json()
    assert (_buckets(second), second["next"]) == (["12:09"], None)


def test_empty_minutes_are_filled_on_request(client: APIClient, get: Get, time_machine: Any) -> None:
    """Flat at the close before, also one from before the window, never beyond now, and paged like the others."""
    time_machine.move_to(NOON + timedelta(minutes=5), tick=False)
    token = factories.token()
    factories.candle(token, bucket=NOON - timedelta(hours=3), close=Decimal("0.000000029"))
    factories.candle(token, bucket=NOON + timedelta(minutes=1))
    window = {"start": "2026-07-03T12:00:00Z", "end": "2026-07-03T13:00:00Z", "fill": "previous"}
    body = get(f"tokens/{token.mint_address}/candles/", **window)
    assert _buckets(body) == ["12:00", "12:01", "12:02", "12:03", "12:04"]
    assert [(candle["close"], candle["trade_count"], candle["filled"]) for candle in body["results"][:3]] == [
        ("0.000000029", 0, True),
        ("0.00000003", 2, False),
        ("0.00000003", 0, True),
    ]
    assert body["results"][2] == {
        **dict.fromkeys(("open", "high", "low", "close"), "0.00000003"),
        **dict.fromkeys(("open_usd", "high_usd", "low_usd", "close_usd"), "0.0000045"),
        **dict.fromkeys(("volume_token", "volume_sol", "volume_usd"), "0"),
        **dict.fromkeys(("trade_count", "buyer_count", "seller_count"), 0),
        "bucket": "2026-07-03T12:02:00Z",
        "filled": True,
    }
    paged, address = (
        [],
        f"/api/v1/tokens/{token.mint_address}/candles/?fill=previous&limit=2&start={window['start']}&end={window['end']}",
    )
    while address:
        page = client.get(address).json()
        paged += page["results"]
        address = page["next"]
    assert paged == body["results"]


def test_candles_are_not_sent_twice(client: APIClient) -> None:
    """The tag follows the candles: 304 until one of them changes, even an old one."""
    made = factories.candle(factories.token())
    address = f"/api/v1/tokens/{made.token.mint_address}/candles/?start=2026-07-03T00:00:00Z"
    tag = client.get(address)["ETag"]
    assert client.get(address, HTTP_IF_NONE_MATCH=tag).status_code == 304
    made.trade_count = 3
    made.save()
    changed = client.get(address, HTTP_IF_NONE_MATCH=tag)
    assert (changed.status_code, changed.json()["results"][0]["trade_count"]) == (200, 3)


def test_a_bad_window_is_refused(problem: Callable[..., dict[str, Any]]) -> None:
    """An end before the start, an unknown interval and a limit without bounds are named."""
    address = f"tokens/{factories.token().mint_address}/candles/"
    assert problem(400, address, start="2026-07-03", end="2026-07-02")["errors"] == [
        {"field": "end", "code": "invalid", "detail": "Must be later than start."}
    ]
    assert problem(400, address, interval="1w")["errors"][0]["detail"] == "Must be one of: 1m, 5m, 1h, 1d."
    assert problem(400, address, limit=10**9)["errors"][0]["field"] == "limit"
