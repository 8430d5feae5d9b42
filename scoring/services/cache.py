"""What this room keeps in the cache, under the key of seed 002: ``token:score:{token_id}``."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from megatron.core import cache
from scoring.selectors import scores
from scoring.selectors.scores import Score

SECONDS = 300


def _number(value: Decimal | None) -> float | None:
    """Return a number as the seed's readers expect one; a few digits survive a float and back."""
    return None if value is None else float(value)


def _decimal(kept: float | None) -> Decimal | None:
    return None if kept is None else Decimal(str(kept))


def _dump(score: Score) -> dict[str, Any]:
    return {
        "technical_score": _number(score.technical),
        "holder_score": _number(score.holder),
        "social_score": _number(score.social),
        "total_score": score.total_score,
        "ml_probability": _number(score.ml_probability),
        "last_updated": score.calculated_at.isoformat().replace("+00:00", "Z"),
        "total_adjusted": score.adjusted,
        "available_max": score.available_max,
        "ratio": _number(score.ratio),
        "completeness": _number(score.completeness),
        "is_disqualified": score.is_disqualified,
        "red_flags": list(score.red_flags),
    }


def _parse(kept: dict[str, Any]) -> Score:
    return Score(
        technical=_decimal(kept["technical_score"]),
        holder=_decimal(kept["holder_score"]),
        social=_decimal(kept["social_score"]),
        total_score=int(kept["total_score"]),
        ml_probability=_decimal(kept["ml_probability"]),
        calculated_at=datetime.fromisoformat(kept["last_updated"]),
        adjusted=int(kept["total_adjusted"]),
        available_max=int(kept["available_max"]),
        ratio=_decimal(kept["ratio"]),
        completeness=Decimal(str(kept["completeness"])),
        is_disqualified=bool(kept["is_disqualified"]),
        red_flags=tuple(kept["red_flags"]),
    )


SCORES = cache.ReadThrough[Score]("token:score", seconds=SECONDS, load=scores.newest, dump=_dump, parse=_parse)


def newest(*, ids: Iterable[UUID], now: datetime) -> dict[UUID, Score]:
    """Return the newest score of each token in ``ids`` that has one; replaced in the cache whenever it changes."""
    return SCORES.read(ids, now=now)


def scored(*, ids: Iterable[UUID], now: datetime) -> int:
    """Replace the scores of ``ids`` that somebody looked at lately; return how many. Call it after the commit of the
    scores; never raises for a cache that is away."""
    return SCORES.write_through(ids, now=now)
