"""How many queries a page may ask: the numbers are committed, so a new one is seen in review.

In a test::

    with assert_query_count("GET /api/v1/tokens/"):
        client.get("/api/v1/tokens/")

The name's number stands in ``tests/architecture/query_counts.json``. Another number fails the test and lists the
queries, a lower one too: then the file wants to be lowered. ``UPDATE_QUERY_COUNTS=1 pytest …`` writes what it sees.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

COUNTS = Path(__file__).parent / "architecture" / "query_counts.json"
UPDATING = os.environ.get("UPDATE_QUERY_COUNTS") == "1"


def committed() -> dict[str, int]:
    """Return the committed number of each name."""
    counts: dict[str, int] = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    return counts


@contextmanager
def assert_query_count(name: str) -> Iterator[None]:
    """Fail unless the block asks exactly the committed number of queries for ``name``."""
    with CaptureQueriesContext(connection) as asked:
        yield
    counts, seen = committed(), len(asked)
    if UPDATING:
        COUNTS.write_text(json.dumps(dict(sorted({**counts, name: seen}.items())), indent=2) + "\n")
    elif counts.get(name) != seen:
        listed = "\n".join(query["sql"] for query in asked.captured_queries)
        pytest.fail(
            f"{name} asked {seen} queries, {counts.get(name, 'no number')} is committed in {COUNTS.name}. "
            f"If that is meant: UPDATE_QUERY_COUNTS=1.\n{listed}",
            pytrace=False,
        )
