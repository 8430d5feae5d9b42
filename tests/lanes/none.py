"""Run a command on a PostgreSQL of its own: ``python -m tests.lanes.none COMMAND…``

Where DATABASE_URL names a server, the command runs on that one. Otherwise the embedded PostgreSQL starts with fresh data
in a temporary folder, and both are gone when the command ends. Nothing in it outlives the run, so it never waits for a
disk: half a minute of a whole run, and no write to the database of ``make run``.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from megatron.embedded import preflight
from megatron.embedded.account import NoAccount, find_home
from megatron.embedded.postgres import CannotStart, Postgres
from megatron.embedded.services import Hold, await_stop, missing_services
from megatron.embedded.state import service_url

ROOT = Path(__file__).resolve().parents[2]
CARELESS = "\n# A power cut may take all of it.\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def main(words: list[str]) -> int:
    """Return the command's exit status, or 2 with a sentence when there is no server for it."""
    if not words:
        print("lane none: say what to run, for example: python -m tests.lanes.none pytest tests/tokens", file=sys.stderr)
        return 2
    preflight.read_dotenv(ROOT)
    if "postgres" not in missing_services():
        os.execvp(words[0], words)
    try:
        with server() as url:
            return _run(words, url)
    except (CannotStart, NoAccount) as error:
        print(f"lane none: {error}", file=sys.stderr)
        return 2


@contextmanager
def server() -> Iterator[str]:
    """Run a server until the block ends, and yield its address. It ends with this process, too, however that ends."""
    folder = Path(tempfile.mkdtemp(prefix="megatron-tests-"))
    folder.chmod(0o755)  # the server's account enters it
    home = find_home(folder)
    try:
        Postgres(home).prepare()
        with (home.path / "postgres/data/postgresql.conf").open("a") as settings:
            settings.write(CARELESS)
        hold = Hold(folder, ["postgres"])
        hold.take()
        try:
            yield str(service_url(folder, "postgres"))
        finally:
            hold.release()
            await_stop(folder, ["postgres"], seconds=30)
    finally:
        for path in (home.path, folder):
            shutil.rmtree(path, ignore_errors=True)


def _run(words: list[str], url: str) -> int:
    command = subprocess.Popen(words, env={**os.environ, "DATABASE_URL": url})
    signal.signal(signal.SIGTERM, lambda number, _frame: command.send_signal(number))
    while True:
        try:
            status = command.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C has reached the command, too, which ends in its own way
        return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
