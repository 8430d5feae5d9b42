"""What candles leave for the rooms above."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from tests import factories
from tests.factories import NOON
from tokens.models import TokenTraded
from tokens.services import candles, traded

pytestmark = pytest.mark.django_db


def test_a_rolled_minute_leaves_its_token() -> None:
    """The newest minute's end and the newest trade above 5 SOL are told, one row a token, until it is taken."""
    pool, now = factories.pool(), NOON + timedelta(minutes=5)
    for minute, sol in ((0, "6"), (1, "5.1"), (2, "5")):
        at = NOON + timedelta(minutes=minute, seconds=10)
        factories.transaction(pool, block_time=at, sol_amount=Decimal(sol))
        factories.candle_due(pool.token, bucket=NOON + timedelta(minutes=minute))
    candles.roll(now=now)
    told = traded.Traded(pool.token_id, NOON + timedelta(minutes=3), NOON + timedelta(minutes=1, seconds=10))
    with transaction.atomic():
        assert traded.take(limit=10) == [told]
    with transaction.atomic():
        assert traded.take(limit=10) == []


def test_no_more_are_taken_than_asked_for() -> None:
    """A limit leaves the rest for the next one."""
    for _ in range(3):
        TokenTraded.objects.create(token=factories.token(), traded_at=NOON)
    assert [len(traded.take(limit=2)), len(traded.take(limit=2))] == [2, 1]
