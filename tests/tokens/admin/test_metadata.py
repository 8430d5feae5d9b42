"""Tokens' documents in the console: states, reasons, actions, and nothing loaded from strangers."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from megatron.core.models import AuditEntry
from tests import factories
from tests.factories import NOON
from tokens.models import Token, TokenMetadata

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def page(console: Client, token: Token) -> str:
    return console.get(reverse("admin:tokens_token_change", args=[token.pk])).content.decode()


def test_the_tokens_page_shows_links_and_loads_no_picture(console: Client) -> None:
    """Picture and links are links that tell the stranger nothing; the browser is asked to load none of them."""
    row = factories.fetched_metadata(description="<script>alert(1)</script>")
    shown = page(console, row.token)
    assert '<a class="mg-link" href="https://coin.example/1.png" rel="noopener noreferrer nofollow"' in shown
    assert 'href="https://x.com/coin"' in shown
    assert 'src="https://coin.example' not in shown
    assert "<script>alert(1)</script>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_an_ipfs_picture_is_text(console: Client) -> None:
    """What a browser cannot open by itself is shown, not linked."""
    row = factories.fetched_metadata(image_url="ipfs://QmPicture", twitter=None)
    shown = page(console, row.token)
    assert "ipfs://QmPicture" in shown
    assert 'href="ipfs:' not in shown


def test_the_tokens_page_says_why_a_document_is_missing(console: Client) -> None:
    """A document that was set aside shows its reason; a token without one says so."""
    row = factories.metadata(quarantined_at=NOON, last_error="Refused: leads to 10.0.0.1")
    assert "Refused: leads to 10.0.0.1" in page(console, row.token)
    assert "No document is known" in page(console, factories.token())


@pytest.mark.parametrize(
    ("state", "shown"), [("fetched", "FETCHED"), ("waiting", "WAITING"), ("failed", "FAILED"), ("none", "NONE")]
)
def test_tokens_are_listed_by_the_state_of_their_document(console: Client, state: str, shown: str) -> None:
    """The list's filter leaves the tokens whose document is in that state."""
    factories.fetched_metadata(factories.token(symbol="FETCHED"))
    factories.metadata(factories.token(symbol="WAITING"))
    factories.metadata(factories.token(symbol="FAILED"), quarantined_at=NOON, last_error="x")
    factories.token(symbol="NONE")
    answer = console.get(reverse("admin:tokens_token_changelist"), {"metadata": state})
    assert [token.symbol for token in answer.context["cl"].result_list] == [shown]
    listed = console.get(reverse("admin:tokens_tokenmetadata_changelist"), {"metadata": state})
    expected = {"FETCHED", "WAITING", "FAILED"} if state == "none" else {shown}
    assert {row.token.symbol for row in listed.context["cl"].result_list} == expected


def test_an_operator_releases_a_document_with_a_reason(console: Client) -> None:
    """The action makes the row due again and leaves an audit entry."""
    row = factories.metadata(quarantined_at=NOON, last_error="HTTP 404", attempts=3)
    console.post(
        reverse("admin:tokens_tokenmetadata_changelist"),
        {"action": "release", "_selected_action": [str(row.pk)], "reason": "The gateway is back"},
    )
    row = TokenMetadata.objects.get()
    assert (row.quarantined_at, row.attempts) == (None, 0)
    assert AuditEntry.objects.get().action == "work.release"


def test_a_documents_page_opens(console: Client) -> None:
    """Every field of a document can be read."""
    row = factories.fetched_metadata()
    answer = console.get(reverse("admin:tokens_tokenmetadata_change", args=[row.pk]))
    assert answer.status_code == 200
    assert "A coin." in answer.content.decode()
