"""Rows of hypertables by their id: the id carries the time, and the time says which chunk to look in."""

from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from megatron.core import ids

_Row = TypeVar("_Row", bound=Model)


def chunked_object(rows: QuerySet[_Row], object_id: str, time_field: str) -> _Row | None:
    """Return the row with ``object_id`` or ``None``; only the chunk of that time is read."""
    try:
        identifier = UUID(object_id)
        at = ids.time_of(identifier)
    except (ValueError, OverflowError):  # no identifier, or one whose first bits are no time of this calendar
        return None
    window = {f"{time_field}__gte": at, f"{time_field}__lt": at + timedelta(milliseconds=1)}
    return rows.filter(pk=identifier, **window).first()
