"""What is installed is pinned by hash, names no index, and what is imported is declared."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests import sources

PROJECT = tomllib.loads((sources.ROOT / "pyproject.toml").read_text())
LOCKS = sorted(path for path in sources.committed() if path.suffix == ".lock")
OURS = {"megatron", *sources.ROOMS}


def plain(name: str) -> str:
    """Return a distribution's name as indexes compare it, without extras and versions."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[ <>=~!;]", name, maxsplit=1)[0]).lower()


DECLARED = {plain(line) for line in PROJECT["project"]["dependencies"]}
CARRIED = {"prometheus-client"}
"""django-prometheus is that package's Django side: who declares the one means both."""
DEVELOPMENT = {plain(line) for line in PROJECT["dependency-groups"]["dev"]}


def entries(lock: Path) -> list[str]:
    """Return the requirements of a lock file, each with its hashes on one line."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_has_its_version_and_hash(lock: Path) -> None:
    """Nothing can be installed whose bytes are not the ones that were tried."""
    unpinned = [entry for entry in entries(lock) if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ .*--hash=sha256:", entry)]
    assert entries(lock)
    assert unpinned == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_lock_names_an_index(lock: Path) -> None:
    """Where packages come from is the machine's setting, not ours."""
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url|--find-links|--trusted-host", lock.read_text()) == []


@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.lock", DECLARED), ("requirements-dev.lock", DECLARED | DEVELOPMENT)]
)
def test_every_declared_package_is_locked(lock: str, wanted: set[str]) -> None:
    """The lock files were written after the last change of the declarations."""
    locked = {plain(name) for entry in entries(sources.ROOT / lock) for name in re.findall(r"^[\w.-]+", entry)}
    assert wanted - locked == set()


def test_every_import_is_declared() -> None:
    """Product code imports only what pyproject.toml declares, so no package stands on another's dependency."""
    owners = packages_distributions()
    undeclared = set()
    for path in sources.production():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - OURS:
                if not {plain(owner) for owner in owners.get(top, [top])} & (DECLARED | CARRIED):
                    undeclared.add((str(path.relative_to(sources.ROOT)), top))
    assert sorted(undeclared) == []
