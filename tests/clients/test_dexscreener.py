"""Pairs are captured (their boosts and the orders are hand-made after the API reference: no capture has any)."""

import httpx
import pytest

from megatron.clients.dexscreener import DexScreener, parse_orders, parse_pairs
from megatron.clients.errors import Malformed, TryLater
from megatron.clients.http import TIMEOUT
from megatron.clients.ports import SocialHandles, SocialReading
from tests.clients.recorded import answers, body
from tests.factories import NOON

BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
LIBERTY = "B3cHPmFf6pokbEi1Y5ZyLSUSnXfrLQjMS5kFLEz7pump"
PAIRS = body("dexscreener/pairs")
ORDERS = (
    b'{"orders": [{"type": "tokenProfile", "status": "approved", "paymentTimestamp": 1783091100000}], "boosts": []}'
)
LINKS = {
    "twitter": "https://twitter.com/bonk_inu",
    "telegram": "https://t.me/Official_Bonk_Inu",
    "discord": "https://discord.gg/qaQa6M6mN2",
    "website": "https://www.bonkcoin.com",
}


def test_a_real_reply_gives_the_links_of_each_token() -> None:
    """One call for all; a chain that is not ours, a quote and a token without a page are left out or silent."""
    transport, asked = answers(httpx.Response(200, content=PAIRS), httpx.Response(200, content=ORDERS))
    source = DexScreener(timeout=TIMEOUT, transport=transport)
    source._orders._budget._pause = 0  # the budget itself is tested by itself
    mints = [BONK, LIBERTY, "unindexed"]
    found = source.get_readings([SocialHandles(mint=mint) for mint in mints], now=NOON)
    order = {"type": "tokenProfile", "status": "approved", "paid_ms": 1783091100000}
    assert found == {
        BONK: SocialReading(links=LINKS, raw={"pairs": 2, "orders": [order]}),
        LIBERTY: SocialReading(
            links={"twitter": "https://x.com/solOlympos/status/2072980729634451805?s=20"},
            raw={"pairs": 1, "orders": [order]},
        ),
    }
    assert [request.url.path for request in asked] == [
        f"/tokens/v1/solana/{','.join(mints)}",
        f"/orders/v1/solana/{BONK}",
        f"/orders/v1/solana/{LIBERTY}",
    ]


def test_boosts_are_the_most_that_any_pair_has() -> None:
    """Each pair of a token repeats them; without the word nothing is known."""
    pair = '{"chainId": "solana", "baseToken": {"address": "m"}, "boosts": {"active": %d}}'
    content = f"[{pair % 30}, {pair % 10}]".encode()
    assert parse_pairs(content, ["m"]) == {"m": SocialReading(boosts_active=30, raw={"pairs": 2})}


def test_orders_that_do_not_come_leave_the_rest() -> None:
    """A full minute of orders is no reason to lose the links."""
    transport, _ = answers(httpx.Response(200, content=PAIRS), httpx.Response(429))
    found = DexScreener(timeout=TIMEOUT, transport=transport).get_readings([SocialHandles(mint=BONK)], now=NOON)
    assert found == {BONK: SocialReading(links=LINKS, raw={"pairs": 2})}


def test_thirty_tokens_a_call() -> None:
    """Thirty-one tokens are two calls, and a reply without pairs knows nobody."""
    transport, asked = answers(httpx.Response(200, content=b"[]"))
    handles = [SocialHandles(mint=f"mint{number}") for number in range(31)]
    assert DexScreener(timeout=TIMEOUT, transport=transport).get_readings(handles, now=NOON) == {}
    assert [request.url.path.count(",") + 1 for request in asked] == [30, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b'{"pairs": null}',
        b'[{"chainId": "solana", "baseToken": {"address": "m"}, "boosts": {"active": -1}}]',
        b'[{"chainId": "solana", "baseToken": {"address": "m"}, "boosts": {"active": 9999999999}}]',
        b'[{"chainId": "solana", "baseToken": {"address": "m"}, "boosts": {"active": "30"}}]',
    ],
)
def test_what_are_no_pairs_is_malformed(content: bytes) -> None:
    """A page, another shape, a count below zero, beyond all people, or as text."""
    with pytest.raises(Malformed, match="dexscreener: not what was agreed"):
        parse_pairs(content, ["m"])


def test_orders_come_as_a_list_too() -> None:
    """The address has answered in both shapes; an object without them has none."""
    assert parse_orders(b'[{"type": "tokenAd", "status": "processing"}]') == [
        {"type": "tokenAd", "status": "processing", "paid_ms": None}
    ]
    assert parse_orders(b'{"boosts": []}') == []
    with pytest.raises(Malformed):
        parse_orders(b'"none"')


def test_the_call_itself_may_be_repeated_later() -> None:
    """Without the pairs there is no answer at all."""
    transport, _ = answers(httpx.Response(503))
    with pytest.raises(TryLater):
        DexScreener(timeout=TIMEOUT, transport=transport).get_readings([SocialHandles(mint=BONK)], now=NOON)
