"""Break one rule of the database at a time, behind the model's back, and hear which rule refused.

A recipe is what to change in a valid row. What a field type rules out needs no recipe: the type says what breaks it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, models, transaction

from megatron.core.fields import PercentField, PriceField, PubkeyField, SignatureField, U64Field

Change = Mapping[str, Any]
Build = Callable[[], models.Model]
Case = tuple[str, Build, Change]
"""A constraint's name, how to make a valid row of its table, and the columns whose new values break it."""

NOBODY = UUID(int=0xDEAD)

_BREAKS: "tuple[tuple[type[models.Field[Any, Any]], Sequence[Any]], ...]" = (
    (U64Field, (-1, 2**64)),
    (PriceField, (-1,)),
    (PercentField, (-1, 101)),
    (SignatureField, ("1" * 63, "0" * 64)),
    (PubkeyField, ("1" * 31, "0" * 32)),
    (models.PositiveIntegerField, (-1,)),
    (models.PositiveSmallIntegerField, (-1,)),
    (models.PositiveBigIntegerField, (-1,)),
)


def field_cases(build: Build, model: type[models.Model]) -> Iterator[Case]:
    """Yield a case for each value that a field's own CHECK must refuse, and for each foreign key an absent parent."""
    table = model._meta.db_table
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.ForeignKey):
            if field.db_constraint:
                yield f"{table}_{field.column}", build, {field.column: NOBODY}
        elif not isinstance(field, models.GeneratedField) and field.db_check(connection):
            values = next(values for kind, values in _BREAKS if isinstance(field, kind))
            if getattr(field, "hot", False):
                values = [value for value in values if "0" not in value]
            yield from ((f"{table}_{field.column}_check", build, {field.column: value}) for value in values)


def plain(name: str) -> str:
    """Return a constraint's name without the digest and the target that Django appends to a foreign key's, and without
    the two numbers that TimescaleDB puts before the name of a chunk's own copy."""
    return re.sub(r"^\d+_\d+_", "", re.sub(r"_[0-9a-f]{8}_fk_\w+$", "", name))


def refusal(build: Build, change: Change) -> str:
    """Return the name of the rule that refuses ``change`` in a valid row. Fails when nothing does."""
    row = build()
    return _refused_by(type(row), change, row.pk)


def refusal_of_second(build: Build, columns: Sequence[str]) -> str:
    """Return the name of the rule that refuses a second row with the first one's ``columns``."""
    first, second = build(), build()
    names = {field.column: field.attname for field in first._meta.local_concrete_fields}
    return _refused_by(type(second), {column: getattr(first, names[column]) for column in columns}, second.pk)


def _refused_by(model: type[models.Model], change: Change, key: Any) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(column)} = %s" for column in change)
    statement = f"UPDATE {quote(model._meta.db_table)} SET {columns} WHERE {quote(model._meta.pk.column)} = %s"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(statement, [*change.values(), key])
    except IntegrityError as error:
        return name_in(error)
    raise AssertionError(f"{model._meta.db_table} took {dict(change)}")


def name_in(error: IntegrityError) -> str:
    """Return the name of the constraint that an error speaks of."""
    cause: Any = error.__cause__
    return plain(cause.diag.constraint_name)
