from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from megatron.clients.errors import Malformed, TryLater
from megatron.clients.http import TIMEOUT
from megatron.clients.jupiter import Jupiter, parse_prices
from megatron.clients.ports import PriceQuote
from tests.clients.recorded import answers, body
from tokens.domain.programs import WRAPPED_SOL

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
SOL_PRICE, BONK_PRICE = Decimal("81.63299710462975"), Decimal("0.000004492159735952627")


def jupiter(*replies: Any, key: str = "", clock: Any = lambda: NOON) -> tuple[Jupiter, list[httpx.Request]]:
    transport, asked = answers(*replies)
    url = "https://jupiter.example.com"
    return Jupiter(url, api_key=key, timeout=TIMEOUT, now=clock, transport=transport), asked


def test_a_real_reply_gives_exact_prices() -> None:
    """Every digit that was sent, as of when it was asked for; a mint that is not in the reply is absent, not zero."""
    source, asked = jupiter(httpx.Response(200, content=body("jupiter/price_v3")))
    expected = {WRAPPED_SOL: PriceQuote(SOL_PRICE, NOON), BONK: PriceQuote(BONK_PRICE, NOON)}
    assert source.get_prices([WRAPPED_SOL, BONK, "unpriced"]) == expected
    assert asked[0].url.params["ids"] == f"{WRAPPED_SOL},{BONK},unpriced"
    assert "x-api-key" not in asked[0].headers


def test_a_price_whose_block_stands_still_grows_old() -> None:
    """The reply has no time, so a price is as old as our first sight of its block."""
    times = iter(NOON + timedelta(seconds=10 * step) for step in range(3))
    first = body("jupiter/price_v3")
    moved = first.replace(b"430544445", b"430544446")
    replies = [httpx.Response(200, content=content) for content in (first, first, moved)]
    source, _ = jupiter(*replies, clock=lambda: next(times))
    seen = [source.get_prices([WRAPPED_SOL])[WRAPPED_SOL].at for _ in range(3)]
    assert seen == [NOON, NOON, NOON + timedelta(seconds=20)]


def test_fifty_mints_a_call_and_the_key_goes_along() -> None:
    """A hundred and one mints are three calls."""
    source, asked = jupiter(httpx.Response(200, content=b"{}"), key="key-that-nobody-sees")
    source._http._budget._pause = 0  # the budget itself is tested by itself
    assert source.get_prices([f"mint{number}" for number in range(101)]) == {}
    assert [request.url.params["ids"].count(",") + 1 for request in asked] == [50, 50, 1]
    assert {request.headers["x-api-key"] for request in asked} == {"key-that-nobody-sees"}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b'{"a": {"usdPrice": 1}}', b'{"a": {"usdPrice": NaN}}'])
def test_what_are_no_prices_is_malformed(content: bytes) -> None:
    """Half a reply, another shape, a price without a block, a number that JSON does not know."""
    with pytest.raises(Malformed):
        parse_prices(content)


def test_a_full_plan_is_asked_again_later() -> None:
    """The provider's own pause is handed on, and the call is not repeated at once."""
    source, asked = jupiter(httpx.Response(429, headers={"retry-after": "7"}, json={"message": "Too many requests"}))
    with pytest.raises(TryLater) as caught:
        source.get_prices([WRAPPED_SOL])
    assert caught.value.retry_after == timedelta(seconds=7)
    assert len(asked) == 1
