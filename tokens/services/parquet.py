"""Rows as Parquet files: every digit kept, and a file is either whole or not there."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as arrow
from django.contrib.postgres.fields import ArrayField
from django.db import models
from pyarrow import parquet

from megatron.embedded import files


def write(*, path: Path, fields: "Sequence[models.Field[Any, Any]]", chunks: Iterable[list[tuple[Any, ...]]]) -> int:
    """Write rows to ``path`` and return how many. A file that cannot be finished leaves nothing behind, and nothing
    but a regular file is replaced.

    Decimals have the database's width, times are UTC in microseconds, identifiers are text. Raises ``OSError``.
    """
    total = 0
    schema = arrow.schema([(field.column, _type(field)) for field in fields])
    with files.whole(path) as unfinished, parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        for rows in chunks:
            columns = zip(*rows, strict=True)
            arrays = [
                arrow.array([_value(value) for value in column], kind.type)
                for column, kind in zip(columns, schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            total += len(rows)
    return total


def count(path: Path) -> int:
    """Return how many rows the file says it holds."""
    return int(parquet.read_metadata(path).num_rows)


def column(path: Path, *, name: str, size: int) -> Iterator[list[Any]]:
    """Yield the values of one column in the file's order, at most ``size`` at a time."""
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=size, columns=[name]):
            yield batch.column(0).to_pylist()


def _type(field: "models.Field[Any, Any]") -> arrow.DataType:
    """Return the column type that keeps every digit: decimals of the database's width, times in UTC."""
    if isinstance(field, models.GeneratedField) and field.output_field is not None:
        return _type(field.output_field)
    if isinstance(field, models.DecimalField):
        wide = field.max_digits > 38
        return (arrow.decimal256 if wide else arrow.decimal128)(field.max_digits, field.decimal_places)
    if isinstance(field, models.DateTimeField):
        return arrow.timestamp("us", "UTC")
    if isinstance(field, models.DurationField):
        return arrow.duration("us")
    if isinstance(field, ArrayField):
        return arrow.list_(_type(field.base_field))
    if isinstance(field, models.BooleanField):
        return arrow.bool_()
    return arrow.int64() if isinstance(field, models.IntegerField) else arrow.string()


def _value(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
