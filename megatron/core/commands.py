"""What the rooms' commands share: help with examples, a progress bar on a terminal, one JSON object for machines."""

import json
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


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
        raise ArgumentTypeError(f"{text!r} is no time. Write 2026-07-04 or 2026-07-04T12:30:00Z.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
