"""`manage.py verify_audit_log`."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from megatron.core import audit

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


def write(number: int) -> str:
    return audit.record(actor="ann", action="test", kind="thing", key=number, now=NOON).hash


def said(*options: str) -> str:
    out = StringIO()
    call_command("verify_audit_log", *options, stdout=out)
    return out.getvalue().strip()


def tamper(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)


def test_truth_25_a_whole_log_is_said_with_its_newest_hash() -> None:
    """How many entries, and the hash to note: a cut at the end shows against it."""
    alone = write(1)
    assert said() == f"The audit log holds. 1 entry, the newest has the hash {alone}."
    newest = write(2)
    assert said() == f"The audit log holds. 2 entries, the newest has the hash {newest}."
    assert json.loads(said("--json")) == {"ok": True, "entries": 2, "newest_hash": newest}


def test_truth_25_an_empty_log_is_not_called_whole() -> None:
    """Nothing to verify is said as that, to a program too: ``ok`` is neither true nor false."""
    assert said() == "0 entries: nothing was written to the audit log yet, or all of it is gone."
    assert json.loads(said("--json")) == {"ok": None, "entries": 0, "newest_hash": None}


@pytest.mark.parametrize(
    ("change", "entry", "sequence", "why"),
    [
        ("UPDATE audit_log SET reason = 'other' WHERE sequence = 2", 2, 2, "what it says does not give its hash"),
        ("UPDATE audit_log SET hash = repeat('a', 64) WHERE sequence = 2", 2, 2, "what it says does not give its hash"),
        (
            "DELETE FROM audit_log WHERE sequence = 1",
            1,
            2,
            "its number should be 1, so an entry was removed or inserted before it",
        ),
        (
            "UPDATE audit_log SET previous_hash = repeat('0', 64) WHERE sequence = 3",
            3,
            3,
            "it does not carry the hash of the entry before it",
        ),
    ],
)
def test_truth_25_the_first_broken_entry_is_named_and_ends_with_code_1(
    change: str, entry: int, sequence: int, why: str
) -> None:
    """Changed, removed and rehung entries: the place, the number and the reason."""
    for number in (1, 2, 3):
        write(number)
    tamper(change)
    with pytest.raises(CommandError) as told:
        said()
    assert told.value.returncode == 1
    assert str(told.value) == f"The audit log does not hold at entry {entry} (sequence {sequence}): {why}."
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit_log", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"ok": False, "entry": entry, "sequence": sequence, "why": why}


def test_truth_25_progress_is_told_as_entries_are_read() -> None:
    """The whole is told at the end, also of an empty log."""
    told: list[int] = []
    audit.verify(tell=told.append)
    write(1)
    audit.verify(tell=told.append)
    assert told == [0, 1]
