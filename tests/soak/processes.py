"""A house of its own for a soak: PostgreSQL, Redis, monitors, a worker and a beat, any of which may be killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from megatron.embedded.account import Home, find_home
from megatron.embedded.postgres import ENVIRONMENT, Postgres
from megatron.embedded.processes import wait_for
from megatron.embedded.valkey import Valkey

ROOT = Path(__file__).parents[2]
VENUES = ("pumpfun", "pumpswap")
CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "megatron"]
COMMANDS = {
    **{f"monitor-{venue}": [sys.executable, "manage.py", "monitor", venue, "--json"] for venue in VENUES},
    "worker": [*CELERY, "worker", "--queues", "stream,score,chain,slow", "--concurrency", "2", "--loglevel", "WARNING"],
    "outside": [*CELERY, "worker", "--queues", "outside", "--concurrency", "1", "--loglevel", "WARNING"],
    "beat": [*CELERY, "beat", "--pidfile=", "--loglevel", "WARNING"],
}


class Processes:
    """Starts everything, kills what it is told to, starts it again, and leaves nothing behind."""

    def __init__(self, *, http_url: str, ws_url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="megatron-soak-"))
        self._folder.chmod(0o755)
        home = Home(self._folder, find_home(ROOT).account)
        self._account = home.account
        self._services: dict[str, Postgres | Valkey] = {"postgres": Postgres(home), "redis": Valkey(home)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._chain = {"SOLANA_RPC_URL": http_url, "SOLANA_WS_URL": ws_url}
        self.log = self._folder / "log"

    def __enter__(self) -> Self:
        try:
            for name in self._services:
                self.start(name)
            for command in (["migrate", "--verbosity", "0"], ["seed"]):
                subprocess.run(
                    [sys.executable, "manage.py", *command],
                    cwd=ROOT,
                    env=self.environment,
                    check=True,
                    capture_output=True,
                )
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def names(self) -> list[str]:
        """Return everything that can be killed."""
        return [*self._services, *COMMANDS]

    @property
    def database_url(self) -> str:
        """Return the address of the database."""
        return self._services["postgres"].url()

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what the house's processes find in their environment."""
        redis = self._services["redis"].url()
        own = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": redis,
            "CACHE_URL": redis,
            "STREAM_SOURCES": "solana-logs",
        }
        return {**os.environ, **own, **self._chain, "SOLANA_RPC_PER_SECOND": "100000"}

    def start_house(self) -> None:
        """Start monitors, worker and beat."""
        for name in COMMANDS:
            self.start(name)

    def start(self, name: str) -> None:
        """Start one process; a service is ready afterwards."""
        service = self._services.get(name)
        if service is None:
            with self.log.open("ab") as log:
                self._running[name] = subprocess.Popen(
                    COMMANDS[name], cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            return
        service.prepare()
        with self.log.open("ab") as log:
            started = subprocess.Popen(
                service.command(),
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._account.popen(),
            )
        self._running[name] = started
        if not wait_for(service.is_ready, seconds=60):
            raise RuntimeError(f"{name} does not start; see {self.log}")

    def kill(self, name: str) -> None:
        """Kill one process and its children as a power cut would."""
        victim = self._running.pop(name)
        family = psutil.Process(victim.pid).children(recursive=True) if victim.poll() is None else []
        victim.kill()
        for child in family:
            child.send_signal(signal.SIGKILL)
        victim.wait()

    def memory_bytes(self, name: str) -> int:
        """Return the resident memory of a process and its children, 0 while it does not run."""
        try:
            process = psutil.Process(self._running[name].pid)
            return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
        except (KeyError, psutil.Error):
            return 0

    def close(self) -> None:
        """End everything and remove its folder."""
        for name in [*COMMANDS, *self._services]:
            if (process := self._running.pop(name, None)) is not None:
                process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        time.sleep(0.1)
        shutil.rmtree(self._folder, ignore_errors=True)
