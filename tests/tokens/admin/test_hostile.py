"""What strangers write is text in the console, and what no operator meant changes nothing."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from megatron.core.models import AuditEntry
from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import Program
from tokens.models import OperatorAlert, RetentionPolicy, SlotGap, TokenMetadata, VenueState

pytestmark = pytest.mark.django_db

MARK = "<script>alert(1)</script>"
HOSTILE = MARK + "\u202e\u0627'\"`{{7*7}}=cmd|' /C calc'!A0"
LINK = "javascript:alert(document.domain)"
LISTS = sorted(
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
)


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def everywhere() -> list[str]:
    """Write what is hostile wherever a stranger can write, and return the pages that show one row each."""
    links = {"twitter": LINK, "telegram": LINK, "website": LINK, "discord": LINK, MARK: MARK}
    token = factories.token(symbol=MARK, name=HOSTILE, uri=LINK, image_url=LINK, metadata=links)
    pool = factories.pool(token)
    made: list[Any] = [
        token,
        pool,
        factories.transaction(pool),
        factories.metadata(token, uri=LINK, last_error=HOSTILE),
        factories.rejected(HOSTILE.encode(), detail=HOSTILE),
        factories.price_source(error=HOSTILE),
        factories.alert(message=HOSTILE, subject=HOSTILE),
        feeds.gap(last_error=HOSTILE),
        feeds.reorg(),
    ]
    shown = [row for row in made if type(row) in admin.site._registry]
    return [reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]) for row in shown]


def test_no_page_runs_what_a_stranger_wrote(console: Client, everywhere: list[str]) -> None:
    """Names, addresses, links and failures are text on every list and page, and no link leads to a script."""
    pages = [reverse("admin:index"), *LISTS, *everywhere]
    seen = 0
    for page in pages:
        reply = console.get(page, follow=True)
        text = reply.content.decode()
        assert reply.status_code == 200, page
        assert MARK not in text, page
        for attribute in ("href", "src", "action"):
            assert f'{attribute}="javascript:' not in text, page
        seen += "&lt;script&gt;alert(1)" in text or "\\u003Cscript\\u003Ealert(1)" in text
    assert seen >= 6


def actions(said: str) -> list[tuple[str, dict[str, str | int]]]:
    """Return the addresses and forms of what an operator may do by hand."""
    gap, waiting, alert = feeds.gap(), factories.metadata(due_at=NOON.replace(year=2100)), factories.alert()
    state, *_ = [feeds.venue(venue=venue) for venue in Program]

    def chosen(row: Any, action: str, **more: str) -> tuple[str, dict[str, str | int]]:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
        return address, {"action": action, "_selected_action": str(row.pk), "reason": said, **more}

    return [
        chosen(gap, "accept", accept_reason=said),
        chosen(gap, "retry"),
        chosen(gap, "quarantine"),
        chosen(waiting, "retry"),
        chosen(waiting, "quarantine"),
        chosen(alert, "acknowledge"),
        chosen(state, "quarantine"),
        (reverse("admin:tokens_slotgap_ask"), {"venue": "pumpfun", "slot_from": 1, "slot_to": 2, "reason": said}),
        (reverse("admin:tokens_retentionpolicy_apply"), {"reason": said}),
    ]


def state_of_things() -> list[list[Any]]:
    """Return what the actions would change."""
    models = (SlotGap, TokenMetadata, OperatorAlert, VenueState, RetentionPolicy)
    entries = AuditEntry.objects.exclude(action__startswith="login")
    return [list(model._default_manager.order_by("pk").values()) for model in models] + [list(entries.values())]


def test_asking_for_a_page_changes_nothing(console: Client) -> None:
    """A link, a picture or a prefetch does what GET does: nothing."""
    wanted = actions("because")
    before = state_of_things()
    for address, form in wanted:
        assert console.get(address, form, follow=True).status_code == 200
    assert state_of_things() == before


def test_another_site_cannot_act_with_an_operators_cookie() -> None:
    """Each action needs the token of our own form."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("operator"))
    wanted = actions("because")
    before = state_of_things()
    assert [client.post(address, form).status_code for address, form in wanted] == [403] * len(wanted)
    assert state_of_things() == before


@pytest.mark.parametrize("may_look", [False, True])
def test_an_account_without_the_right_cannot_act(client: Client, may_look: bool) -> None:
    """Neither one that may look at everything nor one that may nothing."""
    user = User.objects.create_user("reader", is_staff=True)
    if may_look:
        user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    wanted = actions("because")
    before = state_of_things()
    for address, form in wanted:
        assert client.post(address, form, follow=True).status_code in ({200, 403} if may_look else {403}), address
    assert state_of_things() == before


@pytest.mark.parametrize("said", ["\0", "be\0cause", "x" * 100_000, HOSTILE, "   "])
def test_any_reason_is_answered(console: Client, said: str) -> None:
    """NUL and a book of reasons are kept, cut or refused; they are no fault of the server."""
    for address, form in actions(said):
        assert console.post(address, form, follow=True).status_code in {200, 400, 403}, address


@pytest.mark.parametrize("row", ["\0", "x", "0" * 5_000, "' OR 1=1 --", "00000000-0000-0000-0000-000000000000"])
def test_any_chosen_row_is_answered(console: Client, row: str) -> None:
    """An id that is none chooses nothing."""
    wanted = [(address, form) for address, form in actions("because") if "_selected_action" in form]
    before = state_of_things()
    for address, form in wanted:
        reply = console.post(address, {**form, "_selected_action": row}, follow=True)
        assert reply.status_code in {200, 400, 404}, address
    assert state_of_things() == before
