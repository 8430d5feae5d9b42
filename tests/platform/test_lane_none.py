"""The server of ``make test``: its own, empty of other people's data, migrated as the code says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lanes import none

ASK = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as server:
    print(server.execute("SHOW fsync").fetchone()[0], server.info.port)
    print(*(name for (name,) in server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'megatron%' ORDER BY 1")))
print(os.environ.get("TEST_TEMPLATE"))
sys.exit(7)
"""


def ran(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command in the lane that looks at its server."""
    return subprocess.run(
        [sys.executable, "-m", "tests.lanes.none", sys.executable, "-c", ASK],
        cwd=none.ROOT,
        env={name: value for name, value in os.environ.items() if name != "TEST_TEMPLATE"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_has_a_server_of_its_own_and_its_own_exit_code() -> None:
    """The server waits for no disk, holds a migrated database to copy, and is gone afterwards."""
    done = ran({"DATABASE_URL": ""})
    assert done.returncode == 7, done.stderr
    setting, databases, template = done.stdout.splitlines()
    assert setting.split()[0] == "off"
    assert databases.split() == ["megatron", "megatron_migrated"]
    assert template == "megatron_migrated"
    command = [sys.executable, "-c", ASK]
    gone = {**os.environ, "DATABASE_URL": f"postgresql://megatron@127.0.0.1:{setting.split()[1]}/megatron"}
    assert b"refused" in subprocess.run(command, env=gone, capture_output=True, check=False).stderr


def test_a_server_that_is_named_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """With DATABASE_URL the command takes the lane's place, with that address."""

    class Replaced(Exception):
        """The process is another program now."""

    def replace(program: str, words: list[str]) -> None:
        raise Replaced(program, *words, os.environ["DATABASE_URL"])

    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db.example/m")
    monkeypatch.setattr(os, "execvp", replace)
    with pytest.raises(Replaced) as told:
        none.main(["pytest", "-q"])
    assert told.value.args == ("pytest", "pytest", "-q", "postgresql://u@db.example/m")


def test_the_kept_database_is_that_of_the_migrations_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of a migration, of what it imports, however far, or of a package makes it anew; other changes do not."""
    files = {
        "tokens/migrations/0001_initial.py": "import tokens.fields",
        "tokens/fields.py": "from megatron.core import money",
        "megatron/core/__init__.py": "",
        "megatron/core/money.py": "SCALE = 9",
        "megatron/core/migrations/0001_initial.py": "",
        "tokens/views.py": "",
        "requirements-dev.lock": "django==5.2",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(none, "ROOT", tmp_path)
    seen = {none.state_of_migrations()}
    for name in files:
        with (tmp_path / name).open("a") as file:
            file.write("\n# another")
        seen.add(none.state_of_migrations())
    assert len(seen) == len(files), "all but the views, and the first state"
    (tmp_path / "tokens/migrations/0002_more.py").write_text("")
    assert none.state_of_migrations() not in seen
