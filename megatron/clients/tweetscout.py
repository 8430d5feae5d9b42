"""TweetScout, which is Sorsa since 2026: followers of an account on X, how it is answered, and who speaks of a token.

Source: Sorsa API v3 (https://docs.sorsa.io, published OpenAPI description), read 2026-11; version 2 at api.tweetscout.io was
discontinued on 2026-05-01. One call is one credit. A search brings twenty posts a page, newest first.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple, TypeVar

import httpx
import msgspec

from megatron.clients.counting import MOST, Count
from megatron.clients.errors import Malformed
from megatron.clients.http import HttpClient
from megatron.clients.ports import SocialHandles, SocialReading
from megatron.clients.replies import read_all, refuse_error

URL: Final = "https://api.sorsa.io/v3"
PER_SECOND: Final = 5.0
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INFLUENTIAL: Final = 10_000
"""An account with so many followers is an influencer's."""


class _User(msgspec.Struct):
    id: str = ""
    username: str = ""
    followers_count: Count | None = None


class _Score(msgspec.Struct):
    score: Decimal


class Post(msgspec.Struct):
    """One post as the vendor describes it."""

    created_at: datetime
    id: str | int | None = None
    user: _User | None = None
    likes_count: Count | None = None
    retweet_count: Count | None = None
    reply_count: Count | None = None
    quote_count: Count | None = None
    view_count: Count | None = None
    retweeted_status: Any = None


class _Posts(msgspec.Struct):
    tweets: list[msgspec.Raw] | None
    """Null for none; a reply without the word says nothing."""
    next_cursor: str | None = None


_post = msgspec.json.Decoder(Post)


class TweetScout:
    """A :class:`~megatron.clients.ports.SocialSource`. ``pages`` is how many pages of mentions are read at most: more is more
    exact for tokens that many speak of, and costs a credit each."""

    name = "tweetscout"
    needs = "twitter"
    at_once = 1

    def __init__(
        self,
        *,
        api_key: str,
        pages: int = 5,
        timeout: httpx.Timeout,
        url: str = URL,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._most_pages = pages
        self._http = HttpClient(
            "tweetscout",
            base_url=url,
            per_second=PER_SECOND,
            headers={"ApiKey": api_key},
            secrets=[api_key],
            timeout=timeout,
            attempts=1,
            transport=transport,
        )

    def get_readings(self, handles: Sequence[SocialHandles], *, now: datetime) -> Mapping[str, SocialReading]:
        """Return followers, engagement and mentions of each account: three calls, and one a further page of mentions."""
        return {one.mint: self._ask(one.twitter, one.mint, now) for one in handles if one.twitter}

    def _ask(self, name: str, mint: str, now: datetime) -> SocialReading:
        followers = parse_followers(self._http.read("GET", "/info", params={"username": name}))
        score = parse_score(self._http.read("GET", "/score", params={"username": name}))
        own, _ = parse_posts(self._http.read("POST", "/user-tweets", json={"username": name}))
        posts, whole = self._mentions(f"{mint} OR @{name}", since=now - DAY)
        # What an account says of itself is no mention.
        others = [post for post in posts if not post.user or post.user.username.lower() != name.lower()]
        heard = [post for post in others if now - DAY <= post.created_at <= now]
        reach = _reach(heard)
        return SocialReading(
            twitter_followers=followers,
            twitter_engagement_rate=engagement(own),
            twitter_mentions_1h=sum(post.created_at >= now - HOUR for post in heard),
            twitter_mentions_24h=len(heard),
            influencer_mentions=len(reach),
            influencer_reach=min(sum(reach.values()), MOST),
            raw={"score": str(score), "mentions_are_all": whole},
        )

    def _mentions(self, query: str, *, since: datetime) -> tuple[list[Post], bool]:
        """Return the newest mentions back to ``since``, each once, and whether these are all.

        A page that brings nothing new, or leads back to one that was read, is the vendor's fault: then there are at least so
        many.
        """
        found: list[Post] = []
        cursor: str | None = None
        cursors, seen, is_whole = set[str](), set[str | int](), True
        for _ in range(self._most_pages):
            asked = {"query": query, "order": "latest"} | ({"next_cursor": cursor} if cursor else {})
            page = _page(self._http.read("POST", "/search-tweets", json=asked))
            posts, cursor = page.posts, page.next_cursor
            is_whole &= not page.unread
            new = [post for post in posts if post.id is None or post.id not in seen]
            seen.update(post.id for post in new if post.id is not None)
            found += new
            if (posts and not new) or cursor in cursors:
                return found, False
            if not (posts or page.unread) or not cursor or any(post.created_at < since for post in posts):
                return found, is_whole
            cursors.add(cursor)
        return found, False


def parse_followers(body: bytes) -> int | None:
    """Return the followers of an ``/info`` reply. Raises ``Malformed``."""
    return _decoded(body, _User).followers_count


def parse_score(body: bytes) -> Decimal:
    """Return TweetScout's own score of an account, which has no upper end. Raises ``Malformed``."""
    score = _decoded(body, _Score).score
    if not score.is_finite() or not 0 <= score <= MOST:
        raise Malformed(f"tweetscout: {score} is no score")
    return score


def parse_posts(body: bytes) -> tuple[list[Post], str | None]:
    """Return the posts of a reply that can be read, and what asks for the next page. Raises ``Malformed``."""
    page = _page(body)
    return page.posts, page.next_cursor


class _Page(NamedTuple):
    posts: list[Post]
    unread: int
    next_cursor: str | None


def _page(body: bytes) -> _Page:
    reply = _decoded(body, _Posts)
    items = reply.tweets or []
    posts = read_all(items, _post.decode, "tweetscout: not what was agreed")
    for post in posts:
        if post.created_at.tzinfo is None:
            post.created_at = post.created_at.replace(tzinfo=UTC)
    return _Page(posts, len(items) - len(posts), reply.next_cursor or None)


def engagement(posts: Sequence[Post]) -> Decimal | None:
    """Return how many of a hundred who saw an account's own posts did something: likes, reposts, replies and quotes by views,
    at most 100. ``None`` without a post whose views are known."""
    own = [post for post in posts if post.retweeted_status is None and post.view_count]
    views = sum(post.view_count or 0 for post in own)
    if not views:
        return None
    done = sum(
        figure or 0
        for post in own
        for figure in (post.likes_count, post.retweet_count, post.reply_count, post.quote_count)
    )
    return min(Decimal(100), (Decimal(100 * done) / views).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _reach(posts: Sequence[Post]) -> dict[str, int]:
    """Return the followers of each influencer among the authors."""
    return {
        post.user.id: post.user.followers_count
        for post in posts
        if post.user and post.user.id and (post.user.followers_count or 0) >= INFLUENTIAL
        if post.user.followers_count is not None
    }


_Answer = TypeVar("_Answer", _User, _Score, _Posts)


def _decoded(body: bytes, kind: type[_Answer]) -> _Answer:
    refuse_error(body, "tweetscout")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"tweetscout: not what was agreed: {error}") from error
