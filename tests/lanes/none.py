"""Run a command on a PostgreSQL of its own: ``python -m tests.lanes.none COMMAND…``

Where DATABASE_URL names a server, the command runs on that one. Otherwise the embedded PostgreSQL starts on data of its
own in a temporary folder, and both are gone when the command ends. Nothing in it outlives the run, so it never waits for
a disk, and nobody's own data are near.

It holds a migrated database from which the tests' databases are copied (TEST_TEMPLATE, tests/database.py). The data with
that database are made once for each state of the migrations, kept in ``.megatron/lanes/none``, and copied for a run.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from megatron.embedded import preflight
from megatron.embedded.account import NoAccount, find_home
from megatron.embedded.postgres import CannotStart, Postgres
from megatron.embedded.services import Hold, await_stop, missing_services
from megatron.embedded.state import service_url, state_dir

ROOT = Path(__file__).resolve().parents[2]
KEPT = state_dir(ROOT) / "lanes/none"
MIGRATED = "megatron_migrated"
"""A database that nobody connects to, because only such a one can be copied."""
CARELESS = "\n# A power cut may take all of it.\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
_OURS = re.compile(r"^\s*(?:from|import) ((?:megatron|tokens|holders|scoring|rewards|walltrack)\b[\w.]*)", re.MULTILINE)


def main(words: list[str]) -> int:
    """Return the command's exit status, or 2 with a sentence when there is no server for it."""
    if not words:
        print(
            "lane none: say what to run, for example: python -m tests.lanes.none pytest tests/tokens", file=sys.stderr
        )
        return 2
    preflight.read_dotenv(ROOT)
    if "postgres" not in missing_services():
        os.execvp(words[0], words)
    try:
        with _server(_migrated()) as url:
            return _run(words, {"DATABASE_URL": url, "TEST_TEMPLATE": MIGRATED})
    except (CannotStart, NoAccount) as error:
        print(f"lane none: {error}", file=sys.stderr)
        return 2


def state_of_migrations() -> str:
    """Return a digest of everything that decides what a migrated database is: migrations, what they import, packages."""
    waiting = sorted((*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")))
    seen = {*waiting, ROOT / "requirements-dev.lock", Path(__file__)}
    while waiting:
        for module in _OURS.findall(waiting.pop().read_text()):
            place = ROOT.joinpath(*module.split("."))
            found = place.glob("*.py") if place.is_dir() else [place.with_suffix(".py")]
            new = {path for path in found if path.exists()} - seen
            seen |= new
            waiting += sorted(new)
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in sorted(seen))).hexdigest()[:16]


def _migrated() -> Path:
    """Return the folder of a stopped server's data with the migrated database, made when there is none for this state."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = KEPT / state_of_migrations()
        if not ready.exists():
            with _server(None, keep=ready) as url:
                _migrate(url)
            for older in KEPT.iterdir():
                if older not in (ready, KEPT / ".lock"):
                    shutil.rmtree(older, ignore_errors=True)
    return ready


def _migrate(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {MIGRATED}")
    told = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        env={**os.environ, "DATABASE_URL": url.rpartition("/")[0] + f"/{MIGRATED}"},
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if told.returncode:
        raise CannotStart(f"the migrations fail on a fresh database:\n{told.stdout}")


@contextmanager
def _server(data: Path | None, *, keep: Path | None = None) -> Iterator[str]:
    """Run a server on a copy of ``data``, or on fresh ones, until the block ends, and yield its address.

    It ends with this process, too, however that ends. What it holds after a block without an error goes to ``keep``.
    """
    folder = Path(tempfile.mkdtemp(prefix="megatron-tests-"))
    folder.chmod(0o755)  # the server's account enters it
    home = find_home(folder)
    try:
        if data is not None:
            _copy(data, home.path / "postgres")
        Postgres(home).prepare()
        if data is None:
            with (home.path / "postgres/data/postgresql.conf").open("a") as settings:
                settings.write(CARELESS)
        hold = Hold(folder, ["postgres"])
        hold.take()
        try:
            yield str(service_url(folder, "postgres"))
        finally:
            hold.release()
            await_stop(folder, ["postgres"], seconds=30)
        if keep is not None:
            (home.path / "postgres/port").unlink()  # each run has its own
            draft = keep.with_suffix(".unfinished")
            shutil.rmtree(draft, ignore_errors=True)
            _copy(home.path / "postgres", draft)
            draft.replace(keep)  # a half-made folder never looks like a whole one
    finally:
        for path in (home.path, folder):
            shutil.rmtree(path, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners and permissions, sharing the blocks where the file system can."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def _run(words: list[str], environment: dict[str, str]) -> int:
    command = subprocess.Popen(words, env={**os.environ, **environment}, cwd=ROOT)
    before = signal.signal(signal.SIGTERM, lambda number, _frame: command.send_signal(number))
    try:
        while True:
            try:
                status = command.wait()
            except KeyboardInterrupt:
                continue  # Ctrl-C has reached the command, too, which ends in its own way
            return status if status >= 0 else 128 - status
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
