"""The nightly maintenance."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from megatron.core import maintenance, tasks
from megatron.core.models import IdempotencyRecord

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


def session(key: str, expires: datetime) -> Session:
    return Session.objects.create(session_key=key, session_data="", expire_date=expires)


def answer(key: str, stored: datetime) -> IdempotencyRecord:
    return IdempotencyRecord.objects.create(
        caller="a", path="/api/v1/x/", key=key, request_hash="0" * 64, stored_at=stored, status=201, body={}
    )


def test_what_has_expired_goes_and_the_rest_stays() -> None:
    """Sessions go after their own time, answers after a day; those of the very moment stay."""
    session("old", NOON - timedelta(seconds=1))
    session("now", NOON)
    answer("old", NOON - timedelta(hours=24, seconds=1))
    answer("young", NOON - timedelta(hours=24))
    assert maintenance.forget_expired(now=NOON) == 2
    assert [row.session_key for row in Session.objects.all()] == ["now"]
    assert [row.key for row in IdempotencyRecord.objects.all()] == ["young"]


def test_every_table_of_ours_gets_new_statistics(sql: Any) -> None:
    """Hypertables too, which autovacuum passes over."""
    done = maintenance.run(now=NOON)
    assert {"transactions", "tokens", "audit_log", "price_candles_1m"} <= set(done.analyzed)
    assert done.unvacuumed == ()


@pytest.mark.django_db(transaction=True)
def test_tables_full_of_dead_rows_are_named(sql: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that autovacuum did not reach is named with its schema."""
    monkeypatch.setattr(maintenance, "MANY_DEAD_ROWS", 10)
    sql("CREATE TABLE dead_rows (n int) WITH (autovacuum_enabled = false)")
    try:
        sql("INSERT INTO dead_rows SELECT generate_series(1, 100)")
        sql("DELETE FROM dead_rows")
        sql("SELECT pg_stat_force_next_flush()")  # else a session tells its figures only now and then
        assert "public.dead_rows" in maintenance.run(now=NOON).unvacuumed
    finally:
        sql("DROP TABLE dead_rows")


def test_the_task_counts_what_went() -> None:
    """The Celery door says how many rows went."""
    session("old", datetime(2020, 1, 1, tzinfo=UTC))
    assert tasks.maintain() == 1
