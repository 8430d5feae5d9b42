"""Holder scores and risks as rows, for doors and other rooms."""

from datetime import datetime

from django.db.models import QuerySet

from scoring.models import HolderScore, RiskMetric

NEWEST_FIRST = ("-timestamp", "-id")


def scores(
    *,
    token_mint: str | None = None,
    confidence: str | None = None,
    frozen: bool | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[HolderScore]:
    """Return the holder scores that fit, unordered; ``[after, before)`` is by the time of the snapshot."""
    wanted = {
        "token_mint": token_mint,
        "confidence_level": confidence,
        "is_frozen": frozen,
        "timestamp__gte": after,
        "timestamp__lt": before,
    }
    return HolderScore.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


def risks(
    *,
    token_mint: str | None = None,
    level: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[RiskMetric]:
    """Return the risks that fit, unordered; ``[after, before)`` is by the time of the snapshot."""
    wanted = {"token_mint": token_mint, "risk_level": level, "timestamp__gte": after, "timestamp__lt": before}
    return RiskMetric.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
