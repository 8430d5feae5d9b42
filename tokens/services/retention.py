"""Drop what is older than its table's retention policy, and keep TimescaleDB's own jobs equal to the policies.

On the level ``community`` TimescaleDB drops and compresses by itself; here its jobs are only set. On ``apache`` whole
chunks are dropped, and on plain PostgreSQL rows are deleted in batches, each its own transaction: an interrupted run
loses nothing and the next one goes on.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.db import connection, transaction

from megatron.core import locks
from megatron.core.timescale import policies
from megatron.core.timescale.fields import HypertableTimeField
from tokens.domain.retention import REFRESHES
from tokens.models import CandleDue, RetentionPolicy, StreamCursor

ROLLED_UP = frozenset({"transactions", "price_candles_1m"})
"""What candles are computed from: nothing of it is dropped while a candle of that time is still due (decision C5)."""

REPLAYS = frozenset({"replay", "retry"})
"""Feeds that speak of captures. Retention begins with the first live one."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expired:
    """What a policy would drop now: ``rows`` with a time in ``[oldest, cutoff)``; ``held`` says why they still stay."""

    table: str
    cutoff: datetime
    rows: int
    oldest: datetime | None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one run did: ``rows`` and ``chunks`` dropped by table, tables ``held`` for a reason, ``changed`` jobs."""

    rows: dict[str, int]
    chunks: dict[str, int]
    held: tuple[str, ...]
    changed: tuple[str, ...]
    finished: bool


def preview(*, now: datetime) -> list[Expired]:
    """Return what each policy would drop at ``now``, in the order of the tables' names; nothing is changed.

    TimescaleDB drops whole chunks, so there the cutoff is the end of the newest chunk that lies wholly before it.
    """
    level = policies.level(connection)
    expired = []
    for table, column, cutoff in _cutoffs(now=now):
        until = cutoff if level == "none" else _end_of_expired_chunks(table, cutoff)
        rows, oldest = (0, None) if until is None else _count_before(table, column, until)
        expired.append(Expired(table, until or cutoff, rows, oldest, _reason_to_hold(table, cutoff) if rows else ""))
    return expired


def apply(*, now: datetime, batch_size: int = 10_000, max_batches: int = 500) -> Applied:
    """Drop what is expired at ``now``, at most ``batch_size · max_batches`` rows a table, and set TimescaleDB's jobs.

    Not one transaction: each batch is committed by itself under an advisory lock that lasts as long, so a second worker
    that runs meanwhile does nothing.
    """
    level = policies.level(connection)
    held = tuple(table for table, _, cutoff in _cutoffs(now=now) if _reason_to_hold(table, cutoff))
    for table in held:
        logger.info("Nothing of %s is dropped for now: %s.", table, _reason_to_hold(table, now))
    if level == "community":
        return Applied({}, {}, held, tuple(_set_jobs(held)), finished=True)
    expired = [(table, column, cutoff) for table, column, cutoff in _cutoffs(now=now) if table not in held]
    if level == "apache":
        return Applied({}, _drop_chunks(expired), held, (), finished=True)
    counts = {table: _delete_rows(table, column, cutoff, batch_size, max_batches) for table, column, cutoff in expired}
    rows = {table: count for table, count in counts.items() if count}
    return Applied(rows, {}, held, (), finished=all(count < batch_size * max_batches for count in rows.values()))


def time_columns() -> dict[str, str]:
    """Return the time column of each hypertable of the project by its table's name."""
    return {
        model._meta.db_table: field.column
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, HypertableTimeField)
    }


def _cutoffs(*, now: datetime) -> list[tuple[str, str, datetime]]:
    """Return table, time column and cutoff of each policy that drops. Aggregates have no table of their own here."""
    columns = time_columns()
    dropping = RetentionPolicy.objects.filter(drop_after__isnull=False).order_by("table_name")
    return [
        (policy.table_name, columns[policy.table_name], now - policy.drop_after)
        for policy in dropping
        if policy.table_name in columns and policy.drop_after is not None
    ]


def _reason_to_hold(table: str, cutoff: datetime) -> str:
    """Return why nothing before ``cutoff`` may go yet, or an empty text."""
    feeds = set(StreamCursor.objects.values_list("source", flat=True))
    if feeds and feeds <= REPLAYS:
        return "only captures were replayed so far: what an operator plays on purpose is not taken away again"
    if table not in ROLLED_UP:
        return ""
    due = CandleDue.objects.filter(bucket__lt=cutoff).count()
    return f"{due} candles of that time are still due" if due else ""


def _count_before(table: str, column: str, until: datetime) -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), min({column}) FROM {table} WHERE {column} < %s", [until])
        rows, oldest = cursor.fetchone()
    return rows, oldest


def _end_of_expired_chunks(table: str, cutoff: datetime) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(range_end) FROM timescaledb_information.chunks WHERE hypertable_name = %s AND range_end <= %s",
            [table, cutoff],
        )
        (end,) = cursor.fetchone()
    return end if isinstance(end, datetime) else None


def _delete_rows(table: str, column: str, cutoff: datetime, batch_size: int, max_batches: int) -> int:
    """Delete rows before ``cutoff`` in committed batches and return how many."""
    rows = 0
    for _ in range(max_batches):
        deleted = _delete_batch(table, column, cutoff, batch_size)
        rows += deleted
        if deleted < batch_size:
            break
    return rows


def _delete_batch(table: str, column: str, cutoff: datetime, size: int) -> int:
    """Delete up to ``size`` rows before ``cutoff`` and return how many; 0 as well when another worker is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not locks.try_hold("retention.apply"):
            return 0
        cursor.execute(
            f"DELETE FROM {table} WHERE {column} < %s"
            f" AND ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {column} < %s LIMIT %s))",
            [cutoff, cutoff, size],
        )
        return int(cursor.rowcount)


def _drop_chunks(expired: Iterable[tuple[str, str, datetime]]) -> dict[str, int]:
    dropped = {}
    for table, _, cutoff in expired:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM drop_chunks(%s, older_than => %s::timestamptz)", [table, cutoff])
            (count,) = cursor.fetchone()
        if count:
            dropped[table] = count
    return dropped


def _set_jobs(held: Iterable[str]) -> Iterable[str]:
    """Make TimescaleDB's jobs equal to the policies, none that drops for a held table; yield the tables changed."""
    known = time_columns().keys() | {refresh.aggregate for refresh in REFRESHES}
    for policy in RetentionPolicy.objects.filter(table_name__in=known).order_by("table_name"):
        table = policy.table_name
        drop_after = None if table in held else policy.drop_after
        wanted = policies.Policies(drop_after, policy.compress_after, policy.segment_by, policy.order_by)
        with transaction.atomic(), connection.cursor() as cursor:
            statements = _statements(table, policies.read(connection, table), wanted)
            for statement in statements:
                cursor.execute(statement)
        if statements:
            logger.info("The jobs of %s follow its retention policy now.", table)
            yield table


def _statements(table: str, now_set: policies.Policies, wanted: policies.Policies) -> list[str]:
    """Return what to run so that ``table`` does what is ``wanted``; empty when it does already."""
    statements = []
    columns = (wanted.segment_by, wanted.order_by)
    if wanted.compress_after and columns != (now_set.segment_by, now_set.order_by):
        statements.append(policies.compression_settings_sql(table, *columns))
    if wanted.compress_after != now_set.compress_after:
        statements.append(policies.remove_compression_sql(table))
        if wanted.compress_after:
            statements.append(policies.add_compression_sql(table, wanted.compress_after))
    if wanted.drop_after != now_set.drop_after:
        statements.append(policies.remove_retention_sql(table))
        if wanted.drop_after:
            statements.append(policies.add_retention_sql(table, wanted.drop_after))
    return statements
