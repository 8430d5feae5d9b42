"""Three hosts share the work of one house, and one of them is cut off: ``make hosts``.

Each host has a monitor and a worker of its own and reaches PostgreSQL, the broker and the cluster stand-in over its
network only. In the middle of the traffic one host's cable is pulled; the others go on. At the end it is put back, and the
rows must be those of a run in which nothing happened.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from tests.cluster import chain as chains
from tests.cluster.chain import Fork
from tests.cluster.cluster import Cluster
from tests.hosts.network import GATEWAY, Door, Network

HOSTS = ("a", "b", "c")
RATE = 150.0
VENUES = ("pumpfun", "pumpswap")
CUT = "b"


def main() -> int:
    """Return 1 when the rows are not right or a host did nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how much traffic (default 20)")
    wanted = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    original, name = connection.settings_dict["NAME"], f"megatron_hosts_{os.getpid()}"
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    call_command("seed", verbosity=0)  # the beat's schedule
    try:
        return _run(wanted.seconds, name)
    finally:
        with connection.cursor() as cursor:  # the host that was cut off left half-open sessions behind
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [name],
            )
        connection.creation.destroy_test_db(original, verbosity=0)


def _run(seconds: float, database: str) -> int:
    from megatron.core import clock
    from tests.faults import rows

    slots = int(seconds * chains.SLOTS_A_SECOND)
    chain = chains.build(
        seed=7,
        slots=slots,
        per_slot=RATE / chains.SLOTS_A_SECOND,
        forks=[Fork(slots // 3, 10)],
        first_second=int(time.time()),
    )
    told = Console(stderr=True)
    with (
        Cluster(chain) as cluster,
        Network(HOSTS, tag=str(os.getpid() % 10_000)) as network,
        tempfile.TemporaryDirectory(prefix="hosts") as logs,
    ):
        doors = _doors(cluster)
        settings = _settings(doors, database)
        hosts = [_Host(name, network.space(name), settings, Path(logs)) for name in HOSTS]
        try:
            for host in hosts:
                host.start(beat=host.name == HOSTS[0])
            cluster.subscribed(count=len(HOSTS) * len(VENUES), timeout=60)
            told.print(f"{len(HOSTS)} hosts listen; {len(chain.timeline)} blocks to play")
            cluster.play(steps=len(chain.timeline) // 2, rate=RATE)
            network.cut(CUT)
            told.print(f"host {CUT} is cut off")
            cluster.play(until_slot=chain.last_slot, rate=RATE)
            cluster.finish(extra_slots=40)
            alone = _wait(lambda: _settled(chain.last_slot), 60)
            told.print(f"the others {'are done' if alone else 'are NOT done'}; host {CUT} is back")
            network.mend(CUT)
            back = _wait(lambda: hosts[HOSTS.index(CUT)].reaches(settings), 60)
            time.sleep(3)
        finally:
            for host in hosts:
                host.stop()
            for door in doors.values():
                door.close()
        shares = [host.share() for host in hosts]
    _roll_all(clock.utc_now())
    kept = rows.snapshot()
    wrong = rows.differences(kept, rows.expected(chain, clock.utc_now()))
    wrong += [] if alone else ["the two hosts left did not finish alone"]
    wrong += [] if back else [f"host {CUT} did not come back"]
    wrong += [f"host {share['host']} did nothing" for share in shares if not (share["tasks"] and share["frames"])]
    _show(told, shares, len(kept["transactions"]), wrong)
    return 1 if wrong else 0


def _doors(cluster: Cluster) -> dict[str, Door]:
    from django.conf import settings

    ports = {
        "database": urlsplit(settings.DATABASE_URL).port or 5432,
        "broker": urlsplit(settings.REDIS_URL).port or 6379,
        "rpc": urlsplit(cluster.http_url).port or 0,
        "ws": urlsplit(cluster.ws_url).port or 0,
    }
    return {name: Door(port) for name, port in ports.items()}


def _settings(doors: dict[str, Door], database: str) -> dict[str, str]:
    """Return the environment of a host: the same services, by the network's address."""
    from django.conf import settings

    def moved(url: str, door: Door, path: str | None = None) -> str:
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@{GATEWAY}:{door.port}" if user else f"{GATEWAY}:{door.port}"
        return parts._replace(netloc=netloc, path=parts.path if path is None else path).geturl()

    return {
        **{key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")},
        "DATABASE_URL": moved(settings.DATABASE_URL, doors["database"], f"/{database}"),
        "REDIS_URL": moved(settings.REDIS_URL, doors["broker"], "/9"),
        "SOLANA_RPC_URL": f"http://{GATEWAY}:{doors['rpc'].port}",
        "SOLANA_RPC_PER_SECOND": "1000",
        "SOLANA_WS_URL": f"ws://{GATEWAY}:{doors['ws'].port}",
        "STREAM_SOURCES": "solana-logs",
        "CELERY_LOG_LEVEL": "INFO",
    }


class _Host:
    """One host: a monitor a venue, a worker, and on the first one the beat."""

    def __init__(self, name: str, space: str, settings: dict[str, str], logs: Path) -> None:
        self.name, self._space, self._settings, self._logs = name, space, settings, logs
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *, beat: bool) -> None:
        celery = [sys.executable, "-m", "celery", "-A", "megatron"]
        worker = ["worker", "-Q", "stream,chain,slow", "-c", "1", "-n", f"worker@{self.name}", "--loglevel", "INFO"]
        self._run("worker", [*celery, *worker, "--without-gossip", "--without-mingle"])
        for venue in VENUES:
            self._run(venue, [sys.executable, "manage.py", "monitor", venue, "--json"])
        if beat:
            self._run("beat", [*celery, "beat", "--pidfile=", "--loglevel", "WARNING"])

    def _run(self, what: str, command: list[str]) -> None:
        inside = ["ip", "netns", "exec", self._space, *command]
        with self._log(what).open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    inside, env=self._settings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            )

    def _log(self, what: str) -> Path:
        return self._logs / f"{self.name}-{what}.log"

    def reaches(self, settings: dict[str, str]) -> bool:
        """Say whether the host reaches the database."""
        parts = urlsplit(settings["DATABASE_URL"])
        probe = f"import socket; socket.create_connection(({parts.hostname!r}, {parts.port}), timeout=1)"
        command = ["ip", "netns", "exec", self._space, sys.executable, "-c", probe]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def share(self) -> dict[str, Any]:
        """Return what the host did, from what its processes said."""
        lines = self._log("worker").read_text(errors="replace").splitlines()
        reports = [_last_json(self._log(venue)) for venue in VENUES]
        return {
            "host": self.name,
            "tasks": sum("succeeded" in line for line in lines),
            "frames": sum(report.get("frames", 0) for report in reports),
            "trades": sum(report.get("transactions", 0) for report in reports),
        }


def _last_json(log: Path) -> dict[str, Any]:
    for line in reversed(log.read_text(errors="replace").splitlines()):
        if line.startswith('{"frames"'):
            return dict(json.loads(line))
    return {}


def _settled(slot: int) -> bool:
    from tokens.models import CandleDue, SlotGap, VenueState

    settled = VenueState.objects.filter(settled_slot__gte=slot).count() == len(VENUES)
    return (
        settled
        and not SlotGap.objects.filter(finished_at=None, slot_to__isnull=False).exists()
        and not CandleDue.objects.filter(interval=60).exists()
    )


def _wait(done: Any, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if done():
            return True
        time.sleep(0.5)
    return False


def _roll_all(now: Any) -> None:
    from tokens.services import candles

    candles.roll_all(now=now)


def _show(told: Console, shares: list[dict[str, Any]], trades: int, wrong: list[str]) -> None:
    table = Table("host", "tasks done", "frames heard", "trades stored first")
    for share in shares:
        table.add_row(
            *(f"{share[name]:,}" if name != "host" else share[name] for name in ("host", "tasks", "frames", "trades"))
        )
    told.print(table)
    told.print(
        f"{trades:,} trades in the end; " + ("as if nothing had happened" if not wrong else "NOT as they should be:")
    )
    for line in wrong:
        told.print(f"  {line}", markup=False)


if __name__ == "__main__":
    raise SystemExit(main())
