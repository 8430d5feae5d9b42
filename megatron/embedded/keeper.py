"""The keeper: one detached process a service, which runs it as long as anybody holds it.

Who needs a service holds a shared lock on its ``users`` file (see ``services``). The kernel drops that lock when the
holder ends, however it ends, so nothing has to be counted and nothing can be forgotten: as soon as the keeper gets the
lock for itself, nobody is left and it stops the service. If the keeper itself is killed, the kernel stops the service
(``dies_with_parent``), and the next holder starts a new keeper.
"""

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from types import FrameType
from typing import IO, Any, Protocol

from megatron.embedded.account import NoAccount, find_home
from megatron.embedded.postgres import ENVIRONMENT, CannotStart, Postgres
from megatron.embedded.processes import dies_with_parent, ending, wait_for
from megatron.embedded.restarts import Restarts
from megatron.embedded.state import append_news, publish, services_dir, try_lock, write_private
from megatron.embedded.valkey import Valkey

START_SECONDS = 60
STOP_SECONDS = 60
LOOK_SECONDS = 0.25


class Service(Protocol):
    """What the keeper needs to know about a service."""

    stop_signal: signal.Signals

    def prepare(self) -> None: ...
    def command(self) -> list[str]: ...
    def is_ready(self) -> bool: ...
    def url(self) -> str: ...


def open_lock(root: Path, name: str, role: str) -> IO[str]:
    """Open one of a service's lock files: ``users`` or ``keeper``."""
    services_dir(root).mkdir(parents=True, exist_ok=True)
    return (services_dir(root) / f"{name}.{role}").open("a")


def is_kept(root: Path, name: str) -> bool:
    """Return whether a keeper lives for this service."""
    with open_lock(root, name, "keeper") as lock:
        return not try_lock(lock, fcntl.LOCK_SH)


def pin_file(root: Path, name: str) -> Path:
    """Return the file that asks the keeper whose process it names to stay without holders."""
    return services_dir(root) / f"{name}.pin"


def keep(root: Path, name: str) -> int:
    """Run one service until nobody holds it. Returns at once when another keeper does; 1 when it cannot start."""
    keeper = open_lock(root, name, "keeper")
    if not wait_for(lambda: try_lock(keeper, fcntl.LOCK_EX), seconds=1):
        return 0
    stopping = _stop_on_request()
    state, trouble = services_dir(root) / f"{name}.json", services_dir(root) / f"{name}.error"
    process: subprocess.Popen[bytes] | None = None
    published: IO[str] | None = None
    service: Service | None = None
    users = open_lock(root, name, "users")
    try:
        home = find_home(root)
        service = Postgres(home) if name == "postgres" else Valkey(home)
        restarts, due = Restarts(), 0.0
        while not stopping and not _is_unused(root, name, users):
            if process is not None and process.poll() is not None:
                _withdraw(state, published)
                due = time.monotonic() + _pause(root, name, restarts, f"{name} ended {ending(process.returncode)}")
                process = published = None
            if process is None and time.monotonic() >= due:
                restarts.begin()
                try:
                    process = _start(service, home.account.popen())
                except CannotStart as error:
                    if not restarts.failures:  # it never worked
                        raise
                    due = time.monotonic() + _pause(root, name, restarts, f"{name} does not start: {error}")
                else:
                    published = publish(root, name, service.url())
                    if restarts.failures:
                        append_news(root, name, f"{name} is back.")
            time.sleep(LOOK_SECONDS)
    except (CannotStart, NoAccount, OSError) as error:
        write_private(trouble, str(error))
        return 1
    finally:
        _withdraw(state, published)
        if process is not None and service is not None:
            _stop(process, service.stop_signal)
        keeper.close()  # before ``users``: who gets that lock next must find no keeper
        users.close()
    return 0


def _pause(root: Path, name: str, restarts: Restarts, told: str) -> float:
    """Return the seconds before the next start; raises CannotStart when that is hopeless."""
    pause = restarts.end()
    if pause is None:
        raise CannotStart(f"It failed {restarts.failures} times soon after its start: {told}.")
    append_news(root, name, f"{told}; starting it again in {pause:g} s.")
    return pause


def _withdraw(state: Path, published: IO[str] | None) -> None:
    if published is not None:
        state.unlink(missing_ok=True)
        published.close()


def _is_unused(root: Path, name: str, users: IO[str]) -> bool:
    try:
        if pin_file(root, name).read_text() == str(os.getpid()):
            return False
    except OSError:
        pass
    return try_lock(users, fcntl.LOCK_EX)


def _start(service: Service, account: dict[str, Any]) -> "subprocess.Popen[bytes]":
    service.prepare()
    process: subprocess.Popen[bytes] = subprocess.Popen(
        service.command(),
        cwd="/",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        preexec_fn=dies_with_parent(service.stop_signal),  # noqa: PLW1509  # a keeper has one thread
        **account,
    )
    ready = wait_for(lambda: process.poll() is not None or service.is_ready(), seconds=START_SECONDS)
    if process.poll() is not None or not ready:
        _stop(process, service.stop_signal)
        raise CannotStart(f"It ended {ending(process.returncode)}.")
    return process


def _stop(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stop_on_request() -> list[int]:
    asked: list[int] = []

    def ask(number: int, _: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, ask)
    return asked
