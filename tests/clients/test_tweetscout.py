"""The replies are hand-made after the published OpenAPI description of Sorsa's API v3."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.http import TIMEOUT
from megatron.clients.ports import SocialHandles, SocialReading
from megatron.clients.tweetscout import TweetScout, engagement, parse_followers, parse_posts, parse_score
from tests.clients.recorded import answers
from tests.factories import NOON

KEY = "a-key-that-nobody-sees"
HANDLE = SocialHandles(mint="Mint1", twitter="a_coin")


def post(minutes_ago: int = 0, *, user: str = "fan", followers: int = 12, **fields: Any) -> dict[str, Any]:
    """Return a post of ``user`` as the vendor describes it."""
    at = (NOON - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")
    author = {"id": f"id of {user}", "username": user, "followers_count": followers}
    return {"created_at": at, "full_text": "x", "user": author, **fields}


def page(*posts: dict[str, Any], cursor: str | None = None) -> httpx.Response:
    """Return a page of posts."""
    return httpx.Response(200, json={"tweets": list(posts), "next_cursor": cursor})


def source(*replies: Any, pages: int = 5) -> tuple[TweetScout, list[httpx.Request]]:
    transport, asked = answers(*replies)
    found = TweetScout(api_key=KEY, pages=pages, timeout=TIMEOUT, transport=transport)
    found._http._budget._pause = 0  # the budget itself is tested by itself
    return found, asked


INFO = httpx.Response(200, json={"id": "7", "username": "a_coin", "followers_count": 18_500, "verified": True})
SCORE = httpx.Response(200, json={"score": 128.42})
OWN = page(post(5, user="a_coin", view_count=10_000, likes_count=200, retweet_count=50, reply_count=10, quote_count=5))


def test_an_account_is_read_with_its_posts_and_mentions() -> None:
    """Followers, engagement by views, mentions of an hour and a day, and the reach of influencers, each counted once."""
    first = page(
        post(1),
        post(30, user="big", followers=250_000),
        post(59, user="big", followers=250_000),
        post(2, user="A_Coin", followers=18_500),
        cursor="next",
    )
    second = page(post(600, user="edge", followers=10_000), post(1_440), post(1_441, user="late", followers=90_000))
    found, asked = source(INFO, SCORE, OWN, first, second)
    assert found.get_readings([HANDLE, SocialHandles(mint="nobody")], now=NOON) == {
        "Mint1": SocialReading(
            twitter_followers=18_500,
            twitter_engagement_rate=Decimal("2.65"),
            twitter_mentions_1h=3,
            twitter_mentions_24h=5,
            influencer_mentions=2,
            influencer_reach=260_000,
            raw={"score": "128.42", "mentions_are_all": True},
        )
    }
    assert [request.url.path for request in asked] == [
        "/v3/info",
        "/v3/score",
        "/v3/user-tweets",
        "/v3/search-tweets",
        "/v3/search-tweets",
    ]
    assert json.loads(asked[3].content) == {"query": "Mint1 OR @a_coin", "order": "latest"}
    assert json.loads(asked[4].content)["next_cursor"] == "next"
    assert {request.headers["ApiKey"] for request in asked} == {KEY}


def test_mentions_beyond_the_last_page_are_not_counted_and_that_is_said() -> None:
    """What is counted is at least so many, never an estimate."""
    found, asked = source(INFO, SCORE, OWN, page(post(1), post(2), cursor="more"), pages=2)
    reading = found.get_readings([HANDLE], now=NOON)["Mint1"]
    assert (reading.twitter_mentions_1h, reading.raw["mentions_are_all"], len(asked)) == (4, False, 5)


def test_engagement_needs_views_and_takes_no_other_accounts_post() -> None:
    """A repost is somebody else's success; more doings than views are all of them."""
    repost = {"created_at": "2026-07-03T12:00:00Z", "view_count": 10, "likes_count": 9, "retweeted_status": {}}
    unseen = {"created_at": "2026-07-03T12:00:00Z", "likes_count": 9}
    posts, _ = parse_posts(json.dumps({"tweets": [repost, unseen]}).encode())
    assert engagement(posts) is None
    posts, _ = parse_posts(json.dumps({"tweets": [post(view_count=10, likes_count=11)]}).encode())
    assert engagement(posts) == 100


def test_an_account_that_is_gone_is_refused_and_a_full_plan_asks_later() -> None:
    """Neither tells the key."""
    found, _ = source(httpx.Response(404, json={"message": "user not found"}))
    with pytest.raises(Refused) as refused:
        found.get_readings([HANDLE], now=NOON)
    assert KEY not in str(refused.value)
    found, _ = source(httpx.Response(429, headers={"retry-after": "30"}))
    with pytest.raises(TryLater) as later:
        found.get_readings([HANDLE], now=NOON)
    assert later.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"followers_count": -1}', b'{"followers_count": 3000000000}'])
def test_followers_that_are_none_are_malformed(content: bytes) -> None:
    """A page, another shape, a number below zero or beyond all people; a reply without the word knows nothing."""
    with pytest.raises(Malformed, match="tweetscout: not what was agreed"):
        parse_followers(content)
    assert parse_followers(b"{}") is None


@pytest.mark.parametrize("content", [b'{"score": "high"}', b'{"score": -1}', b'{"score": NaN}', b'{"score": 1e300}'])
def test_a_score_that_is_none_is_malformed(content: bytes) -> None:
    """Text, below zero, no number, and without an end."""
    with pytest.raises(Malformed):
        parse_score(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"tweets": [{"created_at": "yesterday"}]}',
        b'{"tweets": [{"full_text": "no time"}]}',
        b'{"tweets": [{"created_at": "2026-07-03T12:00:00Z", "likes_count": "many"}]}',
        b'{"tweets": {"0": {}}}',
    ],
)
def test_posts_that_are_none_are_malformed(content: bytes) -> None:
    """A time that is none or missing, a count in words, an object for a list; no posts at all are no posts."""
    with pytest.raises(Malformed):
        parse_posts(content)
    assert parse_posts(b'{"tweets": null}') == ([], None)
