"""The newest scores of many tokens at once, for who decides which of them is looked at next."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection

from holders.domain.priority import Scores

WITHIN = timedelta(days=1)
"""Older scores say nothing about how a token does now."""

_NEWEST = """
SELECT n.mint, technical.total_score, holder.total_score, technical.progress_velocity
FROM unnest(%(mints)s::text[]) AS n(mint)
LEFT JOIN LATERAL (
    SELECT total_score, progress_velocity FROM technical_scores
    WHERE token_mint = n.mint AND timestamp > %(since)s AND timestamp <= %(now)s ORDER BY timestamp DESC LIMIT 1
) AS technical ON true
LEFT JOIN LATERAL (
    SELECT total_score FROM holder_scores
    WHERE token_mint = n.mint AND timestamp > %(since)s AND timestamp <= %(now)s ORDER BY timestamp DESC LIMIT 1
) AS holder ON true
"""


def scores(*, mints: Sequence[str], now: datetime) -> Mapping[str, Scores]:
    """Return what is known of each of ``mints``; what was not scored within a day is ``None``."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"mints": list(mints), "since": now - WITHIN, "now": now})
        return {
            mint: Scores(technical=technical, holder=holder, momentum=momentum)
            for mint, technical, holder, momentum in cursor.fetchall()
        }
