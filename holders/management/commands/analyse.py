"""Analyse the holders of named tokens now, or of those that are due."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from holders.choices import JobReason
from holders.domain.priority import OPERATOR
from holders.models import HolderScoreJob
from holders.services import agenda, analyses
from megatron.clients import registry
from megatron.core import clock, health, queue
from megatron.core.commands import MINT_LENGTH, DoorCommand, progress, whole_number, words
from tokens.models import Token

EXAMPLES = """
examples:
  manage.py analyse 6gbFk1RxAsN3VMw4WUTKvhi2QXsGDBqYCKGrY4umpump --no-look-ups
  manage.py analyse --due --limit 20 --json

Named tokens are put before all others in the queue and analysed here, each wish with the same evidence as any other job. With
--due it is the queue's own order. What a worker has already taken is waited for.
A run that is cut short loses nothing: workers take up what is left. Exit status 1 when an
analysis failed (it is tried again by itself), 2 for a wrong call.
"""
QUEUE = "outside"
"""Whose workers do these jobs."""
LOOK_SECONDS = 1.0


class Command(DoorCommand):
    help = "Analyse the holders of named tokens now, or of those that are due."

    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mints", nargs="*", type=words(MINT_LENGTH), metavar="MINT", help="whose holders")
        parser.add_argument("--due", action="store_true", help="those that are due, the most urgent first")
        parser.add_argument(
            "--limit", type=whole_number(1, 100_000), default=100, metavar="N", help="with --due: so many at most"
        )
        parser.add_argument("--no-look-ups", action="store_true", help="from our own trades, without any call")

    def handle(self, *args: Any, **options: Any) -> None:
        mints, due = list(dict.fromkeys(options["mints"])), options["due"]
        if bool(mints) == due:
            raise CommandError("Name the mints, or say --due.", returncode=2)
        keys = self._ask_for(mints) if mints else []
        total = len(mints) if mints else options["limit"]
        with progress(quiet=options["json"], counted=True) as bar:
            task = bar.add_task("analyse", total=total, told="")
            for done in _drain(mints, total, alone=options["no_look_ups"]):
                bar.update(task, advance=1, told=f"{done.token_mint[:8]}… {_words(done)}")
                if due:
                    keys.append(done.pk)
            if mints:
                self._await_workers(keys)
        rows = {row.pk: row for row in HolderScoreJob.objects.filter(pk__in=keys)}
        found = [_result(rows[key]) for key in dict.fromkeys(keys)]
        self._show(found, as_json=options["json"])
        if any(it["state"] != "finished" for it in found):
            raise CommandError("Not every analysis came to its end; the queue desk has the reasons.", returncode=1)

    def _ask_for(self, mints: Sequence[str]) -> list[Any]:
        keys = []
        for mint in mints:
            asked = agenda.schedule(token_mint=mint, priority=OPERATOR, reason=JobReason.OPERATOR, now=clock.utc_now())
            if asked is None:
                if Token.objects.filter(mint_address=mint).exists():
                    raise CommandError(f"{mint} has graduated: its score is frozen.", returncode=2)
                raise CommandError(
                    f"{mint} is not stored: name a token's mint (not a program, pool or wallet) that has traded here.",
                    returncode=2,
                )
            if asked.quarantined_at is not None:
                raise CommandError(
                    f"{mint} was set aside: {asked.last_error} Release it on the queue desk.", returncode=1
                )
            keys.append(asked.pk)
        return keys

    def _await_workers(self, keys: Sequence[Any]) -> None:
        """Wait for the jobs that a worker took before we could, as long as its lease holds; say so."""
        told: set[Any] = set()
        while taken := [job for job in HolderScoreJob.objects.filter(pk__in=keys) if _is_taken(job)]:
            for job in taken:
                if job.pk not in told:
                    self.stderr.write(_who_has(job))
                    told.add(job.pk)
            time.sleep(LOOK_SECONDS)

    def _show(self, found: Sequence[dict[str, Any]], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"analyses": found}))
            return
        if not found:
            self.stdout.write("Nothing is due.")
            return
        table = Table(box=None)
        for name in ("mint", "state", "holders", "wallets", "looked up", "credits", "why not"):
            table.add_column(name)
        for it in found:
            table.add_row(*("—" if value is None else str(value) for value in it.values()))
        Console(file=self.stdout).print(table)  # type: ignore[arg-type]  # Django's wrapper writes like a file


def _drain(mints: Sequence[str], limit: int, *, alone: bool) -> Iterator[HolderScoreJob]:
    """Do jobs one after the other, each with its own time, and yield it as its attempt left it."""
    taken: list[HolderScoreJob] = []
    for _ in range(limit):
        taken.clear()
        analyses.run_due(
            holder_source=None if alone else registry.holders(),
            wallet_source=None if alone else registry.wallets(),
            now=clock.utc_now(),
            limit=1,
            only=mints,
            seen=taken.append,
        )
        if not taken:
            return
        yield HolderScoreJob.objects.get(pk=taken[0].pk)


def _is_taken(job: HolderScoreJob) -> bool:
    return queue.state_of(job, now=clock.utc_now()) == "working"


def _who_has(job: HolderScoreJob) -> str:
    """Say that a worker has the job, until when, and whether one is alive."""
    seen, now = health.workers_seen_at(), clock.utc_now()
    at = None if seen is None else seen.get(QUEUE)
    if seen is None:
        state = "Whether it is alive cannot be told without Redis"
    elif health.is_alive(at, now=now):
        state = "One is alive"
    else:
        state = "None is alive, so it may have died: start one, it takes the job when the lease is over"
    return (
        f"A worker has the job of {job.token_mint} until {job.leased_until:%H:%M:%S} UTC at most; waiting for its result. "
        f"{state} (queue {QUEUE})."
    )


def _words(job: HolderScoreJob) -> str:
    return queue.state_of(job, now=clock.utc_now()) + (f": {job.last_error[:60]}" if job.last_error else "")


def _result(job: HolderScoreJob) -> dict[str, Any]:
    """Return what a person wants to know of a job."""
    said, wallets = job.evidence, job.evidence.get("wallets", {})
    return {
        "mint": job.token_mint,
        "state": queue.state_of(job, now=clock.utc_now()),
        "holders": said.get("quality", {}).get("holders"),
        "wallets": wallets.get("sampled"),
        "looked_up": wallets.get("looked_up"),
        "credits": job.credits_used,
        "reason": said.get("skipped") or job.last_error or None,
    }
