"""How one token stands: its newest totals, their course, what speaks against it, and its latest sell-offs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet

from megatron.core.timescale import newest as steps
from scoring.models import RiskMetric, SelloffEvent, TokenScore
from scoring.selectors import scores
from tokens.models import Token

DAY = timedelta(days=1)
NEWEST = ("-calculated_at", "-id")

_COURSE = """
SELECT DISTINCT ON (date_trunc('minute', calculated_at))
       calculated_at, total_adjusted, technical_score, holder_score, social_score
FROM token_scores WHERE token_id = %(token)s AND calculated_at >= %(since)s AND calculated_at <= %(until)s
ORDER BY date_trunc('minute', calculated_at), calculated_at DESC, id DESC
"""

Point = tuple[datetime, int, Decimal | None, Decimal | None, Decimal | None]
"""Time, total, technical, holder and social points."""


def newest(*, token: Token, limit: int, and_before: datetime) -> tuple[Sequence[TokenScore], TokenScore | None]:
    """Return a token's ``limit`` latest scores, the newest first, and the one that held at ``and_before``; none if by now no
    part is known any more. One query."""
    # The newest is explained by its inputs, which histories leave out.
    latest = _known(scores.history(token=token))[:limit]
    # Half-open: what began at that moment held then.
    held = _known(scores.history(token=token, before=and_before + timedelta(microseconds=1)))[:1]
    rows = sorted({row.pk: row for row in latest.union(held, all=True)}.values(), key=_when, reverse=True)
    return rows[:limit], next((row for row in rows if row.calculated_at <= and_before), None)


def _known(history: QuerySet[TokenScore]) -> QuerySet[TokenScore]:
    """Return the scores of a token that has a newest one."""
    return history.defer(None).filter(token__latest_score__isnull=False).order_by(*NEWEST)


def course(*, token: Token, until: datetime) -> Sequence[Point]:
    """Return how a token's scores went in the day up to ``until``, the last of each minute, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_COURSE, {"token": token.pk, "since": until - DAY, "until": until})
        return list(cursor.fetchall())


def find_risk(*, token: Token) -> RiskMetric | None:
    """Return what speaks against a token by its newest holder snapshot; ``None`` without one."""
    rows = RiskMetric.objects.filter(token_mint=token.mint_address).order_by("-timestamp")
    found = steps.newest(rows, limit=1, lifetime=steps.Lifetime("timestamp", first=token.creation_timestamp))
    return found[0] if found else None


def selloffs(*, token_mint: str, limit: int = 3) -> Sequence[SelloffEvent]:
    """Return a token's latest sell-offs, the newest first."""
    return list(SelloffEvent.objects.filter(token_mint=token_mint).order_by("-detection_time")[:limit])


def _when(row: TokenScore) -> tuple[datetime, str]:
    return row.calculated_at, row.pk.hex
