"""Who of several sources was there, was first, or missed something."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import GapCause, Program
from tokens.selectors import feeds as reads
from tokens.selectors import indexing

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_shares_of_sources() -> None:
    """Who was first adds up to all; missed is of what a source should have brought; the lead is an average."""
    feeds.tally()
    feeds.tally(source="helius", transactions=90, first=40, missed=10, lead_ms=1_000, disconnects=0)
    feeds.tally(source="helius", venue=Program.PUMPSWAP, transactions=0, first=0, missed=0, lead_ms=0)
    feeds.tally(hour=NOON + HOUR, first=1_000)
    found = reads.shares(since=NOON, until=NOON + HOUR)
    assert [(one.venue, one.source, one.first_pct, one.missed_pct, one.lead_ms) for one in found] == [
        (Program.PUMPFUN, "solana-logs", Decimal("60.00"), Decimal("1.96"), Decimal("50.00")),
        (Program.PUMPFUN, "helius", Decimal("40.00"), Decimal("10.00"), Decimal("25.00")),
        (Program.PUMPSWAP, "helius", None, None, None),
    ]
    assert (found[0].frames, found[0].bytes, found[0].disconnects) == (360, 1_000_000, 1)


def test_the_state_of_each_live_feed() -> None:
    """A feed is open, silent for a minute, away, or without a cursor that could tell; replays are none."""
    now = NOON + timedelta(seconds=30)
    feeds.cursor()
    feeds.cursor(source="slow", observed_at=NOON - timedelta(minutes=1))
    feeds.cursor(source="gone")
    feeds.gap(source="gone", slot_to=None, cause=GapCause.DISCONNECT)
    factories.cursor(source="replay")
    feeds.tally(source="pumpportal")
    found = reads.feeds(lags=indexing.lags(now=now), now=now)
    assert {one.source: one.state for one in found} == {
        "solana-logs": "open",
        "slow": "silent",
        "gone": "away",
        "pumpportal": "unknown",
    }
    assert {one.source: one.away_since for one in found if one.away_since} == {"gone": NOON}


def test_frames_a_second_over_the_last_hour() -> None:
    """Of the hour before counts the part that is less than an hour ago."""
    feeds.tally(hour=NOON, frames=3_600)
    feeds.tally(hour=NOON - HOUR, frames=7_200)
    (one,) = reads.feeds(lags=[], now=NOON + timedelta(minutes=15))
    assert one.frames_per_second == Decimal("2.5")


def test_frames_by_hour_and_minutes_of_monitors() -> None:
    """Frames are summed over venues; a monitor's minute tells its latency and how far behind it was."""
    feeds.tally()
    feeds.tally(venue=Program.PUMPSWAP, frames=40)
    feeds.minute()
    feeds.minute(metric_time=NOON + timedelta(minutes=1), metric_data=None)
    assert reads.frames_by_hour(since=NOON, until=NOON + HOUR) == {"solana-logs": {NOON: 400}}
    assert reads.minutes(since=NOON, until=NOON + HOUR) == {
        "pumpfun": [reads.Minute(at=NOON, latency_ms=Decimal(120), behind_seconds=Decimal("1.5"))]
    }


def test_gaps_that_are_old_and_open() -> None:
    """Gaps that were found before a time, have ended and are not healed, by venue."""
    feeds.gap()
    feeds.gap(detected_at=NOON + HOUR)
    feeds.gap(source="gone", slot_to=None, cause=GapCause.DISCONNECT)
    feeds.ended_gap()
    assert reads.open_gaps_by_venue(found_before=NOON + timedelta(minutes=5)) == {"pumpfun": 1}


def standings() -> Sequence[reads.Standing]:
    return reads.standings(lags=indexing.lags(now=NOON), watches=indexing.watches(now=NOON))


def standing(venue: Program = Program.PUMPFUN) -> tuple[str, bool]:
    one = next(it for it in standings() if it.venue == venue)
    return one.liveness.value, one.is_proven


def test_truth_24_a_program_that_nobody_watches_is_not_watched() -> None:
    """Neither a replayed file that is up to date nor a row of the venue makes a live feed."""
    factories.cursor(last_block_time=NOON, observed_at=NOON)
    feeds.venue(settled_slot=None, watched_from_slot=None, settled_at=None, settled_block_time=None)
    assert [one.liveness.value for one in standings()] == ["not_watched"] * len(Program)
    assert standing() == ("not_watched", False)


@pytest.mark.parametrize(
    ("block_age", "stored_age", "liveness", "proven"),
    [
        (2, 1, "live", True),
        (60, 1, "live", True),
        (61, 1, "behind", False),
        (300, 61, "silent", False),
        (-10, 0, "live", True),
        (-11, 0, "clock_wrong", False),
        (-3600, 0, "clock_wrong", False),
    ],
)
def test_truth_24_only_what_came_a_moment_ago_is_live(
    block_age: int, stored_age: int, liveness: str, proven: bool
) -> None:
    """Behind, silent and ahead of the clock are no life."""
    feeds.cursor(last_block_time=NOON - timedelta(seconds=block_age), observed_at=NOON - timedelta(seconds=stored_age))
    assert standing() == (liveness, proven)


def test_truth_24_a_quiet_venue_is_proven_by_the_comparison() -> None:
    """Nothing newer to bring: compared beyond the newest event within a minute, and no longer."""
    feeds.cursor(last_block_time=NOON - timedelta(minutes=9), observed_at=NOON - timedelta(minutes=9))
    state = feeds.venue(settled_slot=420_000_000, advanced_at=NOON - timedelta(seconds=60))
    assert standing() == ("quiet", True)
    type(state).objects.update(advanced_at=NOON - timedelta(seconds=61))
    assert standing() == ("silent", False)
    type(state).objects.update(advanced_at=NOON, settled_slot=419_999_999)
    assert standing() == ("silent", False)


def test_truth_24_feeds_that_are_all_away_are_no_life() -> None:
    """One of two that is here speaks for the venue; without it the venue is away."""
    feeds.cursor(last_block_time=NOON, observed_at=NOON)
    feeds.gap(source="solana-logs", slot_to=None, cause=GapCause.DISCONNECT)
    assert standing() == ("away", False)
    feeds.cursor(source="helius", last_block_time=NOON, observed_at=NOON)
    assert standing() == ("live", True)
