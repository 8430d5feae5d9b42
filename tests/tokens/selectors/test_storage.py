"""What tables take, on every kind of server."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.factories import NOON
from tokens.domain.retention import next_drop
from tokens.selectors import storage
from tokens.selectors.storage import Stored
from tokens.services import jobs

pytestmark = [pytest.mark.django_db, pytest.mark.community, pytest.mark.own_chunks]

DAY = timedelta(days=1)


def test_every_table_is_there_once_with_its_figures(sql: Any, level: str) -> None:
    """Hypertables with their chunks where the server has them, plain tables everywhere, nobody else's tables."""
    pool = factories.pool()
    for day in range(3):
        factories.transaction(pool, block_time=NOON - day * DAY)
    sql("ANALYZE")
    with CaptureQueriesContext(connection) as asked:
        stored = storage.tables(time_columns=jobs.time_columns())
    assert len(asked) <= 4
    trades, token = stored["transactions"], stored["tokens"]
    assert trades.size_bytes > 8192
    assert (token.rows, token.chunks, token.oldest, token.ratio) == (1, None, None, None)
    if level == "none":
        assert (trades.rows, trades.chunks, trades.oldest, trades.first_end) == (
            3,
            None,
            NOON - 2 * DAY,
            NOON - 2 * DAY,
        )
    else:
        midnight = NOON.replace(hour=0)
        assert (trades.chunks, trades.compressed, trades.ratio) == (3, 0, None)
        assert (trades.oldest, trades.first_end) == (midnight - 2 * DAY, midnight - DAY)
    assert "top_tokens_by_usd_volume" in stored
    assert ("price_candles_1m_cagg" in stored) == (level == "community")


def test_compressed_chunks_have_their_ratio(sql: Any, level: str) -> None:
    """Before and after are those of the compressed chunks; elsewhere nothing is compressed."""
    pool = factories.pool()
    for second in range(200):
        factories.transaction(pool, block_time=NOON + timedelta(seconds=second))
    if level == "community":
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        sql("SELECT compress_chunk(chunk) FROM show_chunks('transactions') AS chunk")
    trades = storage.tables(time_columns=jobs.time_columns())["transactions"]
    if level == "community":
        assert (trades.compressed, trades.before_bytes > trades.after_bytes > 0) == (1, True)
        assert trades.ratio == trades.before_bytes / trades.after_bytes
    else:
        assert (trades.compressed or 0, trades.ratio) == (0, None)


def test_a_large_tables_oldest_row_comes_from_the_statistics(sql: Any, level: str, monkeypatch: Any) -> None:
    """Beyond a limit no row is read: the least time of the last ANALYZE is told."""
    monkeypatch.setattr(connection, "timescale_level", "none")
    monkeypatch.setattr(storage, "_FEW_ROWS", 0)
    for second in range(5):
        factories.sol_usd(NOON + timedelta(seconds=second))
    sql("ANALYZE sol_usd_prices")
    oldest = storage.tables(time_columns={"sol_usd_prices": "price_time"})["sol_usd_prices"].oldest
    assert oldest == NOON if level == "none" else oldest in (NOON, None)


def test_an_age_is_counted_from_the_end_of_what_falls() -> None:
    """What has no rows or no age never falls."""
    assert next_drop(NOON, 90 * DAY) == NOON + 90 * DAY
    assert (next_drop(None, DAY), next_drop(NOON, None)) == (None, None)
    assert Stored("a", 1, 1, before_bytes=30, after_bytes=10).ratio == 3.0
