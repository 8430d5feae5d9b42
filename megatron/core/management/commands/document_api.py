"""`manage.py document_api`: the table of addresses in docs/api.md says what the OpenAPI document says."""

from argparse import ArgumentParser
from difflib import unified_diff
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from megatron.core.api import openapi
from megatron.core.commands import DoorCommand

ROOT = "/api/v1/"
BEGIN, END = "<!-- Written by `make api-document`. -->\n", "<!-- So far. -->\n"


class Command(DoorCommand):
    help = "Write the table of addresses in docs/api.md: each path, what it answers with, what it understands."
    examples = """
examples:
  manage.py document_api            after an address or a parameter was added
  manage.py document_api --check    say what differs, write nothing; exit status 1 if something does
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--check``."""
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="write nothing; fail if the table is not up to date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, or compare."""
        document = Path(settings.BASE_DIR) / "docs" / "api.md"
        if not document.is_file():
            raise CommandError(f"There is no {document}: this is for a checkout of the repository.")
        said = document.read_text()
        before, begin, rest = said.partition(BEGIN)
        table, end, after = rest.partition(END)
        if not (begin and end):
            raise CommandError(
                f"docs/api.md has lost its marks: put {BEGIN.strip()} and {END.strip()} around the table."
            )
        wanted = "".join(_table())
        if not options["check"]:
            document.write_text(before + begin + wanted + end + after)
        elif table != wanted:
            lines = unified_diff(
                table.splitlines(), wanted.splitlines(), "docs/api.md", "OpenAPI document", n=0, lineterm=""
            )
            self.stderr.write("\n".join(lines))
            raise CommandError("docs/api.md and the OpenAPI document differ: run `make api-document`.")


def _table() -> list[str]:
    rows = ["| address | what | parameters |\n", "|---|---|---|\n"]
    for one in openapi.addresses():
        address = one.path if one.path == ROOT else one.path.removeprefix(ROOT)
        method = "" if one.method == "GET" else f"{one.method} "
        named = ", ".join(f"`{name}`" for name in one.parameters)
        rows.append(f"| `{method}{address}` | {one.what.replace('|', chr(92) + '|')} | {named} |\n")
    return rows
