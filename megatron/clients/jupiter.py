"""Jupiter's prices: what the last swaps on Solana paid.

Source: Price API v3 (https://dev.jup.ag/docs/price), read 2026-08. Version 2 is retired.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import httpx
import msgspec

from megatron.clients.errors import Malformed
from megatron.clients.http import HttpClient
from megatron.clients.ports import PriceQuote
from megatron.clients.replies import read_each, refuse_error
from megatron.core import clock

MOST_MINTS = 50
PER_SECOND = 1.0
PER_SECOND_WITHOUT_KEY = 0.5


class _Price(msgspec.Struct):
    usdPrice: Decimal  # noqa: N815  # the vendor's word
    blockId: int  # noqa: N815  # the vendor's word


_price = msgspec.json.Decoder(_Price | None)


class Jupiter:
    """A :class:`~megatron.clients.ports.PriceSource`.

    A reply says of which block a price is, but not when that block was. So a price is as old as our first sight of its block:
    one whose block stands still grows old, as it should.
    """

    name = "jupiter"

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        timeout: httpx.Timeout,
        attempts: int = 1,
        now: Callable[[], datetime] = clock.utc_now,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = HttpClient(
            "jupiter",
            base_url=url,
            per_second=PER_SECOND if api_key else PER_SECOND_WITHOUT_KEY,
            headers={"x-api-key": api_key} if api_key else {},
            secrets=[api_key] if api_key else [],
            timeout=timeout,
            attempts=attempts,
            transport=transport,
        )
        self._now = now
        self._first_seen: dict[str, tuple[int, datetime]] = {}

    def get_prices(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        """Return the newest prices, fifty mints a call. A mint that did not trade for a week is absent."""
        pages = (mints[start : start + MOST_MINTS] for start in range(0, len(mints), MOST_MINTS))
        return {mint: quote for page in pages for mint, quote in self._ask(page).items()}

    def _ask(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        asked_at = self._now()
        found = parse_prices(self._http.read("GET", "/price/v3", params={"ids": ",".join(mints)}))
        return {mint: PriceQuote(*self._dated(mint, *found[mint], asked_at)) for mint in mints if mint in found}

    def _dated(self, mint: str, price: Decimal, block: int, asked_at: datetime) -> tuple[Decimal, datetime]:
        seen = self._first_seen.get(mint)
        if seen is None or seen[0] != block:
            # The moment before the call: a price can be older than we say, but it never comes from after its trade.
            seen = self._first_seen[mint] = (block, asked_at)
        return price, seen[1]


def parse_prices(body: bytes) -> Mapping[str, tuple[Decimal, int]]:
    """Return (USD, block) by mint; one that cannot be read is absent. Raises ``Malformed``, and what an error in its place
    asks for."""
    refuse_error(body, "jupiter")
    try:
        found = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"jupiter: not prices: {error}") from error
    read = read_each(found, _price.decode, "jupiter: not prices")
    return {mint: (one.usdPrice, one.blockId) for mint, one in read.items() if one is not None}
