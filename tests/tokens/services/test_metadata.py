"""Tokens' documents as work: due with the token, fetched once, tried again, set aside."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from megatron.clients import registry
from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.ports import Document
from megatron.core import queue
from megatron.core.queue import Drained
from tests import factories
from tests.factories import NOON
from tests.tokens.services.building import received, trade
from tokens import tasks
from tokens.choices import EventKind
from tokens.domain.events import BothReserves
from tokens.models import Token, TokenMetadata
from tokens.services import ingest, metadata

pytestmark = pytest.mark.django_db

URI = "https://coin.example/1.json"
FIELDS = {
    "name": "Document's name",
    "symbol": "DOC",
    "description": "<script>alert(1)</script>",
    "image": "https://coin.example/1.png",
    "twitter": "https://x.com/coin",
    "website": "https://coin.example",
}


class Shelf:
    """A :class:`~megatron.clients.ports.DocumentReader` that knows a few documents."""

    def __init__(self, documents: Mapping[str, Mapping[str, object] | bytes | ClientError]) -> None:
        self.documents, self.asked = documents, list[str]()

    def get_document(self, uri: str) -> Document:
        self.asked.append(uri)
        found = self.documents[uri]
        if isinstance(found, ClientError):
            raise found
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        return Document(address=uri, content_type="application/json", body=body)


def creation(uri: str = URI, name: str = "Coin") -> ingest.Received:
    """Return a coin's creation."""
    fields = {"name": name, "symbol": "COIN", "uri": uri, "token_total_supply": 10**15}
    return received(trade(0, kind=EventKind.CREATE, reserves=BothReserves(), fields=fields))


def created(uri: str = URI) -> Token:
    """Store a coin's creation and return the coin."""
    ingest.store(batch=[creation(uri)], feed="test", now=NOON)
    return Token.objects.get()


def test_a_token_with_a_uri_makes_its_document_due() -> None:
    """The wish for the document is stored with the token, once, however often the token is seen."""
    token = created()
    row = TokenMetadata.objects.get()
    assert (row.token, row.uri, row.due_at, row.attempts) == (token, URI, NOON, 0)
    metadata.fetch_due(documents=Shelf({URI: FIELDS}), now=NOON)
    ingest.store(batch=[creation()], feed="another", now=NOON + timedelta(hours=1))
    assert TokenMetadata.objects.get().finished_at == NOON


def test_a_token_without_a_uri_makes_nothing_due() -> None:
    """An empty URI names no document."""
    created("")
    assert not TokenMetadata.objects.exists()


def test_a_batch_without_a_creation_asks_nothing_of_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """Trades cost no look at documents."""
    with django_assert_num_queries(0):
        assert metadata.queue_tokens(tokens=[], now=NOON) == 0


def test_a_document_is_stored_and_told_to_its_token() -> None:
    """The row says what was found where and when; the token gets picture and links, and keeps the chain's names."""
    token = created()
    assert metadata.fetch_due(documents=Shelf({URI: FIELDS}), now=NOON) == Drained(finished=1)
    row = TokenMetadata.objects.get()
    assert (row.fetched_at, row.found_at, row.content_type) == (NOON, URI, "application/json")
    assert row.digest == hashlib.sha256(json.dumps(FIELDS).encode()).hexdigest()
    assert (row.name, row.symbol, row.description) == ("Document's name", "DOC", "<script>alert(1)</script>")
    assert (row.image_url, row.twitter, row.telegram, row.website) == (
        FIELDS["image"],
        FIELDS["twitter"],
        None,
        FIELDS["website"],
    )
    assert row.raw == FIELDS
    token.refresh_from_db()
    assert (token.name, token.symbol, token.image_url) == ("Coin", "COIN", FIELDS["image"])
    assert token.metadata == {"twitter": "https://x.com/coin", "website": "https://coin.example"}


def test_names_that_the_chain_left_out_are_filled() -> None:
    """Only what is NULL takes the document's word; what the chain says later takes over."""
    token = factories.token(name=None, symbol="", uri=URI)
    metadata.queue_tokens(tokens=[str(token.pk)], now=NOON)
    metadata.fetch_due(documents=Shelf({URI: FIELDS}), now=NOON)
    token.refresh_from_db()
    assert (token.name, token.symbol) == ("Document's name", "")


@pytest.mark.parametrize("later", [TryLater("busy"), TryLater("busy", retry_after=timedelta(minutes=7))])
def test_what_may_pass_is_tried_again(later: TryLater) -> None:
    """A gateway that is busy postpones the row, as long as it asks for."""
    created()
    assert metadata.fetch_due(documents=Shelf({URI: later}), now=NOON) == Drained(postponed=1)
    row = TokenMetadata.objects.get()
    assert (row.due_at - NOON, row.last_error) == (later.retry_after or timedelta(seconds=10), "TryLater: busy")
    assert metadata.fetch_due(documents=Shelf({URI: FIELDS}), now=NOON + timedelta(minutes=8)) == Drained(finished=1)
    assert TokenMetadata.objects.get().last_error == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Refused("leads to 10.0.0.1"), "Refused: leads to 10.0.0.1"),
        (Malformed("a page"), "Malformed: a page"),
        (b"[1]", "NotMetadata: The document is JSON, but not an object"),
    ],
)
def test_what_will_not_pass_is_set_aside(answer: ClientError | bytes, reason: str) -> None:
    """A private address, a page or another shape ends in quarantine at once, with the reason, and can be released."""
    created()
    assert metadata.fetch_due(documents=Shelf({URI: answer}), now=NOON) == Drained(quarantined=1)
    assert TokenMetadata.objects.get().last_error == reason
    queue.release(TokenMetadata.objects.all(), operator="op", reason="It is repaired", now=NOON)
    assert metadata.fetch_due(documents=Shelf({URI: FIELDS}), now=NOON) == Drained(finished=1)


def test_another_uri_makes_the_document_due_again() -> None:
    """A token whose URI changed is fetched anew; what was found before stays until then, then links of the old one go."""
    token = created()
    metadata.fetch_due(documents=Shelf({URI: FIELDS}), now=NOON)
    other = "ipfs://QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
    Token.objects.update(uri=other)
    assert metadata.queue_tokens(tokens=[str(token.pk)], now=NOON + timedelta(hours=1)) == 1
    row = TokenMetadata.objects.get()
    assert (row.uri, row.finished_at, row.attempts, row.image_url) == (other, None, 0, FIELDS["image"])
    metadata.fetch_due(documents=Shelf({other: {"telegram": "@coin_group"}}), now=NOON + timedelta(hours=1))
    token.refresh_from_db()
    assert (token.image_url, token.metadata) == (None, {"telegram": "https://t.me/coin_group"})


def test_an_answer_to_an_old_uri_is_not_stored() -> None:
    """When the URI changes while its document is read, the answer is dropped and the new one stays due."""
    token = created()

    class Slow(Shelf):
        def get_document(self, uri: str) -> Document:
            Token.objects.update(uri=f"{URI}?2")
            metadata.queue_tokens(tokens=[str(token.pk)], now=NOON)
            return super().get_document(uri)

    metadata.fetch_due(documents=Slow({URI: FIELDS}), now=NOON, limit=1)
    row = TokenMetadata.objects.get()
    assert (row.uri, row.fetched_at, row.finished_at) == (f"{URI}?2", None, None)


def test_a_large_document_is_told_but_not_kept() -> None:
    """Above 64 KiB the document's own text is left out; its fields are stored."""
    created()
    metadata.fetch_due(documents=Shelf({URI: {**FIELDS, "more": "x" * 70_000}}), now=NOON)
    row = TokenMetadata.objects.get()
    assert (row.raw, row.symbol) == (None, "DOC")


@pytest.mark.parametrize("text", ["\0", "\u007f", "é" * 30_000, '"' * 30_000, "\t" * 30_000, "\U0001f600" * 15_000])
def test_any_text_that_is_small_enough_can_be_stored(text: str) -> None:
    """No document breaks the rule of its size or the database's text."""
    created()
    done = metadata.fetch_due(documents=Shelf({URI: {"a": text, "b": [1.5, 1e300, 2**60, None]}}), now=NOON)
    assert done == Drained(finished=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT octet_length(raw::text) <= 65536 FROM token_metadata")
        assert cursor.fetchone()[0] in (True, None)


# -- the task


@pytest.fixture
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.mark.usefixtures("_at_noon")
def test_the_task_fetches_through_the_registrys_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task asks whoever reads documents, and wakes itself while there may be more."""
    calls: list[int] = []
    monkeypatch.setattr(tasks.fetch_metadata, "delay", lambda: calls.append(1))
    for number in range(metadata.FEW):
        token = factories.token(uri=f"{URI}?{number}")
        metadata.queue_tokens(tokens=[str(token.pk)], now=NOON)
    shelf = Shelf({f"{URI}?{number}": FIELDS for number in range(metadata.FEW)})
    with registry.override(documents=shelf):
        assert tasks.fetch_metadata() == metadata.FEW
        assert tasks.fetch_metadata() == 0
    assert (len(shelf.asked), calls) == (metadata.FEW, [1])


@pytest.mark.usefixtures("_at_noon")
def test_without_gateways_nothing_is_fetched(settings: Settings) -> None:
    """An empty list is the switch: rows wait, nobody is asked."""
    created()
    settings.METADATA_GATEWAYS = []
    shelf = Shelf({})
    with registry.override(documents=shelf):
        assert tasks.fetch_metadata() == 0
    assert (shelf.asked, TokenMetadata.objects.get().attempts) == ([], 0)


def test_a_new_token_rings_for_its_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is woken after the commit that made a document due."""
    rung: list[str] = []
    monkeypatch.setattr("megatron.core.nudges.ring", rung.append)
    created()
    assert "metadata_due" in rung
