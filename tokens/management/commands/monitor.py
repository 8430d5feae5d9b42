"""Follow venues live: frames in, rows out, until it is stopped."""

import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress, TaskID

from megatron.clients import registry
from megatron.clients.file_stream import FileStream
from megatron.clients.ports import TransactionStream
from megatron.core import clock, outage
from megatron.core.commands import DoorCommand, progress, words
from megatron.embedded.processes import ending
from megatron.embedded.restarts import Restarts
from tokens.choices import ProcessKind, Program
from tokens.services import metrics
from tokens.services.monitor import Monitor, NothingToFollow
from tokens.services.monitor.follow import Report

EXAMPLES = """
examples:
  manage.py monitor pumpfun                          by the sources of STREAM_SOURCES
  manage.py monitor pumpswap --source helius --source solana-logs
  manage.py monitor all                              one process a venue, each started again when it ends
  manage.py monitor pumpfun --from tokens/fixtures/demo/logs-2026-07-04.jsonl.gz   a capture in place of the network

Runs until SIGTERM or Ctrl-C, then stores what it has and ends with 0. It may be killed at any moment: what was not committed
is found again by comparing with the chain. Exit status 1 when no source can be listened to, 2 for a wrong call.
"""

ALL = "all"
_LOOK_SECONDS = 0.2
_EVERY = timedelta(minutes=1)


class Command(DoorCommand):
    help = "Follow a venue live: decode what its program does, store it, and keep account of what is missing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("venue", choices=[*Program.values, ALL], help="which program to follow")
        parser.add_argument(
            "--source",
            action="append",
            type=words(100),
            dest="sources",
            metavar="NAME",
            help="which feed (default: STREAM_SOURCES)",
        )
        parser.add_argument("--from", dest="capture", metavar="PATH", help="play a capture instead of the network")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        _stop_on_signals(stop)
        if options["venue"] == ALL:
            if options["capture"] is not None:
                raise CommandError(
                    "A capture is played by the monitor of one venue: name it instead of all.", returncode=2
                )
            _sources(options)  # what cannot be listened to is said once, before a process a venue says it
            _supervise(options["sources"], stop)
            return
        venue = Program(options["venue"])
        monitor = Monitor(
            venue=venue,
            sources=_sources(options),
            chain=registry.chain() if registry.has_chain() else None,
            clock=clock.utc_now,
        )
        with progress(quiet=options["json"]) as bar:
            teller = _Teller(bar, bar.add_task(venue.label, total=None, told=""), venue)
            try:
                report = monitor.run(stop=stop, tell=teller.tell)
            except NothingToFollow as reason:
                raise CommandError(f"Nothing can be followed. {reason}", returncode=1) from reason
        self.show(_result(report), as_json=options["json"])


def _sources(options: dict[str, Any]) -> Sequence[TransactionStream]:
    if options["capture"] is not None:
        path = Path(options["capture"])
        if not path.exists():
            raise CommandError(f"There is no file or folder {path}.", returncode=2)
        return [FileStream([path])]
    try:
        return registry.streams(options["sources"])
    except registry.NotConfigured as lacking:
        raise CommandError(str(lacking), returncode=2) from lacking


class _Teller:
    """Shows how the monitor is doing, and writes its figures down each minute."""

    def __init__(self, bar: Progress, task: TaskID, venue: Program) -> None:
        self._bar, self._task, self._venue = bar, task, venue
        self._recorded = clock.utc_now()
        self._stored = 0

    def tell(self, report: Report) -> None:
        now = clock.utc_now()
        self._bar.update(self._task, told=_told(report))
        if now - self._recorded >= _EVERY:
            metrics.record(
                kind=ProcessKind.MONITOR,
                now=now,
                transactions=report.stored - self._stored,
                latency=metrics.latency(report.latencies_ms),
                stream_health="open" if all(report.feeds.values()) else "away",
                told={
                    "venue": self._venue.value,
                    "feeds": report.feeds,
                    "buffered": report.buffered,
                    "behind_seconds": None if report.behind is None else round(report.behind.total_seconds(), 3),
                },
            )
            self._recorded, self._stored = now, report.stored
            report.latencies_ms.clear()


def _told(report: Report) -> str:
    behind = "–" if report.behind is None else f"{report.behind.total_seconds():.1f} s"
    away = [name for name, open_now in report.feeds.items() if not open_now]
    return f"{report.frames:,} frames, {report.stored:,} stored, behind {behind}, {report.buffered:,} waiting" + (
        f", away: {', '.join(away)}" if away else ""
    )


def _result(report: Report) -> dict[str, Any]:
    return {
        "frames": report.frames,
        "transactions": report.stored,
        "duplicates": report.duplicates,
        "rejected": report.rejected,
        "disconnects": report.disconnects,
    }


def _stop_on_signals(stop: threading.Event) -> None:
    def halt(*_: int | FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, halt)
        signal.signal(signal.SIGINT, halt)


def _supervise(sources: Sequence[str] | None, stop: threading.Event) -> None:
    """Keep one process a venue running until ``stop``: they share nothing, so one that dies takes no other along.

    A process that was called wrongly, or fails again and again as soon as it is started, ends all: ``CommandError``.
    """
    chosen = [word for name in sources or () for word in ("--source", name)]
    running: dict[Program, subprocess.Popen[bytes]] = {}
    restarts = {venue: Restarts() for venue in Program}
    due: dict[Program, float] = dict.fromkeys(Program, 0.0)
    try:
        while not stop.wait(_LOOK_SECONDS):
            for venue in Program:
                child = running.get(venue)
                if child is None:
                    if time.monotonic() >= due[venue]:
                        restarts[venue].begin()
                        running[venue] = _spawn(venue, chosen)
                elif (code := child.poll()) is not None:
                    del running[venue]
                    pause = restarts[venue].end()
                    if code == outage.WRONG_CALL or pause is None:
                        raise CommandError(
                            f"The monitor of {venue.value} ended {ending(code)}"
                            f"{'' if code == outage.WRONG_CALL else ' again and again'}; what it said stands above. All stop.",
                            returncode=code if code > 0 else 1,
                        )
                    due[venue] = time.monotonic() + pause
    finally:
        for child in running.values():
            child.terminate()
        for child in running.values():
            child.wait()


def _spawn(venue: Program, chosen: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, *sys.argv[:1], "monitor", venue.value, *chosen])
