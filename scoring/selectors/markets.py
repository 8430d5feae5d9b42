"""Technical scores and sell-offs as rows, for doors and other rooms."""

from datetime import datetime

from django.db.models import QuerySet

from scoring.models import SelloffEvent, TechnicalScore

NEWEST_FIRST = ("-timestamp", "-id")
LATEST_SEEN_FIRST = ("-detection_time", "-id")


def scores(
    *, token_mint: str, after: datetime | None = None, before: datetime | None = None
) -> QuerySet[TechnicalScore]:
    """Return the technical scores of a token that were measured in ``[after, before)``, unordered."""
    wanted = {"timestamp__gte": after, "timestamp__lt": before}
    return TechnicalScore.objects.filter(
        token_mint=token_mint, **{name: value for name, value in wanted.items() if value is not None}
    )


def selloffs(
    *,
    token_mint: str | None = None,
    status: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[SelloffEvent]:
    """Return the sell-offs that were seen in ``[after, before)`` and fit, unordered; ``status`` open: those of now."""
    wanted = {
        "token_mint": token_mint,
        "status": status,
        "detection_time__gte": after,
        "detection_time__lt": before,
    }
    return SelloffEvent.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
