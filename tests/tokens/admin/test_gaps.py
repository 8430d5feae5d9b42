"""The desk of gaps: what may be accepted, by whom, and asking the chain again."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from megatron.core.models import AuditEntry
from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import GapCause, GapOutcome
from tokens.models import SlotGap

pytestmark = pytest.mark.django_db
LIST, ASK = "admin:tokens_slotgap_changelist", "admin:tokens_slotgap_ask"


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def act(client: Client, gap: SlotGap, **said: str) -> str:
    """Post an action on one gap and return the text of the page that follows."""
    return client.post(reverse(LIST), {"_selected_action": str(gap.pk), **said}, follow=True).content.decode()


def ask(client: Client, **said: object) -> str:
    wanted = {"venue": "pumpfun", "slot_from": 10, "slot_to": 20, "reason": "look", **said}
    return client.post(reverse(ASK), wanted, follow=True).content.decode()


def test_accepting_without_a_reason_asks_for_one(console: Client) -> None:
    """An empty reason changes nothing."""
    gap = feeds.gap()
    assert "Accept 1 gap of 11 slots?" in act(console, gap, action="accept")
    assert "A reason is needed" in act(console, gap, action="accept", accept_reason=" ")
    gap.refresh_from_db()
    assert gap.finished_at is None


def test_a_feed_that_is_away_cannot_be_accepted(console: Client) -> None:
    """Nobody knows yet how much is missing, and what ended is over."""
    running = feeds.gap(source="helius", cause=GapCause.DISCONNECT, slot_to=None)
    ended = feeds.ended_gap()
    for gap in (running, ended):
        assert "None of these can be accepted" in act(console, gap, action="accept", accept_reason="because")
    assert SlotGap.objects.filter(outcome=GapOutcome.ACCEPTED).count() == 0


def test_retrying_makes_a_gap_due(console: Client) -> None:
    """A gap that waits for its next attempt is tried now, with an audit entry."""
    gap = feeds.gap(due_at=NOON.replace(year=2100))
    act(console, gap, action="retry", reason="the node is back")
    gap.refresh_from_db()
    assert gap.due_at.year < 2100
    assert AuditEntry.objects.get().reason == "the node is back"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"slot_to": 9}, "This is before the first slot."),
        ({"slot_to": 1_000_010}, "At most 1,000,000 slots at once."),
        ({"slot_from": -1}, "greater than or equal to 0"),
        ({"reason": ""}, "This field is required."),
        ({"venue": "elsewhere"}, "is not one of the available choices"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(console: Client, said: dict[str, object], told: str) -> None:
    """The form says what is wrong, and no gap is opened."""
    assert told in ask(console, **said)
    assert SlotGap.objects.count() == 0


def test_one_who_may_only_look_changes_nothing(client: Client) -> None:
    """Without the right to change gaps there is neither an action nor the form."""
    gap = feeds.gap()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_slotgap"))
    client.force_login(viewer)
    act(client, gap, action="accept", accept_reason="because")
    assert client.post(reverse(ASK), {"venue": "pumpfun"}).status_code == 403
    assert "Ask the chain again" not in client.get(reverse(LIST)).content.decode()
    gap.refresh_from_db()
    assert (gap.finished_at, SlotGap.objects.count()) == (None, 1)


def test_a_list_of_gaps_is_narrowed_by_being_open(console: Client) -> None:
    """Open gaps and ended ones are told apart, and a curve is found by its address."""
    feeds.gap()
    feeds.ended_gap()
    curve = feeds.break_of(factories.address("curve"))
    shown = {
        query: console.get(f"{reverse(LIST)}?{query}").context["cl"].result_count
        for query in ("open=yes", "open=no", f"q={curve.pool_address}", "q=500", "q=501")
    }
    assert shown == {"open=yes": 2, "open=no": 1, f"q={curve.pool_address}": 1, "q=500": 3, "q=501": 0}


def test_a_pools_page_says_whether_it_is_complete(console: Client) -> None:
    """The line names the slots, the reason and what is in doubt; or why nothing is known."""
    pool = factories.pool()
    page = reverse("admin:tokens_pool_change", args=[pool.pk])
    assert "Not known to be complete. Nobody compares its venue" in console.get(page).content.decode()
    feeds.venue()
    feeds.gap()
    said = console.get(page).content.decode()
    assert "Complete from slot 511 to slot 1,000. Its venue was compared with the finalized chain." in said
    assert "A trade may be missing in slots 500 to 510 (a slot of the chain of which nothing came)." in said
    factories.rejected(waits_for=pool.pool_address)
    assert "1 rejected message waits for it" in console.get(page).content.decode()
