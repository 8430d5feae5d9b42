"""Holding embedded services: start them when they do not run, and let them stop when the last holder ends."""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from megatron.embedded.keeper import START_SECONDS, is_kept, open_lock, pin_file
from megatron.embedded.logs import append_to, tail
from megatron.embedded.postgres import CannotStart
from megatron.embedded.processes import wait_for
from megatron.embedded.restarts import Restarts
from megatron.embedded.state import VARIABLES, append_news, news_file, service_url, services_dir

CODE = Path(__file__).resolve().parents[2]


class Hold:
    """Our claim on some services. It ends with ``release`` or with the process."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self.root = root
        self.names = tuple(names)
        self._locks: list[IO[str]] = []
        self._keepers = {name: Restarts() for name in self.names}
        self._replaced: set[str] = set()
        self._read = {name: _length(news_file(root, name)) for name in self.names}

    def take(self) -> None:
        """Claim the services and start what does not run; wait until all accept connections."""
        for name in self.names:
            lock = open_lock(self.root, name, "users")
            fcntl.flock(lock, fcntl.LOCK_SH)  # waits while a keeper is just stopping
            self._locks.append(lock)
        try:
            self.ensure()
        except BaseException:
            self.release()
            raise

    def ensure(self) -> None:
        """Start whatever has no keeper, and wait until everything accepts connections; raises CannotStart."""
        for name in self.names:
            if not is_kept(self.root, name):
                _spawn_keeper(self.root, name)
        for name in self.names:
            _await(self.root, name)

    def look(self) -> None:
        """Start again whatever has lost its keeper, without waiting; raises CannotStart for what is hopeless.

        A keeper starts its service again by itself. One that gave it up has said why; one that was killed has not.
        """
        for name in self.names:
            if is_kept(self.root, name):
                continue
            if reason := _trouble(self.root, name):
                raise _cannot_start(self.root, name, reason)
            if self._keepers[name].end() is None:
                raise _cannot_start(self.root, name, "Its keeper was killed again and again.")
            append_news(self.root, name, f"The keeper of {name} ended, and {name} with it; starting both again.")
            _spawn_keeper(self.root, name)
            self._keepers[name].begin()
            self._replaced.add(name)

    def news(self) -> Iterator[str]:
        """Yield what the keepers told since the last call: that a service ended, how, and that it is back."""
        for name in self.names:
            with contextlib.suppress(OSError), news_file(self.root, name).open() as file:
                file.seek(self._read[name])
                lines = file.readlines()
                self._read[name] = file.tell()
                yield from (line.rstrip() for line in lines)
            if name in self._replaced and service_url(self.root, name) is not None:  # a new keeper knows of no end
                self._replaced.discard(name)
                yield f"{name} is back."

    def bequeath(self) -> None:
        """Let the program that replaces this process (``exec``) keep the claim."""
        for lock in self._locks:
            os.set_inheritable(lock.fileno(), True)

    def release(self) -> None:
        """Give the claim back."""
        while self._locks:
            self._locks.pop().close()


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def missing_services() -> list[str]:
    """Return the services that the environment does not name."""
    return [name for name, variable in VARIABLES.items() if not os.environ.get(variable)]


def pin(root: Path, name: str) -> None:
    """Ask the running keeper to stay although nobody holds the service."""
    state = (services_dir(root) / f"{name}.json").read_text()
    pin_file(root, name).write_text(state.rpartition('"pid": ')[2].rstrip("}"))


def unpin(root: Path, name: str) -> None:
    """Let the keeper stop once nobody holds the service."""
    pin_file(root, name).unlink(missing_ok=True)


def await_stop(root: Path, names: Iterable[str], *, seconds: float) -> list[str]:
    """Wait until the keepers have ended; return the services that still run, because somebody holds or pinned them."""
    names = list(names)
    wait_for(lambda: not any(is_kept(root, name) for name in names), seconds=seconds)
    return [name for name in names if is_kept(root, name)]


def _spawn_keeper(root: Path, name: str) -> None:
    folder = services_dir(root)
    (folder / f"{name}.error").unlink(missing_ok=True)
    with append_to(folder / f"{name}.log") as output:
        # Through a shell that ends at once, so that the keeper is nobody's child and in nobody's terminal.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-m", "megatron.embedded", "keep", name, str(root)],
            cwd=CODE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            check=True,
        )


def _await(root: Path, name: str) -> None:
    trouble = services_dir(root) / f"{name}.error"
    wait_for(lambda: trouble.exists() or service_url(root, name) is not None, seconds=START_SECONDS + 30)
    if service_url(root, name) is None:
        raise _cannot_start(root, name, _trouble(root, name) or "It did not start in time.")


def _trouble(root: Path, name: str) -> str:
    """Return why the service's last keeper gave it up; nothing when it did not."""
    try:
        return (services_dir(root) / f"{name}.error").read_text()
    except OSError:
        return ""


def _cannot_start(root: Path, name: str, reason: str) -> CannotStart:
    log = services_dir(root) / f"{name}.log"
    return CannotStart(
        f"The embedded {name} cannot start. {reason}\nIts log {log} ends with:\n{tail(log)}\n"
        f"Set {VARIABLES[name]} to use another server."
    )
