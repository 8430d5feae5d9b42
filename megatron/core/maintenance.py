"""What a database wants each night: fresh statistics, nothing kept that has expired, and an eye on dead rows."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.contrib.sessions.models import Session
from django.db import connection

from megatron.core.api.idempotency import KEPT
from megatron.core.models import IdempotencyRecord

MANY_DEAD_ROWS = 100_000
DEAD_RATIO = 0.2
"""So many and such a part of a table: autovacuum should have come. PostgreSQL itself comes at the same part."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What one night did: tables whose statistics are new, expired rows that went, tables autovacuum did not reach."""

    analyzed: tuple[str, ...]
    forgotten: int
    unvacuumed: tuple[str, ...]


def run(*, now: datetime) -> Maintained:
    """Renew statistics, forget what has expired at ``now``, and warn of tables full of dead rows.

    Not one transaction: each step is committed by itself and harmless to do again.
    """
    done = Maintained(_analyze(), forget_expired(now=now), _unvacuumed())
    for table in done.unvacuumed:
        logger.warning("table.unvacuumed", table=table, hint=f"VACUUM {table}; then look why autovacuum did not come")
    logger.info("maintenance.done", analyzed=len(done.analyzed), forgotten=done.forgotten)
    return done


def forget_expired(*, now: datetime) -> int:
    """Delete sessions and answers kept for a repeated write that have expired at ``now``; return how many."""
    sessions, _ = Session.objects.filter(expire_date__lt=now).delete()
    records, _ = IdempotencyRecord.objects.filter(stored_at__lt=now - KEPT).delete()
    return sessions + records


def _analyze() -> tuple[str, ...]:
    """Renew the statistics of our own tables. Autovacuum does chunks and plain tables, but never a hypertable itself."""
    tables = tuple(sorted(connection.introspection.django_table_names(only_existing=True)))
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(table)}")
    return tables


def _unvacuumed() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', schemaname, relname) FROM pg_stat_user_tables"
            " WHERE n_dead_tup > %s AND n_dead_tup > %s * n_live_tup ORDER BY 1",
            [MANY_DEAD_ROWS, DEAD_RATIO],
        )
        return tuple(name for (name,) in cursor.fetchall())
