"""The doors of `python -m megatron.embedded`."""

import fcntl
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from megatron.embedded import __main__ as door
from megatron.embedded.keeper import is_kept
from megatron.embedded.services import await_stop

WITH = """
import sys
from pathlib import Path
from megatron.embedded import __main__ as door, services
door.ROOT = Path(sys.argv.pop(1))
door.missing_services = lambda: ["valkey"]
sys.exit(door.main())
"""


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> Path:
    """Return the checkout that the commands believe to be theirs."""
    monkeypatch.setattr(door, "ROOT", checkout)
    return checkout


def call(monkeypatch: pytest.MonkeyPatch, *words: str, typed: str = "") -> int:
    monkeypatch.setattr(sys, "argv", ["megatron.embedded", *words])
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return door.main()


def test_a_wrapped_command_has_the_services_and_its_own_exit_code(checkout: Path) -> None:
    """`with` gives a command the services for as long as it runs, and returns its exit code."""
    command = (
        "import pathlib, sys; from megatron.embedded.state import service_urls;"
        f"sys.exit(7 if 'REDIS_URL' in service_urls(pathlib.Path({str(checkout)!r})) else 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITH, str(checkout), "with", sys.executable, "-c", command],
        check=False,
        env={**os.environ, "DATABASE_URL": "", "REDIS_URL": ""},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 7
    assert await_stop(checkout, ["valkey"], seconds=10) == []


def test_data_is_only_removed_after_the_word(called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`clean-data` asks for a word; anything else, or no terminal, removes nothing."""
    data = called / ".megatron/postgres/data"
    data.mkdir(parents=True)
    assert call(monkeypatch, "clean-data", typed="yes\n") == 1
    assert call(monkeypatch, "clean-data") == 1
    assert data.exists()
    assert call(monkeypatch, "clean-data", typed="remove\n") == 0
    assert not data.parent.exists()


def test_data_in_use_is_never_removed(
    called: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`clean-data` refuses while a service runs, also when told not to ask."""
    (called / ".megatron/services").mkdir(parents=True)
    with (called / ".megatron/services/postgres.keeper").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a keeper has it
        assert is_kept(called, "postgres")
        assert call(monkeypatch, "clean-data", "--yes") == 2
    assert "The embedded services are up: stop `make run`" in capsys.readouterr().err


def test_down_without_anything_up(
    called: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`down` is no error when nothing runs."""
    assert call(monkeypatch, "down") == 0
    assert capsys.readouterr().out == "nothing was up\n"


def test_a_wrong_setting_is_a_sentence_and_code_2(
    called: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong setting ends the start before anything is started, without a traceback."""
    monkeypatch.setenv("PORT", "none")
    assert call(monkeypatch, "run") == 2
    assert capsys.readouterr().err == "PORT is 'none': set a number from 1 to 65535, or leave it out.\n"
