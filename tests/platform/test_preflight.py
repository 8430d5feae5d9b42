"""Wrong settings end in a sentence that says what to set."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from megatron.core.outage import TRY_LATER
from megatron.embedded import preflight
from megatron.embedded.__main__ import ROOT, main
from megatron.embedded.preflight import Unusable


@pytest.mark.parametrize("wish", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, wish: str) -> None:
    """PORT must be a number from 1 to 65535."""
    monkeypatch.setenv("PORT", wish)
    with pytest.raises(Unusable, match="set a number from 1 to 65535"):
        preflight.find_address()


def test_a_wished_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PORT that somebody asked for is never replaced silently."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        with pytest.raises(Unusable, match="is taken or not ours: set another PORT"):
            preflight.find_address()


def test_the_next_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PORT the first free one from 8000 on is taken."""
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("BIND", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(preflight, "DEFAULT_PORT", taken.getsockname()[1])
        host, port = preflight.find_address()
    assert host == "127.0.0.1"
    assert preflight.DEFAULT_PORT < port < preflight.DEFAULT_PORT + 100


def test_a_database_of_another_kind() -> None:
    """A DATABASE_URL that is not PostgreSQL's is refused with the form it must have."""
    with pytest.raises(Unusable, match=r"starts with 'mysql': set postgresql://user:password@host:5432/name"):
        preflight.check_database("mysql://user:secret@127.0.0.1/name")


def test_a_database_that_does_not_answer() -> None:
    """A dead DATABASE_URL is named by host and port, never by its password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Unusable) as caught:
            preflight.check_database(f"postgresql://user:secret@127.0.0.1:{port}/name")
    assert str(caught.value).startswith(f"DATABASE_URL points to 127.0.0.1:{port}, which does not work")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["redis", "http"])
def test_a_redis_that_does_not_answer(scheme: str) -> None:
    """A dead or foreign REDIS_URL is named by host and port, never by its password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Unusable) as caught:
            preflight.check_redis(f"{scheme}://:secret@127.0.0.1:{port}/0")
    assert str(caught.value).startswith(f"REDIS_URL points to 127.0.0.1:{port}, which does not work")
    assert "secret" not in str(caught.value)


def test_dotenv_fills_only_what_the_environment_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the environment says wins over .env."""
    (tmp_path / ".env").write_text("MEGATRON_ONE=file\nMEGATRON_TWO=file\n")
    monkeypatch.setenv("MEGATRON_ONE", "environment")
    monkeypatch.setenv("MEGATRON_TWO", "")
    monkeypatch.delenv("MEGATRON_TWO")
    preflight.read_dotenv(tmp_path)
    assert (os.environ["MEGATRON_ONE"], os.environ.pop("MEGATRON_TWO")) == ("environment", "file")


@pytest.mark.parametrize("url", ["postgresql://a:b@h:99999/x", "postgresql://[::1/x", "postgresql://a:hunter2/x@h:1/x"])
@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL"])
def test_shield_03_an_address_that_cannot_be_read_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    """By the wrapper and by `manage.py`; what was typed is not repeated, for it may be a password."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:b@127.0.0.1:1/x")
    monkeypatch.setattr(preflight, "CHECKS", dict.fromkeys(preflight.CHECKS, lambda _url: None))
    monkeypatch.setenv(variable, url)
    with pytest.raises(Unusable, match=f"^{variable} is no address: write scheme://") as caught:
        preflight.check_addresses()
    assert caught.value.code == 2
    told = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (told.returncode, told.stderr.strip()) == (2, str(caught.value))


def test_shield_03_the_wrapper_ends_as_the_command_would(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`./manage` looks before the command does: the same code, and the reason, not a hint behind it."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DATABASE_URL", f"postgresql://a:b@127.0.0.1:{unused.getsockname()[1]}/x")
        monkeypatch.setattr(sys, "argv", ["embedded", "with", "true"])
        assert main() == TRY_LATER
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "which does not work: connection failed: " in told
    assert "Connection refused. Start that server" in told
