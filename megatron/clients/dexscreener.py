"""DexScreener: the links that a token's owner gave there, the boosts that run and the orders that were paid.

Source: DexScreener API reference (https://docs.dexscreener.com/api/reference), read 2026-11: ``/tokens/v1`` 300 calls a
minute, ``/orders/v1`` 60. A token has many pairs and may be the quote of some; one that is not indexed has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import httpx
import msgspec

from megatron.clients.counting import Count
from megatron.clients.errors import ClientError, Malformed
from megatron.clients.http import HttpClient
from megatron.clients.ports import SocialHandles, SocialReading
from megatron.clients.replies import read_all, refuse_error

URL: Final = "https://api.dexscreener.com"
MOST_TOKENS: Final = 30
PER_SECOND, ORDERS_PER_SECOND = 4.0, 0.9
_LINKS: Final = {"twitter": "twitter", "x": "twitter", "telegram": "telegram", "discord": "discord"}
_LONGEST: Final = 500
_MOST_ORDERS: Final = 20


class _Token(msgspec.Struct):
    address: str


class _Social(msgspec.Struct):
    url: str | None = None
    type: str | None = None


class _Info(msgspec.Struct):
    websites: list[_Social] | None = None
    socials: list[_Social] | None = None


class _Boosts(msgspec.Struct):
    active: Count | None = None


class _Pair(msgspec.Struct):
    chainId: str  # noqa: N815  # the vendor's word
    baseToken: _Token  # noqa: N815  # the vendor's word
    info: _Info | None = None
    boosts: _Boosts | None = None


class _Order(msgspec.Struct):
    type: str
    status: str
    paymentTimestamp: int | None = None  # noqa: N815  # the vendor's word, milliseconds


class _Orders(msgspec.Struct):
    orders: list[_Order] | None = None


_pair = msgspec.json.Decoder(_Pair)


class DexScreener:
    """A :class:`~megatron.clients.ports.SocialSource`."""

    name = "dexscreener"
    needs = ""
    at_once = MOST_TOKENS

    def __init__(self, *, timeout: httpx.Timeout, url: str = URL, transport: httpx.BaseTransport | None = None) -> None:
        self._pairs, self._orders = (
            HttpClient("dexscreener", base_url=url, per_second=each, timeout=timeout, attempts=1, transport=transport)
            for each in (PER_SECOND, ORDERS_PER_SECOND)
        )

    def get_readings(
        self,
        handles: Sequence[SocialHandles],
        *,
        now: datetime,  # noqa: ARG002  # the port's word; these figures have no window
    ) -> Mapping[str, SocialReading]:
        """Return links and boosts with one call a thirty tokens, and each known token's orders with one more; orders that
        do not come leave the rest as it is."""
        found: dict[str, SocialReading] = {}
        for start in range(0, len(handles), MOST_TOKENS):
            mints = [one.mint for one in handles[start : start + MOST_TOKENS]]
            path = f"/tokens/v1/solana/{','.join(mints)}"
            found |= parse_pairs(self._pairs.read("GET", path, endpoint="/tokens/v1/solana"), mints)
        return {mint: self._with_orders(mint, reading) for mint, reading in found.items()}

    def _with_orders(self, mint: str, reading: SocialReading) -> SocialReading:
        try:
            body = self._orders.read("GET", f"/orders/v1/solana/{mint}", endpoint="/orders/v1/solana")
            return replace(reading, raw={**reading.raw, "orders": parse_orders(body)})
        except ClientError:
            return reading


def parse_pairs(body: bytes, mints: Sequence[str]) -> Mapping[str, SocialReading]:
    """Return links and boosts by mint from a ``/tokens/v1`` reply. A pair of which a mint is only the quote says nothing
    about it, nor one that cannot be read. Raises ``Malformed``, and what an error in its place asks for."""
    pairs = read_all(_decoded(body, list[msgspec.Raw]), _pair.decode, "dexscreener: not what was agreed")
    found = {}
    for mint in mints:
        own = [pair for pair in pairs if pair.chainId == "solana" and pair.baseToken.address == mint]
        if not own:
            continue
        boosts = [pair.boosts.active for pair in own if pair.boosts and pair.boosts.active is not None]
        infos = [pair.info for pair in own if pair.info]
        found[mint] = SocialReading(
            boosts_active=max(boosts, default=None),
            links=_links(infos[0]) if infos else None,
            raw={"pairs": len(own)},
        )
    return found


def parse_orders(body: bytes) -> list[dict[str, Any]]:
    """Return type, status and time of payment (ms) of the first orders of an ``/orders/v1`` reply, which is a list, or an
    object with one. Raises ``Malformed``."""
    reply = _decoded(body, list[_Order] | _Orders)
    orders = reply if isinstance(reply, list) else reply.orders or []
    return [
        {"type": one.type[:40], "status": one.status[:40], "paid_ms": one.paymentTimestamp}
        for one in orders[:_MOST_ORDERS]
    ]


def _links(info: _Info) -> dict[str, str]:
    """Return the first address of each network that we know; whether it leads there is looked at by who uses it."""
    named = [(_LINKS.get((one.type or "").lower()), one.url) for one in info.socials or ()]
    named += [("website", one.url) for one in info.websites or ()]
    found: dict[str, str] = {}
    for network, url in named:
        if network and url and len(url) <= _LONGEST:
            found.setdefault(network, url)
    return found


def _decoded(body: bytes, kind: Any) -> Any:
    refuse_error(body, "dexscreener")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"dexscreener: not what was agreed: {error}") from error
