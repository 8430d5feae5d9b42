"""Where the embedded services listen: one small file a service, written by its keeper while it runs.

``.megatron/services/<name>.json`` holds ``{"url": …, "pid": …}``: the address and the keeper's process. It carries a
password, so only its owner may read it (mode 0600). The keeper holds a lock on it as long as it counts and removes it
when the service stops; a file without that lock (after a power cut, SIGKILL) counts as absent.
"""

import contextlib
import fcntl
import io
import json
import os
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from megatron.embedded import files

VARIABLES = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}
"""Service → the environment variable that replaces it."""


def state_dir(root: Path) -> Path:
    """Return the folder of everything the project makes for itself."""
    return root / ".megatron"


def services_dir(root: Path) -> Path:
    """Return the folder of the services' state, locks and logs."""
    return state_dir(root) / "services"


def operator_file(root: Path) -> Path:
    """Return the file that keeps the generated operator account as ``name password`` (mode 0600)."""
    return state_dir(root) / "operator"


def service_url(root: Path, name: str) -> str | None:
    """Return the address of one running service, or None when it does not run."""
    try:
        with (services_dir(root) / f"{name}.json").open() as file:
            return None if try_lock(file, fcntl.LOCK_SH) else str(json.load(file)["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def service_urls(root: Path) -> dict[str, str]:
    """Return DATABASE_URL and REDIS_URL of the embedded services that run for the checkout at ``root``."""
    found = {variable: service_url(root, name) for name, variable in VARIABLES.items()}
    return {variable: url for variable, url in found.items() if url}


def is_address(url: str) -> bool:
    """Return whether ``url`` can be taken apart: it is nothing else's fault, and its error would repeat a password."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def not_an_address(variable: str) -> str:
    """Return what to say of an address that cannot be taken apart."""
    return (
        f"{variable} is no address: write scheme://user:password@host:port/name, its port from 1 to 65535 and what is "
        "special in a password as %40."
    )


def publish(root: Path, name: str, url: str) -> IO[str]:
    """Tell where a service listens for as long as the returned file stays open."""
    path = services_dir(root) / f"{name}.json"
    return write_private(path, json.dumps({"url": url, "pid": os.getpid()}), lock=True)


def write_private(path: Path, text: str, *, lock: bool = False) -> IO[str]:
    """Put ``text`` into ``path`` in one step; nobody but the owner may ever read it. Raises ``OSError``.

    Returns the file, open when ``lock`` (which it holds) and closed otherwise.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    files.check_replaceable(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    file = io.TextIOWrapper(files.create(draft, mode=0o600))
    file.write(text)
    file.flush()
    if lock:
        fcntl.flock(file, fcntl.LOCK_EX)
    else:
        file.close()
    draft.replace(path)
    return file


def news_file(root: Path, name: str) -> Path:
    """Return the file of what a service's keepers tell whoever sits at a terminal: a line an end, a line a return."""
    return services_dir(root) / f"{name}.news"


def append_news(root: Path, name: str, line: str) -> None:
    """Tell that a service ended or came back: in its log (our own output) and in its news."""
    print(line, flush=True)
    with contextlib.suppress(OSError), news_file(root, name).open("a") as file:  # a full disk ends no keeper
        file.write(f"{line}\n")


def try_lock(file: IO[str], kind: int) -> bool:
    """Take a lock when it is free; return whether we have it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
