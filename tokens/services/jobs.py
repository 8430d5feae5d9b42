"""TimescaleDB's own jobs that compress, kept equal to the retention policies. Only for servers of the level ``community``.

No job of TimescaleDB drops: one that is found, of an older version or made by hand, is removed.
"""

import logging

from django.apps import apps
from django.db import connection, transaction

from megatron.core.timescale import policies
from megatron.core.timescale.fields import HypertableTimeField
from tokens.domain.retention import REFRESHES
from tokens.models import RetentionPolicy

logger = logging.getLogger(__name__)


def time_columns() -> dict[str, str]:
    """Return the time column of each hypertable of the project by its table's name."""
    return {
        model._meta.db_table: field.column
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, HypertableTimeField)
    }


def followed() -> list[str]:
    """Return the tables and aggregates whose policies TimescaleDB's jobs follow, by name."""
    known = time_columns().keys() | {refresh.aggregate for refresh in REFRESHES}
    found = RetentionPolicy.objects.filter(table_name__in=known).order_by("table_name")
    return list(found.values_list("table_name", flat=True))


@transaction.atomic
def follow(table: str) -> bool:
    """Make TimescaleDB's jobs of ``table`` do what its policy says, and none of them drop; return whether something changed.

    Raises ``DatabaseError`` or ``ValueError`` for what TimescaleDB does not take; then nothing has changed.
    """
    policy = RetentionPolicy.objects.get(table_name=table)
    wanted = policies.Policies(None, policy.compress_after, policy.segment_by, policy.order_by)
    statements = _statements(table, policies.read(connection, table), wanted)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    if statements:
        logger.info("The jobs of %s follow its retention policy now.", table)
    return bool(statements)


def _statements(table: str, now_set: policies.Policies, wanted: policies.Policies) -> list[str]:
    """Return what to run so that ``table`` does what is ``wanted``; empty when it does already."""
    statements = []
    columns = (wanted.segment_by, wanted.order_by)
    if wanted.compress_after and columns != (now_set.segment_by, now_set.order_by):
        statements.append(policies.compression_settings_sql(table, *columns))
    if wanted.compress_after != now_set.compress_after:
        statements.append(policies.remove_compression_sql(table))
        if wanted.compress_after:
            statements.append(policies.add_compression_sql(table, wanted.compress_after))
    if now_set.drop_after:
        statements.append(policies.remove_retention_sql(table))
    return statements
