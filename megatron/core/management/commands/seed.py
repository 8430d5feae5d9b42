"""`manage.py seed`: what a fresh installation needs before its first day."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from megatron.core import clock, seeds
from megatron.embedded.state import operator_file, write_private


class Command(BaseCommand):
    help = (
        "Write the beat's schedule and create the account `operator` when there is no superuser. Its password is shown "
        "once; beside the embedded database it is also kept in .megatron/operator. Doing it again changes nothing."
    )

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Return the parser, with examples at the end of its help."""
        examples = "Examples: `manage.py seed` after every migrate, `manage.py seed --demo` to look around."
        return super().create_parser(prog_name, subcommand, epilog=examples, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--demo``."""
        parser.add_argument(
            "--demo", action="store_true", help="replay the bundled capture when there are no tokens yet"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and tell what was done."""
        count = seeds.write_schedule(settings.BEAT)
        self.stdout.write(f"Schedule: {count} periodic tasks.")
        password = seeds.create_operator(now=clock.utc_now())
        if password is None:
            self.stdout.write("Operator: there is a superuser already.")
        else:
            self._tell(password)
        if options["demo"]:
            self._demo()

    def _tell(self, password: str) -> None:
        self.stdout.write(f"Operator: sign in as {seeds.OPERATOR} with {password} (shown only now).")
        # A database of the operator's own outlives this folder, and so must not have its password here.
        if "DATABASE_URL" not in os.environ:
            path = operator_file(Path(settings.BASE_DIR))
            write_private(path, f"{seeds.OPERATOR} {password}\n")
            self.stdout.write(f"Kept in {path.relative_to(settings.BASE_DIR)}, for you alone.")

    def _demo(self) -> None:
        capture = Path(settings.BASE_DIR) / "tokens" / "fixtures" / "demo"
        if not capture.is_dir() or not any(capture.iterdir()):
            self.stdout.write("Demo: no capture is bundled.")
        elif apps.get_model("tokens", "Token")._default_manager.exists():
            self.stdout.write("Demo: there are tokens already.")
        else:
            for prices in sorted(capture.with_name("demo_prices").glob("*")):
                call_command("import_sol_usd", str(prices))
            call_command("replay", str(capture))
