from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests import factories
from tests.factories import NOON, USDC

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def test_what_each_source_is_worth_and_who_is_not_asked(get: Get, settings: Any, time_machine: Any) -> None:
    """SOL first, then the most believed source; a dropped one with its reason and what it said; the unused with theirs."""
    time_machine.move_to(NOON + timedelta(seconds=10), tick=False)
    settings.PRICE_SOURCES = ["hermes", "jupiter"]
    settings.HERMES_API_KEY = ""
    factories.price_source(mint=USDC, last_price="0.9998")
    factories.price_source(
        source="jupiter", status="dropped", reason="far_off", last_price="-1", last_ok_at=None, dropped_count=3
    )
    factories.price_source()
    body = get("price-sources/")
    assert body["at"] == "2026-07-03T12:00:10Z"
    assert [(one["source"], one["mint"], one["status"]) for one in body["results"]] == [
        ("hermes", factories.WSOL, "ok"),
        ("jupiter", factories.WSOL, "dropped"),
        ("hermes", USDC, "ok"),
    ]
    dropped = body["results"][1]
    assert dropped == {
        "source": "jupiter",
        "mint": factories.WSOL,
        "status": "dropped",
        "reason": "far_off",
        "since": "2026-07-03T12:00:00Z",
        "last_price": "-1",
        "last_price_at": "2026-07-03T12:00:00Z",
        "last_asked_at": "2026-07-03T12:00:00Z",
        "last_ok_at": None,
        "ask_after": "2026-07-03T12:00:05Z",
        "failures": 0,
        "dropped_count": 3,
        "error": "",
    }
    assert body["unused"] == [
        {"source": "hermes", "reason": "Hermes answers nobody without a key: set HERMES_API_KEY."},
        {"source": "birdeye", "reason": "It is not named in PRICE_SOURCES."},
    ]
