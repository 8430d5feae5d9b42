"""A comparison with the chain that stalls, and feeds that stay away, are told; whatever the cause."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from megatron import clients
from megatron.clients.errors import Refused, TryLater
from tests import feeds
from tests.factories import NOON
from tests.tokens.services.live import VENUE, Feed, World, world
from tokens import tasks
from tokens.choices import AlertKind, AlertSeverity, GapCause, Program, VenueStatus
from tokens.models import OperatorAlert, SlotGap, VenueState
from tokens.selectors import gauges, indexing
from tokens.services import comparison_alerts, finality, gaps

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def told(*, now: Any, has_chain: bool = True) -> int:
    return comparison_alerts.alert_about_stalled(has_chain=has_chain, now=now)


def open_alert(kind: AlertKind = AlertKind.FINALITY) -> OperatorAlert:
    return OperatorAlert.objects.get(kind=kind, resolved_at=None)


@pytest.fixture
def small() -> World:
    return world()


def refuses(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(**_: Any) -> int:
        raise Refused("HTTP 403: the plan does not include getSlot")

    monkeypatch.setattr(small.rpc, "get_slot", answer)


def tries_later(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(**_: Any) -> int:
        raise TryLater("429")

    monkeypatch.setattr(small.rpc, "get_slot", answer)


def stands_still(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small.rpc, "get_slot", lambda **_: 5)


@pytest.mark.parametrize("cause", [refuses, tries_later, stands_still])
def test_truth_25_a_stalled_comparison_is_told_whatever_the_node_does(
    small: World, monkeypatch: pytest.MonkeyPatch, cause: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    """Two days of a node that refuses, is busy or stands: nothing for five minutes, then critical, and over when it moves."""
    small.follow(Feed(small.landings(), at=small.now))
    finality.settle_all(chain=small.rpc, now=small.now)
    with monkeypatch.context() as patched:
        cause(small, patched)
        finality.settle_all(chain=small.rpc, now=small.later(300))
        assert told(now=small.now) == 0
        finality.settle_all(chain=small.rpc, now=small.later(1))
        assert told(now=small.now) == 1
        assert (open_alert().severity, open_alert().subject) == (AlertSeverity.CRITICAL, VENUE.value)
        finality.settle_all(chain=small.rpc, now=small.later(2 * 86_400))
        assert told(now=small.now) == 1
        assert open_alert().message.startswith("Pump.fun was not compared with the chain for 2 d")
        assert dict(gauge(small))["pumpfun"] > 2 * 86_400


def gauge(small: World) -> list[tuple[str, float]]:
    found = next(it for it in gauges.read(now=small.now) if it.name == "chain_comparison_age_seconds")
    return [(labels["venue"], value) for labels, value in found.values]


def test_truth_25_the_alert_says_why_the_newest_comparison_failed(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's own words, until a comparison goes well."""
    small.follow(Feed(small.landings(), at=small.now))
    with monkeypatch.context() as patched:
        refuses(small, patched)
        finality.settle_all(chain=small.rpc, now=small.later(3_600))
        told(now=small.now)
        assert open_alert().message.endswith("The newest attempt failed: HTTP 403: the plan does not include getSlot")
    finality.settle_all(chain=small.rpc, now=small.later(60))
    assert VenueState.objects.get(venue=VENUE).comparison_error == ""
    assert told(now=small.now) == 0
    assert OperatorAlert.objects.get(kind=AlertKind.FINALITY).resolved_at == small.now


def test_truth_25_a_transaction_that_is_never_given_stalls_the_comparison(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes that end where they began compare, and come no further: their time does not hide that."""
    landings = small.landings()
    small.follow(Feed(landings, at=small.now, without={one.signature for one in landings[3:]}))
    monkeypatch.setattr(small.rpc, "get_transaction", lambda *_: None)
    monkeypatch.setattr(small.rpc, "get_block", lambda *_, **__: None)
    for _ in range(8):
        finality.settle_all(chain=small.rpc, now=small.later(61))
    state = VenueState.objects.get(venue=VENUE)
    assert state.advanced_at is not None
    assert small.now - state.advanced_at > 5 * MINUTE
    assert told(now=small.now) == 1


def test_truth_25_without_a_node_or_a_worker_it_is_told_too() -> None:
    """A watched venue that nobody compares: the words name what to look at, and one that is not watched is left alone."""
    feeds.venue(settled_at=NOON)
    VenueState.objects.create(venue=Program.PUMPSWAP)
    assert told(now=NOON + 5 * MINUTE) == 0
    assert told(now=NOON + 6 * MINUTE, has_chain=False) == 1
    assert "SOLANA_RPC_URL names no node" in open_alert().message
    assert told(now=NOON + 7 * MINUTE) == 1
    assert "a worker of the queue chain" in open_alert().message
    assert open_alert().occurrences == 2


def test_truth_25_a_venue_that_was_never_compared_since_it_is_watched_is_told() -> None:
    """The watch began, and no comparison ever ended."""
    feeds.venue(settled_at=None, settled_block_time=NOON)
    assert told(now=NOON + DAY) == 1


def test_truth_25_a_quarantined_venue_has_its_own_alert() -> None:
    """It is not compared on purpose; what was told before is over."""
    state = feeds.venue(settled_at=NOON)
    told(now=NOON + DAY)
    VenueState.objects.filter(pk=state.pk).update(
        status=VenueStatus.QUARANTINED, quarantined_at=NOON, quarantine_reason="a test"
    )
    assert told(now=NOON + DAY) == 0
    assert not OperatorAlert.objects.filter(resolved_at=None).exists()


def test_truth_25_a_comparison_that_stays_minutes_behind_the_feeds_is_a_warning() -> None:
    """It comes further, five minutes of slots and more behind what the feeds brought."""
    feeds.cursor(first_slot=1, last_slot=2_000, verified_slot=0)
    feeds.venue(settled_slot=1_249, settled_block_time=NOON - 6 * MINUTE, advanced_at=NOON, settled_at=NOON)
    assert told(now=NOON) == 1
    assert open_alert().severity == AlertSeverity.WARNING
    VenueState.objects.update(settled_slot=1_250)
    assert told(now=NOON) == 0


def test_truth_25_the_task_tells_also_where_there_is_no_node() -> None:
    """Stalled comparison and old gaps are told by a task of another queue, whether there is a node to ask or not."""
    feeds.venue(settled_at=NOON - DAY)
    feeds.gap(detected_at=NOON - DAY)
    with clients.override(chain=None):
        assert tasks.watch_comparison() == 1
    assert {alert.kind for alert in OperatorAlert.objects.filter(resolved_at=None)} == {
        AlertKind.FINALITY,
        AlertKind.GAP,
    }


def test_truth_25_a_feed_that_stays_away_is_told_and_taken_back() -> None:
    """Critical where nothing else brings the venue, a warning beside a feed that does."""
    feeds.cursor(observed_at=NOON - 10 * MINUTE)
    away = feeds.gap(source="solana-logs", slot_to=None, cause=GapCause.DISCONNECT, detected_at=NOON - 5 * MINUTE)
    assert comparison_alerts.alert_about_away(now=NOON) == 0
    assert comparison_alerts.alert_about_away(now=NOON + MINUTE) == 1
    alert = open_alert(AlertKind.STREAM)
    assert (alert.subject, alert.severity) == ("solana-logs pumpfun", AlertSeverity.CRITICAL)
    feeds.cursor(source="helius", observed_at=NOON + MINUTE)
    comparison_alerts.alert_about_away(now=NOON + MINUTE)
    assert open_alert(AlertKind.STREAM).severity == AlertSeverity.WARNING
    SlotGap.objects.filter(pk=away.pk).update(slot_to=600)
    assert comparison_alerts.alert_about_away(now=NOON + MINUTE) == 0
    assert not OperatorAlert.objects.filter(kind=AlertKind.STREAM, resolved_at=None).exists()


def test_truth_25_an_old_gap_is_told_without_a_node() -> None:
    """The words are of one gap."""
    feeds.gap(detected_at=NOON - 6 * MINUTE)
    gaps.alert_about_old(now=NOON)
    assert open_alert(AlertKind.GAP).message == "1 gap of Pump.fun has not healed for more than 5 minutes."


@pytest.mark.parametrize(
    ("fields", "stalled"),
    [
        ({"settled_at": NOON - 5 * MINUTE}, False),
        ({"settled_at": NOON - 5 * MINUTE - timedelta(seconds=1)}, True),
        ({"settled_at": NOON, "advanced_at": NOON - DAY}, True),
        ({"settled_at": NOON - DAY, "advanced_at": NOON}, False),
        ({"settled_slot": None}, None),
    ],
)
def test_truth_25_stalled_is_since_the_slot_moved(fields: dict[str, Any], stalled: bool | None) -> None:
    """Five minutes are forgiven; when it was last compared says nothing where it did not come further."""
    feeds.venue(**fields)
    assert indexing.watches(now=NOON)[0].is_stalled is stalled
