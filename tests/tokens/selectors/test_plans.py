"""The hot queries are read off an index. Judged on thousands of rows of which the asked token has a fifth,
statistics fresh."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from tests import factories
from tests.factories import NOON
from tokens.api.filters import TOKEN_ORDERS
from tokens.choices import CandleInterval
from tokens.models import Pool, PriceCandle1m, Token, Transaction
from tokens.selectors import tokens, trades

pytestmark = pytest.mark.django_db

TOKENS, MINUTES = 5, 2_000

# One real row of each table, repeated every minute for every token: no round trip for each row.
_REPEAT = """
INSERT INTO {table} SELECT made.*
FROM {table} AS one, pools AS pool, generate_series(%s::timestamptz, %s, interval '1 minute') AS minute,
     lpad(md5(pool.id::text || minute), 88, 'x') AS made_up,
     LATERAL jsonb_populate_record(one, jsonb_build_object(
        'id', event_id(minute, {name}), 'token_id', pool.token_id, 'pool_id', pool.id,
        'signature', made_up, 'block_time', minute, 'bucket', minute)) AS made
WHERE one.id = %s AND pool.id = ANY(%s)
"""


@pytest.fixture
def pool() -> Pool:
    """The curve of one of five busy tokens; 60 quiet ones stand beside them."""
    pools = [factories.pool(last_trade_at=NOON + timedelta(seconds=place)) for place in range(TOKENS)]
    for place in range(60):
        factories.pool(factories.token(creation_timestamp=NOON - timedelta(minutes=place)))
    early = NOON - timedelta(days=1)
    names = {
        "transactions": (factories.transaction(pools[0], block_time=early), "made_up, 0"),
        "price_candles_1m": (factories.candle(pools[0].token, bucket=early), "pool.token_id::text"),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")  # as ingest.store does: no trigger for each row
        for table, (one, name) in names.items():
            window = [NOON, NOON + timedelta(minutes=MINUTES - 1)]
            cursor.execute(_REPEAT.format(table=table, name=name), [*window, one.pk, [pool.pk for pool in pools]])
        cursor.execute("ANALYZE tokens, pools, transactions, price_candles_1m")
    return pools[2]


def _scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kind of each scan in a plan with what it scans: the index, or the table."""
    if "Scan" in plan["Node Type"]:
        yield plan["Node Type"], plan.get("Index Name", plan.get("Relation Name", ""))
    for part in plan.get("Plans", []):
        yield from _scans(part)


def _explained(query: QuerySet[Any]) -> list[tuple[str, str]]:
    (explained,) = json.loads(query.explain(format="json"))
    return list(_scans(explained["Plan"]))


def _tables(scans: list[tuple[str, str]]) -> set[str]:
    return {what for kind, what in scans if kind == "Seq Scan"}


def test_the_latest_trades_of_a_token_come_from_the_index(pool: Pool) -> None:
    """The newest 100 trades of a token read the index by token and time, not the table."""
    scans = _explained(trades.transactions(token=pool.token).order_by(*trades.NEWEST_FIRST)[:100])
    assert "transactions" not in _tables(scans)
    assert any("idx_transactions_token_time" in index for _, index in scans), scans


def test_a_day_of_minutes_comes_from_the_key(pool: Pool) -> None:
    """The 24 hours of 1-minute candles of a token read the primary key, not the table."""
    day = {"bucket__gte": NOON, "bucket__lt": NOON + timedelta(days=1)}
    scans = _explained(PriceCandle1m.objects.filter(token=pool.token, **day).order_by("bucket")[:1441])
    assert "price_candles_1m" not in _tables(scans)
    assert any("price_candles_1m_pkey" in index for _, index in scans), scans
    found = trades.series(
        token=pool.token,
        interval=CandleInterval.M1,
        start=NOON,
        end=NOON + timedelta(days=1),
        limit=1440,
        fill=False,
        now=NOON,
    )
    assert (len(found.candles), found.rest_from) == (1440, None)


def test_one_signature_comes_from_its_index(pool: Pool) -> None:
    """The events of one transaction are found by the index on signatures."""
    scans = _explained(Transaction.objects.filter(signature=factories.signature("one")).order_by("event_index"))
    assert "transactions" not in _tables(scans)


@pytest.mark.parametrize(
    ("terms", "known", "index"),
    [
        (("-last_trade_at", "-id"), "last_trade_at", "idx_pools_last_trade_at"),
        (("-progress_pct", "-id"), "progress_pct", "idx_pools_progress"),
        (("-progress_quote_pct", "-id"), "progress_quote_pct", "idx_pools_progress_quote"),
    ],
)
def test_tokens_in_the_order_of_their_pool_come_from_the_pools_index(
    pool: Pool, terms: tuple[str, ...], known: str, index: str
) -> None:
    """A short page of a long list needs no sort of all pools: the index of the order is there and fits."""
    found = tokens.tokens(by_current_pool=True).filter(**{f"{known}__isnull": False}).order_by(*terms)[:5]
    with connection.cursor() as cursor:
        # On 65 rows a scan of the table costs least; what counts is that the index can serve the order at all.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    assert index in {what for _, what in _explained(found)}


def test_the_newest_tokens_come_from_their_index(pool: Pool) -> None:
    """The default list walks the index on creation time."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    for name in ("-created", "created"):
        found = Token.objects.order_by(*TOKEN_ORDERS[name].terms)[:5]
        assert ("Index Scan", "idx_tokens_creation_timestamp") in _explained(found), name
