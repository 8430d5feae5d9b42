"""What the documents name exists, and what must be documented is."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from tests import sources

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IGNORED = (".megatron/", ".env")
"""What a start makes: named in documents, absent from the repository."""

NAMED = re.compile(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|yaml|lock|json))`|\]\(([^)#:]+)(?:#[^)]*)?\)")
"""A path in backticks, or the target of a link that is not an address."""


def _near(path: str, document: Path) -> bool:
    """Return whether ``path`` exists from the root, from the document, or inside a part of the house."""
    bases = [ROOT, document.parent, *(ROOT / part for part in ("docs", "megatron", "megatron/settings", "tokens"))]
    return any((base / path).exists() for base in bases) or _is_an_address(path)


def _is_an_address(path: str) -> bool:
    try:
        resolve(f"/api/v1/{path}")
    except Resolver404:
        return False
    return True


def _is_a_file(name: str) -> bool:
    return not name.startswith(("/", *IGNORED)) and not name.endswith(("…", ".jsonl"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document: Path) -> None:
    """A path that a document names is there."""
    names = {code or link for code, link in NAMED.findall(document.read_text())}
    assert [name for name in sorted(names) if _is_a_file(name) and not _near(name, document)] == []


@pytest.mark.parametrize("name", ["units.md", "runbook.md", "api.md", "sizing.md"])
def test_nothing_is_said_twice_in_a_table(name: str) -> None:
    """A merge that keeps both sides leaves the old words beside the new ones."""
    said: set[str] = set()
    for line in (ROOT / "docs" / name).read_text().splitlines():
        first = line.split("|")[1].strip() if line.startswith("|") else ""
        assert first not in said, first
        said = {*said, first} if first else set()


def test_every_test_in_the_invariants_exists() -> None:
    """Each promise names tests, and each of them is there."""
    rows = re.findall(r"^\| (I\d+) \| .+? \| (.+) \|$", (ROOT / "docs" / "invariants.md").read_text(), re.MULTILINE)
    assert len(rows) >= 30
    missing = []
    for number, shown_by in rows:
        tests = re.findall(r"`(\S+?)::(\w+)`", shown_by)
        assert tests, number
        missing += [name for path, name in tests if f"def {name}(" not in (ROOT / path).read_text()]
    assert missing == []
    assert len({number for number, _ in rows}) == len(rows)


def test_every_setting_is_in_the_runbook() -> None:
    """Whatever is read from the environment is listed with its default."""
    read = re.compile(r"""(?:\benv\.\w+\(|environ(?:\.get\(|\[))\s*"([A-Z_]+)\"""")
    names = {name for source in sources.production() for name in read.findall(source.read_text())}
    listed = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "runbook.md").read_text()))
    assert names - listed == {"DJANGO_SETTINGS_MODULE"} & names


@pytest.mark.parametrize("name", sources.commands())
def test_every_command_has_help_with_an_example(name: str) -> None:
    """Each of our commands says what it does and shows how it is called."""
    command = load_command_class(get_commands()[name], name)
    text = " ".join(command.create_parser("manage.py", name).format_help().split())
    before, after = text.split("options:", 1)
    assert re.search(r"[A-Z][^.]{20,}\.", before), "says what it does"
    assert f"manage.py {name} " in after, "shows how it is called"


@pytest.mark.parametrize("name", sources.commands())
def test_every_command_has_a_test(name: str) -> None:
    """Some test calls each of our commands."""
    called = re.compile(rf"""["']{name}["']|commands(?:\.| import ){name}\b|manage\.py {name}\b""")
    assert [path for path in (ROOT / "tests").rglob("test_*.py") if called.search(path.read_text())]
