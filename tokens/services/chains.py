"""What the reserves of curves prove, kept: so that a page reads a coin's newest trades and not all that it ever had."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from tokens.models import Pool, PoolChain
from tokens.selectors import chains

BEHIND = timedelta(hours=1)
"""Newer trades are not judged here: live traffic still brings some late, and each would make a row void."""
_ACTIVE = timedelta(days=1)
_APART = timedelta(minutes=1)

_DUE = """
SELECT p.id FROM pools p LEFT JOIN pool_chains k ON k.pool_id = p.id
WHERE p.pool_type = 'initial' AND p.last_trade_at >= %(since)s
  AND coalesce(k.judged_until, '-infinity') < least(p.last_trade_at, %(until)s)
ORDER BY p.last_trade_at DESC LIMIT %(limit)s
"""

_FORGET = """
DELETE FROM pool_chains k USING unnest(%(pools)s::uuid[], %(times)s::timestamptz[]) AS n(pool_id, at)
WHERE k.pool_id = n.pool_id AND k.judged_until > n.at
"""


def keep(*, now: datetime, limit: int = 500) -> int:
    """Judge what ``limit`` curves that traded in the last day traded up to an hour ago, and keep it; return how many were."""
    until = (now - BEHIND).replace(second=0, microsecond=0)
    asked: dict[str, Any] = {"since": now - _ACTIVE, "until": until - BEHIND, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, asked)
        due = [pool for (pool,) in cursor.fetchall()]
    return sum(judge(pool_id=pool, until=until) for pool in due)


@transaction.atomic
def judge(*, pool_id: UUID, until: datetime) -> bool:
    """Keep what the trades of one curve before ``until`` prove; return whether anything was kept.

    Under the lock that a batch holds while it stores trades of the pool: one that comes later finds our row, and removes it.
    """
    pool = Pool.objects.select_for_update(of=("self",), no_key=True).select_related("token").get(pk=pool_id)
    found = chains.chains(pools=[pool], end=until).get(pool.pk)
    # Sources that tell different times of one slot leave no order to divide by; such a curve is read whole.
    if found is None or found.first_slot != found.slots.first or chains.straddles(pool=pool, at=until, apart=_APART):
        return False
    PoolChain.objects.update_or_create(
        pool=pool,
        defaults={
            "judged_until": until,
            "first_at": found.first_at,
            "first_slot": found.first_slot,
            "last_slot": found.slots.last,
            "start": chains.start_of(pool),
            "breaks": [list(broken) for broken in found.breaks],
        },
    )
    return True


def forget(*, pools: Sequence[UUID | str], times: Sequence[datetime]) -> None:
    """Remove what is kept of ``pools`` that had judged past ``times``, one each, at which trades come or go."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"pools": list(pools), "times": list(times)})


def forget_all(*, pools: Collection[UUID | str]) -> None:
    """Remove all that is kept of ``pools``."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pool_chains WHERE pool_id = ANY(%s::uuid[])", [list(pools)])
