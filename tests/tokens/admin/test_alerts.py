"""The pages of alerts and venues: what an operator sees, and what his actions do."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from megatron.core.models import AuditEntry
from tests import factories
from tests.factories import NOON
from tokens.choices import AlertSeverity, Program, VenueStatus
from tokens.models import OperatorAlert, VenueState
from tokens.services import quarantine

pytestmark = pytest.mark.django_db

ALERTS, VENUES = reverse("admin:tokens_operatoralert_changelist"), reverse("admin:tokens_venuestate_changelist")


@pytest.fixture
def console(client: Client) -> Iterator[Client]:
    with time_machine.travel(NOON + timedelta(seconds=30), tick=False):
        client.force_login(User.objects.create_superuser("ann"))
        yield client


def subjects(console: Client, query: str = "") -> list[str]:
    """Return the subjects on the page of alerts."""
    return [alert.subject for alert in console.get(f"{ALERTS}{query}").context["cl"].result_list]


def act(console: Client, page: str, action: str, row: object, reason: str = "because") -> str:
    """Do an action to one row and return the page that follows."""
    asked = {"action": action, "_selected_action": [str(row)], "reason": reason, "index": 0}
    return console.post(page, asked, follow=True).content.decode()


def test_open_alerts_are_listed_unless_others_are_asked_for(console: Client) -> None:
    """What is over is one click away, as is what nobody has acknowledged yet."""
    factories.alert(subject="open")
    factories.alert(subject="known", acknowledged_at=NOON, acknowledged_by="bob")
    factories.alert(subject="over", resolved_at=NOON)
    assert sorted(subjects(console)) == ["known", "open"]
    assert subjects(console, "?state=calling") == ["open"]
    assert subjects(console, "?state=over") == ["over"]
    assert sorted(subjects(console, "?state=all")) == ["known", "open", "over"]


def test_acknowledging_is_an_action_with_an_audit_entry(console: Client) -> None:
    """The operator's name and reason are kept; a second time there is nothing to acknowledge."""
    alert = factories.alert()
    assert "Acknowledged 1." in act(console, ALERTS, "acknowledge", alert.pk)
    alert.refresh_from_db()
    assert (alert.acknowledged_by, AuditEntry.objects.get().reason) == ("ann", "because")
    assert "None of these waited" in act(console, ALERTS, "acknowledge", alert.pk)


def test_every_venue_is_listed_and_can_be_quarantined_and_released(console: Client) -> None:
    """Also one that was never watched; both actions ask for a reason, and both are audited."""
    console.get(VENUES)
    state = VenueState.objects.get(venue=Program.PUMPSWAP)
    assert VenueState.objects.count() == 3
    assert "Say why" in act(console, VENUES, "quarantine", state.pk, reason=" ")
    assert "Quarantined: PumpSwap." in act(console, VENUES, "quarantine", state.pk)
    assert quarantine.held() == {Program.PUMPSWAP}
    assert "These were quarantined already." in act(console, VENUES, "quarantine", state.pk)
    assert "Released: PumpSwap (0 messages to play again)." in act(console, VENUES, "release", state.pk)
    assert "None of these is quarantined." in act(console, VENUES, "release", state.pk)
    state.refresh_from_db()
    assert state.status == VenueStatus.LIVE
    assert list(AuditEntry.objects.order_by("sequence").values_list("actor", "action")) == [
        ("ann", "venue.quarantine"),
        ("ann", "venue.release"),
    ]


def test_whoever_may_only_look_may_not_act(client: Client) -> None:
    """Without the right to change, neither action is offered."""
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=("view_venuestate", "view_operatoralert")))
    client.force_login(viewer)
    for page in (ALERTS, VENUES):
        answer = client.get(page)
        assert answer.status_code == 200
        assert not {"acknowledge", "quarantine", "release"} & set(
            answer.context["cl"].model_admin.get_actions(answer.wsgi_request)
        )


@pytest.mark.parametrize("model", ["driftcount", "feerecipient", "programsnapshot"])
def test_what_changed_is_listed_in_words(console: Client, model: str) -> None:
    """Lists and rows of drift, fee recipients and programs open, and say what they are about."""
    row = {
        "driftcount": lambda: factories.drift_count(what="TradeEvent.unknown_bytes.8"),
        "feerecipient": factories.fee_recipient,
        "programsnapshot": factories.program_snapshot,
    }[model]()
    said = {
        "driftcount": "Pump.fun TradeEvent grew by 8 bytes",
        "feerecipient": "Named by an event",
        "programsnapshot": "Program",
    }
    assert said[model] in console.get(reverse(f"admin:tokens_{model}_changelist")).content.decode()
    assert console.get(reverse(f"admin:tokens_{model}_change", args=[row.pk])).status_code == 200


def test_truth_24_a_venue_is_live_only_while_a_feed_brings_something(console: Client) -> None:
    """That nothing holds a venue up does not make it live; a quarantined one stays red."""
    factories.cursor(verified_slot=1, last_block_time=NOON, observed_at=NOON)
    VenueState.objects.create(
        venue=Program.LAUNCHLAB, status=VenueStatus.QUARANTINED, quarantined_at=NOON, quarantine_reason="a test"
    )
    text = console.get(VENUES).content.decode()
    assert text.count("Not watched") == 1
    page = console.get(VENUES).context["cl"].model_admin
    rows = {row.venue: page.state(row) for row in console.get(VENUES).context["cl"].result_list}
    assert rows == {
        "pumpfun": ("live", "Live"),
        "pumpswap": ("not_watched", "Not watched"),
        "launchlab": ("quarantined", "Quarantined"),
    }


def test_truth_25_a_stalled_comparison_is_red_on_the_page_of_venues(console: Client) -> None:
    """Since when it did not come further; a venue that nobody watches has nothing to stall."""
    factories.cursor(verified_slot=1, last_block_time=NOON, observed_at=NOON)
    VenueState.objects.create(
        venue=Program.PUMPFUN,
        watched_from_slot=1,
        settled_slot=2,
        settled_at=NOON,
        advanced_at=NOON - timedelta(days=2),
    )
    shows = console.get(VENUES).context["cl"]
    told = {row.venue: shows.model_admin.compared_at(row) for row in shows.result_list}
    assert told["pumpfun"] == ("stalled", "Stalled since 2026-07-01 12:00 UTC")
    assert told["pumpswap"] == "—"


def test_the_overview_tells_the_gravest_alert_first(console: Client) -> None:
    """One critical alert makes the tile red and is what it says; acknowledged ones are silent, and not over."""
    factories.alert(message="A fee recipient is new.")
    factories.alert(message="PumpSwap is quarantined.", severity=AlertSeverity.CRITICAL)
    tile = console.get(reverse("admin:index")).context["attention"][0]
    assert (tile.answer, tile.detail, tile.tone) == ("2 alerts", "PumpSwap is quarantined.", "bad")
    OperatorAlert.objects.update(acknowledged_at=NOON, acknowledged_by="ann")
    tile = console.get(reverse("admin:index")).context["attention"][0]
    assert (tile.answer, tile.tone) == ("Nothing new", "warn")
