"""TimescaleDB's own jobs, kept equal to the retention policies. Only for servers of the level ``community``."""

import logging
from collections.abc import Iterable

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


def follow(held: Iterable[str]) -> Iterable[str]:
    """Make TimescaleDB's jobs equal to the policies, none that drops for a held table; yield the tables changed."""
    known = time_columns().keys() | {refresh.aggregate for refresh in REFRESHES}
    for policy in RetentionPolicy.objects.filter(table_name__in=known).order_by("table_name"):
        table = policy.table_name
        # A job would not wait for the export.
        drop_after = None if table in held or policy.export_before_drop else policy.drop_after
        wanted = policies.Policies(drop_after, policy.compress_after, policy.segment_by, policy.order_by)
        with transaction.atomic(), connection.cursor() as cursor:
            statements = _statements(table, policies.read(connection, table), wanted)
            for statement in statements:
                cursor.execute(statement)
        if statements:
            logger.info("The jobs of %s follow its retention policy now.", table)
            yield table


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
    if wanted.drop_after != now_set.drop_after:
        statements.append(policies.remove_retention_sql(table))
        if wanted.drop_after:
            statements.append(policies.add_retention_sql(table, wanted.drop_after))
    return statements
