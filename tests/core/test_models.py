from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from megatron.core.models import ApiKey, AuditEntry, IdempotencyRecord
from tests.core.concrete import Errand, Happening, Note, Rule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("concrete_tables")]

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
HASH = "a" * 64


def test_a_changed_row_gets_a_new_updated_at() -> None:
    """The trigger sets the time whoever writes, and created_at stays."""
    note = Note.objects.create(text="first", created_at=NOON, updated_at=NOON)
    Note.objects.filter(pk=note.pk).update(text="second")
    note.refresh_from_db()
    assert note.created_at == NOON
    assert note.updated_at > NOON + timedelta(days=1)


def test_every_table_with_updated_at_has_the_trigger() -> None:
    """No table of ours has the column without the trigger that keeps it true."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT table_name FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE column_name = 'updated_at' AND table_schema = current_schema() AND table_type = 'BASE TABLE'
              AND table_name NOT IN (
                SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'pgtrigger_set_updated_at_%')
        """)
        assert cursor.fetchall() == []


def test_a_fact_is_neither_edited_nor_removed() -> None:
    """The database refuses, whatever the way."""
    fact = Happening.objects.create(text="it rained")
    for change in (
        lambda: Happening.objects.update(text="sun"),
        fact.delete,
        lambda: Happening.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="Cannot update or delete rows"), transaction.atomic():
            change()
    assert Happening.objects.get().text == "it rained"


BROKEN_WORK = {
    "errand_finished_or_quarantined": {"finished_at": NOON, "quarantined_at": NOON, "last_error": "x"},
    "errand_leased_only_while_open": {"finished_at": NOON, "leased_until": NOON},
    "errand_quarantined_with_reason": {"quarantined_at": NOON},
    "core_tests_errand_attempts_check": {"attempts": -1},
}


@pytest.mark.parametrize("name", BROKEN_WORK)
def test_work_that_cannot_be_is_refused(name: str) -> None:
    """Each constraint of Work refuses the row that breaks it."""
    with pytest.raises(IntegrityError, match=name):
        Errand.objects.create(text="x", due_at=NOON, **BROKEN_WORK[name])


def rule(version: int, *, active: bool = False) -> Rule:
    return Rule.objects.create(
        version=version, active=active, reason="first figures", created_by="ann", limit_lamports=5
    )


def test_the_terms_of_a_policy_never_change() -> None:
    """A version's figures stay; being active may move on."""
    first = rule(1, active=True)
    with pytest.raises(DatabaseError, match="copy it as a new version"), transaction.atomic():
        Rule.objects.update(limit_lamports=6)
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        first.delete()
    Rule.objects.update(active=False)
    assert rule(2, active=True).version == 2


BROKEN_RULES: dict[str, Callable[[], object]] = {
    "rule_one_active": lambda: [rule(1, active=True), rule(2, active=True)],
    "rule_version_from_1": lambda: rule(0),
    "core_tests_rule_version_key": lambda: [rule(3), rule(3)],
}


@pytest.mark.parametrize("name", BROKEN_RULES)
def test_a_policy_that_cannot_be_is_refused(name: str) -> None:
    """Each constraint of PolicyVersion refuses the row that breaks it."""
    with pytest.raises(IntegrityError, match=name):
        BROKEN_RULES[name]()


def entry(**fields: object) -> AuditEntry:
    known = {"sequence": 1, "at": NOON, "actor": "ann", "action": "test", "object_kind": "k", "object_id": "1"}
    return AuditEntry.objects.create(**{**known, "hash": HASH, "previous_hash": HASH, **fields})


def key(**fields: object) -> ApiKey:
    return ApiKey.objects.create(**{"name": "n", "prefix": "p", "secret_hash": HASH, "scopes": ["read"], **fields})


def record(**fields: object) -> IdempotencyRecord:
    known = {"caller": "key:p", "path": "/x", "key": "k", "request_hash": HASH, "stored_at": NOON}
    return IdempotencyRecord.objects.create(**{**known, **fields})


BROKEN: dict[str, Callable[[], object]] = {
    "audit_sequence_from_1": lambda: entry(sequence=0),
    "audit_hash_is_sha256": lambda: entry(hash="short"),
    "audit_log_sequence_key": lambda: [entry(), entry(hash="b" * 64)],
    "audit_log_hash_key": lambda: [entry(), entry(sequence=2)],
    "api_key_has_a_scope": lambda: key(scopes=[]),
    "api_key_scopes_known": lambda: key(scopes=["read", "everything"]),
    "api_key_rate_positive": lambda: key(rate_per_minute=0),
    "api_key_secret_is_hashed": lambda: key(secret_hash="secret"),
    "api_keys_name_key": lambda: [key(), key(prefix="q")],
    "api_keys_prefix_key": lambda: [key(), key(name="m")],
    "idempotency_once_a_caller_path_key": lambda: [record(), record()],
    "idempotency_keeps_success_only": lambda: record(status=500),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_row_of_the_cellar_that_cannot_be_is_refused(name: str) -> None:
    """Each constraint refuses the row that breaks it."""
    with pytest.raises(DatabaseError, match=name):
        BROKEN[name]()
