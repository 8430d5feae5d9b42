"""What a plan says of chunks."""

import re

from django.db import connection


def chunks_planned(statement: str) -> int:
    """Return how many chunks the plan of ``statement`` reads; it is not run."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        plan = " ".join(row[0] for row in cursor.fetchall())
    return len(set(re.findall(r"_hyper_\d+_\d+_chunk", plan)))
