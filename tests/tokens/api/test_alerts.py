"""Operator alerts outside."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import AlertKind, AlertSeverity

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
Get = Callable[..., dict[str, Any]]


def test_alerts_come_newest_first_by_kind_severity_and_state(get: Get) -> None:
    """Everything without filters; each filter narrows."""
    factories.alert(subject="old", resolved_at=NOON)
    factories.alert(
        subject="new",
        kind=AlertKind.FINALITY,
        severity=AlertSeverity.CRITICAL,
        first_seen_at=NOON + MINUTE,
        last_seen_at=NOON + MINUTE,
    )

    def seen(**query: str) -> list[str]:
        return [alert["subject"] for alert in get("alerts/", **query)["results"]]

    assert seen() == ["new", "old"]
    assert seen(open="true") == ["new"]
    assert seen(open="false") == ["old"]
    assert seen(kind="drift") == ["old"]
    assert seen(severity="critical") == ["new"]


def test_an_alert_says_what_happened_and_not_who_knows(get: Get) -> None:
    """Words, figures and times; operators' names stay inside."""
    factories.alert(subject="pumpfun", detail={"bytes": 8}, acknowledged_at=NOON, acknowledged_by="ann", occurrences=3)
    (alert,) = get("alerts/")["results"]
    assert alert == {
        "kind": "drift",
        "subject": "pumpfun",
        "severity": "warning",
        "message": "Pump.fun TradeEvent grew by 8 bytes",
        "detail": {"bytes": 8},
        "first_seen_at": "2026-07-03T12:00:00Z",
        "last_seen_at": "2026-07-03T12:00:00Z",
        "occurrences": 3,
        "acknowledged_at": "2026-07-03T12:00:00Z",
        "resolved_at": None,
    }
