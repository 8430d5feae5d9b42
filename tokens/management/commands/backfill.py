"""Ask the chain for a stretch of slots and store what we do not have."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress, TaskID

from megatron.clients import registry
from megatron.clients.errors import ClientError
from megatron.clients.ports import ChainReader
from megatron.core import clock, queue
from megatron.core.commands import SLOTS, DoorCommand, progress, whole_number, words
from tokens.choices import Program
from tokens.models import SlotGap
from tokens.selectors import feeds
from tokens.services import gaps

EXAMPLES = """
examples:
  manage.py backfill pumpfun --from-slot 420000000 --to-slot 420001000
  manage.py backfill pumpswap --from-slot 419000000 --to-slot 420000000 --reason "the week before we watched" --json

Both slots belong to the stretch. It is kept as a gap: a run that was cut short goes on where it stopped when the same command
is given again, and workers heal it meanwhile. What is stored already stays as it is. Exit status 1 when the chain does not
give what it has, 2 for a wrong call.
"""
ACTOR = "manage.py backfill"
PAUSE_SECONDS = 1.0


class Command(DoorCommand):
    help = "Ask the chain for everything that a venue did in a stretch of slots, and store what is missing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("venue", choices=Program.values, help="which program's transactions")
        parser.add_argument("--from-slot", type=whole_number(0, SLOTS), required=True, metavar="A", help="first slot")
        parser.add_argument(
            "--to-slot", type=whole_number(0, SLOTS), required=True, metavar="B", help="last slot, included"
        )
        parser.add_argument(
            "--reason", type=words(500), default="asked for by hand", help="why; the audit log keeps it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        first, last, started = options["from_slot"], options["to_slot"], time.monotonic()
        if last < first:
            raise CommandError("--to-slot must not be before --from-slot.", returncode=2)
        chain = _chain(last)
        gap = _gap(Program(options["venue"]), first, last, options["reason"])
        with progress(quiet=options["json"]) as bar:
            _heal(gap, chain, bar, bar.add_task("backfill", total=last - first + 1, told=""))
        result = {
            "venue": gap.venue,
            "slot_from": first,
            "slot_to": last,
            "outcome": gap.outcome,
            "transactions_found": gap.transactions_found,
            "seconds": round(time.monotonic() - started, 1),
        }
        self.show(result, as_json=options["json"])


def _chain(last: int) -> ChainReader:
    """Return the reader of the chain, which has come as far as ``last``."""
    try:
        chain = registry.chain()
        newest = chain.get_slot(finalized=True)
    except registry.NotConfigured as lacking:
        raise CommandError(str(lacking), returncode=2) from lacking
    except ClientError as error:
        raise CommandError(f"The chain does not answer: {error}", returncode=1) from error
    if last > newest:
        raise CommandError(f"Slot {last} is not final yet; the newest that is final is {newest}.", returncode=2)
    return chain


def _gap(venue: Program, first: int, last: int, reason: str) -> SlotGap:
    """Return the gap of an earlier run that did not come to its end, else a new one."""
    now = clock.utc_now()
    gap = feeds.find_asked(venue=venue, slot_from=first, slot_to=last)
    if gap is None:
        return gaps.ask(venue=venue, slot_from=first, slot_to=last, operator=ACTOR, reason=reason, now=now)
    mine = SlotGap.objects.filter(id=gap.id)
    if gap.quarantined_at is not None:
        queue.release(mine, operator=ACTOR, reason=reason, now=now)
    else:
        queue.retry(mine, operator=ACTOR, reason=reason, now=now)
    return gap


def _heal(gap: SlotGap, chain: ChainReader, bar: Progress, task: TaskID) -> None:
    """Heal the gap to its end, pass by pass; a worker may do some of them."""
    while True:
        now = clock.utc_now()
        gaps.heal_due(chain=chain, now=now, limit=1, only=gap.id)
        gap.refresh_from_db()
        total = (gap.slot_to or gap.slot_from) - gap.slot_from + 1
        done = total if gap.finished_at else 0 if gap.healed_to is None else gap.healed_to - gap.slot_from + 1
        told = f"{done:,} of {total:,} slots, {gap.transactions_found:,} stored"
        if gap.finished_at is not None:
            bar.update(task, completed=done, told=told)
            return
        # A provider that refuses will refuse the next time as well.
        if gap.quarantined_at is not None or gap.last_error.startswith("Refused:"):
            raise CommandError(
                f"It does not heal. {gap.last_error} What was stored stays; the gap is open.", returncode=1
            )
        waits = gap.due_at > now or gap.leased_until is not None
        bar.update(task, completed=done, told=f"{told}; {gap.last_error}" if waits else told)
        if waits:
            time.sleep(PAUSE_SECONDS)
