"""Tokens' followings: who is asked about whom and when, what is kept of the answers, and the points from it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from megatron import clients
from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import SocialHandles, SocialReading
from scoring import tasks
from scoring.domain import social as arithmetic
from scoring.domain.points import Part
from scoring.domain.social import Figures
from scoring.models import SocialMetric, SocialPoll, SocialScore, TokenScore
from scoring.services import policies, social
from scoring.services.social import Polled
from tests import factories
from tests.factories import NOON
from tests.holders.building import usage
from tokens.choices import PoolType
from tokens.models import Pool, Token

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
GROUP = {"telegram": "https://t.me/a_group"}


class Crowd:
    """A :class:`~megatron.clients.ports.SocialSource` that says the same of everybody, or fails."""

    def __init__(self, said: Any, *, name: str = "telegram", needs: str = "telegram", at_once: int = 1) -> None:
        self.said, self.name, self.needs, self.at_once = said, name, needs, at_once
        self.asked: list[SocialHandles] = []

    def get_readings(self, handles: Sequence[SocialHandles], *, now: datetime) -> Mapping[str, SocialReading]:
        self.asked += handles
        if isinstance(self.said, Exception):
            raise self.said
        return {one.mint: self.said for one in handles if self.said is not None}


def members(count: int) -> SocialReading:
    return SocialReading(telegram_members=count)


def traded(volume: int = 10, links: Mapping[str, str] = GROUP, **fields: Any) -> Token:
    """Create a token on its way that traded ``volume`` SOL half an hour before noon."""
    token = factories.token(metadata=dict(links))
    factories.pool(token, **{"real_sol_reserves": 42_000_000_000, **fields})
    factories.candle(token, bucket=NOON - 30 * MINUTE, volume_sol=Decimal(volume))
    return token


def trades_again(token: Token, at: datetime) -> None:
    factories.candle(token, bucket=at)
    Pool.objects.filter(token=token).update(last_trade_at=at)


def poll(*sources: Crowd, now: datetime = NOON, most: int = 30) -> Polled:
    return social.poll_due(sources=sources, now=now, most=most)


def metric(token: Token, ago: timedelta, **figures: Any) -> None:
    """Store what Telegram said of ``token`` so long before noon."""
    values = {"id": factories.ids.new_id(), "source": "telegram", "timestamp": NOON - ago, **figures}
    SocialMetric.objects.create(token=token, **values)


def test_the_most_traded_tokens_on_their_way_are_asked_about_first() -> None:
    """Not one without trades, not one below 5 %, not one that names nobody on the network; a graduated one is."""
    little, much = traded(1), traded(90)
    traded(50, links={})
    traded(80, real_sol_reserves=4_000_000_000)
    still = factories.token(metadata=GROUP)
    factories.pool(still)
    graduated = traded(20, pool_type=PoolType.GRADUATED, real_sol_reserves=1)
    crowd = Crowd(members(10))
    assert poll(crowd, most=2) == Polled(asked=2, stored=2, failed=0, scored=2)
    assert [one.mint for one in crowd.asked] == [much.mint_address, graduated.mint_address]
    assert {one.telegram for one in crowd.asked} == {"a_group"}
    poll(crowd, now=NOON + MINUTE, most=2)
    assert [one.mint for one in crowd.asked[2:]] == [little.mint_address]


def test_a_source_that_answered_is_asked_again_after_ten_minutes() -> None:
    """Each source has its own turn for each token."""
    traded(links={**GROUP, "discord": "https://discord.gg/abc"})
    one, other = Crowd(members(10)), Crowd(SocialReading(discord_members=5), name="discord", needs="discord")
    poll(one)
    poll(one, other, now=NOON + 9 * MINUTE)
    assert (len(one.asked), len(other.asked)) == (1, 1)
    poll(one, other, now=NOON + 10 * MINUTE)
    assert (len(one.asked), len(other.asked)) == (2, 1)
    assert SocialMetric.objects.count() == 3


@pytest.mark.community
def test_a_reading_is_stored_with_its_growth_against_the_same_source() -> None:
    """An hour and a day before, by at most half an hour and three hours more; another source's figures are no measure."""
    token = traded()
    metric(token, timedelta(minutes=59), telegram_members=1)
    metric(token, timedelta(minutes=61), telegram_members=80)
    metric(token, timedelta(minutes=85), telegram_members=1)
    metric(token, timedelta(hours=26), telegram_members=50)
    metric(token, timedelta(hours=24), source="discord", discord_members=1)
    poll(Crowd(SocialReading(telegram_members=100, telegram_active_users=7, telegram_messages_1h=3, raw={"a": "b\0c"})))
    row = SocialMetric.objects.get(token=token, timestamp=NOON)
    assert (row.source, row.telegram_members, row.telegram_active_users, row.telegram_messages_1h) == (
        "telegram",
        100,
        7,
        3,
    )
    assert (row.social_growth_rate_1h, row.social_growth_rate_24h) == (Decimal(25), Decimal(100))
    assert (row.twitter_followers, row.total_social_mentions, row.raw_data) == (None, None, {"a": "bc"})


@pytest.mark.community
def test_points_follow_from_what_is_fresh_and_the_total_with_them() -> None:
    """Known lines give points, a block of which nothing is known has none; the total counts the same points."""
    token = traded()
    metric(token, timedelta(minutes=70), source="tweetscout", twitter_mentions_1h=40, twitter_followers=9)
    metric(token, timedelta(minutes=5), source="tweetscout", twitter_mentions_1h=60, twitter_mentions_24h=250)
    metric(token, timedelta(hours=3), source="discord", discord_members=1_000)
    assert poll(Crowd(members(99))).scored == 1
    row = SocialScore.objects.get()
    assert (row.twitter_score, row.community_score, row.virality_score) == (
        None,
        Decimal("26.67"),
        Decimal(20) + Decimal(20) + Decimal("20.67"),
    )
    assert (row.total_score, row.available_max, row.policy_version) == (Decimal("87.34"), Decimal(151), 1)
    again = arithmetic.score(Figures.from_json(row.inputs), policies.of(row.policy_version).social)
    assert tuple(map(Part.from_json, row.breakdown)) == again.parts
    assert TokenScore.objects.get().social_score == Decimal("87.34")


def test_a_score_that_says_the_same_is_not_written_again_for_a_day() -> None:
    """New readings with the same figures are stored; the score stays."""
    token = traded()
    assert poll(Crowd(members(99))).scored == 1
    assert poll(Crowd(members(99)), now=NOON + 10 * MINUTE).scored == 0
    assert poll(Crowd(members(98)), now=NOON + 20 * MINUTE).scored == 1
    metric(token, -timedelta(hours=25), telegram_members=98)
    assert social.score(token_ids=[token.pk], now=NOON + 25 * HOUR) == 1


def test_what_is_no_longer_known_is_unknown_again() -> None:
    """Two hours after the last reading the points go, once, and the total loses what was to be had."""
    traded()
    poll(Crowd(members(99)))
    silent = Crowd(None)
    assert poll(silent, now=NOON + 119 * MINUTE).scored == 0
    assert poll(silent, now=NOON + 2 * HOUR).scored == 1
    row = SocialScore.objects.latest("calculated_at")
    assert (row.total_score, row.community_score, row.available_max) == (None, None, 0)
    assert poll(silent, now=NOON + 3 * HOUR).scored == 0


def test_nothing_known_writes_no_score() -> None:
    """Links and boosts alone give no points, and no row that says so."""
    traded()
    listed = Crowd(SocialReading(boosts_active=30), name="dexscreener", needs="", at_once=30)
    assert poll(listed) == Polled(asked=1, stored=1, failed=0, scored=0)
    assert SocialMetric.objects.get().boosts_active == 30
    assert not SocialScore.objects.exists()


def test_listed_links_name_whom_a_token_does_not() -> None:
    """What DexScreener lists is believed for a day where the token's own document names nobody; only safe links are kept."""
    traded(links={"telegram": "https://t.me/joinchat/secret"})
    links = {"telegram": "https://t.me/listed", "twitter": "javascript:alert(1)", "website": "http://10.0.0.1/\0"}
    listed = Crowd(SocialReading(links=links), name="dexscreener", needs="", at_once=30)
    crowd = Crowd(members(5))
    poll(listed, crowd)
    assert crowd.asked == []
    assert SocialMetric.objects.get().links == {"telegram": "https://t.me/listed"}
    poll(listed, crowd, now=NOON + MINUTE)
    assert [one.telegram for one in crowd.asked] == ["listed"]


@pytest.mark.parametrize(
    ("failure", "first", "second"),
    [
        (TryLater("telegram: HTTP 503"), 10 * MINUTE, 20 * MINUTE),
        (Refused("telegram: the page shows no group and no channel"), HOUR, 2 * HOUR),
        (Malformed("telegram: '-5' is no count"), HOUR, 2 * HOUR),
        (RuntimeError("an adapter's own fault"), HOUR, 2 * HOUR),
    ],
)
def test_a_failure_makes_the_next_question_later(failure: Exception, first: timedelta, second: timedelta) -> None:
    """For this token and this source only, twice as late each time, with the reason; an answer forgets it."""
    token = traded()
    assert poll(Crowd(failure)) == Polled(asked=1, stored=0, failed=1, scored=0)
    row = SocialPoll.objects.get()
    assert (row.due_at, row.failures, row.error) == (NOON + first, 1, f"{type(failure).__name__}: {failure}")
    trades_again(token, NOON + first - MINUTE)
    poll(Crowd(failure), now=row.due_at)
    row.refresh_from_db()
    assert (row.due_at, row.failures) == (NOON + first + second, 2)
    trades_again(token, row.due_at - MINUTE)
    poll(Crowd(members(5)), now=row.due_at)
    row.refresh_from_db()
    assert (row.failures, row.error) == (0, "")


def test_a_failure_waits_for_a_day_at_most() -> None:
    """However often it failed."""
    assert social.social_turns.pause(Refused("gone"), failures=50) == timedelta(days=1)
    assert social.social_turns.pause(TryLater("busy", retry_after=timedelta(days=9)), failures=1) == timedelta(days=1)


def test_a_source_that_asks_for_a_pause_is_left_alone() -> None:
    """The others of its turns are put off without a failure, as long as it asks for."""
    first, second = traded(9), traded(5)
    crowd = Crowd(TryLater("HTTP 429", retry_after=timedelta(minutes=30)))
    assert poll(crowd) == Polled(asked=1, stored=0, failed=1, scored=0)
    waiting = {row.token_id: (row.due_at - NOON, row.failures) for row in SocialPoll.objects.all()}
    assert waiting == {first.pk: (timedelta(minutes=30), 1), second.pk: (timedelta(minutes=30), 0)}


def test_a_token_that_the_source_does_not_know_is_asked_about_later() -> None:
    """That it is not listed is no reading of zero."""
    traded()
    assert poll(Crowd(None, name="dexscreener", needs="", at_once=30)).failed == 1
    assert SocialPoll.objects.get().error == "NotKnown: the source has nothing about the token"
    assert not SocialMetric.objects.exists()


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"telegram_members": -1}, "telegram_members is -1, which is not between 0 and 2147483647"),
        ({"telegram_members": 10**30}, "which is not between 0 and 2147483647"),
        ({"telegram_members": "many"}, "telegram_members is 'many', which is no int"),
        ({"twitter_sentiment_score": Decimal(7)}, "twitter_sentiment_score is 7, which is not between -1 and 1"),
    ],
)
def test_an_impossible_reading_is_kept_out_with_the_reason(figures: Mapping[str, Any], told: str) -> None:
    """And takes nothing with it: what another source says of the same token is stored."""
    traded(links={**GROUP, "discord": "https://discord.gg/abc"})
    liar, honest = (
        Crowd(SocialReading(**figures)),
        Crowd(SocialReading(discord_members=5), name="discord", needs="discord"),
    )
    assert poll(liar, honest) == Polled(asked=2, stored=1, failed=1, scored=1)
    assert told in SocialPoll.objects.get(source="telegram").error
    assert [row.source for row in SocialMetric.objects.all()] == ["discord"]


def test_a_provider_whose_credits_are_spent_is_not_asked(settings: Any) -> None:
    """Until the next month; the others are."""
    settings.CREDITS_PER_MONTH = {"tweetscout": 100}
    traded(links={**GROUP, "twitter": "https://x.com/a_coin"})
    usage(api_provider="tweetscout", credits_used=100)
    dear, free = Crowd(SocialReading(twitter_followers=1), name="tweetscout", needs="twitter"), Crowd(members(5))
    assert poll(dear, free).stored == 1
    assert (len(dear.asked), len(free.asked)) == (0, 1)


def test_thirty_tokens_are_one_question_where_the_source_allows() -> None:
    """A source takes as many at once as it says."""
    for _ in range(3):
        traded()

    class Counting(Crowd):
        questions = 0

        def get_readings(self, handles: Sequence[SocialHandles], *, now: datetime) -> Mapping[str, SocialReading]:
            self.questions += 1
            return super().get_readings(handles, now=now)

    listed = Counting(SocialReading(boosts_active=1), name="dexscreener", needs="", at_once=2)
    assert poll(listed).stored == 3
    assert listed.questions == 2


def test_a_turn_whose_worker_died_comes_again() -> None:
    """After five minutes; until then nobody else asks."""
    token = traded()
    SocialPoll.objects.create(token=token, source="telegram", due_at=NOON)
    taken = social.social_turns.take(
        sources=[Crowd(None)], worth=social.reads.worth_asking(now=NOON, limit=9), most=9, now=NOON
    )
    assert [turn.poll.token_id for turn in taken["telegram"]] == [token.pk]
    crowd = Crowd(members(5))
    poll(crowd, now=NOON + 4 * MINUTE)
    assert crowd.asked == []
    poll(crowd, now=NOON + 5 * MINUTE)
    assert len(crowd.asked) == 1


def test_nobody_is_asked_inside_a_transaction() -> None:
    """It waits for the network."""
    with transaction.atomic(), transaction.atomic(), pytest.raises(TransactionManagementError):
        poll(Crowd(members(5)))


def test_twenty_tokens_cost_as_many_queries_as_two() -> None:
    """Reading, claiming, storing and scoring are a fixed number of statements."""

    def count(tokens: int, now: datetime) -> int:
        for _ in range(tokens):
            traded()
        with CaptureQueriesContext(connection) as asked:
            assert poll(Crowd(members(99)), now=now).scored == tokens
        return len(asked)

    count(1, NOON)
    assert count(2, NOON + MINUTE) == count(20, NOON + 2 * MINUTE)


def test_the_task_asks_the_sources_that_are_set_up(settings: Any) -> None:
    """As many tokens as the setting says; with no source nobody is asked."""
    settings.SOCIAL_TOKENS_PER_MINUTE = 1
    now = tasks.clock.utc_now()
    for _ in range(2):
        factories.candle(traded(last_trade_at=now), bucket=now - MINUTE)
    crowd = Crowd(members(5))
    with clients.override(social=[crowd]):
        assert tasks.poll_social() == 1
    with clients.override(social=[]):
        assert tasks.poll_social() == 0
    assert len(crowd.asked) == 1
