"""How tokens are followed: who is worth asking about, what is known of them, and their scores."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from megatron.core.timescale.newest import Lifetime, newest, within
from scoring.domain.social import Figures, growth
from scoring.models import SocialMetric, SocialScore
from tokens.models import Token

NEWEST_FIRST = ("-timestamp", "-id")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATE_HOUR, LATE_DAY = timedelta(minutes=30), timedelta(hours=3)
"""How much older than an hour and a day the figure may be with which growth is measured."""
LEAST_PROGRESS = Decimal(5)
"""Percent of a curve's target below which nobody is asked: most tokens never get there."""
RECENT = DAY
"""How long after the last answer a token is looked at whose figures have gone."""


class Worth(NamedTuple):
    """A token about which sources are worth asking, and the links that its document and DexScreener give."""

    token_id: UUID
    mint: str
    own_links: Mapping[str, str | None]
    listed_links: Mapping[str, str]


class Before(NamedTuple):
    """A source's followers or members of a token an hour and a day ago."""

    hour: int | None
    day: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one token now."""

    mint: str
    figures: Figures


_WORTH = """
SELECT t.id, t.mint_address, t.metadata->>'twitter', t.metadata->>'telegram', t.metadata->>'discord', listed.links
FROM (
    SELECT token_id, sum(volume_sol - coalesce(wash_volume_sol, 0)) AS volume FROM price_candles_1m
    WHERE bucket > %(since)s AND bucket <= %(now)s AND volume_sol > 0 AND token_id IN (
        SELECT p.token_id FROM pools p
        WHERE p.last_trade_at > %(since)s
            AND (p.pool_type = 'graduated' OR p.pool_type = 'initial' AND p.progress_quote_pct >= %(least)s)
    )
    GROUP BY token_id ORDER BY volume DESC, token_id LIMIT %(limit)s
) AS active
JOIN tokens t ON t.id = active.token_id
LEFT JOIN LATERAL (
    SELECT links FROM social_metrics m
    WHERE m.token_id = t.id AND m.source = 'dexscreener' AND m.links IS NOT NULL
        AND m.timestamp > %(yesterday)s AND m.timestamp <= %(now)s
    ORDER BY m.timestamp DESC LIMIT 1
) AS listed ON true
ORDER BY active.volume DESC, t.id
"""

_AUDIENCE = "coalesce(m.twitter_followers, m.telegram_members, m.discord_members)"
_BEFORE = f"""
SELECT w.token_id, w.source, hour.audience, day.audience
FROM unnest(%(tokens)s::uuid[], %(sources)s::text[]) AS w(token_id, source)
LEFT JOIN LATERAL (
    SELECT {_AUDIENCE} AS audience FROM social_metrics m
    WHERE m.token_id = w.token_id AND m.source = w.source AND {_AUDIENCE} IS NOT NULL
        AND m.timestamp <= %(hour)s AND m.timestamp > %(late_hour)s ORDER BY m.timestamp DESC LIMIT 1
) AS hour ON true
LEFT JOIN LATERAL (
    SELECT {_AUDIENCE} AS audience FROM social_metrics m
    WHERE m.token_id = w.token_id AND m.source = w.source AND {_AUDIENCE} IS NOT NULL
        AND m.timestamp <= %(day)s AND m.timestamp > %(late_day)s ORDER BY m.timestamp DESC LIMIT 1
) AS day ON true
"""


def _newest(column: str, of: str = "") -> str:
    return f"(array_agg(m.{column} ORDER BY m.timestamp DESC) FILTER (WHERE m.{of or column} IS NOT NULL))[1]"


_FIGURES = f"""
SELECT t.id, t.mint_address, fresh.*, heard.mentions, before.mentions
FROM unnest(%(tokens)s::uuid[]) AS w(token_id)
JOIN tokens t ON t.id = w.token_id
CROSS JOIN LATERAL (
    SELECT {_newest("social_growth_rate_24h", of="twitter_followers")}, {_newest("twitter_engagement_rate")},
        {_newest("influencer_mentions")}, {_newest("telegram_members")}, {_newest("discord_members")},
        {_newest("telegram_messages_1h")}, {_newest("twitter_sentiment_score")}, {_newest("twitter_mentions_24h")},
        {_newest("twitter_followers")}
    FROM social_metrics m WHERE m.token_id = t.id AND m.timestamp > %(since)s AND m.timestamp <= %(now)s
) AS fresh
LEFT JOIN LATERAL (
    SELECT m.twitter_mentions_1h AS mentions, m.timestamp AS at FROM social_metrics m
    WHERE m.token_id = t.id AND m.twitter_mentions_1h IS NOT NULL AND m.timestamp > %(since)s AND m.timestamp <= %(now)s
    ORDER BY m.timestamp DESC LIMIT 1
) AS heard ON true
LEFT JOIN LATERAL (
    SELECT m.twitter_mentions_1h AS mentions FROM social_metrics m
    WHERE m.token_id = t.id AND m.twitter_mentions_1h IS NOT NULL
        AND m.timestamp <= heard.at - %(hour)s AND m.timestamp > heard.at - %(late_hour)s
    ORDER BY m.timestamp DESC LIMIT 1
) AS before ON true
ORDER BY t.id
"""

_QUIET = """
SELECT told.token_id
FROM (SELECT DISTINCT token_id FROM social_polls WHERE answered_at > %(recent)s AND answered_at <= %(since)s) AS told
CROSS JOIN LATERAL (
    SELECT s.available_max FROM social_scores s
    WHERE s.token_id = told.token_id AND s.calculated_at > %(kept)s AND s.calculated_at <= %(now)s
    ORDER BY s.calculated_at DESC LIMIT 1
) AS newest
WHERE newest.available_max > 0 AND NOT EXISTS (
    SELECT FROM social_metrics m
    WHERE m.token_id = told.token_id AND m.timestamp > %(since)s AND m.timestamp <= %(now)s
)
ORDER BY told.token_id LIMIT %(limit)s
"""


def worth_asking(*, now: datetime, limit: int) -> Sequence[Worth]:
    """Return the tokens with the most SOL traded in the last hour that graduated or are at least 5 % on their way, most
    first."""
    times = {"now": now, "since": now - HOUR, "yesterday": now - DAY}
    rows = _rows(_WORTH, {**times, "least": LEAST_PROGRESS, "limit": limit})
    return [
        Worth(token, mint, {"twitter": twitter, "telegram": telegram, "discord": discord}, _links(listed))
        for token, mint, twitter, telegram, discord, listed in rows
    ]


def before(*, asked: Collection[tuple[UUID, str]], now: datetime) -> dict[tuple[UUID, str], Before]:
    """Return the followers or members that each source knew of each token an hour and a day before ``now``."""
    if not asked:
        return {}
    times = {
        "hour": now - HOUR,
        "late_hour": now - HOUR - LATE_HOUR,
        "day": now - DAY,
        "late_day": now - DAY - LATE_DAY,
    }
    wanted = {"tokens": [token for token, _ in asked], "sources": [source for _, source in asked]}
    return {(token, source): Before(hour, day) for token, source, hour, day in _rows(_BEFORE, {**times, **wanted})}


def figures(*, token_ids: Collection[UUID], now: datetime, fresh: timedelta) -> dict[UUID, Known]:
    """Return what is known of each token from readings that are younger than ``fresh``; one query for any number."""
    if not token_ids:
        return {}
    windows = {"now": now, "since": now - fresh, "hour": HOUR, "late_hour": HOUR + LATE_HOUR}
    return {row[0]: _known(row) for row in _rows(_FIGURES, {"tokens": list(token_ids), **windows})}


def gone_quiet(*, now: datetime, fresh: timedelta, limit: int) -> Sequence[UUID]:
    """Return tokens that still have social points although no reading is younger than ``fresh``: those of which something was
    heard in the day before that."""
    since = now - fresh
    # A score is written again each day, so the newest of a token that was heard of is not much older.
    times = {"now": now, "since": since, "recent": since - RECENT, "kept": since - 3 * RECENT}
    return [token for (token,) in _rows(_QUIET, {**times, "limit": limit})]


def metrics(*, token_id: UUID, source: str | None = None) -> QuerySet[SocialMetric]:
    """Return what sources, or one of them, said of a token, unordered."""
    found = SocialMetric.objects.filter(token_id=token_id)
    return found if source is None else found.filter(source=source)


def newest_readings(*, token: Token) -> Sequence[SocialMetric]:
    """Return the newest reading of each source, by the source's name."""
    told = within(metrics(token_id=token.pk), Lifetime("timestamp", first=token.creation_timestamp))
    return list(told.order_by("source", "-timestamp").distinct("source"))


def find_newest_score(*, token: Token) -> SocialScore | None:
    """Return a token's newest social score, or ``None``."""
    rows = SocialScore.objects.filter(token=token).order_by("-calculated_at")
    found = newest(rows, limit=1, lifetime=Lifetime("calculated_at", first=token.creation_timestamp))
    return found[0] if found else None


def _known(row: tuple[Any, ...]) -> Known:
    (_, mint, grown, engagement, influencers, telegram, discord, messages, sentiment, mentions, followers, *heard) = row
    return Known(
        mint,
        Figures(
            follower_growth_24h=grown,
            engagement_rate=engagement,
            influencer_mentions=_decimal(influencers),
            telegram_members=_decimal(telegram),
            discord_members=_decimal(discord),
            messages_1h=_decimal(messages),
            sentiment=sentiment,
            mention_growth_1h=growth(*heard),
            mentions_24h=_decimal(mentions),
            twitter_followers=_decimal(followers),
        ),
    )


def _decimal(figure: int | None) -> Decimal | None:
    return None if figure is None else Decimal(figure)


def _links(listed: Any) -> Mapping[str, str]:
    found = json.loads(listed) if isinstance(listed, str) else listed
    return found or {}


def _rows(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
