from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.hermes import FEEDS, Hermes, parse_prices
from megatron.clients.http import TIMEOUT
from megatron.clients.ports import PriceQuote
from tests.clients.recorded import answers, body
from tokens.domain.programs import USD1, USDC, WRAPPED_SOL

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
SOL_AT_NOON = PriceQuote(Decimal("150.12345678"), NOON, Decimal("0.07654321"))
USDC_BEFORE = PriceQuote(Decimal("0.99996512"), NOON - timedelta(seconds=2), Decimal("0.00060512"))


def hermes(*replies: Any) -> tuple[Hermes, list[httpx.Request]]:
    transport, asked = answers(*replies)
    url = "https://hermes.example.com/hermes"
    return Hermes(url, api_key="key-that-nobody-sees", timeout=TIMEOUT, transport=transport), asked


def feed(*, price: bytes = b'"1"', expo: bytes = b"-8", publish_time: bytes = b"1") -> bytes:
    """Return a reply with one price of SOL."""
    name = FEEDS[WRAPPED_SOL].encode()
    fields = b'"price":%s,"conf":"1","expo":%s,"publish_time":%s' % (price, expo, publish_time)
    return b'{"parsed":[{"id":"%s","price":{%s}}]}' % (name, fields)


def test_prices_come_exact_with_their_confidence_and_their_time() -> None:
    """Integer times ten to the exponent, both; a mint without a feed is not asked for and absent."""
    source, asked = hermes(httpx.Response(200, content=body("hermes/latest")))
    assert source.get_prices([WRAPPED_SOL, USDC, USD1]) == {WRAPPED_SOL: SOL_AT_NOON, USDC: USDC_BEFORE}
    (request,) = asked
    assert request.url.path == "/hermes/v2/updates/price/latest"
    assert [feed[:8] for feed in request.url.params.get_list("ids[]")] == ["ef0d8b6f", "eaa020c6"]
    assert request.headers["authorization"] == "Bearer key-that-nobody-sees"


def test_nothing_is_asked_when_there_is_no_feed() -> None:
    """Thirty calls in ten seconds are few."""
    source, asked = hermes(httpx.Response(500))
    assert source.get_prices([USD1]) == {}
    assert source.get_history(USD1, moments=[NOON]) == []
    assert asked == []


def test_a_former_price_is_asked_for_by_its_second() -> None:
    """Two seconds before each moment, so that the update that answers is not from after it."""
    source, asked = hermes(httpx.Response(200, content=body("hermes/latest")))
    moments = [NOON + timedelta(minutes=1), NOON + timedelta(minutes=7)]
    assert source.get_history(WRAPPED_SOL, moments=moments) == [SOL_AT_NOON] * 2
    noon = int(NOON.timestamp())
    assert [request.url.path.rsplit("/", 1)[1] for request in asked] == [str(noon + 58), str(noon + 418)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"parsed": null}',
        b"\xff",
        feed(price=b'"1.5"'),
        feed(expo=b"400000"),
        feed(publish_time=b"99999999999999"),
    ],
)
def test_what_are_no_prices_is_malformed(content: bytes) -> None:
    """Half a reply, another shape, a fraction where an integer is agreed, an exponent or a time beyond reason."""
    with pytest.raises(Malformed):
        parse_prices(content)


def test_a_negative_price_is_handed_on() -> None:
    """Whether a price can be believed is decided by who compares sources."""
    content = body("hermes/latest").replace(b'"15012345678"', b'"-15012345678"')
    assert parse_prices(content)[WRAPPED_SOL].price_usd == Decimal("-150.12345678")


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, Refused, "401"),
        (429, TryLater, "429"),
        (410, Refused, "retired or has moved"),
        (301, Refused, "retired or"),
    ],
)
def test_a_refusal_says_what_to_do_and_not_the_key(status: int, kind: type[ClientError], told: str) -> None:
    """A retired address is said to be one; nothing is asked twice."""
    source, asked = hermes(httpx.Response(status, text="key-that-nobody-sees"))
    with pytest.raises(kind, match=told) as caught:
        source.get_prices([WRAPPED_SOL])
    assert "key-that-nobody-sees" not in str(caught.value)
    assert len(asked) == 1
