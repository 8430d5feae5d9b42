from datetime import timedelta

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import RejectionReason, RejectionStatus, Venue
from tokens.selectors import indexing

pytestmark = pytest.mark.django_db


def test_lag_of_each_source_and_venue() -> None:
    """Behind counts from the newest block time, silent from the newest stored batch; 30 seconds behind is still
    synced."""
    near = factories.cursor()
    far = factories.cursor(venue=Venue.PUMPSWAP, last_block_time=NOON - timedelta(seconds=1))
    lags = indexing.lags(now=NOON + timedelta(seconds=30))
    assert [(lag.cursor, lag.behind.total_seconds(), lag.silent.total_seconds(), lag.synced) for lag in lags] == [
        (far, 31, 28, False),
        (near, 30, 28, True),
    ]


def test_what_waits() -> None:
    """Only waiting messages are counted, by reason; due candles by interval with the oldest wish."""
    factories.rejected(b"1")
    factories.rejected(b"2")
    factories.rejected(b"3", reason=RejectionReason.NO_SLOT)
    factories.rejected(b"4", status=RejectionStatus.RESOLVED, resolved_at=NOON)
    assert indexing.waiting_by_reason() == {"no_slot": 1, "undecodable": 2}
    token = factories.token()
    factories.candle_due(token, marked_at=NOON)
    factories.candle_due(token, bucket=NOON + timedelta(minutes=1), marked_at=NOON - timedelta(minutes=1))
    assert list(indexing.due_candles()) == [
        indexing.DueCandles(interval=60, count=2, oldest_marked_at=NOON - timedelta(minutes=1))
    ]


def test_the_newest_event_of_all_pools() -> None:
    """The newest block time of any pool, or none before the first event."""
    assert indexing.newest_event_at() is None
    factories.pool(last_trade_at=NOON - timedelta(days=1))
    factories.pool(last_trade_at=NOON)
    assert indexing.newest_event_at() == NOON
