"""The months after the first week: whatever is written reaches few of the rows that are compressed by then.

Each hypertable has two old chunks of more rows than one statement may open (tests/history.py); a statement that reaches for
all of them fails here as it would fail for ever in production.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from holders.services import snapshots
from megatron.core.timescale import chunks
from scoring.services import holder
from tests import factories, history, hypertables
from tests.factories import NOON
from tests.holders import people
from tests.scoring import holder_rows
from tests.tokens.services.building import MINT, address, received, trade
from tokens.choices import PriceOrigin, Program
from tokens.domain import programs
from tokens.domain.events import POSITIONLESS
from tokens.models import AggregateDue, CandleDue, Pool, PriceCandle1m, Token, Transaction
from tokens.services import candles, finality, ingest, prices, reorgs
from tokens.services.ingest import followups

pytestmark = [pytest.mark.django_db, pytest.mark.community]

HOUR = timedelta(hours=1)
OLD = NOON - timedelta(days=20)
"""In the middle of the newer of the history's days of trades and minutes."""
AGO = int((NOON - OLD).total_seconds())
OTHER = address("another mint")


@pytest.fixture(autouse=True)
def past(level, sql, settings) -> Iterator[None]:
    """Let the history be there, and the limit be what tests use."""
    assert level == "community", "These tests need TimescaleDB's licensed features: run tests/lanes/community."
    settings.INGEST_COPY = False
    history.show(history.hypertables())
    sql(history.LIMITED)
    yield
    sql("RESET timescaledb.max_tuples_decompressed_per_dml_transaction")


def old(number: int, **changes: Any) -> Any:
    """Return a trade of the old day."""
    return trade(number, block_time=int(OLD.timestamp()) + number, slot=390_000_000 + number, **changes)


def store(*events: Any) -> None:
    """Store one transaction an event."""
    ingest.store(batch=[received(event) for event in events], feed="solana-logs", now=NOON)


def compress(sql: Any, *tables: str) -> None:
    """Compress what came into the old chunks since they were compressed, together with what was."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    for table in tables:
        chunks_of = f"show_chunks('{table}', older_than => %s::timestamptz)"
        sql(f"SELECT compress_chunk(chunk, recompress => true) FROM {chunks_of} AS chunk", NOON - timedelta(days=15))
    sql(history.LIMITED)


def minutes() -> list[tuple[Any, ...]]:
    """Return the minutes of the tests' tokens."""
    mine = PriceCandle1m.objects.filter(token__in=Token.objects.all())
    return list(mine.order_by("bucket").values_list("token__mint_address", "bucket", "trade_count"))


def opened(table: str, before: int) -> int:
    """Return how many batches of a table were opened."""
    return before - history.batches(table)


def test_endurance_01_a_roll_opens_nothing_for_a_fresh_trade():
    """A trade of today makes its candles while more rows are compressed than one statement may open."""
    before = {table: history.batches(table) for table in candles.TABLES.values()}
    store(trade(0))
    assert candles.roll_all(now=NOON + HOUR) == 4
    assert minutes() == [(MINT, NOON, 1)]
    assert {table: opened(table, count) for table, count in before.items()} == dict.fromkeys(before, 0)


def test_endurance_01_a_roll_of_an_old_minute_among_fresh_ones_opens_its_batch(sql):
    """A late trade's compressed minute is computed again in the same batch of work as those of today."""
    store(old(0), old(1, mint=OTHER, pool=programs.bonding_curve(OTHER)))
    candles.roll_all(now=NOON)
    compress(sql, "price_candles_1m", "transactions")
    before = history.batches("price_candles_1m")
    store(trade(3), trade(4, mint=OTHER, pool=programs.bonding_curve(OTHER)), old(2))
    assert candles.roll(now=NOON + HOUR, patient=False).buckets[60] == 3
    bucket = OLD.replace(second=0)
    assert sorted(minutes()) == sorted([(MINT, bucket, 2), (OTHER, bucket, 1), (MINT, NOON, 1), (OTHER, NOON, 1)])
    assert opened("price_candles_1m", before) == 1


def test_endurance_01_an_old_minute_without_trades_goes(sql):
    """A compressed candle of whose minute no trade is left is removed."""
    store(old(0))
    candles.roll_all(now=NOON)
    sql("DELETE FROM transactions WHERE block_time = %s AND signature = %s", OLD, old(0).signature)
    compress(sql, "price_candles_1m", "transactions")
    before = history.batches("price_candles_1m")
    factories.candle_due(Token.objects.get(), bucket=OLD)
    candles.roll(now=NOON)
    assert minutes() == []
    assert opened("price_candles_1m", before) == 1


def test_endurance_02_an_old_fork_is_taken_back(sql):
    """Trades that the chain dropped are removed out of a compressed day, and their minutes are due again."""
    store(*(old(number) for number in range(4)))
    candles.roll_all(now=NOON)
    compress(sql, "transactions", "price_candles_1m")
    before = history.batches("transactions")
    gone = [reorgs.Dropped(old(number).signature, old(number).slot, None) for number in (2, 3)]
    reorg = reorgs.take_back(venue=Program.PUMPFUN, dropped=gone, now=NOON, since=OLD - HOUR)
    assert reorg is not None
    assert reorg.trades_removed == 2
    left = Transaction.objects.filter(token__in=Token.objects.all()).values_list("signature", flat=True)
    assert set(left) == {old(0).signature, old(1).signature}
    assert Pool.objects.get().last_signature == old(1).signature
    assert CandleDue.objects.filter(interval=60).count() == 1
    assert opened("transactions", before) == 1


def test_endurance_02_a_token_of_an_old_fork_goes_with_its_candles(sql):
    """A token that only a dropped fork created is removed, and its compressed minutes are."""
    store(old(0))
    Token.objects.update(creation_signature=old(0).signature, creation_timestamp=OLD)
    candles.roll_all(now=NOON)
    compress(sql, "transactions", *candles.TABLES.values())
    before = history.batches("price_candles_1m")
    AggregateDue.objects.all().delete()
    dropped = [reorgs.Dropped(old(0).signature, old(0).slot, None)]
    reorg = reorgs.take_back(venue=Program.PUMPFUN, dropped=dropped, now=NOON, since=OLD - HOUR)
    assert reorg is not None
    assert (reorg.trades_removed, reorg.tokens_removed, Token.objects.count()) == (1, 1, 0)
    assert opened("price_candles_1m", before) == 1
    # No minute is left to be rolled that would tell the aggregate.
    assert list(AggregateDue.objects.values_list("bucket", flat=True)) == [OLD.replace(minute=0, second=0)]


def test_endurance_02_old_rows_are_scaled_when_decimals_come_late(sql):
    """Once the decimals of a coin are known its compressed trades are computed again, in the batch that brings them."""
    store(*(old(number) for number in range(3)))
    compress(sql, "transactions")
    before = history.batches("transactions")
    Token.objects.update(decimals=9)
    followups.rescale([str(Pool.objects.get().pk)], now=NOON)
    amounts = Transaction.objects.filter(token__in=Token.objects.all()).values_list(
        "token_amount", "amount_out_decimals"
    )
    assert set(amounts) == {(Decimal(3_000), 9)}
    assert opened("transactions", before) == 1


def test_endurance_02_a_first_pass_makes_old_rows_final(sql):
    """A venue that was never compared finds its compressed rows, with the bounds that the list's times give."""
    store(old(0), old(1))
    compress(sql, "transactions")
    before = history.batches("transactions")
    places = [(old(number).signature, old(number).slot) for number in (0, 1)]
    finality._finalize(places, (OLD - HOUR, NOON))
    finals = Transaction.objects.filter(token__in=Token.objects.all(), commitment=2)
    assert finals.count() == 2
    assert opened("transactions", before) == 1


def test_endurance_02_old_hours_get_their_prices(sql):
    """An hour that is compressed is filled token by token: the runbook's remedy for trades without USD."""
    store(old(0), old(1), old(2, mint=OTHER, pool=programs.bonding_curve(OTHER)), trade(5))
    compress(sql, "transactions")
    before = history.batches("transactions")
    prices.record(samples=[prices.Sample(OLD, Decimal(150), PriceOrigin.HERMES)], now=NOON)
    assert prices.fill_between(start=OLD - HOUR, end=OLD + HOUR, now=NOON) == 3
    values = Transaction.objects.filter(token__in=Token.objects.all(), block_time__lt=NOON).values_list(
        "sol_amount_usd", flat=True
    )
    assert set(values) == {Decimal(150)}
    assert 1 <= opened("transactions", before) <= 2
    assert prices.fill_between(start=OLD - HOUR, end=OLD + HOUR, now=NOON) == 0
    assert 1 <= opened("transactions", before) <= 2


def test_endurance_02_an_old_row_without_a_place_is_superseded(sql):
    """The same event from a source that knows its place takes the compressed row's place."""
    store(old(0, event_index=POSITIONLESS + 7))
    compress(sql, "transactions")
    before = history.batches("transactions")
    store(old(0))
    assert [row.event_index for row in Transaction.objects.filter(token__in=Token.objects.all())] == [
        old(0).event_index
    ]
    assert opened("transactions", before) == 1


def test_endurance_02_looking_for_rows_without_a_place_reads_the_days_of_the_batch(django_assert_max_num_queries):
    """Whether any stored row lacks its place is asked of the batch's own time, not of all that is compressed."""
    with django_assert_max_num_queries(100) as captured:
        store(trade(0))
    asked = [
        query["sql"] for query in captured.captured_queries if "SELECT EXISTS (SELECT FROM transactions" in query["sql"]
    ]
    assert len(asked) == 1
    plan = connection.cursor()
    plan.execute(f"EXPLAIN {asked[0]}")
    assert not any("compress" in line for (line,) in plan.fetchall())


def test_endurance_02_old_snapshots_and_scores_are_marked(sql):
    """A snapshot that is scored late, and a last score that is frozen late, open the batch of their token alone."""
    at = datetime(2026, 6, 12, tzinfo=NOON.tzinfo)
    pool = factories.pool()
    people.snapshot(pool, snapshot_time=at, measured_at=at)
    holder_rows.holder_score(token_mint=pool.token.mint_address, timestamp=at)
    compress(sql, "holder_snapshots", "holder_scores")
    before = history.batches("holder_scores")
    fresh = factories.pool()
    people.snapshot(fresh, measured_at=NOON)
    keys = [(pool.token.mint_address, at), (fresh.token.mint_address, NOON)]
    assert snapshots.scored(keys=keys, now=NOON) == 2
    Token.objects.filter(pk=pool.token_id).update(is_graduated=True, graduation_timestamp=at + HOUR)
    assert holder.freeze_graduated(now=at + timedelta(days=1)) == 1
    assert opened("holder_scores", before) == 1


def test_endurance_03_late_trades_open_nothing(sql):
    """Trades that come into a compressed day are stored beside it: nothing is opened, and a second time nothing is stored."""
    before = history.batches("transactions")
    late = [old(number) for number in range(50)]
    store(*late)
    store(*late)
    assert Transaction.objects.filter(token__in=Token.objects.all()).count() == 50
    assert opened("transactions", before) == 0


def test_endurance_03_a_stretch_holds_one_key_and_little_time():
    """What is old is reached a token and ten minutes at a time, what is newer than all that is compressed at once."""
    fresh = [(1, NOON + timedelta(seconds=n)) for n in range(3)] + [(2, NOON)]
    runs = [(key, OLD + timedelta(minutes=7 * n)) for key in (1, 2) for n in range(4)]
    found = list(chunks.stretches(connection, "transactions", [*runs, *fresh]))
    assert [(one.key, len(one.rows)) for one in found] == [(None, 4), (1, 2), (1, 2), (2, 2), (2, 2)]
    assert (found[0].first, found[0].last) == (NOON, NOON + timedelta(seconds=2))
    assert [(one.first, one.last) for one in found[1:3]] == [
        (OLD, OLD + timedelta(minutes=7)),
        (OLD + timedelta(minutes=14), OLD + timedelta(minutes=21)),
    ]
    many = [(1, OLD + timedelta(milliseconds=n)) for n in range(chunks.RUN + 1)]
    assert [len(one.rows) for one in chunks.stretches(connection, "transactions", many)] == [chunks.RUN, 1]


def tried(request: pytest.FixtureRequest, statement: str, *params: Any) -> list[str]:
    """Return what the lane holds against a statement of ours."""
    recorder = hypertables.Recorder(request.config)
    with connection.cursor() as cursor:
        context = {"connection": connection, "cursor": cursor}
        writes, _ = hypertables.touched(statement)
        recorder._try(lambda sql, values, *_: cursor.execute(sql, values), statement, params, False, context, writes)
    return recorder.faults


def test_endurance_04_a_statement_that_opens_more_fails_its_test(request):
    """The lane tries each writing statement over the history: what it opens beyond the limit is a fault, and so is a time that
    only a join or nothing bounds. Nothing of the trial stays."""
    before = history.batches("transactions")
    (fault,) = tried(request, "UPDATE transactions SET commitment = 2 WHERE block_time < %s AND slot > %s", NOON, 0)
    assert history.EXCEEDED in fault
    bound, exceeded = tried(request, "DELETE FROM transactions WHERE slot > %s", 0)
    assert "no constant bound" in bound
    assert history.EXCEEDED in exceeded
    key = "DELETE FROM transactions WHERE token_id = %s AND block_time = %s AND id = %s"
    assert tried(request, key, "0" * 32, OLD, "0" * 32) == []
    assert opened("transactions", before) == 0
