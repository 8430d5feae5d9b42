"""Which of the tokens that trade now score most."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

HOUR = timedelta(hours=1)

# Scores that are equal, or not known, go in an order that a sorted set of (score, id) has too.
_HOT = """
SELECT active.token_id, newest.total_adjusted
FROM (
    SELECT token_id, sum(volume_sol - coalesce(wash_volume_sol, 0)) AS volume FROM price_candles_1m
    WHERE bucket >= %(since)s AND bucket <= %(now)s AND volume_sol > 0 GROUP BY token_id
) AS active
LEFT JOIN latest_token_scores newest ON newest.token_id = active.token_id
ORDER BY newest.total_adjusted DESC NULLS LAST, CASE WHEN newest.total_adjusted IS NULL THEN active.volume END DESC,
         active.token_id DESC
LIMIT %(limit)s
"""


def ranking(*, now: datetime, limit: int) -> dict[UUID, int | None]:
    """Return the tokens that traded in the hour before ``now`` with their total of 999 points, most first.

    Those without a score (``None``) follow, the one with the most SOL traded, net of wash volume, first.
    """
    since = now.replace(second=0, microsecond=0) - HOUR + timedelta(minutes=1)
    with connection.cursor() as cursor:
        cursor.execute(_HOT, {"since": since, "now": now, "limit": limit})
        return dict(cursor.fetchall())
