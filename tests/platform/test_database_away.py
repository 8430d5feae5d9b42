"""What every command says while the database is away, as a terminal sees it."""

import json
import os
import re
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, RequestFactory

from megatron import clients, urls
from megatron.clients import registry

ROOT = Path(__file__).resolve().parents[2]
MINT = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P1"
CALLS = {
    "analyse": (MINT,),
    "api_key": ("list",),
    "backfill": ("pumpfun", "--from-slot", "1", "--to-slot", "2"),
    "backfill_prices": ("--from", "2026-07-01", "--to", "2026-07-02"),
    "explain_score": (MINT,),
    "export": ("tokens",),
    "import_holders": ("HOLDERS", "--mint", MINT),
    "import_sol_usd": ("PRICES",),
    "rebuild_candles": (),
    "replay": ("CAPTURE",),
    "seed": (),
    "verify_audit_log": (),
    "migrate": (),
}
ELSEWHERE = {"decode", "document_api", "monitor"}
"""Commands of ours that read no database, or live through its absence (tests/tokens/services/monitor)."""


@pytest.fixture(scope="module")
def away() -> Iterator[dict[str, str]]:
    """An environment whose database's port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else gets it
        yield {
            **os.environ,
            "DATABASE_URL": f"postgresql://a:a-secret@127.0.0.1:{taken.getsockname()[1]}/megatron",
        }


class FinalChain:
    """A chain that has come far enough."""

    def get_slot(self, *, finalized: bool) -> int:
        return 10


def manage(*arguments: str, environment: dict[str, str], shell: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    if shell:
        command = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_shield_03_every_command_of_ours_is_asked() -> None:
    """A new command must say what it says without a database, too."""
    ours = {name for name, app in get_commands().items() if app in ("megatron.core", "tokens", "holders", "scoring")}
    assert ours - ELSEWHERE <= set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_shield_03_a_command_says_one_sentence_without_the_database(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error, no traceback, and the exit code that means: try again later."""

    def refused(_self: object) -> None:
        raise OperationalError("connection failed: Connection refused\n\tIs the server running?")

    files = {
        "HOLDERS": json.dumps([{"address": MINT, "amount": 5}]),
        "PRICES": "time,price\n2026-07-01T00:00:00Z,150\n",
    }
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    places = {file: str(tmp_path / file) for file in files} | {"CAPTURE": str(ROOT / "tests/recordings/rows")}
    arguments = [places.get(word, word) for word in CALLS[name]]
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", refused)
    monkeypatch.setattr(registry, "chain", FinalChain)
    monkeypatch.setattr(clients, "price_histories", lambda: [object()])
    monkeypatch.setattr(sys, "argv", ["manage.py", name, *arguments])
    code = runpy.run_path(str(ROOT / "manage.py"))["main"]()
    assert code == 75
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "database does not answer" in line]
    assert line == (
        "The database does not answer: connection failed: Connection refused. Start it or correct DATABASE_URL, then run "
        "this again; what was committed is stored."
    )


def test_shield_03_a_terminal_sees_the_sentence(away: dict[str, str]) -> None:
    """As a process: nothing but the sentence, without the password; --traceback shows where it happened."""
    done = manage("verify_audit_log", environment=away)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (75, "", 1), done.stderr
    assert done.stderr.startswith("The database does not answer: ")
    assert "a-secret" not in done.stderr
    traced = manage("verify_audit_log", "--traceback", environment=away)
    assert (traced.returncode, "Traceback" in traced.stderr) == (1, True)


def test_shield_03_a_closed_standard_input_is_one_sentence(away: dict[str, str]) -> None:
    """`replay - <&-` and `decode - <&-` say so, with the code of a wrong call."""
    for name in ("replay", "decode"):
        done = manage(name, "-", environment=away, shell="<&-")
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 2
        assert "Standard input is closed" in done.stderr.splitlines()[-1]


def test_shield_03_a_closed_standard_input_stays_closed_behind_the_wrapper(tmp_path: Path) -> None:
    """What `make manage` puts in front gives the descriptor to nothing else: the command finds it closed, not a lock."""
    code = "import sys; print(sys.stdin)"
    command = [sys.executable, "-m", "megatron.embedded", "with", sys.executable, "-c", code]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("None\n", 0), done.stderr


def test_shield_03_a_wrong_setting_is_one_sentence(away: dict[str, str]) -> None:
    """What settings refuse is said as they say it, with the code of a wrong call; no database at all is said, too."""
    for change, told in (
        ({"STREAM_COMMITMENT": "maybe"}, "STREAM_COMMITMENT is processed, confirmed or finalized."),
        ({"DATABASE_URL": "postgresql:///"}, "DATABASE_URL is not set and the embedded PostgreSQL is not running."),
    ):
        done = manage("verify_audit_log", environment={**away, **change})
        assert "Traceback" not in done.stderr, done.stderr
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_shield_03_the_exit_code_of_a_command_is_handed_on(tmp_path: Path) -> None:
    """`./manage` ends with the command's code and knows files from where it was called; `make manage` names the code."""
    (tmp_path / "nothing.jsonl").write_text("not a message\n")
    for arguments, code in ((["decode", "nothing.jsonl"], 1), (["decode", "no such file"], 2), (["help"], 0)):
        done = subprocess.run(
            [ROOT / "manage", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == code, done.stderr
    told = subprocess.run(
        ["make", "manage", f"ARGS=decode {tmp_path / 'nothing.jsonl'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert told.returncode != 0
    assert "Error 1" in told.stderr


@pytest.mark.parametrize("path", ["/console/", "/console/login/", "/console/tokens/token/"])
def test_shield_03_the_console_says_it_on_a_page_that_stands_alone(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 in words, refreshing itself, with nothing from elsewhere in it; posting a login the same."""

    def refused(_self: object) -> None:
        raise OperationalError("connection to 10.1.2.3 refused")

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", refused)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "a" * 32
    for answer in (client.get(path), client.post(path, {"username": "operator", "password": "guess"})):
        body = answer.content.decode()
        assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "10", "no-store")
        assert "The database does not answer" in body
        assert '<meta http-equiv="refresh" content="10">' in body
        assert answer["X-Request-ID"] in body
        assert "10.1.2.3" not in body
        assert not re.search(r"<script|<link|src=|@import|url\(", body)


def test_shield_03_the_api_says_it_as_a_problem_wherever_it_was_noticed() -> None:
    """Also when something in front of the view asked the database."""
    request = RequestFactory().get("/api/v1/tokens/")
    try:
        raise OperationalError("connection to 10.1.2.3 refused")
    except OperationalError:
        answer = urls.handler500(request)
    assert (answer.status_code, answer["Retry-After"], answer["Content-Type"]) == (503, "5", "application/problem+json")
    assert json.loads(answer.content)["type"] == "urn:megatron:problem:unavailable"
    assert urls.handler500(request).status_code == 500


def test_shield_03_the_docs_open_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schema, docs and the icon need no row, whoever is signed in; the ways to them that people type lead there."""

    def refused(_self: object) -> None:
        raise OperationalError("connection to 10.1.2.3 refused")

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", refused)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "a" * 32
    assert [client.get(path).status_code for path in ("/api/docs", "/api/schema")] == [200, 200]
    led = {path: client.get(path)["Location"] for path in ("/api/", "/api/docs/", "/favicon.ico")}
    assert led.pop("/favicon.ico").endswith("console/favicon.svg")
    assert set(led.values()) == {"/api/docs"}


def test_shield_03_a_python_without_django_is_told_to_call_manage() -> None:
    """`python manage.py` outside the private environment is a sentence, not "No module named 'django'"."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "manage.py", "migrate"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "./manage" in done.stderr
