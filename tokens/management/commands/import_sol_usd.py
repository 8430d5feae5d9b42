"""Import SOL/USD samples from a file, and give USD values to the trades that waited for them."""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from pyarrow import ArrowInvalid, feather, parquet

from megatron.clients import captures
from megatron.core import clock
from megatron.core.chain import AHEAD
from megatron.core.commands import DoorCommand, progress
from tokens.choices import PriceOrigin
from tokens.services import candles, prices

_TIMES = ("price_time", "timestamp", "time", "date", "datetime", "open_time", "block_time")
_PRICES = ("price_usd", "price", "open", "close")
_BATCH = 5_000
_EARLIEST = datetime(2020, 3, 16, tzinfo=UTC)
"""Solana's first block: an earlier time was read from the wrong column."""
_PLACES = Decimal("0.000001")
_LIMIT = Decimal(10**14)
"""What the column holds, NUMERIC(20,6)."""


class Command(DoorCommand):
    help = "Import SOL/USD samples, and give USD values to the trades whose price comes with them."
    examples = """
examples:
  manage.py import_sol_usd SOLUSDT_5m.csv
  manage.py import_sol_usd SOL_USDT-1h.feather
  manage.py import_sol_usd prices.jsonl --source hermes

A file is a table (.csv, .csv.gz, .jsonl, .feather, .parquet) with a time column (price_time, timestamp, time or date;
ISO-8601, unix seconds or milliseconds) and a price column (price_usd, price, or open: a candle's open is the one price
in it whose moment is known). A trade takes the newest sample that is at most 120 seconds older than itself; importing
the same file again adds nothing.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("path", type=Path, metavar="PATH")
        parser.add_argument(
            "--source", choices=PriceOrigin.values, default=PriceOrigin.IMPORTED.value, help="who gave the prices"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        read = new = 0
        with progress(quiet=options["json"]) as bar:
            work = bar.add_task("import", total=None, told="")
            samples = _samples(path, PriceOrigin(options["source"]))
            while batch := list(islice(samples, _BATCH)):
                read += len(batch)
                new += prices.record(samples=batch, now=clock.utc_now())
                bar.update(work, told=f"{read:,} samples")
            bar.update(work, told="filling USD values")
            filled = prices.fill_all(now=clock.utc_now())
            rolled = candles.roll_all(now=clock.utc_now())
        self.show({"samples": read, "new": new, "trades_filled": filled, "candles": rolled}, as_json=options["json"])


def _samples(path: Path, source: PriceOrigin) -> Iterator[prices.Sample]:
    for number, row in enumerate(_rows(path), 1):
        try:
            sample = prices.Sample(_time(_first(row, _TIMES)), _price(_first(row, _PRICES)), source)
        except (AttributeError, ValueError, InvalidOperation, OverflowError) as error:
            wanted = f"a time ({', '.join(_TIMES)}) and a price ({', '.join(_PRICES)})"
            raise CommandError(f"{path}: row {number} does not hold {wanted}: {row}", returncode=1) from error
        yield sample


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    name = path.name.removesuffix(".gz")
    try:
        if name.endswith(".feather"):
            yield from feather.read_table(path).to_pylist()
        elif name.endswith(".parquet"):
            yield from parquet.read_table(path).to_pylist()
        else:
            lines = captures.text_lines(path)
            yield from map(json.loads, lines) if name.endswith(".jsonl") else csv.DictReader(lines)
    except (ArrowInvalid, OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise CommandError(f"{path} cannot be read as a table: {error}", returncode=1) from error


def _first(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _price(value: Any) -> Decimal:
    price = Decimal(str(value)).quantize(_PLACES)
    if not 0 < price < _LIMIT:  # nor NaN, with which every comparison is an error
        raise ValueError(f"{price} is no price")
    return price


def _time(value: Any) -> datetime:
    text = str(value)
    if isinstance(value, datetime):
        at = value
    elif text.replace(".", "", 1).isdigit():
        seconds = Decimal(text)
        at = datetime.fromtimestamp(float(seconds / 1000 if seconds > 10**11 else seconds), UTC)
    else:
        at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at < _EARLIEST:
        raise ValueError(f"{at} is before Solana")
    if at > clock.utc_now() + AHEAD:
        raise ValueError(f"{at} is still to come")
    return at
