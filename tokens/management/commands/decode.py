"""``manage.py decode``: what captured messages say, one event a line, without a database."""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from megatron.clients import captures
from tokens.domain.decode import Outcome, Undecodable, decode_message, encode

_EXAMPLES: Final = """\
Reads getTransaction and getBlock replies, logsSubscribe, blockSubscribe and transactionSubscribe frames, Helius webhook
bodies, PumpPortal frames, the trades table (CSV) and its own output; plain or gzip. What a file is, its content says.

  manage.py decode tokens/fixtures/demo/logs-2026-07-04.jsonl.gz   the events of one file (here the bundled capture)
  manage.py decode captures/ > events.jsonl    of a folder and its folders; progress and summary stay on the terminal
  zcat capture.gz | manage.py decode -         of standard input
  manage.py decode --json captures/ 2> summary.json >/dev/null     only the counts, as one JSON object

Exit codes: 0 all input was understood, 1 some was not (the rest is printed all the same), 2 the call was wrong.
"""


_REDRAW_AFTER: Final = 500  # messages


class Command(BaseCommand):
    """Prints events to standard output and counts to standard error."""

    help = "Print what captured launchpad messages say, one event a line."
    requires_system_checks = ()
    requires_migrations_checks = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Return the parser; the examples keep their lines."""
        kwargs |= {"formatter_class": RawDescriptionHelpFormatter, "epilog": _EXAMPLES}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for standard input")
        parser.add_argument("--json", action="store_true", help="write the summary as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Decode everything, then exit with 1 if something was not understood."""
        tally = Tally()
        paths: list[Path | Literal["-"]] = ["-" if path == "-" else Path(path) for path in options["paths"]]
        console = Console(stderr=True)
        try:
            with Progress(
                TextColumn("{task.completed:,.0f} messages"),
                TimeElapsedColumn(),
                console=console,
                transient=True,
                disable=not sys.stderr.isatty(),
            ) as progress:
                task, shown = progress.add_task("decode", total=None), 0
                for line in tally.lines(captures.read(paths)):
                    self.stdout.write(line)
                    if tally.messages >= shown + _REDRAW_AFTER:
                        shown = tally.messages
                        progress.update(task, completed=shown)
            self.stdout.flush()
        except FileNotFoundError as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        except BrokenPipeError:  # the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        self.stderr.write(tally.as_json() if options["json"] else tally.as_text(), style_func=str)
        if tally.undecodable:
            sys.exit(1)


class Tally:
    """Counts what went by."""

    def __init__(self) -> None:
        self.messages = 0
        self.outcomes: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.undecodable: Counter[str] = Counter()
        self.drift: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def lines(self, messages: Iterator[captures.Message | captures.Cut]) -> Iterator[str]:
        """Yield every event as a line of JSON."""
        for message in messages:
            self.messages += 1
            if isinstance(message, captures.Cut):
                self._refuse("cut", message.source, message.detail)
                continue
            try:
                decoded = decode_message(message.payload)
            except Undecodable as refusal:
                self._refuse(refusal.reason, message.source, refusal.detail)
                continue
            for one in decoded:
                self.drift.update(one.drift)
                self.missing.update(reason.value for reason in one.missing)
                if one.outcome is Outcome.UNDECODABLE:
                    self._refuse(one.reason, message.source, one.detail)
                    continue
                self.outcomes[one.outcome.value] += 1
                for event in one.events:
                    self.events[f"{event.program.value} {event.kind.value}"] += 1
                    yield encode(event).decode()

    def _refuse(self, reason: str, source: str, detail: str) -> None:
        self.outcomes[Outcome.UNDECODABLE.value] += 1
        self.undecodable[reason] += 1
        self.examples.setdefault(reason, f"{source}: {detail}")

    def as_json(self) -> str:
        """Return the counts as one JSON object."""
        counts = {name: dict(counter.most_common()) for name, counter in self._counters()}
        return msgspec.json.encode({"messages": self.messages, **counts, "examples": self.examples}).decode()

    def as_text(self) -> str:
        """Return the counts for people."""
        lines = [f"{self.messages:,} messages"]
        for name, counter in self._counters():
            for key, count in counter.most_common():
                example = f"   e.g. {self.examples[key]}" if name == "undecodable" else ""
                words = Outcome(key).words if name == "outcomes" else key
                lines.append(f"  {name:<12}{words:<28}{count:>10,}{example}")
        return "\n".join(lines)

    def _counters(self) -> tuple[tuple[str, Counter[str]], ...]:
        return (
            ("outcomes", self.outcomes),
            ("events", self.events),
            ("undecodable", self.undecodable),
            ("missing", self.missing),
            ("drift", self.drift),
        )
