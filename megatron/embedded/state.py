"""Where the embedded services listen: one small file a service, written by its keeper while it runs.

``.megatron/services/<name>.json`` holds ``{"url": …, "pid": …}``: the address and the keeper's process. It carries a
password, so only its owner may read it (mode 0600). The keeper removes it when the service stops; a file whose keeper is
gone (a power cut, SIGKILL) counts as absent.
"""

import json
import os
from pathlib import Path

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
        state = json.loads((services_dir(root) / f"{name}.json").read_text())
        url, pid = str(state["url"]), int(state["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if is_alive(pid) else None


def service_urls(root: Path) -> dict[str, str]:
    """Return DATABASE_URL and REDIS_URL of the embedded services that run for the checkout at ``root``."""
    found = {variable: service_url(root, name) for name, variable in VARIABLES.items()}
    return {variable: url for variable, url in found.items() if url}


def write_private(path: Path, text: str) -> None:
    """Put ``text`` into ``path`` in one step; nobody but the owner may ever read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def is_alive(pid: int) -> bool:
    """Return whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
