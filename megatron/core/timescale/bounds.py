"""Conditions that leave chunks out, where there are chunks."""

from django.db import connection

from megatron.core.timescale import policies


def has_chunks() -> bool:
    """Return whether this server plans a query chunk by chunk."""
    return policies.level(connection) != "none"


def bounded(condition: str) -> str:
    """Return ``condition``, constant bounds of a hypertable's time, on a server with chunks, and what always holds elsewhere.

    For statements whose key answers by itself: ids are in the order of time. On plain PostgreSQL the condition would only
    lead the planner to the BRIN index on the time, which knows nothing of rows since the last VACUUM and gives them all.
    """
    return condition if has_chunks() else "true"
