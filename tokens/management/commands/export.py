"""Write a table to a file that other tools read."""

import csv
import io
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db import models
from django.utils.duration import duration_iso_string

from megatron.core.commands import DoorCommand, progress, time_of
from megatron.embedded import files
from tokens.services import exports, parquet

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula; a token's name is a stranger's text."""


class Command(DoorCommand):
    help = "Write a table as CSV, JSON lines or Parquet."
    examples = """
examples:
  manage.py export transactions --format parquet --output trades.parquet --start 2026-07-04 --end 2026-07-05
  manage.py export tokens --format csv > tokens.csv
  manage.py export price_candles_1h --format jsonl | jq .close

No digit is lost: CSV and JSON lines hold amounts as text, Parquet as decimals; times are UTC. A file is written under
another name and renamed when it is whole, so a run that was cut short leaves nothing half done; a device or a FIFO is written
to as it is, and what else is no file is refused.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("table", metavar="TABLE", help=f"one of {', '.join(exports.tables())}")
        parser.add_argument("--format", choices=("csv", "jsonl", "parquet"), default="csv")
        parser.add_argument("--output", type=Path, help="the file (default: standard output; parquet needs a file)")
        parser.add_argument("--start", type=time_of, help="first moment of a time series, ISO-8601, UTC")
        parser.add_argument("--end", type=time_of, help="first moment after, ISO-8601, UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        table, form, output = options["table"], options["format"], options["output"]
        if table not in exports.tables():
            raise CommandError(f"There is no table {table}. Choose from {', '.join(exports.tables())}.", returncode=2)
        if form == "parquet" and output is None:
            raise CommandError("Parquet needs a file: add --output FILE.", returncode=2)
        if (options["start"] or options["end"]) and not exports.time_column(table):
            raise CommandError(f"{table} is no time series: leave out --start and --end.", returncode=2)
        chunks = exports.stream(table=table, start=options["start"], end=options["end"])
        with progress(quiet=options["json"] or output is None) as bar:
            work = bar.add_task("export", total=None, told="")
            counted = _counted(chunks, lambda rows: bar.update(work, told=f"{rows:,} rows"))
            try:
                rows = _FORMATS[form](exports.fields(table), counted, output)
            except BrokenPipeError:  # the reader has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return
            except OSError as error:
                raise CommandError(f"{output} cannot be written: {error.strerror or error}.", returncode=1) from error
        if not rows and (options["start"] or options["end"]):
            self.stderr.write(f"0 rows: nothing {_between(options['start'], options['end'])}.")
        if output is not None:
            self.show({"table": table, "rows": rows, "file": str(output)}, as_json=options["json"])


def _between(start: datetime | None, end: datetime | None) -> str:
    first, last = (None if at is None else at.isoformat(sep=" ", timespec="seconds") for at in (start, end))
    return f"between {first} and {last}" if first and last else f"from {first} on" if first else f"before {last}"


Chunks = Iterator[list[tuple[Any, ...]]]


def _counted(chunks: Chunks, tell: Callable[[int], None]) -> Chunks:
    total = 0
    for rows in chunks:
        total += len(rows)
        tell(total)
        yield rows


@contextmanager
def _file(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with files.whole(output) as unfinished:
        file = io.TextIOWrapper(unfinished, newline="", encoding="utf-8")
        yield file
        file.detach()  # after a flush; the helper closes what it opened


def _csv(fields: "list[models.Field[Any, Any]]", chunks: Chunks, output: Path | None) -> int:
    total = 0
    with _file(output) as file:
        writer = csv.writer(file)
        writer.writerow([field.column for field in fields])
        for rows in chunks:
            writer.writerows([_cell(value) for value in row] for row in rows)
            total += len(rows)
    return total


def _jsonl(fields: "list[models.Field[Any, Any]]", chunks: Chunks, output: Path | None) -> int:
    total, names = 0, [field.column for field in fields]
    documents = [field.column for field in fields if isinstance(field, models.JSONField)]
    with _file(output) as file:
        for rows in chunks:
            for row in rows:
                line = dict(zip(names, map(_plain, row), strict=True))
                # The database gives a document as text; its decimals stay text, so that they keep their digits.
                line |= {name: json.loads(line[name], parse_float=str) for name in documents if line[name] is not None}
                file.write(json.dumps(line) + "\n")
            total += len(rows)
    return total


def _parquet(fields: "list[models.Field[Any, Any]]", chunks: Chunks, output: Path | None) -> int:
    if output is None:
        raise CommandError("Parquet needs a file: add --output FILE.", returncode=2)
    return parquet.write(path=output, fields=fields, chunks=chunks)


_FORMATS = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_iso_string(value)
    return str(value) if isinstance(value, UUID) else value


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else _plain(value)
