"""Writing the rows of a batch once: known ones are looked up first, so that the rest can go by plain COPY."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from psycopg.errors import UniqueViolation

from megatron.core.ids import first_id
from megatron.core.timescale.bounds import bounded
from tokens.domain.events import POSITIONLESS
from tokens.domain.facts import TradeFact
from tokens.models import Pool
from tokens.services import chains
from tokens.services.ingest.rows import COLUMNS, Writer, positionless

_CHUNK = 1_000
"""Rows a piece of COPY: while the server takes one piece, we format the next."""

_NAMES = ", ".join(COLUMNS)
_PLACES = ", ".join(["%s"] * len(COLUMNS))
_INSERT = f"INSERT INTO transactions ({_NAMES}) VALUES ({_PLACES}) ON CONFLICT (id, block_time) DO NOTHING"

_NEWEST = "SELECT block_time FROM transactions WHERE id >= %(from)s AND {bounded} ORDER BY id DESC LIMIT 1"
_STORED = "SELECT encode(uuid_send(id), 'hex') FROM transactions WHERE {bounded}"


def write(
    rows: Sequence[TradeFact], writer: Writer, meanwhile: Callable[[Sequence[TradeFact]], None]
) -> list[TradeFact]:
    """Write the rows that are not stored yet and return them. Must run inside the batch's transaction.

    ``meanwhile`` is called once with the new rows, while the server still digests what COPY sent: the place for work that
    needs no database. Another batch may store the same event between our look-up and our COPY: the unique key then refuses
    the COPY, which is undone, and the rows go one by one, skipping what is there.
    """
    new = _unknown(_positioned_first(rows))
    if not new:
        return []
    with connection.cursor() as cursor:
        # Our rows bring their USD values and their parents are proven, so the row triggers for other writers stay out.
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")
    if not settings.INGEST_COPY:
        meanwhile(new)
        _insert(new, writer)
        return new
    try:
        with transaction.atomic():
            _copy(new, writer, meanwhile)
    except UniqueViolation:
        _insert(new, writer)
    return new


def _copy(rows: Sequence[TradeFact], writer: Writer, meanwhile: Callable[[Sequence[TradeFact]], None]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY transactions ({_NAMES}) FROM STDIN") as copy:
        for start in range(0, len(rows), _CHUNK):
            copy.write(writer.copy_text(rows[start : start + _CHUNK]))
        meanwhile(rows)


def _insert(rows: Sequence[TradeFact], writer: Writer) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [writer.values(row) for row in rows])


def _unknown(rows: list[TradeFact]) -> list[TradeFact]:
    """Return the rows that are not stored.

    Ids are in the order of time, so what is later than everything stored is new without a look at its id. Of the rest, what
    is stored between its first and its last is little for a live batch: that much is read by one range. A backfill into
    dense history asks for its own ids instead.
    """
    if not rows:
        return rows
    with connection.cursor() as cursor:
        first = datetime.fromtimestamp(rows[0].block_time, UTC)
        asked: dict[str, Any] = {"from": first_id(first), "start": first}
        cursor.execute(_NEWEST.format(bounded=bounded("block_time >= %(start)s")), asked)
        row = cursor.fetchone()
        newest = row[0].timestamp() if row else rows[0].block_time - 1
        later = bisect_right(rows, newest, key=lambda fact: fact.block_time)
        early = {fact.id: fact for fact in rows[:later]}
        if not early:
            return rows
        stored = _STORED.format(bounded=bounded("block_time >= %(start)s AND block_time < %(end)s"))
        asked |= {"end": datetime.fromtimestamp(rows[later - 1].block_time + 1, UTC), "most": 2 * later + 1}
        asked |= {"first": min(early), "last": max(early)}
        cursor.execute(f"{stored} AND id >= %(first)s AND id <= %(last)s LIMIT %(most)s", asked)
        known = {found for (found,) in cursor.fetchall()}
        if len(known) > 2 * later:
            asked["ids"] = ",".join(early)
            cursor.execute(f"{stored} AND id = ANY(string_to_array(%(ids)s, ',')::uuid[])", asked)
            known = {found for (found,) in cursor.fetchall()}
    return [fact for key, fact in early.items() if key not in known] + rows[later:]


def _content(row: TradeFact) -> tuple[str, str, str, int, int]:
    return row.event.signature, row.pool, row.type, row.quote_raw, row.token_raw


_SAME = """
SELECT t.id, t.event_index, t.signature, p.pool_address, t.type,
       CASE WHEN t.type IN ('buy', 'add_liquidity') THEN t.amount_in ELSE t.amount_out END,
       CASE WHEN t.type IN ('buy', 'add_liquidity') THEN t.amount_out ELSE t.amount_in END,
       t.block_time, t.token_id
FROM transactions t JOIN pools p ON p.id = t.pool_id
WHERE t.signature = ANY(%(signatures)s) AND {bounded}
"""

_OFF = timedelta(days=1)
"""How far apart two sources say the time of one event to be, with much to spare: a table of trades may know the day only."""

# A row at a time, with the columns that choose compressed batches: one is opened at most, or none.
_SUPERSEDE = "DELETE FROM transactions WHERE token_id = %s AND block_time = %s AND id = %s"


def _positioned_first(rows: Sequence[TradeFact]) -> list[TradeFact]:
    """Settle rows without a position (CSV, PumpPortal) against the same event from a source that knows it.

    The positioned row is the one that stays, whichever came first, so the outcome does not depend on the order.
    """
    if not rows:
        return []
    loose = positionless(rows)
    times = [row.block_time for row in rows]
    between = {
        "start": datetime.fromtimestamp(min(times), UTC) - _OFF,
        "end": datetime.fromtimestamp(max(times), UTC) + _OFF,
    }
    same = _SAME.format(bounded=bounded("t.block_time >= %(start)s AND t.block_time <= %(end)s"))
    with connection.cursor() as cursor:
        if loose:
            signatures = [row.event.signature for row in loose]
            cursor.execute(f"{same} AND t.event_index < {POSITIONLESS}", {"signatures": signatures, **between})
            stored = {_stored_content(found) for found in cursor.fetchall()}
            stored |= {_content(row) for row in rows if row.event.event_index < POSITIONLESS}
            superseded = {row.id for row in loose if _content(row) in stored}
            rows = [row for row in rows if row.id not in superseded]
        if len(loose) < len(rows) and _any_positionless_stored(between):
            wanted = {_content(row) for row in rows if row.event.event_index < POSITIONLESS}
            signatures = [content[0] for content in wanted]
            cursor.execute(f"{same} AND t.event_index >= {POSITIONLESS}", {"signatures": signatures, **between})
            gone = [(found[8], found[7], found[0]) for found in cursor.fetchall() if _stored_content(found) in wanted]
            cursor.executemany(_SUPERSEDE, gone)
            if gone:
                pools = Pool.objects.filter(pool_address__in={content[1] for content in wanted}).values_list(
                    "pk", flat=True
                )
                chains.forget_all(pools=list(pools))
    return list(rows)


def _stored_content(found: tuple[object, ...]) -> tuple[str, str, str, int, int]:
    _, _, signature, pool, type_, quote, token, *_ = found
    return str(signature), str(pool), str(type_), int(str(quote)), int(str(token))


def _any_positionless_stored(between: dict[str, datetime]) -> bool:
    """Say whether any row stored of these times lacks a position: a partial index that is empty on most systems answers, and
    of what is compressed a day or two are read."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM transactions WHERE event_index >= {POSITIONLESS}"
            f" AND {bounded('block_time >= %(start)s AND block_time <= %(end)s')})",
            between,
        )
        return bool(cursor.fetchone()[0])
