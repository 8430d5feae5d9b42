"""Under which account the embedded services run, and where their data lives.

PostgreSQL refuses to run as root. Started by root we drop to an unprivileged account; a checkout below a folder that
this account cannot enter (``/root``, say) keeps the services' data, and copies of their binaries, in
``/var/lib/megatron``.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron.embedded.state import services_dir, state_dir

UNPRIVILEGED = ("postgres", "nobody")
OUTSIDE = Path("/var/lib/megatron")


class NoAccount(RuntimeError):
    """Root started us and the system has no account that could run the services."""


@dataclass(frozen=True)
class Account:
    """Who runs a service: ourselves when ``uid`` is None."""

    uid: int | None = None
    gid: int | None = None

    def popen(self) -> dict[str, Any]:
        """Return what subprocess needs to run a command as this account."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Give one path to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_run(self, *command: str | Path) -> bool:
        """Return whether this account may run a command that only looks."""
        try:
            done = subprocess.run(
                [str(part) for part in command],
                check=False,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                **self.popen(),
            )
        except OSError:
            return False
        return done.returncode == 0


@dataclass(frozen=True)
class Home:
    """The folder of the services' data, and the account that owns what is in it."""

    path: Path
    account: Account

    def folder(self, name: str) -> Path:
        """Make one service's folder, closed to everybody else, and return it."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.account.owns(folder)
        return folder

    def runnable(self, site: Path, folders: tuple[str, ...], binary: str, version: str) -> Path:
        """Return a path to ``site/binary`` that the account may run: the original, or a copy kept in the home.

        ``folders`` are what a copy needs, below ``site``; they keep their places, since programs find their libraries
        by the way from one to the other. Raises NoAccount when neither can run.
        """
        if self.account.can_run(site / binary, "--version"):
            return site / binary
        copy = self.path / "binaries" / version
        if not copy.exists():
            draft = copy.with_name(f".{version}.{os.getpid()}")
            for folder in folders:
                if (site / folder).exists():
                    shutil.copytree(site / folder, draft / folder, symlinks=True)
            for path in (draft.parent, draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            draft.replace(copy)
        if not self.account.can_run(copy / binary, "--version"):
            raise NoAccount(
                f"{copy / binary} cannot be run by account {self.account.uid}: is {self.path} mounted noexec?"
            )
        return copy / binary


def find_home(root: Path) -> Home:
    """Return where the services of the checkout at ``root`` keep their data, making it when it is missing."""
    inside = state_dir(root)
    inside.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Home(inside, Account())
    outside = OUTSIDE / hashlib.sha256(str(root).encode()).hexdigest()[:12]
    account = _owner_of(inside / "postgres") or _owner_of(outside / "postgres") or _unprivileged()
    if account.can_run("/bin/sh", "-c", 'cd "$1"', "sh", inside):
        return Home(inside, account)
    outside.mkdir(parents=True, exist_ok=True)
    for folder in (OUTSIDE, outside):
        folder.chmod(0o755)
    services_dir(root).mkdir(exist_ok=True)
    (services_dir(root) / "home").write_text(f"{outside}\n")
    return Home(outside, account)


def _owner_of(data: Path) -> Account | None:
    """Return who owns existing data, so that root continues what an ordinary user began."""
    if not (data / "data").exists():
        return None
    owner = data.stat()
    return Account(owner.st_uid, owner.st_gid) if owner.st_uid != 0 else None


def _unprivileged() -> Account:
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise NoAccount(
        "Running as root, and the system has none of the accounts "
        f"{', '.join(UNPRIVILEGED)} for PostgreSQL: add one, run as an ordinary user, or set DATABASE_URL."
    )
