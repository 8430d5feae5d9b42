"""A venue that is not understood is stopped, loses nothing, and comes back as if it had never been stopped."""

import pytest

from megatron.core.models import AuditEntry
from tests.factories import NOON
from tests.tokens.domain.decode.building import discriminator
from tests.tokens.services import building as builders
from tests.tokens.services.building import received
from tests.tokens.services.test_drift import alert, frame, play, stored, trade
from tokens.choices import AlertKind, AlertSeverity, Program, RejectionReason, RejectionStatus, VenueStatus
from tokens.domain.decode import events
from tokens.domain.decode.borsh import Layout
from tokens.models import DriftCount, OperatorAlert, RejectedMessage, Transaction, VenueState
from tokens.services import quarantine, rejections, releases
from tokens.services.playback import Player

pytestmark = pytest.mark.django_db

TRADES = 120


def changed(event: bytes) -> bytes:
    """Return a trade event as if the program had put a field after the mint."""
    return event[:40] + bytes([0xFF] * 9) + event[40:]


def understand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teach the decoder the changed layout."""
    tag = discriminator("TradeEvent", "event")
    layout, meaning = events.EVENTS[Program.PUMPFUN][tag]
    fields = [f"{name}:{kind}" for name, kind in layout.fields]
    fields[1:1] = ["flag:u8", "extra:u64"]
    monkeypatch.setitem(events.EVENTS[Program.PUMPFUN], tag, (Layout("TradeEvent", " ".join(fields)), meaning))


def test_a_venue_whose_layouts_all_change_is_quarantined_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stored while it is not understood; after the decoder is mended and the venue released, all rows are there."""
    frames = [frame(number, changed(trade(number))) for number in range(TRADES)]
    with monkeypatch.context() as patch:
        understand(patch)
        play(frames)
        expected = stored()
    assert len(expected) == TRADES
    Transaction.objects.all().delete()

    player = Player(feed="solana-logs")
    for start in range(0, TRADES, 40):
        play(frames[start : start + 40], player=player)
    assert Transaction.objects.count() == 0
    state = VenueState.objects.get(venue=Program.PUMPFUN)
    assert state.status == VenueStatus.QUARANTINED
    assert state.quarantine_reason.startswith(
        "80 of its newest 80 trades cannot be read, in slots 455000000 to 455000026"
    )
    assert alert(AlertKind.QUARANTINE).severity == AlertSeverity.CRITICAL
    assert RejectedMessage.objects.filter(status=RejectionStatus.WAITING).count() == TRADES

    understand(monkeypatch)
    assert quarantine.end(venue=Program.PUMPFUN, operator="ann", reason="layout published", now=NOON) == TRADES
    assert releases.play(now=NOON) == rejections.Retried(TRADES, TRADES, TRADES)
    assert stored() == expected
    assert not RejectedMessage.objects.filter(status=RejectionStatus.WAITING).exists()
    assert not OperatorAlert.objects.filter(kind=AlertKind.QUARANTINE, resolved_at=None).exists()
    assert VenueState.objects.get().status == VenueStatus.LIVE
    assert list(AuditEntry.objects.order_by("sequence").values_list("actor", "action", "object_id")) == [
        ("drift sentinel", "venue.quarantine", "pumpfun"),
        ("ann", "venue.release", "pumpfun"),
    ]


def test_a_venue_that_only_emits_what_nobody_knows_is_quarantined() -> None:
    """Its trades stop while it is busy with another discriminator: the program speaks another language now."""
    unknown = discriminator("TradeEventV2", "event")
    player = play([frame(number, trade(number)) for number in range(120)])
    assert VenueState.objects.count() == 0
    play([frame(number, unknown + trade(number)[8:]) for number in range(120, 300)], player=player)
    assert VenueState.objects.get().quarantine_reason == (
        "no trade since slot 455000039 where about 183 were due, but 180 transactions with events that no layout knows"
    )
    assert RejectedMessage.objects.filter(waits_for="release of pumpfun").count() == 180


def test_a_handful_of_bad_messages_stops_nothing() -> None:
    """Forty unreadable trades among sixty that are read, or forty-nine alone, are kept and told of, and the venue goes on."""
    good = [frame(number, trade(number)) for number in range(60)]
    bad = [frame(number, changed(trade(number))) for number in range(60, 100)]
    play(good + bad)
    assert (VenueState.objects.count(), Transaction.objects.count(), RejectedMessage.objects.count()) == (0, 60, 40)
    play([frame(number, changed(trade(number))) for number in range(100, 149)])
    assert VenueState.objects.count() == 0


def test_one_bundle_stops_nothing() -> None:
    """Any number of unreadable trades in fewer than five slots is somebody's trick, not the program's change."""
    play([frame(number % 12, changed(trade(number))) for number in range(200)])
    assert (VenueState.objects.count(), DriftCount.objects.get().count) == (0, 200)


def test_garbage_sent_to_a_program_stops_nothing() -> None:
    """Others' logs, failed transactions and bytes that are no message say nothing of a venue, however many come."""
    foreign = [frame(number, changed(trade(number)), program="1" * 31 + "2") for number in range(100)]
    failed = [
        frame(number, changed(trade(number))).replace(b'"err": null', b'"err": {"x": 1}') for number in range(100, 200)
    ]
    noise = [f'{{"garbage": {number}}}'.encode() for number in range(100)]
    play(foreign + failed + noise)
    assert (VenueState.objects.count(), DriftCount.objects.count()) == (0, 0)


def test_unknown_events_stop_no_venue_that_trades() -> None:
    """Somebody who makes a program emit a new event a thousand times cannot keep the others from trading."""
    unknown = discriminator("CheapEvent", "event")
    player = Player(feed="solana-logs")
    for start in range(0, 600, 100):
        spam = [frame(10_000 + number, unknown) for number in range(start, start + 100)]
        play([*spam, frame(start, trade(start // 100))], player=player)
    assert VenueState.objects.count() == 0


def test_a_capture_may_not_quarantine() -> None:
    """Anybody can write a file: what a replay cannot read is kept and told of, the live feeds go on."""
    play([frame(number, changed(trade(number))) for number in range(TRADES)], feed="replay")
    assert (VenueState.objects.count(), RejectedMessage.objects.count()) == (0, TRADES)


def test_while_quarantined_everything_is_kept_and_other_venues_go_on() -> None:
    """By hand or not: readable trades wait too, and what waited before is not played meanwhile."""
    quarantine.start(venue=Program.PUMPFUN, reason="a rumour", now=NOON, operator="ann")
    play([frame(number, trade(number)) for number in range(3)])
    assert Transaction.objects.count() == 0
    assert set(RejectedMessage.objects.values_list("reason", "waits_for")) == {
        (RejectionReason.QUARANTINED, "release of pumpfun")
    }
    keys = RejectedMessage.objects.values_list("pk", flat=True)
    assert rejections.retry(messages=list(keys), now=NOON) == rejections.Retried(3, 0, 0)
    assert releases.play(now=NOON).played == 0
    assert quarantine.end(venue=Program.PUMPFUN, operator="ann", reason="only a rumour", now=NOON) == 3
    assert releases.play(now=NOON).stored == 3


def test_what_still_cannot_be_read_waits_with_its_reason() -> None:
    """A release too early stores nothing wrong, and tries each message once."""
    quarantine.start(venue=Program.PUMPFUN, reason="changed", now=NOON)
    play([frame(number, changed(trade(number))) for number in range(3)])
    quarantine.end(venue=Program.PUMPFUN, operator="ann", reason="too early", now=NOON)
    assert releases.play(now=NOON) == rejections.Retried(3, 0, 0)
    assert releases.play(now=NOON).played == 0
    assert set(RejectedMessage.objects.values_list("reason", "status")) == {
        (RejectionReason.UNDECODABLE, RejectionStatus.WAITING)
    }


def test_quarantine_and_release_are_said_once() -> None:
    """A second quarantine changes nothing, nor does the release of a venue that is live; a reason is asked for."""
    assert quarantine.start(venue=Program.PUMPSWAP, reason="first", now=NOON) is True
    assert quarantine.start(venue=Program.PUMPSWAP, reason="second", now=NOON) is False
    assert VenueState.objects.get().quarantine_reason == "first"
    assert quarantine.end(venue=Program.PUMPFUN, operator="ann", reason="never was", now=NOON) == 0
    assert AuditEntry.objects.count() == 1
    with pytest.raises(ValueError, match="reason"):
        quarantine.start(venue=Program.PUMPFUN, reason="", now=NOON)


def test_a_released_venue_is_judged_anew() -> None:
    """What was unreadable before the release does not stop the venue again at once."""
    player = play([frame(number, changed(trade(number))) for number in range(TRADES)])
    assert quarantine.held() == {Program.PUMPFUN}
    quarantine.end(venue=Program.PUMPFUN, operator="ann", reason="seen", now=NOON)
    play([frame(200 + number, trade(number)) for number in range(3)], player=player)
    assert quarantine.held() == frozenset()
    assert Transaction.objects.count() == 3


def test_what_is_fetched_from_the_chain_waits_too() -> None:
    """A gap that heals meanwhile brings its trades to the others that are kept."""
    from_chain = received(builders.trade(0), payload=b"{}")
    quarantine.start(venue=Program.PUMPFUN, reason="a rumour", now=NOON)
    held = quarantine.store(batch=[from_chain], feed="backfill", now=NOON)
    assert (held.transactions, held.rejected) == (0, {"quarantined": 1})
    quarantine.end(venue=Program.PUMPFUN, operator="ann", reason="only a rumour", now=NOON)
    assert quarantine.store(batch=[from_chain], feed="backfill", now=NOON).transactions == 1
