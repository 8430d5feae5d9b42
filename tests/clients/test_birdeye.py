from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from megatron.clients.birdeye import Birdeye, parse_history, parse_prices
from megatron.clients.errors import Malformed, Refused
from megatron.clients.http import TIMEOUT
from megatron.clients.ports import PriceQuote
from tests.clients.recorded import answers, body
from tokens.domain.programs import USDC, WRAPPED_SOL

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def birdeye(*replies: Any) -> tuple[Birdeye, list[httpx.Request]]:
    transport, asked = answers(*replies)
    return Birdeye(api_key="key-that-nobody-sees", timeout=TIMEOUT, transport=transport), asked


def test_prices_come_exact_with_their_time() -> None:
    """Every digit that was sent; an unknown mint is null there and absent here; no confidence is made up."""
    source, asked = birdeye(httpx.Response(200, content=body("birdeye/multi_price")))
    assert source.get_prices([WRAPPED_SOL, USDC]) == {WRAPPED_SOL: PriceQuote(Decimal("150.1234567891234567"), NOON)}
    assert asked[0].url.params["list_address"] == f"{WRAPPED_SOL},{USDC}"
    assert (asked[0].headers["x-api-key"], asked[0].headers["x-chain"]) == ("key-that-nobody-sees", "solana")
    assert source.get_prices([]) == {}
    assert len(asked) == 1


def test_history_is_asked_by_the_thousand_minutes_and_comes_in_order() -> None:
    """The minute before the first moment is asked for too: a trade at its first second needs it."""
    source, asked = birdeye(httpx.Response(200, content=body("birdeye/history_price")))
    points = [PriceQuote(Decimal("150.125000001"), NOON), PriceQuote(Decimal("150.25"), NOON + MINUTE)]
    source._http._budget._pause = 0  # the budget itself is tested by itself
    assert source.get_history(WRAPPED_SOL, moments=[NOON, NOON + 997 * MINUTE, NOON + 998 * MINUTE]) == points * 2
    noon = int(NOON.timestamp())
    windows = [(int(one.url.params["time_from"]), int(one.url.params["time_to"])) for one in asked]
    assert windows == [(noon - 60, noon + 997 * 60), (noon + 997 * 60, noon + 998 * 60)]
    assert {one.url.params["type"] for one in asked} == {"1m"}


def test_no_moments_are_no_calls() -> None:
    """An empty question has an empty answer."""
    source, asked = birdeye(httpx.Response(500))
    assert source.get_history(WRAPPED_SOL, moments=[]) == []
    assert asked == []


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"success": true, "data": [1]}', b'{"data": {}}', b'{"success":true,"data":{"a":{"value":1}}}'],
)
def test_what_are_no_prices_is_malformed(content: bytes) -> None:
    """Half a reply, another shape, a price without a time."""
    with pytest.raises(Malformed):
        parse_prices(content)


def test_a_time_beyond_the_calendar_is_malformed() -> None:
    """Milliseconds where seconds were agreed."""
    content = b'{"success":true,"data":{"items":[{"unixTime":1783080060000000,"value":1}]}}'
    with pytest.raises(Malformed, match="not a time"):
        parse_history(content)


def test_success_false_is_a_refusal() -> None:
    """Some errors come with status 200."""
    with pytest.raises(Refused, match="plan does not include"):
        parse_prices(b'{"success": false, "message": "plan does not include this"}')


def test_a_wrong_key_is_refused_without_telling_it() -> None:
    """The reply of a provider that does not know the key."""
    source, _ = birdeye(httpx.Response(401, content=body("birdeye/unauthorized")))
    with pytest.raises(Refused, match="401") as caught:
        source.get_prices([WRAPPED_SOL])
    assert "key-that-nobody-sees" not in str(caught.value)
