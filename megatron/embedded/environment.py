"""The private virtual environment, made from a lock file: ``python3 -I megatron/embedded/environment.py LOCK``.

Run by the system's Python before anything is installed, so: standard library only, and no import of its neighbours.
Packages are installed by hash with uv, from PATH or fetched once into the project's own folder. What is installed is
stamped with the lock file's hash, so a second start does nothing. The two lock files are installed on top of each other
(the larger one contains the smaller), so `make run` and `make test` do not undo each other's work.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".megatron"
VENV = HOME / "venv"
PYTHON = VENV / "bin" / "python"
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian and its family
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and its family
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
"""Where systems keep the certificates that they trust."""
UV_LOCK = Path(__file__).with_name("requirements-uv.lock")


class CannotInstall(Exception):
    """The environment cannot be made; the message says why."""


def ensure(lock: Path) -> None:
    """Make the environment hold everything that ``lock`` names; instant when it does already."""
    HOME.mkdir(exist_ok=True)
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = VENV / f".installed-{lock.stem}"
    if _read(stamp) == wanted and _works():
        return
    with (HOME / "environment.lock").open("a") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)  # `make run` and `make test` may start at the same moment
        if _read(stamp) == wanted and _works():
            return
        uv = _find_uv()
        if not _works():
            print("Making the virtual environment", flush=True)
            _run(
                "uv could not make the virtual environment",
                uv,
                "venv",
                "--quiet",
                "--clear",
                "--python",
                sys.executable,
                VENV,
            )
        print(f"Installing {lock.name}", flush=True)
        _run(
            f"{lock.name} could not be installed; the lines above say why",
            *(uv, "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes", "-r", lock),
        )
        stamp.write_text(wanted)


def _find_uv() -> Path:
    """Return uv from PATH, or one fetched by pip into the project's folder."""
    if found := shutil.which("uv"):
        return Path(found)
    folder = HOME / "uv"
    uv = folder / "bin" / "uv"
    wanted = hashlib.sha256(UV_LOCK.read_bytes()).hexdigest()
    if _read(folder / ".installed") == wanted and uv.exists():
        return uv
    if not _can("-m", "pip", "--version"):
        raise CannotInstall(
            "uv is not on PATH and this Python has no pip to fetch it with: install uv, or python3-pip."
        )
    print("Fetching uv", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    quiet = ("--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
    _run(
        "pip could not fetch uv; install uv yourself and have it on PATH",
        *(sys.executable, "-m", "pip", "install", *quiet, "--target", folder, "--require-hashes", "-r", UV_LOCK),
    )
    (folder / ".installed").write_text(wanted)
    return uv


def _can(*arguments: str) -> bool:
    return subprocess.run([sys.executable, *arguments], check=False, capture_output=True).returncode == 0


def _works() -> bool:
    """Return whether the environment's Python runs and is still the version the packages were installed for."""
    code = "import os, sys; sys.exit(not os.path.isdir(sys.prefix + '/lib/python%d.%d' % sys.version_info[:2]))"
    try:
        return subprocess.run([str(PYTHON), "-I", "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _run(trouble: str, *command: "str | Path") -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    trusted = next((bundle for bundle in CERTIFICATES if os.path.exists(bundle)), None)
    if trusted and "SSL_CERT_FILE" not in environment:
        environment["SSL_CERT_FILE"] = trusted  # uv brings its own list, which does not know a company's proxy
    if subprocess.run([str(part) for part in command], check=False, cwd=str(ROOT), env=environment).returncode != 0:
        raise CannotInstall(trouble)


if __name__ == "__main__":
    try:
        ensure(ROOT / sys.argv[1])
    except (CannotInstall, PermissionError) as error:
        sys.exit(f"{error}")
