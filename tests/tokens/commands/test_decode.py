"""``manage.py decode``."""

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests import recordings
from tokens.choices import Program
from tokens.domain.decode import decode_message

ROOT = Path(__file__).parents[3]


def _run(*arguments: str | Path, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Run the command in this process; return the printed events and the summary."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("decode", *map(str, arguments), stdout=out, stderr=err)
        exited = 0
    except SystemExit as stop:
        exited = int(str(stop.code))
    assert exited == code
    return [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_prints_events(tmp_path: Path) -> None:
    """Each event is one line with the promised names, integers as integers and addresses as base58."""
    path = tmp_path / "create.json"
    path.write_bytes(recordings.content("transactions/pump-create-tx-from-gettransaction.json"))
    (create, _, buy), _ = _run(path)
    assert (create["program"], create["kind"], create["event_index"]) == ("pumpfun", "create", 200001)
    assert buy["raw"] == {"layout": "TradeEvent/32", "origin": "cpi", "instruction": "buy_exact_sol_in"}
    assert {name: buy[name] for name in list(buy)[1:11]} == {
        "kind": "buy",
        "signature": "2RoRJxatbF9Qkv87jei19u7ei2ckyjjnrCHZBRRAXi4GFJi68kra2iPSk7aoQ9Ugnf5FK5Mdp274hMaVSzn6SN5M",
        "slot": 435946190,
        "block_time": 1785327618,
        "event_index": 500001,
        "mint": "CWiTGbCiDd8BKtNYNE2boT9fJGFG2MU53Uf6HQk4pump",
        "pool": "3jJ83NDorkbFkF1JKbEfFWGeX16aXUiwby9RwJm9kat3",
        "user": "5htGpHK2oV9g2BcDqLdRBqjCLdy8mc3fsESfR5DU73eM",
        "quote_mint": "So11111111111111111111111111111111111111112",
        "quote_amount_raw": 2962962962,
    }
    assert (buy["token_amount_raw"], buy["fees"]["cashback"]) == (96449438144093, 8888889)
    assert buy["reserves"]["before"] == {
        "virtual_quote": 30000000000,
        "virtual_token": 1073000000000000,
        "real_quote": 0,
        "real_token": 793100000000000,
    }


def test_summary(tmp_path: Path) -> None:
    """The summary counts outcomes, kinds and refusals, with an example of each; the exit code says that some failed."""
    (tmp_path / "a.jsonl").write_bytes(recordings.content("frames/logs-subscribe.jsonl"))
    (tmp_path / "b.csv.gz").write_bytes(_packed_rows())
    (tmp_path / "c.json").write_bytes(b'{"what": 1}')
    events, summary = _run("--json", tmp_path, code=1)
    counts = json.loads(summary)
    assert counts["messages"] == 73 + 999 + 1
    assert counts["outcomes"] == {"events": 26 + 999, "failed": 46, "control": 1, "undecodable": 1}
    assert counts["events"] == {"pumpfun buy": 17 + 511, "pumpfun sell": 11 + 488, "pumpfun create": 1}
    assert counts["undecodable"] == {"unknown_form": 1}
    assert counts["examples"]["unknown_form"].startswith(f"{tmp_path}/c.json:1: no transaction")
    assert len(events) == 29 + 999
    _, text = _run(tmp_path, code=1)
    assert "pumpfun buy" in text
    assert text.startswith("1,073 messages")


def _packed_rows() -> bytes:
    return (recordings.HERE / "rows/trades.csv.gz").read_bytes()


def test_half_written_gzip(tmp_path: Path) -> None:
    """What stands before the cut is printed; the cut is counted as undecodable."""
    packed = gzip.compress(recordings.content("frames/logs-subscribe.jsonl"))
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) * 2 // 3])
    events, summary = _run("--json", tmp_path, code=1)
    assert 5 < len(events) < 29
    assert json.loads(summary)["undecodable"] == {"cut": 1}


def test_understood(tmp_path: Path) -> None:
    """When everything was understood the exit code is 0, failed and foreign transactions included."""
    for name in ("wallet-transfer", "wallet-error", "pump-pump-jito-buy"):
        (tmp_path / f"{name}.json").write_bytes(recordings.content(f"transactions/{name}.json"))
    events, summary = _run(tmp_path, "--json")
    assert [event["kind"] for event in events] == ["buy"]
    assert json.loads(summary)["outcomes"] == {"events": 1, "failed": 1, "not_ours": 1}


def test_output_is_input(tmp_path: Path) -> None:
    """What the command prints it reads again, to the same lines."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(recordings.content("frames/logs-subscribe.jsonl"))
    first, _ = _run(path)
    path.write_text("".join(json.dumps(event) + "\n" for event in first))
    second, _ = _run(path)
    assert first == second
    assert len(first) == 29


def test_missing_path() -> None:
    """A path that does not exist is a wrong call: exit code 2, and the sentence names it."""
    with pytest.raises(CommandError, match="nowhere") as refusal:
        call_command("decode", "nowhere")
    assert refusal.value.returncode == 2


def _process(*arguments: str, **how: Any) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, str(ROOT / "manage.py"), "decode", *arguments]
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}  # nothing answers there
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, **how)


def test_as_a_process() -> None:
    """From standard input, without a database; the summary goes to standard error."""
    frames = recordings.content("frames/logs-subscribe.jsonl")
    done = _process("-", input=frames)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 29)
    assert b"73 messages" in done.stderr
    assert {decode_message(line)[0].events[0].program for line in done.stdout.splitlines()} == {Program.PUMPFUN}


def test_help() -> None:
    """The help shows examples and explains the exit codes."""
    done = _process("--help")
    assert done.returncode == 0
    assert b"zcat capture.gz | manage.py decode -" in done.stdout
    assert b"Exit codes: 0" in done.stdout


def test_reader_leaves() -> None:
    """When the reader of the output closes its end, the command ends without a word about it."""
    script = f"{sys.executable} manage.py decode tests/recordings/rows tests/recordings/frames | head -n 1"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr
