"""Which columns a list reads: those that it shows, and of the rest none that is wide."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import QuerySet

WIDE = (models.JSONField, models.BinaryField, models.TextField, ArrayField)
"""Columns that may be longer than all others of a row together; PostgreSQL keeps the longest outside of it."""

_Row = TypeVar("_Row", bound=models.Model)


def without_unshown(rows: "QuerySet[_Row]", shown: Collection[str]) -> "QuerySet[_Row]":
    """Return ``rows`` without the wide columns that are not among ``shown``, its own and those of rows that are joined.

    ``shown`` has names of columns as Django spells them (``token__metadata``), or of what is inside one.
    """
    if rows.query.combinator or getattr(rows, "_fields", None) is not None:
        return rows
    unshown = [name for name in wide(rows) if not any(it == name or it.startswith(f"{name}__") for it in shown)]
    return rows.defer(*unshown) if unshown else rows


def wide(rows: QuerySet[Any]) -> Iterator[str]:
    """Yield the wide columns of ``rows`` and of those that are joined to be fetched."""
    return _wide(rows.model, rows.query.select_related, "")


def _wide(model: Any, joined: "bool | Mapping[str, Any]", path: str) -> Iterator[str]:
    for field in model._meta.concrete_fields:
        if isinstance(field, WIDE):
            yield f"{path}{field.name}"
    if not isinstance(joined, bool):
        for name, further in joined.items():
            yield from _wide(model._meta.get_field(name).related_model, further, f"{path}{name}__")
