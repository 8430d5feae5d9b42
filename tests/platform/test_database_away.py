"""What every command says while the database is away, as a terminal sees it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

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
ELSEWHERE = {"decode", "monitor"}
"""Commands of ours that read no database, or live through its absence (tests/tokens/services/monitor)."""


@pytest.fixture(scope="module")
def away() -> Iterator[dict[str, str]]:
    """An environment whose database's port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else gets it
        yield {
            **os.environ,
            "DATABASE_URL": f"postgresql://a:a-secret@127.0.0.1:{taken.getsockname()[1]}/megatron",
            "HERMES_API_KEY": "key",
        }


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
    name: str, tmp_path: Path, away: dict[str, str]
) -> None:
    """One line on standard error, no traceback and no password, and the exit code that means: try again later."""
    made = {
        "HOLDERS": '[{"address": "%s", "amount": 5}]' % MINT,
        "PRICES": "time,price\n2026-07-01T00:00:00Z,150\n",
    }
    arguments = []
    for word in CALLS[name]:
        if word == "CAPTURE":
            arguments.append(str(ROOT / "tests/recordings/rows"))
        elif word in made:
            (tmp_path / word).write_text(made[word])
            arguments.append(str(tmp_path / word))
        else:
            arguments.append(word)
    environment = {**away, "SOLANA_RPC_URL": ""}
    done = manage(name, *arguments, environment=environment)
    assert "Traceback" not in done.stderr, done.stderr
    assert "a-secret" not in done.stderr + done.stdout
    last = done.stderr.strip().splitlines()[-1]
    if name == "backfill":  # asks the chain first, and there is none
        assert (done.returncode, "SOLANA_RPC_URL" in last) == (2, True)
        return
    assert done.returncode == 75, done.stderr
    assert last.startswith("The database does not answer: ")
    assert last.endswith("Start it or correct DATABASE_URL, then run this again; what was committed is stored.")


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


def test_shield_03_a_traceback_can_be_asked_for(away: dict[str, str]) -> None:
    """--traceback shows where it happened."""
    done = manage("verify_audit_log", "--traceback", environment=away)
    assert "Traceback" in done.stderr
    assert done.returncode == 1


def test_shield_03_a_wrong_setting_is_one_sentence(away: dict[str, str]) -> None:
    """What settings refuse is said as they say it, with the code of a wrong call; no database at all is said, too."""
    for change, told in (
        ({"STREAM_COMMITMENT": "maybe"}, "STREAM_COMMITMENT is processed, confirmed or finalized."),
        ({"DATABASE_URL": "postgresql:///"}, "There is no database: set DATABASE_URL"),
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
