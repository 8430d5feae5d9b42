"""Play captured traffic into the database: the whole of flow 1."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from megatron.clients import captures
from megatron.core import clock
from megatron.core.commands import DoorCommand, number, progress, words
from tokens.choices import RejectionReason
from tokens.domain.decode import Decoded, Outcome
from tokens.services import candles, prices, rejections
from tokens.services.playback import Player

EXAMPLES = """
examples:
  manage.py replay tokens/fixtures/demo                        a folder (here the bundled capture), as fast as it goes
  manage.py replay tokens/fixtures/demo/logs-2026-07-04.jsonl.gz --speed 10    ten times as fast as it happened
  zcat tokens/fixtures/demo/*.jsonl.gz | manage.py replay - --json             from standard input, one JSON object as the result

Of the outcomes, "failed on chain" are transactions without effect, as the chain has many, and "node's replies" are
acknowledgements and errors of the node that was recorded: neither is a defect.

Playing the same capture again adds nothing, so a run that was cut short is simply started again. What cannot be stored
is kept under "Rejected messages" in the console, with its bytes and the reason. Exit status: 0 when everything was
understood, 1 when some messages were undecodable or said what cannot be stored (the rest is stored), 2 for a wrong call.
"""
FEED_LENGTH = 100
"""What the cursor's column holds."""


class Command(DoorCommand):
    help = "Play captured launchpad traffic into the database: tokens, pools, trades, milestones, candles."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "paths", nargs="+", metavar="PATH", help="file or folder, .gz or plain; - is standard input"
        )
        parser.add_argument(
            "--speed",
            type=number(0, 1_000_000),
            default=0,
            metavar="N",
            help="N times real time (default: 0, full speed)",
        )
        parser.add_argument(
            "--feed",
            type=words(FEED_LENGTH),
            default="replay",
            help="the name under which the stream's position is kept",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        paths = [path if path == "-" else Path(path) for path in options["paths"]]
        player, pace, started = Player(feed=options["feed"]), _Pace(options["speed"]), time.monotonic()
        with progress(quiet=options["json"]) as bar:
            work = bar.add_task("replay", total=_size(paths), told="")
            try:
                for item in captures.read(paths):
                    self._take(item, player, pace)
                    bar.update(work, advance=_weight(item), told=_told(player))
            except FileNotFoundError as error:
                raise CommandError(
                    f"{error}. Name files or folders that exist, or - for standard input.", returncode=2
                ) from error
            player.flush(now=clock.utc_now())
            while rejections.retry_answered(now=clock.utc_now()).resolved:
                bar.update(work, told="playing waiting messages again")
            prices.fill_all(now=clock.utc_now())
            bar.update(work, told="computing candles")
            rolled = candles.roll_all(now=clock.utc_now())
        result = _result(player, rolled, time.monotonic() - started)
        if not options["json"]:
            result["outcomes"] = {Outcome(name).words: count for name, count in result["outcomes"].items()}
        self.show(result, as_json=options["json"])
        if player.tally.undecodable or player.stored.waiting[RejectionReason.NOT_STORABLE]:
            sys.exit(1)

    def _take(self, item: captures.Message | captures.Cut, player: Player, pace: "_Pace") -> None:
        if isinstance(item, captures.Cut):
            player.refuse(source=item.source, payload=item.source.encode(), reason="cut", detail=item.detail)
            return
        decoded = player.decode(source=item.source, payload=item.payload)
        full = player.take(decoded, source=item.source, payload=item.payload)
        if pace.wait(decoded) or full:
            player.flush(now=clock.utc_now())


class _Pace:
    """Holds a replay back to ``speed`` times the time that its messages tell."""

    def __init__(self, speed: float) -> None:
        self.speed, self.first, self.begun = speed, 0, 0.0

    def wait(self, decoded: list[Decoded]) -> bool:
        """Wait until the message's time has come; return whether it had to, and the buffer should be stored."""
        times = [event.block_time for one in decoded for event in one.events if event.block_time]
        if not self.speed or not times:
            return False
        if not self.first:
            self.first, self.begun = times[0], time.monotonic()
        ahead = (times[0] - self.first) / self.speed - (time.monotonic() - self.begun)
        if ahead > 0:
            time.sleep(ahead)
        return ahead > 0


def _size(paths: list[Any]) -> int | None:
    """Return the bytes to read; ``None`` where that cannot be known (standard input, packed files)."""
    total = 0
    for path in paths:
        if path == "-" or not path.exists():
            return None
        for file in captures.files(path):
            if file.suffix == ".gz":
                return None
            total += file.stat().st_size
    return total


def _weight(item: captures.Message | captures.Cut) -> int:
    return len(item.payload) + 1 if isinstance(item, captures.Message) else 0


def _told(player: Player) -> str:
    return (
        f"{player.tally.messages:,} messages, {player.stored.transactions:,} stored, {player.stored.duplicates:,} known"
    )


def _result(player: Player, rolled: int, seconds: float) -> dict[str, Any]:
    stored, tally = player.stored, player.tally
    return {
        "messages": tally.messages,
        "outcomes": dict(sorted(tally.outcomes.items())),
        "events": dict(sorted(stored.events.items())),
        "transactions": stored.transactions,
        "duplicates": stored.duplicates,
        "rejected": dict(sorted(stored.rejected.items())),
        **({"noise": dict(sorted(stored.noise.items()))} if stored.noise else {}),
        "undecodable": dict(sorted(tally.undecodable.items())),
        "drift": dict(sorted(tally.drift.items())),
        "tokens": stored.tokens,
        "pools": stored.pools,
        "candles": rolled,
        "seconds": round(seconds, 3),
        "rows_per_second": round((stored.transactions + stored.duplicates) / seconds) if seconds else 0,
    }
