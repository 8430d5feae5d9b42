"""Plans that stay: what a live batch, the fork check and the overview read does not grow with the table.

On plain PostgreSQL a BRIN index knows nothing of rows since the last VACUUM and gives them all; here no row was vacuumed.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from megatron.core.ids import event_id, first_id
from megatron.core.timescale.fields import HypertableTimeField
from tests import factories
from tests.factories import NOON
from tests.tokens.services.building import received, trade
from tokens.choices import CandleInterval, Program
from tokens.models import Pool, PriceCandle1m
from tokens.selectors import desk
from tokens.services import candles, forks, ingest
from tokens.services.listing import Page

pytestmark = pytest.mark.django_db


def hypertable_time(model: type[Model]) -> bool:
    """Return whether ``model``'s table is a hypertable where the server has such."""
    return any(isinstance(field, HypertableTimeField) for field in model._meta.fields)


ROWS = 20_000
"""A row a second before noon, in some 1,300 pages of which no summary knows."""
PAGES = 300
"""What a read of a minute may touch: the way down the key, and the rows themselves."""

_GROW = """
INSERT INTO transactions (id, signature, event_index, pool_id, token_id, block_time, slot, commitment, type, user_address,
    amount_in, amount_out, sol_amount, token_amount)
SELECT event_id(at, signature, 0), signature, 0, %(pool)s, CASE WHEN n > %(old)s THEN %(token)s ELSE md5(n::text)::uuid END, at,
       400000000 + n, 1, 'buy', translate(rpad(md5(n::text), 44, 'w'), '0l', 'zz'), 1000, 1000000, 0.000001, 1
  FROM (SELECT n, %(end)s - (%(rows)s - n) * interval '1 second' AS at,
               translate(substr(md5(n::text) || md5((-n)::text) || md5(n || 'x'), 1, 88), '0l', 'zz') AS signature
          FROM generate_series(%(first)s, %(last)s) AS n) AS made
"""


@pytest.fixture
def grown() -> Pool:
    """A table of many coins that was analysed, then took a tenth more, and was never vacuumed."""
    pool = factories.pool(last_trade_at=NOON)
    old = ROWS * 9 // 10
    asked: dict[str, Any] = {"pool": pool.pk, "token": pool.token_id, "end": NOON, "rows": ROWS, "old": old}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")
        cursor.execute(_GROW, {**asked, "first": 1, "last": old})
        cursor.execute("ANALYZE transactions, pools, tokens")
        cursor.execute(_GROW, {**asked, "first": old + 1, "last": ROWS})
    return pool


def _reads(work: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        work()
    return [
        query["sql"]
        for query in queries
        if " transactions" in query["sql"].replace('"', " ") and query["sql"].lstrip().startswith(("SELECT", "WITH"))
    ]


def _parts(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _parts(below)


def explained(statement: str) -> dict[str, Any]:
    """Carry ``statement`` out and return its plan with the pages that it touched.

    The second time counts: the first one passes the rows of earlier tests, which were rolled back, and marks them as dead.
    """
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}")
            (found,) = cursor.fetchone()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def _assert_by_key(reads: list[str], level: str) -> None:
    """Each read touches few pages. Without chunks nothing in it could be asked of a BRIN index; with them, time bounds it."""
    assert reads
    for read in reads:
        plan = explained(read)
        asked = [str(part.get(name, "")) for part in _parts(plan) for name in ("Index Cond", "Recheck Cond", "Filter")]
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < PAGES, (plan, read)
        if level == "none":
            assert not any("block_time" in one for one in asked), (asked, read)
        elif "id >=" in read:
            assert "block_time >=" in read


def test_endurance_11_a_live_batch_reads_by_the_key(grown: Pool, level: str) -> None:
    """Nothing that ingest asks of the trades before it writes goes through what the table took since the last VACUUM."""
    batch = [received(trade(number)) for number in range(-30, 30)]
    _assert_by_key(_reads(lambda: ingest.store(batch=batch, feed="test", now=NOON + timedelta(minutes=1))), level)
    _assert_by_key(_reads(lambda: ingest.store(batch=batch, feed="test", now=NOON + timedelta(minutes=1))), level)


def test_endurance_11_the_overview_reads_by_the_key(grown: Pool, level: str) -> None:
    """The newest trade, and a minute of trades for the chart and for what is hot."""
    since = NOON - timedelta(minutes=1)
    for work in (
        desk.latest_trade_at,
        lambda: desk.trades_a_minute(since=since, until=NOON),
        lambda: desk.hot_tokens(since=since, until=NOON),
    ):
        _assert_by_key(_reads(work), level)


class _Node:
    """A node that knows none of the transactions it is asked for, and all slots."""

    def get_statuses(self, signatures: Sequence[str]) -> tuple[int, list[None]]:
        return 10**12, [None for _ in signatures]


def test_endurance_11_the_fork_check_reads_by_the_key(grown: Pool, level: str) -> None:
    """What may be of a fork is looked for among the ids of its minutes."""
    page = Page(400_000_000, 400_000_000 + ROWS, {}, clock=[(400_000_000 + ROWS, NOON)])
    since = NOON - timedelta(minutes=1)
    reads = _reads(lambda: forks.doubtful(venue=Program.PUMPFUN, page=page, since=since, chain=cast(Any, _Node())))
    _assert_by_key(reads, level)


@pytest.mark.parametrize("model", [model for model in apps.get_models() if hypertable_time(model)])
def test_endurance_11_a_brin_index_summarises_what_is_written(model: type[Model], level: str, sql: Any) -> None:
    """A range that is full is summarised at once, not at the next VACUUM, which comes after a fifth of the table."""
    found = sql(
        "SELECT c.relname, c.reloptions FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam"
        " WHERE a.amname = 'brin' AND i.indrelid = %s::regclass",
        model._meta.db_table,
    )
    assert level == "none" or not found
    assert all("autosummarize=on" in (options or ()) for _, options in found), found


@pytest.mark.parametrize("seconds", ["0", "0.000001", "0.999", "0.9990001", "59.5"])
def test_endurance_11_ids_from_a_time_on_are_those_of_that_time_and_later(seconds: str) -> None:
    """The first id of a moment is above every earlier event's and not above any later one's."""
    at = NOON + timedelta(seconds=float(seconds))
    assert event_id(at - timedelta(milliseconds=1), "x") < first_id(at)
    assert first_id(at) <= event_id(at + timedelta(milliseconds=1), "x")
    assert first_id(NOON) <= event_id(NOON, "x")


_MINUTES = """
INSERT INTO transactions (id, signature, event_index, pool_id, token_id, block_time, slot, commitment, type, user_address,
    amount_in, amount_out, sol_amount, token_amount, price_per_token, quote_reserves, token_reserves)
SELECT event_id(at, signature, 0), signature, 0, p.id, p.token_id, at, 400000000 + n, 1, 'buy',
       translate(rpad(md5(n::text), 44, 'w'), '0l', 'zz'), 10000000, 1000000000, 0.01, 1000, 0.00001, 1000000, 1000000
  FROM pools p CROSS JOIN generate_series(1, 60) AS n, LATERAL (
        SELECT %s + n * interval '1 minute' AS at,
               translate(substr(md5(n || p.id::text) || md5(p.id::text || n) || md5(n || 'x'), 1, 88), '0l', 'zz') AS signature
       ) AS made
"""
_STEPS = {"summed", "traded", "edges", "traders", "flat", "minutes"}


def _held_against_each_other(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the steps that a nested loop reads anew for each row of what stands before them."""
    for node in _parts(plan):
        if node["Node Type"] == "Nested Loop":
            inner = node["Plans"][1]
            yield from (part["CTE Name"] for part in _parts(inner) if part.get("CTE Name") in _STEPS)


def test_endurance_12_a_roll_holds_no_step_against_every_row_of_another() -> None:
    """Of hundreds of due buckets the steps are hashed or merged, whatever the planner takes them for."""
    with connection.cursor() as cursor:
        pools = [factories.pool() for _ in range(10)]
        cursor.execute("ANALYZE transactions, pools, tokens")
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")
        cursor.execute(_MINUTES, [NOON])
    candles.mark(start=NOON, end=NOON + timedelta(days=1), now=NOON)
    with CaptureQueriesContext(connection) as queries:
        candles.roll_all(now=NOON + timedelta(hours=2))
    rolls = [query["sql"] for query in queries if "summed AS MATERIALIZED" in query["sql"]]
    assert len(rolls) == len(CandleInterval)
    assert PriceCandle1m.objects.count() == 60 * len(pools)
    for roll in rolls:
        plan = explained(roll)
        assert list(_held_against_each_other(plan)) == [], roll
