import threading
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
import structlog
from django.db import DatabaseError, connection, transaction

from megatron.core import audit
from megatron.core.models import AuditEntry

NOON = datetime(2026, 7, 3, 12, 0, 0, 123456, tzinfo=UTC)


def write(number: int) -> AuditEntry:
    return audit.record(actor="ann", action="test", kind="thing", key=number, now=NOON)


@pytest.mark.django_db
def test_entries_are_chained() -> None:
    """Each entry carries the hash of the one before; the first carries zeros."""
    first, second = write(1), write(2)
    assert (first.sequence, first.previous_hash) == (1, "0" * 64)
    assert (second.sequence, second.previous_hash) == (2, first.hash)
    assert audit.verify() == 2


@pytest.mark.django_db
def test_an_entry_keeps_what_was_said() -> None:
    """Times, Decimals and UUIDs are kept as text, in UTC; the request's id comes from the log's context."""
    with structlog.contextvars.bound_contextvars(request_id="abc12345"):
        written = audit.record(
            actor="ann",
            action="limit.set",
            reason="ordered",
            kind="limit",
            key=UUID(int=7),
            before={"sol": Decimal("1.50")},
            after={"at": NOON, "ids": [UUID(int=1)]},
            now=NOON,
        )
    kept = AuditEntry.objects.get(pk=written.pk)
    assert kept.before == {"sol": "1.50"}
    assert kept.after == {"at": "2026-07-03T12:00:00.123Z", "ids": ["00000000-0000-0000-0000-000000000001"]}
    assert (kept.object_id, kept.reason, kept.request_id) == (
        "00000000-0000-0000-0000-000000000007",
        "ordered",
        "abc12345",
    )
    assert audit.hash_of(kept) == kept.hash


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", ["reason = 'other'", "at = at + interval '1 microsecond'", "after = '{}'", "sequence = 9"]
)
def test_a_changed_entry_breaks_the_chain(change: str) -> None:
    """Whoever gets round the trigger and changes an entry is found at that entry."""
    for number in (1, 2, 3):
        write(number)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"UPDATE audit_log SET {change} WHERE sequence = 2")
    with pytest.raises(audit.ChainBroken, match="at entry 2"):
        audit.verify()


@pytest.mark.django_db
def test_a_removed_entry_breaks_the_chain() -> None:
    """A hole is found where it is."""
    for number in (1, 2, 3):
        write(number)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM audit_log WHERE sequence = 1")
    with pytest.raises(audit.ChainBroken, match="at entry 1"):
        audit.verify()


@pytest.mark.django_db
def test_the_log_is_append_only() -> None:
    """The database refuses to edit or remove an entry."""
    write(1)
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        AuditEntry.objects.update(reason="other")
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        AuditEntry.objects.all()._raw_delete("default")
    assert audit.verify() == 1


@pytest.mark.django_db(transaction=True)
def test_rivals_write_one_chain() -> None:
    """Eight threads that write at once leave one chain without gaps."""

    def rival(number: int) -> None:
        try:
            for turn in range(5):
                write(number * 10 + turn)
        finally:
            connection.close()

    threads = [threading.Thread(target=rival, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.verify() == 40


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_leaves_no_entry() -> None:
    """The entry lives and dies with the transaction of the change."""
    with suppress(ZeroDivisionError), transaction.atomic():
        write(1)
        raise ZeroDivisionError
    assert audit.verify() == 0
