from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import PriceOrigin

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def test_t8_the_price_at_a_time_and_the_newest_of_each_source(get: Get) -> None:
    """The price that held then by the rule of belief and freshness, null when none was fresh, and all newest
    samples."""
    factories.sol_usd(NOON, confidence=Decimal("0.05"))
    factories.sol_usd(NOON + timedelta(seconds=60), source=PriceOrigin.BIRDEYE, price_usd=Decimal("151.5"))
    hermes = {"source": "hermes", "price_usd": "150", "confidence_usd": "0.05", "price_time": "2026-07-03T12:00:00Z"}
    birdeye = {"source": "birdeye", "price_usd": "151.5", "confidence_usd": None, "price_time": "2026-07-03T12:01:00Z"}
    assert get("sol-usd/", at="2026-07-03T12:02:00Z") == {
        "at": "2026-07-03T12:02:00Z",
        "price": hermes,
        "latest": [hermes, birdeye],
    }
    assert get("sol-usd/", at="2026-07-03T12:02:01Z")["price"] == birdeye
    assert get("sol-usd/", at="2026-07-03T12:03:01Z")["price"] is None


def test_without_a_time_it_is_the_price_now(get: Get, time_machine: Any) -> None:
    """The default of ``at`` is now."""
    time_machine.move_to(NOON + timedelta(seconds=120), tick=False)
    factories.sol_usd(NOON)
    body = get("sol-usd/")
    assert (body["at"], body["price"]["price_usd"]) == ("2026-07-03T12:02:00Z", "150")


def test_minutes_of_sol_in_usd(client: Any, get: Get) -> None:
    """Minutes of the most believed source that has any, or of the one asked for; the rest is behind ``next``."""
    for second, price in ((0, "150"), (30, "149.5"), (60, "152")):
        factories.sol_usd(NOON + timedelta(seconds=second), price_usd=Decimal(price))
    factories.sol_usd(NOON, source=PriceOrigin.BIRDEYE, price_usd=Decimal(99))
    body = get("sol-usd/candles/", limit=1)
    assert {name: body[name] for name in ("source", "start", "end")} == {
        "source": "hermes",
        "start": "2026-07-02T12:02:00Z",
        "end": "2026-07-03T12:02:00Z",
    }
    assert body["results"] == [
        {
            "bucket": "2026-07-03T12:00:00Z",
            "open": "150",
            "high": "150",
            "low": "149.5",
            "close": "149.5",
            "average": "149.75",
            "sample_count": 2,
        }
    ]
    rest = client.get(body["next"]).json()
    assert ([minute["close"] for minute in rest["results"]], rest["next"]) == (["152"], None)
    assert get("sol-usd/candles/", source="birdeye")["results"][0]["close"] == "99"
    assert get("sol-usd/candles/", source="pyth")["results"] == []
