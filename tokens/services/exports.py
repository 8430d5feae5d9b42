"""Tables as files: streamed from one consistent snapshot, a bounded number of rows in memory."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import BinaryField, Field

from megatron.core.timescale.fields import HypertableTimeField

_CHUNK = 5_000


def tables() -> list[str]:
    """Return the tables that can be exported: this room's, by name, without the bytes of rejected messages."""
    return sorted(model._meta.db_table for model in apps.get_app_config("tokens").get_models() if model._meta.managed)


def fields(table: str) -> "list[Field[Any, Any]]":
    """Return the exported columns of a table, in order. Raises ``KeyError`` for a table that is not exported."""
    return [field for field in _options(table).concrete_fields if not isinstance(field, BinaryField)]


def time_column(table: str) -> str | None:
    """Return the column that a time series is cut by, ``None`` for another table. Raises like :func:`fields`."""
    return next((field.column for field in fields(table) if isinstance(field, HypertableTimeField)), None)


def stream(*, table: str, start: Any = None, end: Any = None) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table, in the order of its key, a few thousand rows at a time.

    ``start`` and ``end`` bound the time of a time series, half-open. Raises ``KeyError`` for a table that is not
    exported. One transaction: all rows are of one snapshot.
    """
    exported, time, key = fields(table), time_column(table), _options(table).pk.column
    where, params = [], []
    if time is not None:
        for bound, sign in ((start, ">="), (end, "<")):
            if bound is not None:
                where.append(f'"{time}" {sign} %s')
                params.append(bound)
    columns = ", ".join(f'"{field.column}"' for field in exported)
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    order = f'"{time}", "{key}"' if time is not None else f'"{key}"'
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM "{table}"{condition} ORDER BY {order}', params)
        while rows := cursor.fetchmany(_CHUNK):
            yield rows


def _options(table: str) -> Any:
    for model in apps.get_app_config("tokens").get_models():
        if model._meta.db_table == table:
            return model._meta
    raise KeyError(table)
