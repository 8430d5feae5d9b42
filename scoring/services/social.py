"""How tokens are followed: sources asked in turns ▣, what they said beside what they said before, and points from it ▣."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.transaction import TransactionManagementError

from holders import selectors as holdings
from megatron.clients.errors import ClientError, Malformed, TryLater
from megatron.clients.ports import SocialReading, SocialSource
from megatron.core import ids
from megatron.core.transactions import in_transaction
from scoring.domain import social
from scoring.domain.social import Figures
from scoring.models import SocialMetric, SocialScore
from scoring.selectors import social as reads
from scoring.services import policies, social_turns, totals
from scoring.services.social_turns import EVERY, Answer, NotKnown, Turn
from tokens.domain.metadata import safe_url
from tokens.domain.text import sanitised

MINUTE = timedelta(minutes=1)
SECONDS = 40.0
"""For one source in one run; what is not asked by then is asked in the next."""
QUIET = 200
SAME_FOR = timedelta(days=1)
"""A score that does not change is written again after this."""

_FIGURES = tuple(name for name in SocialReading.__dataclass_fields__ if name not in ("links", "raw", "boosts_active"))

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll came to: questions asked, readings stored, failures, and scores written."""

    asked: int
    stored: int
    failed: int
    scored: int


def poll_due(*, sources: Sequence[SocialSource], now: datetime, most: int) -> Polled:
    """Ask each source about up to ``most`` tokens whose turn it is, all sources at once; store what they say, and score the
    tokens of which something new is known or nothing any more.

    A provider whose credits of the month are spent is not asked. Raises ``TransactionManagementError`` inside a
    transaction: it waits for the network.
    """
    if in_transaction():
        raise TransactionManagementError("Sources are asked outside any transaction: the answers take seconds.")
    usable = [source for source in sources if holdings.left(provider=source.name, now=now) != 0]
    # So many take their turns that each comes round in time.
    worth = reads.worth_asking(now=now, limit=most * (EVERY // MINUTE))
    turns = social_turns.take(sources=usable, worth=worth, most=most, now=now)
    answers = _ask(usable, turns, now)
    fresh = social.fresh(policies.active().social)
    with transaction.atomic():
        stored = _store(answers, now)
        social_turns.settle(answers=answers, now=now)
        quiet = reads.gone_quiet(now=now, fresh=fresh, limit=QUIET)
        scored = score(token_ids={row.token_id for row in stored}.union(quiet), now=now)
    failed = [answer for answer in answers if answer.failure is not None]
    return Polled(len(stored) + len(failed), len(stored), len(failed), scored)


@transaction.atomic
def score(*, token_ids: Collection[UUID], now: datetime) -> int:
    """Score tokens from their fresh readings by the active policy and refresh their totals; return how many scores were
    written. One that says what the newest said is not written again for a day."""
    policy = policies.active()
    terms = policy.social
    known = reads.figures(token_ids=token_ids, now=now, fresh=social.fresh(terms))
    newest = {
        row.token_id: (row.inputs, row.policy_version)
        for row in SocialScore.objects.filter(
            token_id__in=known, calculated_at__gt=now - SAME_FOR, calculated_at__lte=now
        )
        .order_by("token_id", "-calculated_at")
        .distinct("token_id")
    }
    nothing = (Figures().as_json(), policy.version)
    changed = {
        token: one
        for token, one in known.items()
        if (one.figures.as_json(), policy.version) != newest.get(token, nothing)
    }
    rows = [
        _scored(token, one.figures, social.score(one.figures, terms), policy.version, now)
        for token, one in changed.items()
    ]
    SocialScore.objects.bulk_create(rows, ignore_conflicts=True)
    if changed:
        totals.refresh(mints=sorted(one.mint for one in changed.values()), now=now)
    return len(rows)


def _scored(token: UUID, figures: Figures, scored: social.Scored, version: int, now: datetime) -> SocialScore:
    return SocialScore(
        id=ids.event_id(now, token, "social"),
        token_id=token,
        calculated_at=now,
        twitter_score=scored.twitter.points,
        community_score=scored.community.points,
        virality_score=scored.virality.points,
        available_max=scored.available,
        breakdown=[part.as_json() for part in scored.parts],
        inputs=figures.as_json(),
        policy_version=version,
    )


def _ask(sources: Sequence[SocialSource], turns: Mapping[str, Sequence[Turn]], now: datetime) -> list[Answer]:
    asked = [source for source in sources if turns.get(source.name)]
    if not asked:
        return []
    with ThreadPoolExecutor(len(asked), thread_name_prefix="social") as threads:
        running = [threads.submit(_all_asked, source, turns[source.name], now) for source in asked]
    return [answer for one in running for answer in one.result()]


def _all_asked(source: SocialSource, turns: Sequence[Turn], now: datetime) -> list[Answer]:
    return list(_asked(source, turns, now))


def _asked(source: SocialSource, turns: Sequence[Turn], now: datetime) -> Iterator[Answer]:
    """Yield an answer a turn. A source that asks for a pause, or runs out of time, is left alone for the rest."""
    until, rest = time.monotonic() + SECONDS, None
    for start in range(0, len(turns), source.at_once):
        some = turns[start : start + source.at_once]
        if rest is None and time.monotonic() >= until:
            rest = MINUTE
        if rest is not None:
            yield from (Answer(turn, after=rest) for turn in some)
            continue
        try:
            found = source.get_readings([turn.handles for turn in some], now=now)
        except Exception as error:  # whatever one adapter does wrong, the others' readings are stored
            if not isinstance(error, ClientError):
                log.exception("social.adapter_failed", source=source.name)
            yield from (Answer(turn, failure=error) for turn in some)
            if isinstance(error, TryLater) and error.retry_after is not None:
                rest = max(error.retry_after, MINUTE)
            continue
        yield from (_answer(turn, found.get(turn.handles.mint)) for turn in some)


def _answer(turn: Turn, reading: SocialReading | None) -> Answer:
    if reading is None:
        return Answer(turn, failure=NotKnown("the source has nothing about the token"))
    if wrong := social.impossible({name: getattr(reading, name) for name in (*_FIGURES, "boosts_active")}):
        return Answer(turn, failure=Malformed(f"{turn.poll.source}: {wrong}"))
    return Answer(turn, reading=reading)


def _store(answers: Sequence[Answer], now: datetime) -> list[SocialMetric]:
    """Write the readings, each with its growth against its source's earlier ones."""
    told = {(it.turn.poll.token_id, it.turn.poll.source): it.reading for it in answers if it.reading is not None}
    earlier = reads.before(asked=sorted(told), now=now)
    rows = [_row(token, source, reading, earlier[token, source], now) for (token, source), reading in told.items()]
    SocialMetric.objects.bulk_create(rows, ignore_conflicts=True)
    return rows


def _row(token: UUID, source: str, reading: SocialReading, before: reads.Before, now: datetime) -> SocialMetric:
    audiences = (reading.twitter_followers, reading.telegram_members, reading.discord_members)
    audience = next((figure for figure in audiences if figure is not None), None)
    links = {name: url for name, link in (reading.links or {}).items() if (url := safe_url(link)) is not None}
    return SocialMetric(
        id=ids.event_id(now, token, source),
        token_id=token,
        timestamp=now,
        source=source,
        **{name: getattr(reading, name) for name in _FIGURES},
        boosts_active=reading.boosts_active,
        total_social_mentions=reading.twitter_mentions_24h,
        social_growth_rate_1h=social.growth(audience, before.hour),
        social_growth_rate_24h=social.growth(audience, before.day),
        links=links or None,
        raw_data=_storable(reading.raw),
    )


def _storable(said: Any) -> Any:
    """Return what a stranger said as JSONB takes it."""
    if isinstance(said, str):
        return sanitised(said, 500)
    if isinstance(said, Mapping):
        return {sanitised(str(name), 100): _storable(inner) for name, inner in said.items()}
    if isinstance(said, list | tuple):
        return [_storable(inner) for inner in said]
    return said
