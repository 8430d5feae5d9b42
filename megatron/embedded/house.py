"""What `make run` does: services, migrations, seeds, then web, workers and beat under one supervisor."""

import fcntl
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from megatron.embedded import preflight
from megatron.embedded.services import Hold, await_stop, missing_services
from megatron.embedded.state import VARIABLES, operator_file, service_url, state_dir, try_lock
from megatron.embedded.supervisor import Supervisor

READABLE = {
    "LOG_FORMAT": "words",
    # Celery warns at every start by root. The embedded services drop that account; the rest is the operator's choice.
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}
"""For people at a terminal; whatever the environment says already wins."""
QUEUES = ("stream", "score", "chain", "money", "slow")
OUTSIDE = "outside"
"""The queue of tasks that wait for strangers' servers: they have a worker of their own, so that no candle waits for them."""
ANSWER_SECONDS = 2
ASK_SECONDS = 3
RELEASE_SECONDS = 15


def commands(host: str, port: int) -> dict[str, list[str]]:
    """Return the commands of the house, by the name that stands before their lines."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "megatron"]
    worker = [*celery, "worker", "--loglevel", "INFO", "--without-mingle", "--without-gossip", "--queues"]
    return {
        "web": [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
            *("--host", host, "--port", str(port), "--blocking-threads", "4", "megatron.wsgi:application"),
        ],
        "worker": [*worker, ",".join(QUEUES), "--concurrency", "2"],
        OUTSIDE: [*worker, OUTSIDE, "--concurrency", "1"],
        "beat": [*celery, "beat", "--loglevel", "WARNING", "--pidfile="],
    }


def run(root: Path, *, with_parent: bool) -> int:
    """Start the house and stay until it is asked to stop; 0 for a wished end."""
    state_dir(root).mkdir(exist_ok=True)
    with (state_dir(root) / "run.lock").open("a+") as lock:
        if not try_lock(lock, fcntl.LOCK_EX):
            lock.seek(0)
            print(f"Megatron already runs from this checkout: {lock.read().strip() or 'it is just starting'}.")
            return 1
        lock.truncate(0)
        host, port = preflight.find_address()
        preflight.check_addresses()
        (state_dir(root) / "static").mkdir(exist_ok=True)  # STATIC_ROOT; the files themselves come from the finders
        supervisor = Supervisor(root, with_parent=with_parent, lacking=_Lacking(root))
        supervisor.listen()
        hold = Hold(root, missing_services())
        try:
            hold.take()
            preflight.check_settings()
            for step in (["migrate", "--verbosity", "0"], ["seed", "--demo"]):
                code = supervisor.step(sys.executable, "manage.py", *step, environment=_unset({"LOG_LEVEL": "WARNING"}))
                if supervisor.is_asked():
                    return 0
                if code != 0:
                    print(
                        f"`manage.py {' '.join(step)}` failed with code {code}; the lines above say why.",
                        file=sys.stderr,
                    )
                    return 1
            supervisor.start(commands(host, port), _unset({**READABLE, "PROMETHEUS_MULTIPROC_DIR": _metrics(root)}))
            url = f"http://{preflight.EVERYWHERE.get(host, host)}:{port}/"
            lock.write(url)
            lock.flush()
            return supervisor.watch(_Look(hold, supervisor.say, lambda: _announce(supervisor, root, url)))
        finally:
            supervisor.stop()
            hold.release()
            if await_stop(root, hold.names, seconds=RELEASE_SECONDS):
                supervisor.say("The embedded services stay up: another command still uses them.")
            supervisor.say("Stopped.")


def _metrics(root: Path) -> str:
    """Return an empty folder in which web and workers share their counts, so that /metrics shows the sum."""
    folder = state_dir(root) / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return str(folder)


def _unset(wished: dict[str, str]) -> dict[str, str]:
    """Return what the environment does not say already."""
    return {name: value for name, value in wished.items() if not os.environ.get(name)}


class _Lacking:
    """Says in words which server does not answer now, and nothing when both do; asks every few seconds at most.

    Commands end for want of one, beat each time it starts: a database that is away for a minute must not end the house.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._next, self._said = root, 0.0, ""

    def __call__(self) -> str:
        if time.monotonic() >= self._next:
            self._said = self._ask()
            self._next = time.monotonic() + ASK_SECONDS
        return self._said

    def _ask(self) -> str:
        for name, variable in VARIABLES.items():
            url = os.environ.get(variable) or service_url(self._root, name)
            if url is None:
                return f"the embedded {name} is not up"
            try:
                preflight.CHECKS[variable](url, seconds=ANSWER_SECONDS)
            except preflight.Unusable:
                return f"the server of {variable} does not answer"
        return ""


class _Look:
    """Looks whether we are up, what the embedded services' keepers tell, and every few seconds whether these still live."""

    def __init__(self, hold: Hold, say: Callable[[str], None], announce: Callable[[], bool]) -> None:
        self._hold, self._say, self._announce = hold, say, announce
        self._next = 0.0
        self._is_announced = False

    def __call__(self) -> None:
        self._is_announced = self._is_announced or self._announce()
        for line in self._hold.news():
            self._say(line)
        if time.monotonic() >= self._next:
            self._hold.look()
            self._next = time.monotonic() + 5


def _announce(supervisor: Supervisor, root: Path, url: str) -> bool:
    """Print the console's address and account when the web server answers; return whether it does."""
    if not _answers(url):
        return False
    account = operator_file(root)
    lines = [
        "",
        f"  Megatron is up      {url}",
        f"  Console             {url}console/",
        f"  API                 {url}api/v1/",
    ]
    if account.exists():
        name = account.read_text().split()[0]
        lines.append(f"  Account             {name}, its password is in {account.relative_to(root)}")
    supervisor.say("\n".join([*lines, "  Stop                Ctrl-C", ""]))
    return True


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=ANSWER_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
