"""Measure a list of holders from a file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from holders.domain import lists
from holders.domain.lists import ListMalformed
from holders.models import HolderSnapshot
from holders.services import snapshots
from megatron.clients import captures
from megatron.clients.ports import HeldAccount
from megatron.core import base58, clock
from megatron.core.commands import SLOTS, DoorCommand, time_of, whole_number

EXAMPLES = """
The file is JSON: [{"address": "…", "amount": 1000000}, …], one item an owner, amounts in base units, or a reply of
getTokenAccounts. It becomes a snapshot of the token's holders; accounts of programs, pools, exchanges and burned tokens are
left out of the measures with their reason. With --slot the list corrects what our own trades say.

examples:
  manage.py import_holders holders.json --mint 6gbFk1RxAsN3VMw4WUTKvhi2QXsGDBqYCKGrY4umpump
  manage.py import_holders holders.json --mint 6gbFk1RxAsN3VMw4WUTKvhi2QXsGDBqYCKGrY4umpump --slot 430727484 --json

Exit status 2 for a file that is no such list.
"""
_KEY_BYTES = 32


class Command(DoorCommand):
    help = "Measure a list of holders from a file."

    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", type=Path, help="JSON, see below")
        parser.add_argument("--mint", required=True, help="whose holders they are")
        parser.add_argument(
            "--slot", type=whole_number(0, SLOTS), help="as of which slot; the newest is not known from a file"
        )
        parser.add_argument("--at", type=time_of, metavar="TIME", help="when the list was made, ISO 8601; default: now")
        parser.add_argument("--decimals", type=whole_number(0, 18), help="of a mint that we do not know; default: 6")

    def handle(self, *args: Any, **options: Any) -> None:
        mint, decimals = options["mint"], options["decimals"]
        if not _is_key(mint):
            raise CommandError(f"{mint!r} is no mint: expected 32 bytes in base58.", returncode=2)
        try:
            listed = lists.parse(_content(options["file"]))
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.", returncode=2) from error
        except ListMalformed as error:
            raise CommandError(f"{options['file']}: {error}", returncode=2) from error
        accounts = [HeldAccount(address=item.address, owner=item.owner, raw=item.raw) for item in listed]
        at = options["at"] or clock.utc_now()
        taken = snapshots.read(token_mint=mint, accounts=accounts, slot=options["slot"], decimals=decimals, now=at)
        if taken is None:
            raise CommandError(f"{options['file']} names nobody with a balance.", returncode=2)
        row = HolderSnapshot.objects.get(token_mint=mint, snapshot_time=taken.snapshot_time)
        self.stdout.write(json.dumps(_measures(row)) if options["json"] else _words(row))


def _content(path: Path) -> bytes:
    """Return what the file holds; raises ``ListMalformed`` for more than a list can be, a device without end say."""
    with path.open("rb") as file:
        content = file.read(captures.MOST_BYTES + 1)
    if len(content) > captures.MOST_BYTES:
        raise ListMalformed(f"it is longer than {captures.MOST_BYTES >> 20} MiB.")
    return content


def _is_key(text: str) -> bool:
    try:
        return len(base58.decode(text)) == _KEY_BYTES
    except ValueError:
        return False


def _measures(row: HolderSnapshot) -> dict[str, Any]:
    names = ("gini_coefficient", "theil_index", "shannon_entropy", "hhi", "circulating_supply", "excluded_balance")
    shares = tuple(f"top_{most}_percentage" for most in (1, 5, 10, 20, 50, 100))
    found = {name: getattr(row, name) for name in (*names, *shares)}
    return {
        "token_mint": row.token_mint,
        "judged_percentage": None if row.judged_percentage is None else f"{row.judged_percentage:f}",
        "uncounted_holders": row.uncounted_holders,
        "snapshot_time": row.snapshot_time.isoformat(),
        "total_holders": row.total_holders,
        "unique_holders": row.unique_holders,
        **{name: None if value is None else f"{value:f}" for name, value in found.items()},
        "excluded": row.raw_distribution["excluded"],
    }


def _words(row: HolderSnapshot) -> str:
    excluded = len(row.raw_distribution["excluded"])
    lines = [
        f"{row.total_holders:,} holders of {row.token_mint}, {excluded} left out, {row.uncounted_holders or 0:,} with dust."
    ]
    if row.why_not_measured:
        lines.append(f"Not measured. {row.why_not_measured}.")
    lines += [f"  {one['reason']}: {one['wallet']} with {one['balance']}" for one in row.raw_distribution["excluded"]]
    if row.gini_coefficient is not None:
        lines.append(
            f"Gini {row.gini_coefficient:.4f}, Theil {row.theil_index:.4f}, entropy {row.shannon_entropy:.4f}, HHI {row.hhi:.1f}"
        )
    if row.top_1_percentage is not None:
        lines.append(
            f"The largest holds {row.top_1_percentage:.2f} % of what circulates, ten {row.top_10_percentage:.2f} %, "
            f"a hundred {row.top_100_percentage:.2f} %."
        )
    return "\n".join(lines)
