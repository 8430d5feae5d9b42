"""Flow 1 on real TimescaleDB, by INSERT where the server cannot take COPY: the same rows as anywhere else."""

from datetime import timedelta

import pytest
from django.db import transaction

from tests import factories
from tests.factories import NOON
from tests.tokens.services.building import received, trade
from tests.tokens.services.capture import Message, messages, play, rows
from tokens.models import CandleDue, PriceCandle1m, Transaction
from tokens.services import candles, ingest, prices

pytestmark = [pytest.mark.django_db, pytest.mark.community]

WEEK = timedelta(days=7)
COLUMNS = "token_id, bucket, open, high, low, close, volume_token, volume_sol, trade_count, buyer_count, seller_count"


@pytest.fixture
def traffic(settings) -> list[Message]:
    """Recorded log frames and transactions, to be stored without COPY."""
    settings.INGEST_COPY = False
    return messages("frames", "transactions")


def test_a_replay_fills_hypertables_and_again_adds_nothing(traffic):
    """Recorded traffic becomes transactions and candles once, however often it is replayed."""
    first = play(traffic)
    assert first.stored.transactions == Transaction.objects.count() > 40
    assert PriceCandle1m.objects.count() > 10
    before = rows()
    again = play(traffic)
    assert (again.stored.transactions, again.stored.duplicates) == (0, first.stored.transactions)
    assert rows() == before


def test_a_replay_into_compressed_chunks_changes_nothing(traffic, sql, level):
    """Once chunks are compressed they refuse the duplicates of a replay as before, and all rows read the same."""
    play(traffic)
    before = rows()
    if level == "community":
        sql("SET CONSTRAINTS ALL IMMEDIATE")  # what is still to be checked must not be moved by compression
        for table in ("transactions", "price_candles_1m"):
            sql(f"SELECT compress_chunk(chunk) FROM show_chunks('{table}') AS chunk")
        (compressed,) = sql("SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed")[0]
        assert compressed > 0
    again = play(traffic)
    assert again.stored.transactions == 0
    assert rows() == before


def test_a_replay_that_begins_late_fills_compressed_chunks(traffic, sql, level):
    """Trades that come after their chunk was compressed end in the same rows as if they had come in time."""
    with transaction.atomic():
        play(traffic)
        expected = rows()
        transaction.set_rollback(True)
    middle = len(traffic) // 2
    play(traffic[middle:])
    if level == "community":
        sql("SELECT compress_chunk(chunk) FROM show_chunks('transactions') AS chunk")
    play(traffic[:middle])
    assert rows() == expected


@pytest.mark.own_chunks
def test_r28_a_late_trade_in_a_compressed_chunk_makes_its_candle_due_again(settings, sql, level):
    """Ingest stores into a compressed chunk, wants the minute again, and the minute then has both trades."""
    settings.INGEST_COPY = False
    ingest.store(batch=[received(trade(0))], feed="solana-logs", now=NOON)
    candles.roll_all(now=NOON + timedelta(hours=1))
    assert (PriceCandle1m.objects.get().trade_count, CandleDue.objects.count()) == (1, 0)
    if level == "community":
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        sql("SELECT compress_chunk(chunk) FROM show_chunks('transactions') AS chunk")
        sql("SELECT compress_chunk(chunk) FROM show_chunks('price_candles_1m') AS chunk")
    ingest.store(batch=[received(trade(1))], feed="solana-logs", now=NOON + timedelta(days=8))
    assert CandleDue.objects.filter(interval=60).count() == 1
    candles.roll_all(now=NOON + timedelta(days=8))
    assert (PriceCandle1m.objects.get().trade_count, CandleDue.objects.count()) == (2, 0)
    if level == "community":
        assert sql(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed AND hypertable_name = 'transactions'"
        ) == [(1,)]


def test_c1_the_aggregate_equals_the_candles_of_real_trades(traffic, sql):
    """For recorded trades every minute of the aggregate is the minute of the table, to the last digit."""
    play(traffic)
    table = sql(f"SELECT {COLUMNS} FROM price_candles_1m ORDER BY token_id, bucket")
    assert len(table) > 10
    assert sql(f"SELECT {COLUMNS} FROM price_candles_1m_cagg ORDER BY token_id, bucket") == table


@pytest.mark.own_chunks
def test_prices_that_come_late_open_only_the_chunks_of_their_time(sql, level):
    """Filling the USD values of an hour gives its trades theirs and leaves the compressed chunks of other days closed."""
    pool = factories.pool()
    for at in (NOON - timedelta(days=20), NOON):
        factories.transaction(pool, block_time=at)
    if level == "community":
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        sql("SELECT compress_chunk(chunk) FROM show_chunks('transactions', older_than => %s) AS chunk", NOON - WEEK)
    factories.sol_usd(NOON)
    assert prices.fill(start=NOON, end=NOON + timedelta(hours=1), now=NOON) == 1
    usd = Transaction.objects.order_by("block_time").values_list("sol_amount_usd", flat=True)
    assert [value is None for value in usd] == [True, False]
    if level == "community":
        assert sql("SELECT status FROM _timescaledb_catalog.chunk WHERE status > 0") == [(1,)]
