"""Embedded PostgreSQL and Valkey: shared by holders, stopped with the last one, whatever kills whom."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from megatron.embedded import account, keeper, processes, restarts, services, state
from megatron.embedded.postgres import CannotStart

BOTH = ("postgres", "valkey")


@contextmanager
def held(root: Path, *names: str) -> Iterator[services.Hold]:
    hold = services.Hold(root, names)
    hold.take()
    try:
        yield hold
    finally:
        hold.release()


def ask(root: Path, query: str) -> object:
    with psycopg.connect(state.service_urls(root)["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchone() if cursor.description else None


def server_pid(root: Path) -> int:
    return int((root / ".megatron/postgres/data/postmaster.pid").read_text().splitlines()[0])


def keeper_pid(root: Path, name: str) -> int:
    return int((state.services_dir(root) / f"{name}.json").read_text().rpartition(":")[2].rstrip("}"))


def test_both_services_serve_every_holder_and_stop_with_the_last(checkout: Path) -> None:
    """A second holder finds the same servers; they stop when both are gone and keep what was committed."""
    with held(checkout, *BOTH):
        urls = state.service_urls(checkout)
        ask(checkout, "CREATE TABLE kept AS SELECT 7 AS seven")
        with redis.Redis.from_url(urls["REDIS_URL"]) as server:
            assert server.ping() is True
        second = services.Hold(checkout, BOTH)
        second.take()
        assert state.service_urls(checkout) == urls
    assert services.await_stop(checkout, BOTH, seconds=1) == list(BOTH)
    second.release()
    assert services.await_stop(checkout, BOTH, seconds=10) == []
    assert state.service_urls(checkout) == {}
    with held(checkout, "postgres"):
        assert state.service_urls(checkout) == {"DATABASE_URL": urls["DATABASE_URL"]}
        assert ask(checkout, "SELECT seven FROM kept") == (7,)


def test_nobody_else_gets_in_or_reads_a_password(checkout: Path) -> None:
    """Servers listen on loopback, ask for a password, never run as root and show no password in a command line."""
    with held(checkout, *BOTH):
        urls = state.service_urls(checkout)
        password = urlsplit(urls["DATABASE_URL"]).password or ""
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(urls["DATABASE_URL"].replace(password, "wrong"))
        parts = urlsplit(urls["REDIS_URL"])
        with pytest.raises(redis.AuthenticationError), redis.Redis(port=parts.port or 0, password="wrong") as server:
            server.ping()
        assert ask(checkout, "SHOW listen_addresses") == ("127.0.0.1",)
        pid = server_pid(checkout)
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        assert password not in processes.command_of(pid)
        modes = [stat.S_IMODE((state.services_dir(checkout) / f"{name}.json").stat().st_mode) for name in BOTH]
        assert modes == [0o600, 0o600]
        assert stat.S_IMODE((checkout / ".megatron/postgres").stat().st_mode) == 0o700


def test_a_killed_holder_leaves_nothing_behind(checkout: Path) -> None:
    """SIGKILL of the only holder ends its services too."""
    code = f"""if True:
        from pathlib import Path
        from megatron.embedded.services import Hold
        hold = Hold(Path({str(checkout)!r}), ["valkey"])
        hold.take()
        print("up", flush=True)
        input()
    """
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    assert keeper.is_kept(checkout, "valkey")
    holder.kill()
    holder.communicate()
    assert services.await_stop(checkout, ["valkey"], seconds=10) == []


def test_a_killed_keeper_takes_its_server_along_and_is_replaced(checkout: Path) -> None:
    """SIGKILL of a keeper ends its PostgreSQL; the holder gets a new one on the same port with all commits."""
    with held(checkout, "postgres") as hold:
        ask(checkout, "CREATE TABLE kept AS SELECT 1 AS one")
        url, server = state.service_urls(checkout)["DATABASE_URL"], server_pid(checkout)
        os.kill(keeper_pid(checkout, "postgres"), signal.SIGKILL)
        assert processes.wait_for(lambda: not processes.command_of(server), seconds=10)
        hold.ensure()
        assert state.service_urls(checkout)["DATABASE_URL"] == url
        assert ask(checkout, "SELECT one FROM kept") == (1,)


def test_shield_03_a_killed_server_is_started_again_and_said(checkout: Path) -> None:
    """SIGKILL of PostgreSQL itself costs its connections, not its data: the keeper starts it again, and its holder is told."""
    with held(checkout, "postgres") as hold:
        assert list(hold.news()) == []
        ask(checkout, "CREATE TABLE kept AS SELECT 1 AS one")
        server = server_pid(checkout)
        os.kill(server, signal.SIGKILL)
        assert processes.wait_for(lambda: not state.service_urls(checkout), seconds=5)
        assert processes.wait_for(lambda: bool(state.service_urls(checkout)), seconds=15)
        assert ask(checkout, "SELECT one FROM kept") == (1,)
        assert server_pid(checkout) != server
        told: list[str] = []
        assert processes.wait_for(lambda: bool(told.extend(hold.news()) or len(told) == 2), seconds=5)
        assert told == ["postgres ended by SIGKILL; starting it again in 1 s.", "postgres is back."]


@pytest.mark.slow
def test_shield_07_a_server_that_dies_again_and_again_is_given_up(checkout: Path) -> None:
    """A keeper whose server ended too often says so, and whoever looks gets the sentence with the log."""
    with held(checkout, "valkey") as hold:
        hold.look()
        for _ in range(5):
            assert processes.wait_for(lambda: bool(state.service_urls(checkout)), seconds=30)
            os.kill(valkey_pid(checkout), signal.SIGKILL)
            assert processes.wait_for(lambda: not state.service_urls(checkout), seconds=10)
        assert processes.wait_for(lambda: not keeper.is_kept(checkout, "valkey"), seconds=30)
        with pytest.raises(
            CannotStart, match=r"It failed 5 times soon after its start: valkey ended by SIGKILL\.\nIts log"
        ):
            hold.look()


def test_shield_07_a_keeper_that_is_killed_again_and_again_is_given_up(checkout: Path) -> None:
    """The fifth quick end of a keeper is its last: nobody starts it for ever."""
    hold = services.Hold(checkout, ["valkey"])
    hold._keepers["valkey"].failures = len(restarts.PAUSES)
    with pytest.raises(CannotStart, match="Its keeper was killed again and again"):
        hold.look()


def valkey_pid(root: Path) -> int:
    with redis.Redis.from_url(state.service_urls(root)["REDIS_URL"]) as server:
        return int(server.info("server")["process_id"])


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(checkout: Path) -> None:
    """After a power cut the number in postmaster.pid may belong to another program; the server starts all the same."""
    with held(checkout, "postgres"):
        pass
    assert services.await_stop(checkout, ["postgres"], seconds=10) == []
    data = checkout / ".megatron/postgres/data"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n1\n\n127.0.0.1\n\nready\n")
    with held(checkout, "postgres"):
        assert ask(checkout, "SELECT 1") == (1,)


def test_pinned_services_outlive_their_holders(checkout: Path) -> None:
    """A pinned service stays without holders until it is unpinned."""
    with held(checkout, "valkey"):
        services.pin(checkout, "valkey")
    assert services.await_stop(checkout, ["valkey"], seconds=1) == ["valkey"]
    services.unpin(checkout, "valkey")
    assert services.await_stop(checkout, ["valkey"], seconds=10) == []


def test_a_service_that_cannot_start_says_why(checkout: Path) -> None:
    """Data of another PostgreSQL ends in a sentence that names both versions and the way out."""
    data = checkout / ".megatron/postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(CannotStart, match=r"made by PostgreSQL 12, installed is \d+: .*(?s:.*)Set DATABASE_URL"):
        services.Hold(checkout, ["postgres"]).take()


def test_a_checkout_that_the_service_account_cannot_enter() -> None:
    """Below a closed folder root keeps the data and copied binaries outside; an ordinary user keeps them inside."""
    closed = Path(tempfile.mkdtemp(prefix="megatron-closed-"))  # mode 0700
    root = closed / "checkout"
    home = account.find_home(_made(root))
    try:
        if os.geteuid() != 0:
            assert home.path == root / ".megatron"
            return
        assert home.path.parent == account.OUTSIDE
        assert (home.path.stat().st_mode & 0o777, root.stat().st_uid) == (0o755, 0)
        assert (state.services_dir(root) / "home").read_text().strip() == str(home.path)
        assert not home.account.can_run("/bin/sh", "-c", 'cd "$1"', "sh", root)
        with held(root, "postgres"):
            assert ask(root, "SELECT 1") == (1,)
        assert services.await_stop(root, ["postgres"], seconds=10) == []
    finally:
        shutil.rmtree(closed)
        if home.path.parent == account.OUTSIDE:
            shutil.rmtree(home.path)


class LockedOut(account.Account):
    """Ourselves, kept away from one folder."""

    def __init__(self, closed: Path) -> None:
        super().__init__()
        object.__setattr__(self, "closed", closed)

    def can_run(self, *command: str | Path) -> bool:
        return not str(command[0]).startswith(f"{self.__dict__['closed']}/") and super().can_run(*command)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_binaries_that_the_account_cannot_reach_are_copied_with_their_libraries(tmp_path: Path) -> None:
    """A copy keeps the folders' places below the home and can be run; it is made once."""
    site, home = tmp_path / "site", account.Home(tmp_path / "home", LockedOut(tmp_path / "site"))
    for folder in ("package/bin", "package.libs"):
        _made(site / folder)
    (site / "package.libs/word").write_text("hello")
    (site / "package/bin/tool").write_text('#!/bin/sh\ncat "$(dirname "$0")/../../package.libs/word"\n')
    (site / "package/bin/tool").chmod(0o700)
    tool = home.runnable(site, ("package", "package.libs", "absent"), "package/bin/tool", "package-1")
    assert tool == tmp_path / "home/binaries/package-1/package/bin/tool"
    assert subprocess.check_output([tool], text=True) == "hello"
    assert stat.S_IMODE(tool.stat().st_mode) == 0o755
    assert home.runnable(site, ("package",), "package/bin/tool", "package-1") == tool
