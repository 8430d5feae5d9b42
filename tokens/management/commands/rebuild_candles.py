"""Compute candles again from the stored trades."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Max, Min

from megatron.core import clock
from megatron.core.commands import MINT_LENGTH, DoorCommand, progress, time_of, words
from tokens.models import Token, Transaction
from tokens.services import candles

_WINDOW = timedelta(days=1)


class Command(DoorCommand):
    help = "Compute candles again from the stored trades, for all tokens or one, for all time or a window."
    examples = """
examples:
  manage.py rebuild_candles                                     every candle that has trades
  manage.py rebuild_candles --token MINT                        one token
  manage.py rebuild_candles --start 2026-07-01 --end 2026-07-08 a week, end excluded

Candles are always computed from trades, so rebuilding changes nothing unless the trades changed behind the system's
back. Work is marked a day at a time and done in small transactions: stop it whenever you like, and start it again.
Candles that are older than the oldest kept trade are left as they are.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--token", type=words(MINT_LENGTH), metavar="MINT", help="only this token")
        parser.add_argument("--start", type=time_of, help="first moment, ISO-8601, UTC (default: the oldest trade)")
        parser.add_argument(
            "--end", type=time_of, help="first moment after, ISO-8601, UTC (default: after the newest trade)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        trades, token_id = Transaction.objects.all(), None
        if mint := options["token"]:
            token = Token.objects.filter(mint_address=mint).first()
            if token is None:
                raise CommandError(f"There is no token {mint}. Give its mint address.", returncode=2)
            token_id, trades = token.id, trades.filter(token=token)
        span = trades.aggregate(first=Min("block_time"), last=Max("block_time"))
        rolled = days = 0
        if span["first"] is not None:
            start = max(options["start"] or span["first"], span["first"])
            end = min(options["end"] or span["last"] + timedelta(seconds=1), span["last"] + timedelta(seconds=1))
            with progress(quiet=options["json"]) as bar:
                work = bar.add_task("rebuild", total=max(end - start, timedelta(0)).total_seconds(), told="")
                while start < end:
                    until = min(start + _WINDOW, end)
                    candles.mark(start=start, end=until, now=clock.utc_now(), token_id=token_id)
                    rolled += candles.roll_all(now=clock.utc_now())
                    days += 1
                    bar.update(work, advance=(until - start).total_seconds(), told=f"{rolled:,} candles")
                    start = until
        self.show({"windows": days, "candles": rolled}, as_json=options["json"])
