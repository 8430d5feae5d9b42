from datetime import timedelta

import pytest

from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import Program, RejectionReason, RejectionStatus, Venue
from tokens.selectors import indexing

pytestmark = pytest.mark.django_db


def test_lag_of_each_source_and_venue() -> None:
    """Behind counts from the newest block time, silent from the newest stored batch; 30 seconds behind is still
    synced."""
    near = feeds.cursor()
    far = feeds.cursor(venue=Venue.PUMPSWAP, last_block_time=NOON - timedelta(seconds=1))
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


def test_only_live_feeds_have_to_keep_up() -> None:
    """A replay is listed and is neither synced nor behind; the house is synced when every live feed is, unknown without one."""
    now = NOON + timedelta(seconds=30)
    factories.cursor(source="replay", last_block_time=NOON - timedelta(days=30))
    assert indexing.synced(indexing.lags(now=now)) is None
    feeds.cursor()
    assert [(lag.cursor.source, lag.live, lag.synced) for lag in indexing.lags(now=now)] == [
        ("replay", False, None),
        ("solana-logs", True, True),
    ]
    assert indexing.synced(indexing.lags(now=now)) is True
    feeds.cursor(source="helius", last_block_time=NOON - timedelta(seconds=1))
    assert indexing.synced(indexing.lags(now=now)) is False


def test_how_far_each_venue_is_compared() -> None:
    """Each venue with its distance in slots and time, its open gaps and whether it is held; unknown for one never watched."""
    feeds.venue()
    feeds.cursor(first_slot=900, last_slot=1_020, verified_slot=899)
    feeds.gap()
    feeds.gap(slot_from=600, slot_to=None, detected_at=NOON - timedelta(minutes=1))
    feeds.ended_gap()
    feeds.venue(venue=Program.PUMPSWAP, status="quarantined", quarantined_at=NOON, quarantine_reason="grown")
    first, second, third = indexing.watches(now=NOON + timedelta(seconds=20))
    assert (first.venue, first.behind, first.behind_slots) == (Program.PUMPFUN, timedelta(seconds=20), 20)
    assert (first.open_gaps, first.oldest_gap_at, first.quarantined) == (2, NOON - timedelta(minutes=1), False)
    assert (second.behind_slots, second.open_gaps, second.quarantined) == (None, 0, True)
    assert (third.venue, third.state, third.behind) == (Program.LAUNCHLAB, None, None)


def test_truth_24_a_feed_ahead_of_the_clock_does_not_keep_up() -> None:
    """Ten seconds are how clocks differ; beyond that nobody knows how far behind it is."""
    ahead = feeds.cursor(last_block_time=NOON + timedelta(seconds=10))
    assert indexing.synced(indexing.lags(now=NOON)) is True
    type(ahead).objects.update(last_block_time=NOON + timedelta(seconds=11))
    (lag,) = indexing.lags(now=NOON)
    assert (lag.synced, lag.has_wrong_clock) == (False, True)
