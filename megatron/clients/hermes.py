"""Pyth Hermes: prices that many publishers agree on, with a confidence.

Source: Hermes's API and its notice of 31 July 2026 (https://docs.pyth.network), read 2026-11; feed ids from Pyth's list.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import msgspec

from megatron.clients.errors import Malformed
from megatron.clients.http import HttpClient
from megatron.clients.ports import PriceQuote
from megatron.clients.replies import read_all, refuse_error

FEEDS = {
    "So11111111111111111111111111111111111111112": "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a",
    "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB": "2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b",
}
"""The feed of each mint: SOL/USD, USDC/USD, USDT/USD."""

PER_SECOND = 2.5
"""Thirty calls in ten seconds are allowed, then a minute of 429."""

_EXPONENTS = range(-32, 19)
_LEAD = timedelta(seconds=2)
"""The update that a time is answered with may have been published a second after it."""


class _Price(msgspec.Struct):
    price: str
    conf: str
    expo: int
    publish_time: int


class _Parsed(msgspec.Struct):
    id: str
    price: _Price


class _Reply(msgspec.Struct):
    parsed: list[msgspec.Raw]


_parsed = msgspec.json.Decoder(_Parsed)


class Hermes:
    """A :class:`~megatron.clients.ports.PriceSource` and a :class:`~megatron.clients.ports.PriceHistory`."""

    name = "hermes"

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        timeout: httpx.Timeout,
        attempts: int = 1,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = HttpClient(
            "hermes",
            base_url=url.rstrip("/") + "/",
            per_second=PER_SECOND,
            headers={"Authorization": f"Bearer {api_key}"},
            secrets=[api_key],
            timeout=timeout,
            attempts=attempts,
            transport=transport,
        )

    def get_prices(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        """Return the newest price of each mint that has a feed, in one call."""
        return self._ask("latest", [mint for mint in mints if mint in FEEDS])

    def get_history(self, mint: str, *, moments: Sequence[datetime]) -> Sequence[PriceQuote]:
        """Return the price that held two seconds before each moment, a call a moment."""
        asked = [int((at - _LEAD).timestamp()) for at in moments if mint in FEEDS]
        found: list[PriceQuote | None] = []
        failure: Malformed | None = None
        for second in asked:
            try:
                found.append(self._ask(str(second), [mint]).get(mint))
            except Malformed as error:  # one moment's answer harms no other's
                failure = error
        if failure is not None and not found:
            raise failure
        return [quote for quote in found if quote is not None]

    def _ask(self, when: str, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        if not mints:
            return {}
        params = {"ids[]": [FEEDS[mint] for mint in mints], "parsed": "true"}
        return parse_prices(self._http.read("GET", f"v2/updates/price/{when}", params=params))


def parse_prices(body: bytes) -> Mapping[str, PriceQuote]:
    """Return the prices of a reply by mint. Value = integer · 10^expo, the confidence on the same scale.

    One that cannot be read is absent, and one that the reply has twice with two prices: nobody knows which holds. Raises
    ``Malformed``, and what an error in its place asks for.
    """
    try:
        items = msgspec.json.decode(body, type=_Reply).parsed
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refuse_error(body, "hermes")
        raise Malformed(f"hermes: not prices: {error}") from error
    read = read_all(items, _parse, "hermes: not prices")
    found: dict[str, set[PriceQuote]] = {}
    for feed, quote in read:
        found.setdefault(feed, set()).add(quote)
    return {mint: found[feed].pop() for mint, feed in FEEDS.items() if len(found.get(feed, ())) == 1}


def _parse(item: bytes) -> tuple[str, PriceQuote]:
    one = _parsed.decode(item)
    return one.id, _quote(one.price)


def _quote(price: _Price) -> PriceQuote:
    if price.expo not in _EXPONENTS:
        raise ValueError(f"the exponent is {price.expo}")
    at = datetime.fromtimestamp(price.publish_time, UTC)
    return PriceQuote(Decimal(int(price.price)).scaleb(price.expo), at, Decimal(int(price.conf)).scaleb(price.expo))
