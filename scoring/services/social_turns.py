"""Whose turn it is to be asked about: a row a token and source, claimed before the question and told its end after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from megatron.clients.errors import TryLater
from megatron.clients.ports import SocialHandles, SocialReading, SocialSource
from scoring.domain import handles
from scoring.models import SocialPoll
from scoring.selectors.social import Worth

EVERY = timedelta(minutes=10)
"""A source that answers is asked about the same token again after this."""
LEASE = timedelta(minutes=5)
"""A turn whose worker died comes again after this."""
LONGEST = timedelta(days=1)
PASSING, LASTING = EVERY, timedelta(hours=1)
"""The first pause after a failure that may pass, and after one that repeating will not help."""


class NotKnown(Exception):
    """The source has nothing about the token."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed question about one token to one source."""

    poll: SocialPoll
    handles: SocialHandles


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a turn: a reading, a failure, or neither when it was not asked after all (``after`` says how long to
    wait then)."""

    turn: Turn
    reading: SocialReading | None = None
    failure: Exception | None = None
    after: timedelta = timedelta(0)


def take(
    *, sources: Sequence[SocialSource], worth: Sequence[Worth], most: int, now: datetime
) -> dict[str, Sequence[Turn]]:
    """Claim up to ``most`` due turns of each source, in the order of ``worth``; a token that names nobody on a source's
    network has none there."""
    named = {one.token_id: _handles(one) for one in worth}
    wanted = [
        (token, source.name)
        for token, handle in named.items()
        for source in sources
        if not source.needs or getattr(handle, source.needs)
    ]
    place = {token: place for place, token in enumerate(named)}
    with transaction.atomic():
        polls = {(it.token_id, it.source): it for it in _polls(wanted, now)}
        turns: dict[str, list[Turn]] = {}
        due = sorted(polls.values(), key=lambda poll: place[poll.token_id])
        for poll in due:
            mine = turns.setdefault(poll.source, [])
            if len(mine) < most:
                mine.append(Turn(poll, named[poll.token_id]))
        claimed = [turn.poll.pk for mine in turns.values() for turn in mine]
        SocialPoll.objects.filter(pk__in=claimed).update(due_at=now + LEASE, asked_at=now)
    return dict(turns)


def settle(*, answers: Sequence[Answer], now: datetime) -> None:
    """Write when each of ``answers`` is asked for again. Part of the caller's transaction."""
    told = []
    for answer in answers:
        poll = answer.turn.poll
        poll.asked_at = now
        if answer.failure is not None:
            poll.failures += 1
            poll.error = f"{type(answer.failure).__name__}: {answer.failure}"[:300].replace("\0", "")
            poll.due_at = now + pause(answer.failure, failures=poll.failures)
        elif answer.reading is not None:
            poll.failures, poll.error, poll.answered_at, poll.due_at = 0, "", now, now + EVERY
        else:
            poll.due_at = now + answer.after
        told.append(poll)
    SocialPoll.objects.bulk_update(told, ["due_at", "asked_at", "answered_at", "failures", "error"])


def pause(failure: Exception, *, failures: int) -> timedelta:
    """Return how long a source is not asked about a token after its ``failures``-th failure in a row: doubling up to a day,
    never shorter than it asks for."""
    first = PASSING if isinstance(failure, TryLater) else LASTING
    wait = min(first * (1 << min(failures - 1, 10)), LONGEST)
    asked = failure.retry_after if isinstance(failure, TryLater) else None
    return wait if asked is None else max(wait, min(asked, LONGEST))


def _polls(wanted: Sequence[tuple[UUID, str]], now: datetime) -> list[SocialPoll]:
    """Return the due rows of ``wanted``, locked, and made where they were not."""
    tokens, names = {token for token, _ in wanted}, {source for _, source in wanted}
    there = SocialPoll.objects.filter(token_id__in=tokens, source__in=names)
    missing = sorted(set(wanted) - set(there.values_list("token_id", "source")))
    if missing:
        fresh = [SocialPoll(token_id=token, source=source, due_at=now) for token, source in missing]
        SocialPoll.objects.bulk_create(fresh, ignore_conflicts=True)
    due = there.filter(due_at__lte=now).order_by("pk").select_for_update(skip_locked=True)
    asked = set(wanted)
    return [poll for poll in due if (poll.token_id, poll.source) in asked]


def _handles(one: Worth) -> SocialHandles:
    found: Mapping[str, str] = handles.names(one.own_links, one.listed_links)
    return SocialHandles(mint=one.mint, **found)
