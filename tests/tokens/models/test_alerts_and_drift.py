"""The rules of alerts, drift counts, fee recipients and program snapshots, each broken with plain SQL."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from tests import breaking, factories
from tests.breaking import Build, Case
from tests.factories import NOON
from tokens.models import DriftCount, FeeRecipient, OperatorAlert, ProgramSnapshot

pytestmark = pytest.mark.django_db

EARLIER = NOON - timedelta(seconds=1)

BROKEN: list[Case] = [
    ("alert_kind_known", factories.alert, {"kind": "gossip"}),
    ("alert_severity_known", factories.alert, {"severity": "funny"}),
    ("alert_seen_at_least_once", factories.alert, {"occurrences": 0}),
    ("alert_seen_in_order", factories.alert, {"last_seen_at": EARLIER}),
    ("alert_acknowledged_by_somebody", factories.alert, {"acknowledged_at": NOON}),
    ("alert_acknowledged_by_somebody", factories.alert, {"acknowledged_by": "ann"}),
    ("drift_venue_known", factories.drift_count, {"venue": "elsewhere"}),
    ("drift_was_seen", factories.drift_count, {"count": 0}),
    ("drift_seen_in_order", factories.drift_count, {"last_seen_at": EARLIER}),
    ("fee_recipient_venue_known", factories.fee_recipient, {"venue": "elsewhere"}),
    ("fee_recipient_origin_known", factories.fee_recipient, {"origin": "rumour"}),
    ("fee_recipient_seen_or_published", factories.fee_recipient, {"first_seen_at": None}),
]
"""Every named rule of one row."""

FIELDS: list[Case] = [
    *breaking.field_cases(factories.alert, OperatorAlert),
    *breaking.field_cases(factories.drift_count, DriftCount),
    *breaking.field_cases(factories.fee_recipient, FeeRecipient),
]
"""What the types of the fields refuse."""

TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "alert_one_open_a_subject": (factories.alert, ("kind", "subject")),
    "drift_once_an_hour": (factories.drift_count, ("hour", "venue", "what")),
    "fee_recipient_once_a_venue": (factories.fee_recipient, ("venue", "address")),
}
"""What no two rows may share."""

SNAPSHOTS: dict[str, dict[str, object]] = {
    "snapshot_venue_known": {"venue": "elsewhere"},
    "snapshot_length_not_negative": {"length": -1},
    "program_snapshots_address_check": {"address": "1" * 31},
    "snapshot_once_a_time": {"address": factories.address("twice")},
}
"""Rules of a table that takes no UPDATE: what a new row must not have."""


@pytest.mark.parametrize(
    ("name", "build", "change"), BROKEN, ids=[f"{name}-{next(iter(change))}" for name, _, change in BROKEN]
)
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize(("name", "build", "change"), FIELDS, ids=[name for name, _, _ in FIELDS])
def test_a_value_out_of_its_range_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Addresses and signatures refuse what their type rules out."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """No two rows say the same thing; of alerts, no two that are open."""
    assert breaking.refusal_of_second(*TWINS[name]) == name


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_that_cannot_be_is_refused(name: str) -> None:
    """Each rule refuses, by its own name, the new row that breaks only it."""
    factories.program_snapshot(address=factories.address("twice"))
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        factories.program_snapshot(**SNAPSHOTS[name])
    assert breaking.name_in(refused.value) == name


def test_a_snapshot_is_never_edited_or_removed() -> None:
    """What a program looked like stays on file."""
    row = factories.program_snapshot()
    for change in (lambda: ProgramSnapshot.objects.filter(pk=row.pk).update(length=0), row.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert ProgramSnapshot.objects.get().length == 45


def test_a_resolved_alert_leaves_room_for_the_next() -> None:
    """The same kind and subject may be told again once it was over."""
    factories.alert(subject="hermes", resolved_at=NOON)
    factories.alert(subject="hermes")
    assert OperatorAlert.objects.filter(subject="hermes").count() == 2
