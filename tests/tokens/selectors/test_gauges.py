"""What alarms watch, read from the rows."""

from datetime import timedelta
from typing import Any

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import AlertKind, AlertSeverity, GapCause, Program
from tokens.models import SlotGap, VenueState
from tokens.selectors import gauges
from tokens.services import alerts

pytestmark = pytest.mark.django_db


def seen() -> dict[str, list[tuple[Any, float]]]:
    return {gauge.name: list(gauge.values) for gauge in gauges.read(now=NOON)}


def test_a_quiet_house_has_nothing_that_waits() -> None:
    """Counts are zero or absent, and nothing fails without a single row."""
    assert seen() == {
        "stream_lag_seconds": [],
        "stream_silent_seconds": [],
        "chain_comparison_age_seconds": [],
        "candles_due": [({"interval": label}, 0.0) for label in ("1m", "5m", "1h", "1d")],
        "candles_due_oldest_seconds": [({}, 0.0)],
        "tokens_traded": [({}, 0.0)],
        "gaps_open": [],
        "gap_oldest_seconds": [({}, 0.0)],
        "rejected_waiting": [],
        "metadata_waiting": [({}, 0)],
        "alerts_open": [],
        "sol_usd_age_seconds": [],
    }


def test_a_live_feed_lags_behind_the_chain_and_a_replay_does_not() -> None:
    """Lag is since the block time of the newest event, silence since it was stored; captures are as old as they are."""
    live = {"verified_slot": 1}
    factories.cursor(last_block_time=NOON - timedelta(seconds=40), observed_at=NOON - timedelta(seconds=38), **live)
    factories.cursor(source="replay", last_block_time=NOON - timedelta(days=90))
    labels = {"source": "solana-logs", "venue": "pumpfun"}
    found = seen()
    assert found["stream_lag_seconds"] == [(labels, 40.0)]
    assert found["stream_silent_seconds"] == [(labels, 38.0)]


def test_a_quiet_venue_is_not_behind() -> None:
    """A venue that was just compared with the chain beyond the feed's newest slot has nothing newer to bring."""
    cursor = factories.cursor(last_block_time=NOON - timedelta(minutes=9), verified_slot=1)
    state = VenueState.objects.create(
        venue=cursor.venue, watched_from_slot=1, settled_slot=cursor.last_slot, settled_at=NOON - timedelta(seconds=5)
    )
    assert [lag for _, lag in seen()["stream_lag_seconds"]] == [0.0]
    VenueState.objects.filter(id=state.id).update(settled_at=NOON - timedelta(minutes=2))
    assert [lag for _, lag in seen()["stream_lag_seconds"]] == [540.0]


def test_what_waits_and_what_is_open_is_counted() -> None:
    """Candles by interval, messages by reason, gaps by cause with the age of the oldest, alerts by kind, prices by age."""
    factories.candle_due(factories.token(), marked_at=NOON - timedelta(seconds=7))
    factories.rejected()
    SlotGap.objects.create(
        venue=Program.PUMPFUN,
        cause=GapCause.DISCONNECT,
        source="solana-logs",
        slot_from=10,
        slot_to=20,
        detected_at=NOON - timedelta(minutes=6),
        due_at=NOON,
    )
    alerts.raise_alert(
        kind=AlertKind.GAP, subject="pumpfun", severity=AlertSeverity.CRITICAL, message="A gap stays", now=NOON
    )
    factories.sol_usd(NOON - timedelta(seconds=15))
    found = seen()
    assert found["candles_due"][0] == ({"interval": "1m"}, 1.0)
    assert found["candles_due_oldest_seconds"] == [({}, 7.0)]
    assert found["rejected_waiting"] == [({"reason": "undecodable"}, 1)]
    assert found["gaps_open"] == [({"venue": "pumpfun", "cause": "disconnect"}, 1.0)]
    assert found["gap_oldest_seconds"] == [({}, 360.0)]
    assert found["alerts_open"] == [({"kind": "gap", "severity": "critical"}, 1)]
    assert found["sol_usd_age_seconds"] == [({"source": "hermes"}, 15.0)]
