"""What the rooms' commands share: help with examples, a progress bar on a terminal, one JSON object for machines,
and options that are checked before anything begins."""

import json
import re
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import UTC, datetime
from math import nan
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

SLOTS = 10**12
"""The last slot that can be meant: the chain comes there in twelve thousand years."""
MINT_LENGTH = 44
"""The longest address in base58."""
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


class DoorCommand(BaseCommand):
    """A command whose ``examples`` end its help and whose result is a table, or JSON with ``--json``."""

    examples = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, epilog=self.examples, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def show(self, result: dict[str, Any], *, as_json: bool) -> None:
        """Print a result; nested counts become one line."""
        if as_json:
            self.stdout.write(json.dumps(result))
            return
        table = Table(show_header=False, box=None)
        for name, value in result.items():
            table.add_row(name.replace("_", " "), _told(value))
        Console(file=self.stdout).print(table)  # type: ignore[arg-type]


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count:,} {key}" for key, count in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def progress(*, quiet: bool, counted: bool = False) -> Progress:
    """Return a progress bar on standard error, where it does not mix with results; nothing without a terminal.

    ``counted`` shows how many of how many instead of a percentage.
    """
    done = MofNCompleteColumn() if counted else TextColumn("{task.percentage:>3.0f} %")
    bar = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), done)
    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    return Progress(*bar, TextColumn("{task.fields[told]}"), TimeElapsedColumn(), console=console, disable=hidden)


def time_of(text: str) -> datetime:
    """Read an ISO-8601 time or date; without an offset it is UTC. Raises ``ArgumentTypeError`` that shows the form."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{_shown(text)} is no time. Write 2026-07-04 or 2026-07-04T12:30:00Z.") from error
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:  # beyond, other time zones have no such time
        raise ArgumentTypeError(f"{_shown(text)} is no time of the years {_FIRST_YEAR} to {_LAST_YEAR}.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def number(least: float, most: float) -> Callable[[str], float]:
    """Return what reads a finite number from ``least`` to ``most``; raises ``ArgumentTypeError`` that says the range."""

    def read(text: str) -> float:
        try:
            # float() would take "1_0" and other scripts' digits.
            value = float(text) if text.isascii() and "_" not in text else nan
        except ValueError:
            value = nan
        if not least <= value <= most:  # nor NaN, which no comparison holds for
            raise ArgumentTypeError(f"{_shown(text)} is no number from {least:,g} to {most:,g}.")
        return value

    return read


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` to ``most``; raises ``ArgumentTypeError`` that says the range."""

    def read(text: str) -> int:
        # int() would take "1_0" and other scripts' digits, and refuses thousands of digits in words of its own.
        value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else None
        if value is None or not least <= value <= most:
            raise ArgumentTypeError(f"{_shown(text)} is no whole number from {least:,} to {most:,}.")
        return value

    return read


def words(most: int) -> Callable[[str], str]:
    """Return what reads a text of 1 to ``most`` characters that can be printed, and so stored; raises ``ArgumentTypeError``."""

    def read(text: str) -> str:
        if not text.strip() or len(text) > most or not text.isprintable():
            raise ArgumentTypeError(f"{_shown(text)} is no text of 1 to {most} printable characters.")
        return text

    return read


def _shown(text: str) -> str:
    """Return what was typed, in ASCII and not at any length."""
    return ascii(text if len(text) <= 40 else f"{text[:40]}…")
