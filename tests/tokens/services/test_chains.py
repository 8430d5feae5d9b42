"""What curves' reserves prove is kept: the answer is that of reading all trades, and only the newest are read."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.factories import NOON
from tests.tokens.selectors.test_spans import QUOTE, TOKENS
from tests.tokens.services.building import received, trade
from tokens.choices import Program
from tokens.models import Pool, PoolChain, Transaction
from tokens.selectors import completeness
from tokens.services import chains, ingest, reorgs
from tokens.services.reorgs import Dropped

pytestmark = pytest.mark.django_db

MINUTES = 300
NOW = NOON + timedelta(minutes=MINUTES)


def _trade(pool: Pool, number: int) -> Transaction:
    return factories.transaction(
        pool,
        slot=1_000 + number,
        block_time=NOON + timedelta(minutes=number),
        amount_in=1_000,
        amount_out=1_000,
        quote_reserves=QUOTE + 1_000 * number,
        token_reserves=TOKENS - 1_000 * number,
    )


def _curve(missing: set[int]) -> Pool:
    """Create a curve that traded each minute since noon but for the missing ones."""
    pool = factories.pool(factories.token(creation_timestamp=NOON), last_trade_at=NOW)
    for number in range(1, 61):
        if number not in missing:
            _trade(pool, number)
    return Pool.objects.select_related("token").get(pk=pool.pk)


def _told(pool: Pool) -> Any:
    return completeness.span(pool=pool, now=NOW)


def _whole(pool: Pool) -> Any:
    """Return what is told where nothing is kept."""
    rows = list(PoolChain.objects.all())
    PoolChain.objects.all().delete()
    told = _told(pool)
    PoolChain.objects.bulk_create(rows)
    return told


@pytest.mark.parametrize(
    "missing", [set(), {1}, {20}, {1, 2, 30}, {30, 31}, {29}, {59}, {10, 20, 30, 40, 50}, set(range(1, 60))]
)
@pytest.mark.parametrize("minutes", [5, 29, 30, 31, 45])
def test_endurance_14_what_is_kept_and_what_came_since_are_what_all_trades_prove(
    missing: set[int], minutes: int
) -> None:
    """Wherever trades are missing and wherever the chain is divided: span, holes and all are those of reading everything."""
    pool = _curve(missing)
    expected = _told(pool)
    chains.judge(pool_id=pool.pk, until=NOON + timedelta(minutes=minutes))
    assert _told(pool) == expected
    chains.judge(pool_id=pool.pk, until=NOON + timedelta(minutes=minutes + 10))  # from what was kept
    assert _told(pool) == expected


def test_endurance_14_only_what_came_since_is_read() -> None:
    """Of a curve that is kept no statement looks at its earlier trades, but for the first one."""
    pool = _curve(set())
    assert chains.keep(now=NOW) == 1
    assert chains.keep(now=NOW) == 0  # nothing more to keep
    kept = PoolChain.objects.get()
    assert (kept.judged_until, kept.first_slot, kept.last_slot, kept.breaks) == (NOW - chains.BEHIND, 1_001, 1_060, [])
    with CaptureQueriesContext(connection) as queries:
        _told(pool)
    asked = [query["sql"] for query in queries if "FROM transactions" in query["sql"]]
    assert asked
    for statement in asked:
        assert f"'{kept.judged_until}" in statement or f"'{kept.first_at}" in statement, statement


def _kept(pool: Pool, until: datetime = NOON + timedelta(minutes=30)) -> None:
    assert chains.judge(pool_id=pool.pk, until=until)


def test_endurance_14_a_late_trade_voids_what_is_kept() -> None:
    """Ingest removes the row of a curve of which an earlier trade comes, and of no other."""
    early = [received(trade(number)) for number in (0, 2)]
    ingest.store(batch=early, feed="test", now=NOW)
    pool = Pool.objects.select_related("token").get()
    _kept(pool)
    factories.pool_chain()
    later = received(trade(7_000))
    ingest.store(batch=[later], feed="test", now=NOW)
    assert PoolChain.objects.count() == 2
    ingest.store(batch=[received(trade(1))], feed="test", now=NOW)
    assert not PoolChain.objects.filter(pool=pool).exists()
    assert PoolChain.objects.count() == 1
    assert _told(pool) == _whole(pool)


def test_endurance_14_a_fork_voids_what_is_kept() -> None:
    """What a fork had is no longer believed."""
    ingest.store(batch=[received(trade(number)) for number in range(4)], feed="test", now=NOW)
    pool = Pool.objects.select_related("token").get()
    _kept(pool)
    gone = Transaction.objects.latest("slot")
    reorgs.take_back(venue=Program.PUMPFUN, dropped=[Dropped(gone.signature, gone.slot, landed=None)], now=NOW)
    assert not PoolChain.objects.exists()


def test_endurance_14_what_retention_dropped_is_complete_no_more() -> None:
    """Without its first trade a row says nothing: what is left is read."""
    pool = _curve(set())
    _kept(pool)
    Transaction.objects.filter(token=pool.token, slot__lt=1_010).delete()
    assert _told(pool).span.slot_from == _whole(pool).span.slot_from > 1_001


def test_endurance_14_another_start_voids_what_is_kept() -> None:
    """The first trade is held against the start of the curve: once that is known otherwise, all is judged again."""
    pool = _curve({1})
    pool.token.creation_timestamp = None
    pool.token.save(update_fields=["creation_timestamp"])
    _kept(pool)
    assert _told(pool).holes == []
    pool.token.creation_timestamp = NOON
    pool.token.save(update_fields=["creation_timestamp"])
    assert _told(pool) == _whole(pool)
    assert _told(pool).holes


def test_endurance_14_a_chain_is_not_divided_inside_a_slot() -> None:
    """Where two sources tell different times of one slot the order across the division is not the chain's."""
    pool = _curve(set())
    at = NOON + timedelta(minutes=30)
    factories.transaction(pool, slot=1_030, block_time=at - timedelta(seconds=1))
    assert not chains.judge(pool_id=pool.pk, until=at)
    assert not PoolChain.objects.exists()
