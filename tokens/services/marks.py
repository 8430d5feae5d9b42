"""What rooms above ask a token to remember."""

from collections.abc import Mapping
from decimal import Decimal

from django.db import connection, transaction

# In the order of ids, as every batch locks tokens.
_SCORED = """
WITH held AS MATERIALIZED (
    SELECT t.id, n.progress FROM tokens t JOIN unnest(%s::text[], %s::numeric[]) AS n(mint, progress)
        ON n.mint = t.mint_address
    WHERE t.last_holder_score_progress IS DISTINCT FROM round(n.progress, 2)
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE tokens t SET last_holder_score_progress = round(held.progress, 2) FROM held WHERE t.id = held.id
"""


@transaction.atomic
def holders_scored(*, progress: Mapping[str, Decimal]) -> int:
    """Remember at what progress (percent of tokens sold, two decimals kept) the holders of each mint were scored last;
    return how many changed. Call it after the commit of the scores: ingest holds tokens for long."""
    if not progress:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_SCORED, [list(progress), list(progress.values())])
        return int(cursor.rowcount)
