"""Hypertables are leaves without foreign keys; what a candle's key would have proven is proven for a whole batch."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from megatron.core.timescale.fields import HypertableTimeField
from tests import factories
from tests.breaking import NOBODY
from tests.cluster.chain import Fork
from tests.factories import NOON
from tests.tokens.services.live import VENUE, Feed, world
from tokens.models import CandleDue, PriceCandle1m, Token
from tokens.services import candles, finality

HYPERTABLES = [
    model._meta.db_table
    for model in apps.get_models()
    if any(isinstance(field, HypertableTimeField) for field in model._meta.fields)
]

_KEYS = """
SELECT conrelid::regclass::text, conname FROM pg_constraint
 WHERE contype = 'f' AND (conrelid = ANY(%s::regclass[]) OR confrelid = ANY(%s::regclass[]))
"""


@pytest.mark.django_db
def test_endurance_15_no_hypertable_has_a_foreign_key(sql: Callable[..., list[Any]]) -> None:
    """Neither away from one, which would lock the parent with every chunk, nor to one."""
    assert len(HYPERTABLES) > 10
    assert sql(_KEYS, HYPERTABLES, HYPERTABLES) == []


@pytest.fixture
def rival(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A second session on the test's database, in a transaction."""
    named = connection.settings_dict
    with psycopg.connect(settings.DATABASE_URL, dbname=named["NAME"]) as other:
        yield other
        other.rollback()


@pytest.mark.django_db(transaction=True)
def test_endurance_15_a_token_that_is_taken_back_is_passed_by_and_its_marks_stay(
    rival: psycopg.Connection[Any],
) -> None:
    """A roll neither waits for who removes a token nor makes a candle of it, and makes the others'."""
    gone, kept = factories.pool(), factories.pool()
    for pool in (gone, kept):
        factories.transaction(pool)
        factories.candle_due(pool.token, bucket=NOON)
    rival.execute("SELECT FROM tokens WHERE id = %s FOR UPDATE", [gone.token_id])
    candles.roll(now=NOON + timedelta(hours=1))
    assert set(PriceCandle1m.objects.values_list("token_id", flat=True)) == {kept.token_id}
    assert CandleDue.objects.filter(interval=60).get().token_id == gone.token_id
    rival.rollback()
    candles.roll_all(now=NOON + timedelta(hours=1))
    assert PriceCandle1m.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_endurance_15_a_roll_holds_its_tokens_until_it_is_done(rival: psycopg.Connection[Any]) -> None:
    """Between the claim and the commit nobody can remove a token whose candles are made."""
    pool = factories.pool()
    factories.transaction(pool)
    factories.candle_due(pool.token, bucket=NOON)
    with transaction.atomic():
        candles.roll(now=NOON + timedelta(hours=1))
        found = rival.execute("SELECT id FROM tokens WHERE id = %s FOR UPDATE SKIP LOCKED", [pool.token_id]).fetchall()
        assert found == []
    rival.rollback()
    assert (
        len(rival.execute("SELECT id FROM tokens WHERE id = %s FOR UPDATE SKIP LOCKED", [pool.token_id]).fetchall())
        == 1
    )


@pytest.mark.django_db(transaction=True)
def test_endurance_15_a_fork_locks_a_token_before_it_removes_its_candles() -> None:
    """The other way round a roll could write a candle after the candles went and before the token did."""
    forked = world(seed=46, slots=60, per_slot=4.0, fork=Fork(15, 24), coins=10)
    forked.follow(Feed(forked.landings(dropped=True), at=forked.now))
    candles.roll_all(now=forked.now)
    tokens = Token.objects.count()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        finality.settle(venue=VENUE, chain=forked.rpc, now=forked.later())
    assert Token.objects.count() < tokens
    said = [query["sql"] for query in queries]
    locked = next(
        place for place, one in enumerate(said) if one.startswith("SELECT FROM tokens") and "FOR UPDATE" in one
    )
    removed = next(
        place for place, one in enumerate(said) if one.startswith("DELETE FROM price_candles_1m WHERE token_id")
    )
    assert locked < removed
    assert not PriceCandle1m.objects.exclude(token_id__in=Token.objects.values("pk")).exists()


@pytest.mark.django_db
def test_endurance_15_another_writer_of_candles_meets_the_trigger() -> None:
    """Whoever does not say that the tokens are proven is asked for each row."""
    with pytest.raises(IntegrityError, match="There is no token"), transaction.atomic():
        factories.candle(Token(pk=NOBODY))
