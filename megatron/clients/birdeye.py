"""Birdeye's prices: an aggregator's view, with history by the minute.

Source: Birdeye's data services (https://docs.birdeye.so), read 2026-08.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import httpx
import msgspec

from megatron.clients.errors import Malformed, Refused
from megatron.clients.http import HttpClient
from megatron.clients.ports import PriceQuote
from megatron.clients.replies import read_all, read_each, refuse_error

URL = "https://public-api.birdeye.so"
PER_SECOND = 1.0
MOST_POINTS = 1_000
_MINUTE = timedelta(minutes=1)


class _Price(msgspec.Struct):
    value: Decimal
    updateUnixTime: int  # noqa: N815  # the vendor's word


class _Point(msgspec.Struct):
    value: Decimal
    unixTime: int  # noqa: N815  # the vendor's word


class _Points(msgspec.Struct):
    items: list[msgspec.Raw]


class _PricesReply(msgspec.Struct):
    success: bool
    data: dict[str, msgspec.Raw] | None = None
    message: str = ""


class _HistoryReply(msgspec.Struct):
    success: bool
    data: _Points | None = None
    message: str = ""


_price = msgspec.json.Decoder(_Price | None)
_point = msgspec.json.Decoder(_Point)


class Birdeye:
    """A :class:`~megatron.clients.ports.PriceSource` and a :class:`~megatron.clients.ports.PriceHistory`."""

    name = "birdeye"

    def __init__(
        self,
        *,
        api_key: str,
        timeout: httpx.Timeout,
        attempts: int = 1,
        url: str = URL,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = HttpClient(
            "birdeye",
            base_url=url,
            per_second=PER_SECOND,
            headers={"X-API-KEY": api_key, "x-chain": "solana"},
            secrets=[api_key],
            timeout=timeout,
            attempts=attempts,
            transport=transport,
        )

    def get_prices(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        """Return the newest prices, in one call."""
        if not mints:
            return {}
        return parse_prices(self._http.read("GET", "/defi/multi_price", params={"list_address": ",".join(mints)}))

    def get_history(self, mint: str, *, moments: Sequence[datetime]) -> Sequence[PriceQuote]:
        """Return prices by the minute from the first moment to the last, at most a thousand minutes a call."""
        found: list[PriceQuote] = []
        start = 0
        while start < len(moments):
            first = moments[start]
            end = start
            while end < len(moments) and moments[end] - first < (MOST_POINTS - 2) * _MINUTE:
                end += 1
            found += self._history(mint, first - _MINUTE, moments[end - 1])
            start = end
        return found

    def _history(self, mint: str, first: datetime, last: datetime) -> Sequence[PriceQuote]:
        window = {"time_from": int(first.timestamp()), "time_to": int(last.timestamp())}
        params = {"address": mint, "address_type": "token", "type": "1m", **window}
        return parse_history(self._http.read("GET", "/defi/history_price", params=params))


def parse_prices(body: bytes) -> Mapping[str, PriceQuote]:
    """Return the prices of a ``multi_price`` reply by mint; an unknown mint is null there, and one that cannot be read is
    absent. Raises ``Malformed``, ``Refused``, ``TryLater``."""
    reply = _decoded(body, _PricesReply)
    found = read_each(reply.data or {}, _parse_price, "birdeye: not prices")
    return {mint: quote for mint, quote in found.items() if quote is not None}


def _parse_price(item: bytes) -> PriceQuote | None:
    one = _price.decode(item)
    return None if one is None else PriceQuote(one.value, _at(one.updateUnixTime))


def parse_history(body: bytes) -> Sequence[PriceQuote]:
    """Return the points of a ``history_price`` reply, oldest first. Raises ``Malformed``, ``Refused``, ``TryLater``."""
    reply = _decoded(body, _HistoryReply)
    points = reply.data.items if reply.data is not None else []
    return sorted(read_all(points, _parse_point, "birdeye: not prices"), key=lambda quote: quote.at)


def _parse_point(item: bytes) -> PriceQuote:
    one = _point.decode(item)
    return PriceQuote(one.value, _at(one.unixTime))


_Answer = TypeVar("_Answer", _PricesReply, _HistoryReply)


def _decoded(body: bytes, kind: type[_Answer]) -> _Answer:
    try:
        reply = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refuse_error(body, "birdeye")
        raise Malformed(f"birdeye: not prices: {error}") from error
    if not reply.success:
        refuse_error(body, "birdeye")
        raise Refused(f"birdeye: {reply.message or 'the call did not succeed'}")
    return reply


def _at(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed(f"birdeye: not a time: {seconds}") from error
