"""`manage.py api_key`: issue, list and revoke the keys that programs use."""

import getpass
import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from megatron.core import api_keys, clock
from megatron.core.choices import Scope
from megatron.core.commands import whole_number, words
from megatron.core.models import MOST_A_MINUTE, ApiKey

EXAMPLES = (
    "Examples: `manage.py api_key create grafana --scope metrics --days 365`, `manage.py api_key list --json`, "
    "`manage.py api_key revoke grafana --reason 'left on a train'`."
)

NAME_LENGTH = 100
MOST_DAYS = 36_500


class Command(BaseCommand):
    help = "Issue, list and revoke API keys. A key is shown once, when it is issued; only its hash is kept."

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Return the parser, with examples at the end of its help."""
        return super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the three subcommands."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="create | revoke | list")
        create = commands.add_parser("create", help="issue a key and print it, once")
        create.add_argument("name", type=words(NAME_LENGTH), help="who uses it, e.g. grafana")
        create.add_argument(
            "--scope", action="append", choices=Scope.values, help="what it may do; may be repeated (default: read)"
        )
        create.add_argument(
            "--rate",
            type=whole_number(1, MOST_A_MINUTE),
            default=600,
            metavar="N",
            help="requests a minute (default: 600)",
        )
        create.add_argument(
            "--days", type=whole_number(1, MOST_DAYS), metavar="N", help="valid so many days (default: until revoked)"
        )
        revoke = commands.add_parser("revoke", help="end a key at once")
        revoke.add_argument("name", type=words(NAME_LENGTH), help="its name or prefix")
        revoke.add_argument("--reason", type=words(500), required=True, help="why; the audit log keeps it")
        listing = commands.add_parser("list", help="show all keys, without secrets")
        listing.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one subcommand."""
        {"create": self._create, "revoke": self._revoke, "list": self._list}[options["command"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        now = clock.utc_now()
        try:
            _, key = api_keys.issue(
                name=options["name"],
                scopes=options["scope"] or [Scope.READ],
                rate_per_minute=options["rate"],
                expires_at=now + timedelta(days=options["days"]) if options["days"] else None,
                actor=_actor(),
                now=now,
            )
        except IntegrityError as error:
            raise CommandError(f"There is a key named {options['name']} already.") from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stderr.write("Keep this key: it is not shown again.")
        self.stdout.write(key)

    def _revoke(self, options: dict[str, Any]) -> None:
        name = options["name"]
        key = ApiKey.objects.filter(name=name).first() or ApiKey.objects.filter(prefix=name).first()
        if key is None:
            raise CommandError(f"There is no key {name}.")
        try:
            api_keys.revoke(key, actor=_actor(), reason=options["reason"], now=clock.utc_now())
        except api_keys.AlreadyRevoked as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{key.name} is revoked.")

    def _list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.order_by("name"):
            times = {name: getattr(key, name) for name in ("expires_at", "revoked_at", "last_used_at")}
            shown = {
                "name": key.name,
                "prefix": key.prefix,
                "scopes": key.scopes,
                "rate_per_minute": key.rate_per_minute,
            }
            shown |= {name: at.isoformat() if at else None for name, at in times.items()}
            if options["json"]:
                self.stdout.write(json.dumps(shown))
            else:
                self.stdout.write("  ".join(f"{name}={value}" for name, value in shown.items() if value))


def _actor() -> str:
    """Return who sits at the terminal."""
    try:
        return f"terminal:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, as in a container
        return "terminal"
