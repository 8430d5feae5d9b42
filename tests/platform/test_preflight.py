"""Wrong settings end in a sentence that says what to set."""

import os
import socket
from pathlib import Path

import pytest

from megatron.embedded import preflight
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
