"""The desk of rejected messages."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests import factories
from tokens.admin.payload import preview
from tokens.models import RejectedMessage


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def act(client: Client, message: RejectedMessage, **said: str) -> str:
    """Post an action on one message and return the text of the page that follows."""
    path = reverse("admin:tokens_rejectedmessage_changelist")
    return client.post(path, {"_selected_action": str(message.pk), **said}, follow=True).content.decode()


def test_text_is_shown_as_text() -> None:
    """UTF-8 with line breaks is shown as it is."""
    shown = preview("naïve\n{}".encode(), size_bytes=9)
    assert (shown.kind, shown.text, shown.is_cut) == ("UTF-8", "naïve\n{}", False)


def test_a_character_that_the_cut_split_is_left_out() -> None:
    """The head of a longer text ends before its half character."""
    shown = preview("aé".encode()[:2], size_bytes=100)
    assert (shown.kind, shown.text, shown.is_cut) == ("UTF-8", "a", True)


def test_bytes_are_shown_as_a_hex_dump() -> None:
    """What is no text shows offset, hexadecimal digits and printable signs."""
    shown = preview(b"\x00AB\xff", size_bytes=4)
    assert shown.kind == "hex"
    assert shown.text == "000000  00 41 42 ff                                      .AB."


@pytest.mark.parametrize("head", [b"a\x00b", b"\x1b[31m", "\u202eabc".encode()])
def test_control_characters_are_never_shown_as_text(head: bytes) -> None:
    """NUL, terminal escapes and text direction marks make it a hex dump."""
    assert preview(head, size_bytes=len(head)).kind == "hex"


@pytest.mark.django_db
def test_a_large_message_is_read_by_its_head_only(console: Client) -> None:
    """Of a million bytes the page shows the first kilobyte as hex and says so."""
    message = factories.rejected(b"\xff" * 1_000_000)
    answer = console.get(reverse("admin:tokens_rejectedmessage_change", args=[message.pk]))
    assert answer.context["payload"].shown_bytes == 1024
    assert "976.6\xa0KB, shown as hex, the first 1.0\xa0KB of it" in answer.content.decode()


@pytest.mark.django_db
def test_discarding_without_a_reason_asks_for_one(console: Client) -> None:
    """An empty reason changes nothing."""
    message = factories.rejected()
    assert "Discard 1 message?" in act(console, message, action="discard")
    assert "A reason is needed" in act(console, message, action="discard", discard_reason="  ")
    message.refresh_from_db()
    assert message.status == "waiting"


@pytest.mark.django_db
def test_playing_garbage_again_leaves_it_waiting_and_says_so(console: Client) -> None:
    """A message that still cannot be decoded keeps waiting, one attempt richer."""
    message = factories.rejected(b"\x00garbage")
    page = act(console, message, action="play_again")
    message.refresh_from_db()
    assert "Played 1 again: 0 resolved" in page
    assert (message.status, message.attempts) == ("waiting", 1)


@pytest.mark.django_db
def test_an_operator_who_may_only_look_cannot_discard(client: Client) -> None:
    """Without the right to change messages neither action exists."""
    message = factories.rejected()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_rejectedmessage"))
    client.force_login(viewer)
    act(client, message, action="discard", discard_reason="because")
    page = client.get(reverse("admin:tokens_rejectedmessage_change", args=[message.pk])).content.decode()
    message.refresh_from_db()
    assert message.status == "waiting"
    assert "Play again" not in page


@pytest.mark.django_db
def test_the_navigation_counts_what_waits_and_shows_nothing_for_none(console: Client) -> None:
    """No badge at all beside a list that needs nobody, not even an empty one."""
    badge = "bg-red-100 text-red-700"
    assert badge not in console.get(reverse("admin:index")).content.decode()
    factories.rejected()
    text = console.get(reverse("admin:index")).content.decode()
    assert text.count(badge) == 1
    assert ">1</span>" in text.split(badge)[1][:80]
