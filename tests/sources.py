"""The project's own files, for tests that read them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("tokens", "holders", "scoring", "rewards", "walltrack")


def production() -> list[Path]:
    """Return the Python modules that run in production, migrations excepted."""
    roots = (ROOT / name for name in ("megatron", *ROOMS))
    return sorted(path for root in roots for path in root.rglob("*.py") if "migrations" not in path.parts)


def commands() -> list[str]:
    """Return the names of our management commands."""
    modules = (path for path in production() if path.parent.name == "commands")
    return sorted(path.stem for path in modules if not path.stem.startswith("_"))


def committed() -> list[Path]:
    """Return every file that is committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]
