"""Messages in, batches out: nothing is dropped before it is committed."""

from typing import Any

import pytest

from tests.tokens.services.building import trade
from tests.tokens.services.capture import NOW
from tokens.domain.decode import encode
from tokens.domain.events import ChainEvent
from tokens.models import RejectedMessage, Transaction
from tokens.services import ingest
from tokens.services.playback import Player

pytestmark = pytest.mark.django_db


def take(player: Player, *events: ChainEvent) -> bool:
    """Give the player one message with these events; return whether it is full."""
    payload = b"\n".join(encode(event) for event in events)
    decoded = [one for event in events for one in player.decode(source="test:1", payload=encode(event))]
    return player.take(decoded, source="test:1", payload=payload)


def test_messages_wait_until_they_are_stored() -> None:
    """What was taken is in the database after flush and not before, and what became of it is counted."""
    player = Player(feed="test")
    assert (take(player, trade(0)), take(player, trade(1))) == (False, False)
    assert Transaction.objects.count() == 0
    player.flush(now=NOW)
    assert Transaction.objects.count() == 2
    assert (player.tally.messages, player.tally.outcomes) == (2, {"events": 2})
    assert (player.stored.transactions, player.stored.tokens, player.stored.pools) == (2, 1, 1)


def test_the_same_message_again_is_a_duplicate() -> None:
    """The batches of one player add up."""
    player = Player(feed="test")
    for _ in range(2):
        take(player, trade(0))
        player.flush(now=NOW)
    assert (player.stored.transactions, player.stored.duplicates) == (1, 1)


def test_a_buffer_is_full_by_events_or_by_bytes() -> None:
    """Memory is bounded: by the number of events, and by the bytes that are kept for them; flush empties it."""
    by_events = Player(feed="test", batch_events=2)
    assert [take(by_events, trade(number)) for number in range(2)] == [False, True]
    by_events.flush(now=NOW)
    assert take(by_events, trade(2)) is False
    by_bytes = Player(feed="test", batch_bytes=len(encode(trade(0))) + 1)
    assert [take(by_bytes, trade(number)) for number in range(2)] == [False, True]


def test_refused_bytes_fill_the_buffer_too() -> None:
    """A stream of garbage is put by in time."""
    player = Player(feed="test", batch_bytes=10)
    assert player.decode(source="test:1", payload=b"0123456789") == []
    assert player.take([], source="test:1", payload=b"") is True


def test_the_buffer_survives_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """When storing fails nothing is lost: the next flush stores it."""
    player, store = Player(feed="test"), ingest.store
    take(player, trade(0))

    def failing(**given: Any) -> None:
        raise ConnectionError("the database went away")

    monkeypatch.setattr(ingest, "store", failing)
    with pytest.raises(ConnectionError):
        player.flush(now=NOW)
    monkeypatch.setattr(ingest, "store", store)
    player.flush(now=NOW)
    assert Transaction.objects.count() == player.stored.transactions == 1


def test_what_nobody_can_read_is_kept_with_its_reason() -> None:
    """Bytes that are no message are on file as they came, beside what a broken file held."""
    player = Player(feed="test")
    player.decode(source="test:1", payload=b"garbage")
    player.refuse(source="test:2", payload=b"test:2", reason="cut", detail="the file ends early")
    player.flush(now=NOW)
    assert player.tally.outcomes == {"undecodable": 2}
    assert player.stored.rejected == {"undecodable": 2}
    kept = {bytes(row.payload): row for row in RejectedMessage.objects.all()}
    assert (kept[b"test:2"].detail, kept[b"test:2"].observed_at) == ("cut: the file ends early", NOW)
    assert (kept[b"garbage"].source, kept[b"garbage"].reason) == ("test:1", "undecodable")


def test_a_flush_of_nothing_stores_nothing() -> None:
    """An empty buffer is no batch."""
    player = Player(feed="test")
    player.flush(now=NOW)
    assert player.stored == ingest.Stored()
