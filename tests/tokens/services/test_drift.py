"""The programs' breaking changes, replayed: each is told with its first batch, nothing is lost, nothing wrong is stored."""

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests import recordings
from tests.factories import NOON
from tests.tokens.domain.decode import building
from tests.tokens.domain.decode.building import Call, discriminator, key, payload
from tokens.choices import AlertKind, AlertSeverity, Program, RecipientOrigin, RejectionReason
from tokens.domain import programs
from tokens.domain.decode import events
from tokens.domain.decode.borsh import Layout
from tokens.domain.drift import Sighting
from tokens.models import DriftCount, FeeRecipient, OperatorAlert, RejectedMessage, Transaction
from tokens.services import alerts, drift
from tokens.services.drift import Seen
from tokens.services.playback import Player

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
KNOWN = "62qc2CNXwrYqQScmEdiZFFAnJR262PxWEuNQtxfafNgV"
SLOT = 455_000_000
MINT = key("mint of the drift")
GROWN = Sighting(Program.PUMPFUN, "TradeEvent.unknown_bytes.8")


def trade(number: int = 0, **changes: Any) -> bytes:
    """Return the bytes of a buy of 0.1 SOL on one curve, by its own layout; later ones are later on the chain."""
    paid = 10**8 * (number + 1)
    got = 2 * 10**12 * (number + 1)
    values = {
        "mint": MINT,
        "sol_amount": 10**8,
        "token_amount": 2 * 10**12,
        "is_buy": True,
        "user": key(f"trader {number}"),
        "timestamp": int(NOON.timestamp()) + number,
        "virtual_sol_reserves": 30 * 10**9 + paid,
        "virtual_token_reserves": 1_073 * 10**12 - got,
        "real_sol_reserves": paid,
        "real_token_reserves": 7_931 * 10**11 - got,
        "fee_recipient": KNOWN,
        "fee": 950_000,
        "creator_fee": 300_000,
        "ix_name": "buy",
        "quote_amount": 10**8,
        "virtual_quote_reserves": 30 * 10**9 + paid,
        "real_quote_reserves": paid,
    }
    return payload(Program.PUMPFUN, "TradeEvent", **(values | changes))


def frame(number: int, *emitted: bytes, program: str = programs.PUMP) -> bytes:
    """Return the ``logsSubscribe`` frame of a transaction in which ``program`` emits these events."""
    lines = [f"Program {program} invoke [1]"]
    lines += [f"Program data: {base64.b64encode(event).decode()}" for event in emitted]
    lines += [f"Program {program} success"]
    signature = building.base58(bytes([7]) * 60 + number.to_bytes(4))
    value = {"signature": signature, "err": None, "logs": lines}
    result = {"context": {"slot": SLOT + number // 3}, "value": value}
    return json.dumps(
        {"jsonrpc": "2.0", "method": "logsNotification", "params": {"subscription": 1, "result": result}}
    ).encode()


def play(
    frames: Sequence[bytes], *, player: Player | None = None, feed: str = "solana-logs", now: Any = NOON
) -> Player:
    """Play messages through one batch of a live feed."""
    player = player or Player(feed=feed)
    for number, message in enumerate(frames):
        player.take(player.decode(source=f"test:{number}", payload=message), source=f"test:{number}", payload=message)
    player.flush(now=now)
    return player


def alert(kind: AlertKind = AlertKind.DRIFT) -> OperatorAlert:
    """Return the one open alert of ``kind``."""
    return OperatorAlert.objects.get(kind=kind, resolved_at=None)


def stored() -> list[tuple[Any, ...]]:
    """Return what the trades table says of each trade, in the chain's order."""
    return list(
        Transaction.objects.order_by("slot", "signature").values_list(
            "signature", "event_index", "type", "user_address", "amount_in", "amount_out", "block_time"
        )
    )


def test_events_that_grew_are_told_with_the_first_batch_and_stored() -> None:
    """2026-10-02: eight bytes appended five days before the layout was published. The trades stand, the operator knows."""
    play([frame(number, trade(number) + bytes(8)) for number in range(5)])
    assert Transaction.objects.count() == 5
    assert RejectedMessage.objects.count() == 0
    row = DriftCount.objects.get()
    assert (row.venue, row.what, row.count, row.sample_slot) == (*GROWN, 5, SLOT)
    told = alert()
    assert told.message == f"Pump.fun TradeEvent grew by 8 bytes: seen in slot {SLOT}, 5 times this hour."
    assert (told.severity, told.subject, told.occurrences) == (
        AlertSeverity.WARNING,
        "pumpfun TradeEvent.unknown_bytes.8",
        5,
    )


def test_the_trades_of_grown_events_equal_those_of_the_known_layout() -> None:
    """The appendix changes nothing of what is stored."""
    play([frame(number, trade(number) + bytes(range(8))) for number in range(3)])
    grown = stored()
    Transaction.objects.all().delete()
    play([frame(number, trade(number)) for number in range(3)])
    assert stored() == grown


def test_events_that_grew_in_the_middle_are_refused_and_kept() -> None:
    """A field put in the middle shifts what follows: what was read cannot be, so the bytes are kept and nothing is stored."""
    whole = trade()
    middle = 8 + 32 + 8 + 8 + 1  # after is_buy
    play([frame(0, whole[:middle] + bytes(8) + whole[middle:])])
    assert Transaction.objects.count() == 0
    kept = RejectedMessage.objects.get()
    assert (kept.reason, kept.waits_for) == (RejectionReason.UNDECODABLE, "release of pumpfun")
    assert alert().message.startswith("Pump.fun TradeEvent cannot be read any more; its transactions are kept")
    assert alert().severity == AlertSeverity.CRITICAL


@pytest.mark.parametrize("more", [8, 16])
def test_launchlab_trades_of_a_new_length_are_refused_and_kept(more: int) -> None:
    """August 2025: LaunchLab put a field in the middle. Any length that was never seen is kept, none is guessed."""
    old = next(
        base64.b64decode(vector["payload"])
        for vector in recordings.loaded("vectors/events.json")
        if vector["program"] == "launchlab" and len(base64.b64decode(vector["payload"])) == 147
    )
    at = len(old) - 11  # before share_fee
    play([frame(0, old[:at] + bytes(more) + old[at:], program=programs.LAUNCHLAB)])
    assert Transaction.objects.count() == 0
    kept = RejectedMessage.objects.get()
    assert (kept.reason, kept.waits_for) == (RejectionReason.UNDECODABLE, "release of launchlab")
    assert kept.detail == f"bad_event: TradeEvent of {147 + more} bytes has a length that no layout has"
    assert alert().subject == "launchlab TradeEvent.undecodable"


def test_a_new_event_is_told_and_its_messages_are_kept_beside_what_is_known() -> None:
    """A discriminator that no table has: the known trade of the same transaction is stored, the bytes wait for a layout."""
    unknown = discriminator("TradeEventV2", "event") + bytes(100)
    play([frame(0, trade(0), unknown), frame(1, unknown)])
    assert Transaction.objects.count() == 1
    assert RejectedMessage.objects.filter(reason=RejectionReason.UNDECODABLE).count() == 2
    told = alert()
    assert told.subject == f"pumpfun {unknown[:8].hex()}.unknown_event"
    assert (told.severity, told.occurrences) == (AlertSeverity.CRITICAL, 2)


def test_enough_of_one_unknown_event_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that nobody minds does not fill the disk: after so many a day its messages are counted, not kept."""
    monkeypatch.setattr("tokens.services.sentinel.KEPT_A_DAY", 2)
    unknown = discriminator("NothingOfUseEvent", "event")
    player = Player(feed="solana-logs")
    for number in range(4):
        play([frame(number, unknown)], player=player)
    assert RejectedMessage.objects.count() == 2
    assert DriftCount.objects.get().count == 4


def test_a_renamed_instruction_is_told_and_its_trades_are_stored() -> None:
    """April 2026 and October 2026: trades by instructions with new names, seen in the log and in the calls."""
    play([frame(0, trade(0, ix_name="buy_v4"))])
    assert alert().message.startswith("Pump.fun has an instruction with a new name, buy_v4: seen in slot")
    call = Call(programs.PUMP, [key("somebody")], discriminator("buy_v5"), [trade(1, ix_name="buy")])
    play([building.Transaction(call, block_time=int(NOON.timestamp())).reply()])
    assert Transaction.objects.count() == 2
    told = OperatorAlert.objects.get(subject="pumpfun TradeEvent.unknown_instruction")
    assert told.message.startswith("Pump.fun TradeEvent comes from an instruction that no table has: seen in slot")


def test_an_administrative_event_of_a_new_shape_holds_nothing_up() -> None:
    """It is skipped and told; the trade beside it is stored."""
    short = payload(Program.PUMPFUN, "SetParamsEvent", 3)
    play([frame(0, trade(0), short)])
    assert Transaction.objects.count() == 1
    assert alert().message.startswith("Pump.fun SetParamsEvent does not fit its layout any more and is skipped")


def test_a_new_fee_recipient_is_told_once() -> None:
    """Published recipients are known; another one is learned with its transaction and told of."""
    FeeRecipient.objects.all().delete()
    FeeRecipient.objects.create(venue=Program.PUMPFUN, address=KNOWN, origin=RecipientOrigin.PUBLISHED)
    player = play([frame(0, trade(0)), frame(1, trade(1, fee_recipient=key("new recipient")))])
    play([frame(2, trade(2, fee_recipient=key("new recipient")))], player=player)
    play([frame(3, trade(3, fee_recipient=key("new recipient")))])
    assert FeeRecipient.objects.get(first_seen_at__isnull=False).address == key("new recipient")
    told = alert(AlertKind.FEE_RECIPIENT)
    assert (told.occurrences, told.detail["address"]) == (1, key("new recipient"))


def test_nobody_receives_the_fees_that_wait_in_the_pool() -> None:
    """October 2026: v3 trades name the zero key, which is no recipient."""
    FeeRecipient.objects.all().delete()
    play([frame(0, trade(0, fee_recipient=programs.ZERO_KEY, ix_name="buy_v3"))])
    assert (OperatorAlert.objects.count(), FeeRecipient.objects.count()) == (0, 0)


def test_drift_of_the_day_before_is_not_told_again() -> None:
    """What was seen within 24 hours and told opens nothing new; after a quiet day it does."""
    one = {GROWN: Seen(3, None, SLOT)}
    drift.note(counts=one, now=NOON)
    alerts.resolve_all(OperatorAlert.objects.all(), now=NOON)
    assert drift.note(counts=one, now=NOON + 23 * HOUR) == {GROWN: 3}
    assert OperatorAlert.objects.filter(resolved_at=None).count() == 0
    assert drift.note(counts=one, now=NOON + 48 * HOUR) == {}
    assert OperatorAlert.objects.filter(resolved_at=None).count() == 1
    assert [row.count for row in DriftCount.objects.order_by("hour")] == [3, 3, 3]


def test_acknowledged_drift_stays_quiet() -> None:
    """Once an operator knows, the alert counts on without calling for anybody; after a silent week it closes."""
    drift.note(counts={GROWN: Seen(3)}, now=NOON)
    alerts.acknowledge(alerts=OperatorAlert.objects.all(), operator="ann", now=NOON)
    drift.note(counts={GROWN: Seen(4)}, now=NOON + 30 * HOUR)
    assert (alert().occurrences, alert().acknowledged_by) == (7, "ann")
    assert drift.settle(now=NOON + 60 * HOUR) == 0
    assert drift.settle(now=NOON + 30 * HOUR + timedelta(days=8)) == 1


def test_drift_that_is_over_closes_its_alert() -> None:
    """Not seen for a day, nobody asked: done."""
    drift.note(counts={GROWN: Seen(3)}, now=NOON)
    assert drift.settle(now=NOON + 24 * HOUR) == 0
    assert drift.settle(now=NOON + 25 * HOUR) == 1


def test_a_batch_that_is_not_stored_leaves_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts live and die with their batch, and the next flush writes both."""
    player = Player(feed="solana-logs")
    message = frame(0, trade(0) + bytes(8))
    player.take(player.decode(source="test", payload=message), source="test", payload=message)

    def failing(**given: Any) -> None:
        raise ConnectionError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr("tokens.services.sentinel.counts.note", failing)
        with pytest.raises(ConnectionError):
            player.flush(now=NOON)
    assert (Transaction.objects.count(), DriftCount.objects.count()) == (0, 0)
    player.flush(now=NOON)
    assert (Transaction.objects.count(), DriftCount.objects.get().count) == (1, 1)


@pytest.mark.parametrize(
    ("known", "emitted", "grown"),
    [
        (10, 16, 96),  # 2025-05: creator fees
        (16, 21, 33),  # 2025-08: volume incentives
        (21, 22, 7),  # 2025-10: ix_name ("buy")
        (22, 23, 1),  # 2025-11: mayhem mode
        (23, 25, 16),  # 2026-02: cashback
        (25, 32, 76),  # 2026-05: other quotes than SOL
        (32, 34, 16),  # 2026-09-12: holder rewards
        (34, 35, 8),  # 2026-10-02: fees that wait on the curve
    ],
)
def test_each_growth_since_2025_would_have_been_told_at_once(
    monkeypatch: pytest.MonkeyPatch, known: int, emitted: int, grown: int
) -> None:
    """A decoder of the day before stores the trades of the day after, and tells by how much they grew."""
    tag = discriminator("TradeEvent", "event")
    layout, meaning = events.EVENTS[Program.PUMPFUN][tag]
    size = len(trade(0))
    fields = [f"{name}:{kind}" for name, kind in layout.fields]
    whole = [trade(number) for number in range(3)]
    rest = Layout("rest", " ".join(fields[emitted:])) if emitted < len(fields) else None
    after = [event[: size - _size(rest)] for event in whole]
    monkeypatch.setitem(events.EVENTS[Program.PUMPFUN], tag, (Layout("TradeEvent", " ".join(fields[:known])), meaning))
    play([frame(number, event) for number, event in enumerate(after)])
    assert Transaction.objects.count() == 3
    assert DriftCount.objects.get().what == f"TradeEvent.unknown_bytes.{grown}"
    assert alert().message == f"Pump.fun TradeEvent grew by {grown} bytes: seen in slot {SLOT}, 3 times this hour."


def _size(layout: Layout | None) -> int:
    sizes = {"u64": 8, "i64": 8, "bool": 1, "pubkey": 32, "string": 7, "shareholders": 4}
    return 0 if layout is None else sum(sizes[kind] for _, kind in layout.fields)
