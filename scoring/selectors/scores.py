"""Scores of tokens as they stand and as they were: lists in the order of the score, one token's history, what changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from scoring.domain.changes import COLUMNS, changes
from scoring.models import LatestTokenScore, TokenScore
from tokens.models import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A token's newest total; an unknown part is None."""

    technical: Decimal | None
    holder: Decimal | None
    social: Decimal | None
    total_score: int
    """The parts together, before multiplier and flags."""
    adjusted: int
    available_max: int
    ratio: Decimal | None
    completeness: Decimal
    is_disqualified: bool
    red_flags: Sequence[str]
    ml_probability: Decimal | None
    calculated_at: datetime


def newest(*, ids: Sequence[UUID], now: datetime) -> dict[UUID, Score]:  # noqa: ARG001  # the shape that a cache loads by
    """Return the newest score of each token in ``ids`` that has one; one query for any number."""
    rows = (
        LatestTokenScore.objects.filter(token__in=ids)
        .select_related("score")
        .defer("score__inputs", "score__score_details")
    )
    return {row.token_id: _score(row.score) for row in rows if row.score is not None}


def ranked(*, graduated: bool | None = None, platform: str | None = None) -> QuerySet[LatestTokenScore]:
    """Return the newest score of each token, unordered, with its token and the whole score loaded.

    Ordered by ``total_ratio``, ``total_adjusted`` or one of the three parts (nulls last) and then ``token`` descending,
    an index gives the page; the history is not touched.
    """
    wanted = {"token__is_graduated": graduated, "token__platform": platform}
    found = LatestTokenScore.objects.filter(
        score__isnull=False, **{name: value for name, value in wanted.items() if value is not None}
    )
    return found.select_related("token", "score").defer("score__inputs", "score__score_details")


def history(*, token: Token, after: datetime | None = None, before: datetime | None = None) -> QuerySet[TokenScore]:
    """Return a token's scores that began in the half-open window, unordered; newest first is ``-calculated_at, -id``."""
    window = {"calculated_at__gte": after, "calculated_at__lt": before}
    found = TokenScore.objects.filter(token=token, **{name: at for name, at in window.items() if at is not None})
    return found.defer("inputs", "score_details")


def find_score(*, token: Token, at: datetime | None = None) -> TokenScore | None:
    """Return the score that held at ``at`` (None: now) with its token; ``None`` when there was none yet, and when by now
    no part is known any more."""
    found = TokenScore.objects.filter(token=token).select_related("token")
    found = found.filter(latest__isnull=False) if at is None else found.filter(calculated_at__lte=at)
    return found.order_by("-calculated_at", "-id").first()


def find_before(score: TokenScore) -> TokenScore | None:
    """Return the score that held until ``score`` began; ``None`` for a token's first."""
    at = score.calculated_at
    earlier = TokenScore.objects.filter(token_id=score.token_id, calculated_at__lte=at)
    earlier = earlier.exclude(calculated_at=at, id__gte=score.pk)
    return earlier.defer("inputs", "score_details").order_by("-calculated_at", "-id").first()


def what_changed(scores: Sequence[TokenScore]) -> Iterator[tuple[TokenScore, Sequence[str]]]:
    """Yield each of ``scores`` (newest first) but the last with what changed against the one before it, in words."""
    for new, old in pairwise(scores):
        yield new, changes(_columns(old), _columns(new))


def _columns(score: TokenScore) -> dict[str, Any]:
    return {name: getattr(score, name) for name in COLUMNS}


def _score(row: TokenScore) -> Score:
    return Score(
        technical=row.technical_score,
        holder=row.holder_score,
        social=row.social_score,
        total_score=row.total_score,
        adjusted=row.total_adjusted,
        available_max=row.available_max,
        ratio=row.total_ratio,
        completeness=row.completeness,
        is_disqualified=row.is_disqualified,
        red_flags=tuple(row.red_flags),
        ml_probability=row.ml_graduation_probability,
        calculated_at=row.calculated_at,
    )
