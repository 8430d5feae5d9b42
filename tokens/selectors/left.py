"""Which of some tokens or pools have a trade left: looked for by steps back in time, or every chunk would be asked."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection

from megatron.core.chain import EVER

_DAYS = (1, 7, 30)
_END = datetime.max.replace(tzinfo=EVER.tzinfo)


def steps(since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield ``[start, end)`` of stretches of block time that together are all of it: what is after ``since`` first, then ever
    longer ones before it."""
    start, end = since, _END
    for days in _DAYS:
        if start <= EVER:
            break
        yield start, end
        start, end = max(start - timedelta(days=days), EVER), start
    yield start, end
    if start > EVER:
        yield EVER, start


_TRADED = """
SELECT k.id FROM unnest(%(ids)s::uuid[]) AS k(id)
WHERE EXISTS (SELECT FROM transactions t WHERE t.token_id = k.id AND t.block_time >= %(start)s AND t.block_time < %(end)s)
"""

_TRADED_ON = """
SELECT p.id FROM pools p
WHERE p.id = ANY(%(ids)s::uuid[]) AND EXISTS (
    SELECT FROM transactions t
    WHERE t.token_id = p.token_id AND t.pool_id = p.id AND t.block_time >= %(start)s AND t.block_time < %(end)s)
"""


def without_trades(kind: Literal["token", "pool"], ids: Collection[Any], *, since: datetime) -> list[Any]:
    """Return those of ``ids`` that have no trade at all, in order. Most have one after ``since``."""
    left = set(ids)
    with connection.cursor() as cursor:
        for start, end in steps(since):
            if not left:
                break
            asked: dict[str, Any] = {"ids": sorted(left), "start": start, "end": end}
            cursor.execute(_TRADED if kind == "token" else _TRADED_ON, asked)
            left -= {found for (found,) in cursor.fetchall()}
    return sorted(left)
