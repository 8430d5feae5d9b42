"""Rankings that the database keeps: computed now and then, read often."""

from django.db import connection


def refresh_top_tokens() -> None:
    """Compute ``top_tokens_by_usd_volume`` anew; who reads it meanwhile reads the rows of the last time."""
    with connection.cursor() as cursor:
        cursor.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY top_tokens_by_usd_volume")
