"""Fetch former prices for the minutes whose trades have no USD value, and fill those values."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from megatron import clients
from megatron.clients.errors import ClientError
from megatron.core import clock
from megatron.core.commands import DoorCommand, progress, time_of
from tokens.services import candles, price_history, prices


class Command(DoorCommand):
    help = "Fetch the prices of SOL and other quotes for the minutes whose trades have no USD value, and fill those values."
    examples = """
examples:
  manage.py backfill_prices --from 2026-07-04 --to 2026-07-05
  manage.py backfill_prices --from 2026-07-04T12:00:00Z --to 2026-07-04T13:00:00Z --json

Asks Hermes (a call a minute of trades) and Birdeye (a call a thousand minutes), whichever has its key, within their rate
limits; what the first does not know the next is asked for. Only minutes with trades but without USD are fetched, and what
was fetched is stored as it comes: interrupted, the same command goes on where it stopped.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", dest="start", type=time_of, required=True, metavar="TIME", help="ISO-8601, UTC")
        parser.add_argument("--to", dest="end", type=time_of, required=True, metavar="TIME", help="not included")

    def handle(self, *args: Any, **options: Any) -> None:
        start: datetime = options["start"]
        end: datetime = options["end"]
        if end <= start:
            raise CommandError("--to must be later than --from.", returncode=2)
        sources = clients.price_histories()
        if not sources:
            raise CommandError(
                "Nobody can be asked for former prices: set HERMES_API_KEY or BIRDEYE_API_KEY.", returncode=2
            )
        told = {"minutes": 0, "samples": 0, "trades_filled": 0, "candles": 0}
        try:
            with progress(quiet=options["json"]) as bar:
                told["trades_filled"] = prices.fill_between(start=start, end=end, now=clock.utc_now())
                due = price_history.minutes_due(start=start, end=end)
                work = bar.add_task("fetch", total=sum(map(len, due.values())), told="")
                told["minutes"] = sum(map(len, due.values()))
                for fetched in price_history.fetch(due=due, sources=sources, now=clock.utc_now()):
                    told["samples"] += fetched.stored
                    bar.update(work, advance=fetched.minutes, told=f"{told['samples']:,} samples")
        except ClientError as error:
            raise CommandError(f"Stopped: {error}\nWhat was fetched is stored; call it again to go on.") from error
        finally:
            told["trades_filled"] += prices.fill_between(start=start, end=end, now=clock.utc_now())
            told["candles"] = candles.roll_all(now=clock.utc_now())
        self.show(told, as_json=options["json"])
