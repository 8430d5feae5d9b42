"""Operator alerts: one open row a thing, counted up, quiet once somebody knows, until it is worse or over."""

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from megatron.core.models import AuditEntry
from tests.factories import NOON
from tokens.choices import AlertKind, AlertSeverity
from tokens.models import OperatorAlert
from tokens.services import alerts

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def told(**changes: Any) -> OperatorAlert:
    """Raise a warning about the price source ``hermes``."""
    facts: dict[str, Any] = {
        "kind": AlertKind.PRICE_SOURCE,
        "subject": "hermes",
        "severity": AlertSeverity.WARNING,
        "message": "Hermes has not moved for 5 minutes",
        "now": NOON,
    }
    return alerts.raise_alert(**(facts | changes))


def test_the_same_thing_again_counts_the_open_alert_up() -> None:
    """The second time there is still one row, with the newest words and figures and both times."""
    told(detail={"seconds": 300})
    again = told(message="Hermes has not moved for 6 minutes", detail={"seconds": 360}, now=NOON + MINUTE)
    assert OperatorAlert.objects.get() == again
    assert (again.first_seen_at, again.last_seen_at, again.occurrences) == (NOON, NOON + MINUTE, 2)
    assert (again.message, again.detail) == ("Hermes has not moved for 6 minutes", {"seconds": 360})


def test_what_came_late_does_not_turn_the_clock_back() -> None:
    """An older sighting is counted and leaves the newest time."""
    told(now=NOON + MINUTE)
    assert told(occurrences=3).last_seen_at == NOON + MINUTE
    assert OperatorAlert.objects.get().occurrences == 4


def test_only_the_opening_is_logged(django_capture_on_commit_callbacks: Any) -> None:
    """One log line a thing, not one a sighting, and none for what was rolled back."""
    with capture_logs() as lines, django_capture_on_commit_callbacks(execute=True):
        told()
        told()
    assert [(line["event"], line["kind"], line["subject"]) for line in lines] == [
        ("alert.opened", "price_source", "hermes")
    ]


def test_what_is_over_is_resolved_and_may_come_back() -> None:
    """A resolved alert stays on file; the same thing later opens a new one."""
    assert alerts.resolve_alert(kind=AlertKind.PRICE_SOURCE, subject="hermes", now=NOON) is False
    first = told()
    assert alerts.resolve_alert(kind=AlertKind.PRICE_SOURCE, subject="hermes", now=NOON + MINUTE) is True
    second = told(now=NOON + 2 * MINUTE)
    assert second != first
    assert list(OperatorAlert.objects.order_by("first_seen_at").values_list("resolved_at", "occurrences")) == [
        (NOON + MINUTE, 1),
        (None, 1),
    ]


def test_an_acknowledged_alert_is_quiet_until_it_is_worse() -> None:
    """The same severity again leaves the acknowledgement; a higher one takes it back."""
    told()
    assert alerts.acknowledge(alerts=OperatorAlert.objects.all(), operator="ann", now=NOON + MINUTE) == 1
    assert told(severity=AlertSeverity.WARNING).acknowledged_by == "ann"
    assert told(severity=AlertSeverity.INFO).acknowledged_by == "ann"
    worse = told(severity=AlertSeverity.CRITICAL)
    assert (worse.acknowledged_at, worse.acknowledged_by) == (None, "")


def test_an_acknowledgement_is_audited_once() -> None:
    """Who acknowledged which alert, and why, is in the audit log; a second time there is nothing to acknowledge."""
    alert = told()
    for expected in (1, 0):
        done = alerts.acknowledge(alerts=OperatorAlert.objects.all(), operator="ann", reason="known", now=NOON)
        assert done == expected
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("ann", "operator_alert.acknowledge", "known")
    assert (entry.object_kind, entry.object_id) == ("OperatorAlert", str(alert.pk))
