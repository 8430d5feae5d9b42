"""Replies that say 200 and hold an error, or one item of another shape: told by all clients alike."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from megatron.clients import birdeye, dexscreener, discord, hermes, jupiter, telegram, tweetscout
from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.ports import PriceQuote, SocialHandles
from megatron.clients.replies import read_all, refuse_error
from megatron.clients.solana_rpc import SolanaRpc
from tests.clients.recorded import answers
from tests.factories import NOON
from tokens.domain.programs import QUOTE_MINTS, USDC, WRAPPED_SOL

LIMITS = [
    b'{"error": "rate limit exceeded"}',
    b'{"error": {"code": 429, "message": "Too Many Requests"}}',
    b'{"message": "Too many requests", "statusCode": 429}',
    b'{"status": 429, "message": "slow down"}',
    b'{"code": 503, "message": "unavailable"}',
    b'{"errors": [{"message": "rate-limited, try again later"}]}',
]
READERS: dict[str, Callable[[bytes], Any]] = {
    "birdeye prices": birdeye.parse_prices,
    "birdeye history": birdeye.parse_history,
    "dexscreener pairs": lambda body: dexscreener.parse_pairs(body, ["m"]),
    "dexscreener orders": dexscreener.parse_orders,
    "discord": discord.parse_invite,
    "hermes": hermes.parse_prices,
    "jupiter": jupiter.parse_prices,
    "tweetscout followers": tweetscout.parse_followers,
    "tweetscout posts": tweetscout.parse_posts,
    "tweetscout score": tweetscout.parse_score,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("body", LIMITS)
def test_truth_13_a_limit_that_says_200_is_a_limit(read: Callable[[bytes], Any], body: bytes) -> None:
    """Never an answer without figures, which would be taken for none at all, and never for good."""
    with pytest.raises(TryLater):
        read(body)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("body", [b'{"error": "the key is not valid"}', b'{"code": 403, "message": "no"}'])
def test_truth_13_another_error_that_says_200_is_told(read: Callable[[bytes], Any], body: bytes) -> None:
    """It is no answer."""
    with pytest.raises(ClientError):
        read(body)


def test_truth_13_telegrams_limit_is_a_limit() -> None:
    """Its bot API tells it in words of its own."""
    with pytest.raises(TryLater):
        telegram.parse_members(b'{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5"}')


def test_truth_13_posts_that_no_reply_names_are_unknown_not_none() -> None:
    """An empty object says nothing about how many there are."""
    with pytest.raises(Malformed):
        tweetscout.parse_posts(b"{}")


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"a": 1, "error": null}', b'{"code": "invitation", "status": 200}', b"<"]
)
def test_what_names_no_error_is_none(body: bytes) -> None:
    """Codes that are names, an empty error, a status that is fine."""
    refuse_error(body, "x")


ODD = ["x", 5, [], {}, {"usdPrice": "much", "blockId": 1}, {"value": 1}, {"value": 1, "updateUnixTime": 10**17}]


@pytest.mark.parametrize("odd", ODD)
def test_truth_13_one_odd_price_harms_only_itself(odd: Any) -> None:
    """The prices beside it count; it is absent, never zero."""
    mixed = {USDC: odd, WRAPPED_SOL: {"usdPrice": 150, "blockId": 7}, "gone": None}
    assert jupiter.parse_prices(json.dumps(mixed).encode()) == {WRAPPED_SOL: (Decimal(150), 7)}
    at = int(NOON.timestamp())
    data = {USDC: odd, WRAPPED_SOL: {"value": 150, "updateUnixTime": at}, "gone": None}
    found = birdeye.parse_prices(json.dumps({"success": True, "data": data}).encode())
    assert found == {WRAPPED_SOL: PriceQuote(Decimal(150), NOON)}
    points = [odd, {"value": 150, "unixTime": at}]
    history = birdeye.parse_history(json.dumps({"success": True, "data": {"items": points}}).encode())
    assert history == [PriceQuote(Decimal(150), NOON)]


def feed(mint: str, price: str) -> dict[str, Any]:
    value = {"price": price, "conf": "1", "expo": -2, "publish_time": int(NOON.timestamp())}
    return {"id": hermes.FEEDS[mint], "price": value}


@pytest.mark.parametrize("odd", [None, "x", {}, {"id": hermes.FEEDS[USDC]}, feed(USDC, "1.5"), {"price": {}}])
def test_truth_13_one_odd_feed_harms_only_itself(odd: Any) -> None:
    """Null, text, without a price, a fraction, without an id."""
    found = hermes.parse_prices(json.dumps({"parsed": [odd, feed(WRAPPED_SOL, "15000")]}).encode())
    assert {mint: quote.price_usd for mint, quote in found.items()} == {WRAPPED_SOL: Decimal(150)}


def test_truth_13_a_feed_that_comes_twice_with_two_prices_has_none() -> None:
    """Whichever of them holds; the same twice is one, and the order means nothing."""
    twice = [feed(WRAPPED_SOL, "15000"), feed(USDC, "100"), feed(WRAPPED_SOL, "1"), feed(USDC, "100")]
    found = hermes.parse_prices(json.dumps({"parsed": twice}).encode())
    assert {mint: quote.price_usd for mint, quote in found.items()} == {USDC: Decimal(1)}


def test_truth_13_a_moment_that_is_answered_oddly_harms_no_other() -> None:
    """History is asked for moment by moment."""
    good = httpx.Response(200, json={"parsed": [feed(WRAPPED_SOL, "15000")]})
    transport, asked = answers(good, httpx.Response(200, json=[]), good)
    source = hermes.Hermes("http://h.test", api_key="k", timeout=httpx.Timeout(5), transport=transport)
    source._http._budget._pause = 0
    assert len(source.get_history(WRAPPED_SOL, moments=[NOON, NOON, NOON])) == 2
    assert len(asked) == 3


@pytest.mark.parametrize("odd", [None, "x", {}, {"chainId": "solana"}, {"chainId": 5, "baseToken": {"address": "a"}}])
def test_truth_13_one_odd_pair_harms_only_itself(odd: Any) -> None:
    """The other token's links and boosts are known."""
    pair = {"chainId": "solana", "baseToken": {"address": "b"}, "boosts": {"active": 30}}
    found = dexscreener.parse_pairs(json.dumps([odd, pair]).encode(), ["a", "b"])
    assert {mint: one.boosts_active for mint, one in found.items()} == {"b": 30}


def test_items_of_which_none_can_be_read_are_no_reply() -> None:
    """Then it is not the item."""
    with pytest.raises(Malformed, match=r"^told: "):
        read_all([msgspec.Raw(b'"x"'), msgspec.Raw(b"[]")], msgspec.json.Decoder(int).decode, "told")
    assert read_all([], msgspec.json.Decoder(int).decode, "told") == []


# -- mentions: pages by cursor


def scout(*pages: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return what is said of mentions, and how often a page of them was asked for."""
    first = [{"followers_count": 1}, {"score": 1}, {"tweets": []}]
    transport, asked = answers(*[httpx.Response(200, json=one) for one in (*first, *pages)])
    source = tweetscout.TweetScout(api_key="k", pages=9, timeout=httpx.Timeout(5), transport=transport)
    source._http._budget._pause = 0
    reading = source.get_readings([SocialHandles(mint="m", twitter="me")], now=NOON)["m"]
    told = {"count": reading.twitter_mentions_24h, "all": reading.raw["mentions_are_all"]}
    return told, len(asked) - 3


def post(number: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(NOON.timestamp() - 60 * number, UTC)
    return {"id": str(number), "created_at": at.isoformat(), "user": {"id": "u", "username": "u"}}


def test_truth_12_a_cursor_that_stands_still_is_asked_for_once() -> None:
    """The posts count once each, and it is said that there may be more."""
    page = {"tweets": [post(1), post(2)], "next_cursor": "c"}
    assert scout(page) == ({"count": 2, "all": False}, 2)


def test_truth_12_a_cycle_of_cursors_ends() -> None:
    """A leads to B and B to A."""
    one, two = {"tweets": [post(1)], "next_cursor": "a"}, {"tweets": [post(2)], "next_cursor": "b"}
    assert scout(one, two, {"tweets": [post(3)], "next_cursor": "a"}) == ({"count": 3, "all": False}, 3)


def test_truth_10_a_short_page_of_mentions_is_not_the_last() -> None:
    """The empty one is."""
    pages = [{"tweets": [post(n)], "next_cursor": f"c{n}"} for n in range(3)]
    assert scout(*pages, {"tweets": [], "next_cursor": "c9"}) == ({"count": 3, "all": True}, 4)


def test_truth_13_an_odd_post_leaves_the_count_open() -> None:
    """At least so many."""
    assert scout({"tweets": [post(1), "x", None], "next_cursor": None}) == ({"count": 1, "all": False}, 1)


# -- the node


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", Malformed),
        (b'{"jsonrpc":"2.0","id":1}', Malformed),
        (b'"x"', Malformed),
        (b'[{"jsonrpc":"2.0","id":1,"result":null}]', Malformed),
        (b'{"jsonrpc":"2.0","id":1,"error":"rate limited"}', TryLater),
        (b'{"jsonrpc":"2.0","id":1,"error":{"message":"Too many requests"}}', TryLater),
        (b'{"message":"Too many requests"}', TryLater),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32429,"message":"x"}}', TryLater),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"x"}}', Refused),
    ],
)
def test_truth_13_a_reply_without_a_result_is_no_null(body: bytes, kind: type[ClientError]) -> None:
    """Null says "the chain does not have it"; nothing says nothing, and a limit says "later"."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    rpc = SolanaRpc("http://node.test", per_second=1e6, transport=transport)
    for ask in (
        lambda: rpc.get_transaction("1" * 88),
        lambda: rpc.get_block(5, finalized=True),
        lambda: rpc.get_block_time(5),
        lambda: rpc.get_statuses(["1" * 88]),
        rpc.get_first_slot,
    ):
        with pytest.raises(kind):
            ask()


@pytest.mark.parametrize("result", [[], "x", 5, {}, {"meta": {}}, {"transaction": {}}])
def test_truth_13_a_transaction_of_another_shape_is_none(result: Any) -> None:
    """It is neither kept as undecodable nor taken for the chain's word: it is asked for again."""
    body = {"jsonrpc": "2.0", "id": 1, "result": result}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    with pytest.raises(Malformed):
        SolanaRpc("http://node.test", per_second=1e6, transport=transport).get_transaction("1" * 88)


@pytest.mark.parametrize("odd", [5, "x", [], {}, {"slot": -1}, {"slot": "7"}])
def test_truth_13_an_odd_status_is_neither_there_nor_absent(odd: Any) -> None:
    """A transaction would be taken back, or be final, for a word that nobody can read."""
    value = [{"slot": 7, "err": None, "confirmationStatus": "finalized"}, odd, None]
    body = {"jsonrpc": "2.0", "id": 1, "result": {"context": {"slot": 9}, "value": value}}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    rpc = SolanaRpc("http://node.test", per_second=1e6, transport=transport)
    slot, (first, second, third) = rpc.get_statuses(["a", "b", "c"])
    assert (slot, getattr(first, "finalized", None), str(second), third) == (9, True, "_Marks.UNREAD", None)


def test_truth_14_every_feed_is_of_a_quote() -> None:
    """One list says what a quote is; who has no feed for one does not know its price."""
    assert hermes.FEEDS.keys() <= QUOTE_MINTS
