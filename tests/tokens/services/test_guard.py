"""One bad message harms itself only: what cannot be stored is kept, our own errors are loud, noise waits for nobody."""

import hashlib
import json
import pkgutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from megatron.core import chain
from tests import recordings
from tests.factories import NOON, WSOL, signature
from tests.tokens.domain.decode.building import Call, Transaction, discriminator, key, payload
from tests.tokens.domain.decode.test_damage import JSON, replaced
from tests.tokens.services.building import MINT, POOL, SECOND, address, received, trade
from tests.tokens.services.live import Feed, World, trades, world
from tests.tokens.services.test_drift import frame
from tests.tokens.services.test_drift import trade as emitted
from tokens.choices import AlertKind, EventKind, Program, RejectionReason, RejectionStatus
from tokens.domain import programs
from tokens.domain.decode import Decoded, Undecodable, decode_message, encode
from tokens.domain.events import BothReserves, ChainEvent, Reserves
from tokens.domain.facts import Unstorable
from tokens.domain.gathering import Gatherer
from tokens.models import (
    DriftCount,
    OperatorAlert,
    Pool,
    RejectedMessage,
    SlotGap,
    StreamCursor,
    StreamSighting,
    VenueState,
)
from tokens.models import (
    Transaction as Row,
)
from tokens.selectors import desk, gauges, indexing
from tokens.services import ingest, quarantine, rejections
from tokens.services.ingest import Rejection, failures
from tokens.services.playback import Player

NOW = NOON + timedelta(hours=1)
YEAR_2100 = 4_102_444_800


LATER = datetime(2026, 12, 1, tzinfo=UTC)
EXTREMES = st.sampled_from(
    [
        2**63 - 1,
        2**63,
        2**64,
        2**128,
        -1,
        0,
        YEAR_2100,
        "\0",
        "\x7f" * 300,
        "x" * 20_000,
        "11111111111111111111111111111111",
    ]
)


def _decoded(message: bytes) -> list[Decoded]:
    try:
        return decode_message(message)
    except Undecodable:
        return []


def store(*events: ChainEvent, now: Any = NOW, **options: Any) -> ingest.Stored:
    """Store events, each as a transaction and a message of its own."""
    batch = [received(event, payload=encode(event)) for event in events]
    return ingest.store(batch=batch, feed="test", now=now, **options)


# -- 4: what cannot be


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"block_time": YEAR_2100},
        {"block_time": int(NOW.timestamp()) + 601},
        {"block_time": 1_584_368_939},
        {"slot": 2**63 - 1},
        {"slot": 2**53},
        {"slot": -1},
        {"mint": programs.PUMP},
        {"quote_mint": POOL},
    ],
    ids=str,
)
def test_truth_04_what_cannot_be_blinds_no_pool_cursor_or_list(changes: dict[str, Any]) -> None:
    """It is kept with the reason; the trades before and after it move the pool, the cursor and the lists as ever."""
    stored = store(trade(0), trade(1, **changes), trade(2))
    assert (stored.transactions, dict(stored.rejected), dict(stored.noise)) == (2, {"not_storable": 1}, {})
    assert store(trade(3)).transactions == 1
    pool, cursor = Pool.objects.get(), StreamCursor.objects.get()
    assert (pool.last_slot, cursor.last_slot, cursor.last_block_time.timestamp()) == (
        400_000_003,
        400_000_003,
        SECOND + 3,
    )
    assert Row.objects.order_by("-id")[0].slot == 400_000_003
    assert RejectedMessage.objects.get().status == RejectionStatus.WAITING


@pytest.mark.django_db
def test_truth_04_what_is_of_the_future_is_stored_when_its_time_has_come() -> None:
    """A clock that was wrong loses nothing: the message is played again."""
    store(trade(0), now=NOON - timedelta(hours=2))
    (kept,) = RejectedMessage.objects.all()
    assert f"names the time {SECOND}" in kept.detail
    assert rejections.retry(messages=[kept.pk], now=NOW) == rejections.Retried(1, 1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("odd", [{"slot": 2**63 - 1}, {"slot": 2**40}, {"timestamp": YEAR_2100}], ids=str)
def test_truth_04_a_source_that_names_what_cannot_be_blinds_no_feed(odd: dict[str, Any]) -> None:
    """A frame of a slot or a time that cannot be moves neither the cursor nor the venue's first slot, nor ends a gap there."""
    small = world(slots=40)
    said = small.landings()
    time = odd.get("timestamp", int(small.now.timestamp()))
    document = json.loads(frame(0, emitted(0, timestamp=time)))
    document["params"]["result"]["context"]["slot"] = odd.get("slot", said[0].slot)
    small.follow(Feed([json.dumps(document).encode(), *said], at=small.now))
    assert {one.signature for one in trades(said)} == set(Row.objects.values_list("signature", flat=True))
    cursor, state = StreamCursor.objects.get(), VenueState.objects.get()
    assert (cursor.last_slot, state.watched_from_slot) == (said[-1].slot, said[0].slot + 1)
    assert cursor.last_block_time <= small.now
    assert not SlotGap.objects.filter(slot_to__gt=said[-1].slot).exists()
    assert RejectedMessage.objects.count() == 1


# -- 15: one bad message


@pytest.mark.django_db(transaction=True)
def test_truth_15_a_live_feed_outlives_a_long_signature(small: World) -> None:
    """The recorded frames, the third with a signature of 101 characters: four are stored and the feed goes on."""
    odd = recordings.lines("cases/long_signature.jsonl")
    small.follow(Feed([*odd, *small.landings()], at=small.now))
    assert len(set(Row.objects.values_list("signature", flat=True))) == 4 + len(trades(small.landings()))
    kept = RejectedMessage.objects.get()
    assert (kept.reason, bytes(kept.payload), kept.signature) == (RejectionReason.UNDECODABLE, odd[2], None)


@pytest.fixture
def small() -> World:
    return world(slots=40)


class KeepingTest(TestCase):
    """Whatever is rejected can be kept."""

    @settings(max_examples=150, deadline=None)
    @given(
        st.binary(max_size=200),
        *(st.text(st.characters(codec=None), max_size=400) | st.just("x" * 5_000) for _ in range(4)),
        st.booleans(),
    )
    def test_truth_15_whatever_is_rejected_can_be_kept(
        self, content: bytes, source: str, detail: str, waits_for: str, signed: str, noise: bool
    ) -> None:
        """NUL, lone surrogates, bytes that are no text, and words of any length."""
        one = Rejection(source, content, RejectionReason.UNDECODABLE, detail, waits_for, signed, noise)
        ingest.keep(rejections=[one], now=NOON)
        kept = RejectedMessage.objects.get(digest=hashlib.sha256(content).hexdigest())
        assert bytes(kept.payload) == content
        RejectedMessage.objects.all().delete()


@pytest.mark.django_db
def test_truth_15_a_huge_message_is_kept_by_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL takes no value of a gigabyte: the first bytes are kept, under the digest of all of them."""
    monkeypatch.setattr("tokens.services.ingest.refusals.MOST_PAYLOAD", 10)
    ingest.keep(rejections=[Rejection("s", b"0123456789ab", RejectionReason.UNDECODABLE, "d")], now=NOON)
    kept = RejectedMessage.objects.get()
    assert (bytes(kept.payload), kept.digest) == (b"0123456789", hashlib.sha256(b"0123456789ab").hexdigest())


def _failing(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """Let gathering fail, as a defect of ours would, on whatever one trader does."""
    real = Gatherer.add

    def add(self: Gatherer, event: ChainEvent, **options: Any) -> None:
        if event.user == who:
            raise TypeError("unsupported operand type(s)")
        real(self, event, **options)

    monkeypatch.setattr(Gatherer, "add", add)


@pytest.mark.django_db
def test_truth_15_an_error_of_ours_is_loud_and_commits_nothing_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay ends with the error; nothing of its batch is stored or rejected."""
    _failing(monkeypatch, address("odd"))
    with pytest.raises(TypeError):
        store(trade(0), trade(1, user=address("odd")), trade(2))
    player = Player(feed="replay")
    for number in range(3):
        line = encode(trade(number, user=address("odd" if number == 1 else "even")))
        player.take(player.decode(source="s", payload=line), source="s", payload=line)
    with pytest.raises(TypeError):
        player.flush(now=NOW)
    assert (Row.objects.count(), RejectedMessage.objects.count(), OperatorAlert.objects.count()) == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_truth_15_the_monitor_outlives_an_error_of_ours(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is kept with its bytes, operators are told, the stream goes on; once mended, it is played again."""
    said = trades(small.landings())
    with monkeypatch.context() as patch:
        real = Gatherer.add

        def add(self: Gatherer, event: ChainEvent, **options: Any) -> None:
            if event.signature == said[3].signature:
                raise KeyError("a field that was never there")
            real(self, event, **options)

        patch.setattr(Gatherer, "add", add)
        small.follow(Feed(small.landings(), at=small.now))
    assert set(Row.objects.values_list("signature", flat=True)) == {one.signature for one in said} - {said[3].signature}
    kept = RejectedMessage.objects.get()
    assert (kept.reason, kept.signature) == (RejectionReason.FAILED, said[3].signature)
    told = OperatorAlert.objects.get(kind=AlertKind.STREAM, subject=failures.SUBJECT, resolved_at=None)
    assert "KeyError: 'a field that was never there'" in told.message
    assert rejections.retry(messages=[kept.pk], now=small.later()) == rejections.Retried(1, 1, 1)
    assert not OperatorAlert.objects.filter(subject=failures.SUBJECT, resolved_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["tokens.services.playback.decode_message", "tokens.services.sentinel.Sentinel.see"])
def test_truth_15_the_monitor_outlives_an_error_before_storing(
    small: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A defect in decoding or in the sentinel costs the frame on which it shows."""
    module, _, name = place.rpartition(".")
    target = pkgutil.resolve_name(module.replace(".Sentinel", ":Sentinel"))
    real, calls = getattr(target, name), iter(range(10_000))

    def sometimes(*given: Any) -> Any:
        if next(calls) == 5:
            raise AttributeError("no such thing")
        return real(*given)

    monkeypatch.setattr(target, name, sometimes)
    small.follow(Feed(small.landings(), at=small.now))
    kept = RejectedMessage.objects.get()
    assert (kept.reason, kept.status) == (RejectionReason.FAILED, RejectionStatus.WAITING)
    assert Row.objects.count() >= len(trades(small.landings())) - 1
    assert StreamCursor.objects.get().last_slot == small.landings()[-1].slot


@pytest.mark.django_db
def test_truth_15_an_error_that_is_no_single_messages_keeps_all_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was buffered is kept and played again; the next batch is stored."""
    player = Player(feed="live", survives=True)
    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "divide", lambda *given, **options: 1 / 0)
        for number in range(3):
            line = encode(trade(number))
            player.take(player.decode(source="s", payload=line), source="s", payload=line)
        player.flush(now=NOW)
    assert list(RejectedMessage.objects.values_list("reason", flat=True)) == ["failed"] * 3
    assert rejections.retry(messages=list(RejectedMessage.objects.values_list("pk", flat=True)), now=NOW).stored == 3


@pytest.mark.django_db
def test_truth_15_a_database_that_is_away_rejects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no message's fault, nor a defect: it is raised and tried again."""
    player = Player(feed="live", survives=True)
    line = encode(trade(0))
    player.take(player.decode(source="s", payload=line), source="s", payload=line)

    def away(*given: Any, **options: Any) -> Any:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr("tokens.services.ingest.parents.write", away)
        with pytest.raises(OperationalError):
            player.flush(now=NOW)
    assert not RejectedMessage.objects.exists()
    player.flush(now=NOW)
    assert Row.objects.count() == 1


@pytest.mark.django_db
def test_truth_15_a_kept_message_that_fails_again_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that are played again the one on which we fail waits, with the error, and the other is stored."""
    lines = [encode(trade(number, user=address(name))) for number, name in enumerate(("odd", "even"))]
    ingest.keep(rejections=[Rejection("s", line, RejectionReason.UNDECODABLE, "d") for line in lines], now=NOON)
    _failing(monkeypatch, address("odd"))
    keys = list(RejectedMessage.objects.values_list("pk", flat=True))
    assert rejections.retry(messages=keys, now=NOW) == rejections.Retried(2, 1, 1)
    assert OperatorAlert.objects.get(resolved_at=None).subject == failures.SUBJECT


# -- 16: noise


def self_paired() -> bytes:
    """Return a transaction that opens a pool of a coin and itself and trades in it, and has a trade of a curve beside it."""
    pool, accounts = key("silly pool"), [key(str(number)) for number in range(20)]
    accounts[3] = accounts[4] = key("silly")
    created = payload(
        Program.PUMPSWAP, "CreatePoolEvent", timestamp=SECOND, base_mint=key("silly"), quote_mint=key("silly"),
        pool=pool, creator=key("joker"), pool_base_amount=10, pool_quote_amount=10,
    )  # fmt: skip
    bought = payload(
        Program.PUMPSWAP, "BuyEvent", timestamp=SECOND, pool=pool, user=key("joker"), base_amount_out=1,
        quote_amount_in=1, pool_base_token_reserves=10, pool_quote_token_reserves=10,
    )  # fmt: skip
    calls = [Call(programs.PUMPSWAP, accounts, discriminator(name), [event]) for name, event in
             (("create_pool", created), ("buy", bought))]  # fmt: skip
    calls.append(Call(programs.PUMP, accounts, discriminator("buy"), [emitted(0)]))
    return Transaction(*calls, block_time=SECOND).reply()


def play(*messages: bytes, feed: str = "solana-logs") -> Player:
    player = Player(feed=feed)
    for message in messages:
        player.take(player.decode(source="s", payload=message), source="s", payload=message)
    player.flush(now=LATER)
    return player


@pytest.mark.django_db
def test_truth_16_a_self_paired_pool_is_noise_and_what_is_beside_it_is_stored() -> None:
    """Counted by reason and on file, but in nobody's waiting list, without an alert, and no sign of a changed layout."""
    player = play(self_paired())
    assert (player.stored.transactions, dict(player.stored.noise)) == (1, {"not_storable": 1})
    assert Row.objects.get().type == "buy"
    kept = RejectedMessage.objects.get()
    assert (kept.status, kept.reason) == (RejectionStatus.NOISE, RejectionReason.NOT_STORABLE)
    assert "a pool of a coin and itself" in kept.detail
    assert (desk.waiting_rejections(), desk.count_waiting_rejections()) == ([], 0)
    assert (OperatorAlert.objects.exclude(kind=AlertKind.FEE_RECIPIENT).count(), DriftCount.objects.count()) == (0, 0)
    assert indexing.noise_by_reason() == {"not_storable": 1}
    shown = {gauge.name: list(gauge.values) for gauge in gauges.read(now=LATER)}
    assert (shown["rejected_waiting"], shown["rejected_noise"]) == ([], [({"reason": "not_storable"}, 1)])
    assert play(self_paired()).stored.transactions == 0
    assert RejectedMessage.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("decimals", [18, 19, 255])
def test_truth_16_a_price_beyond_its_column_is_noise(decimals: int) -> None:
    """A pool of coins so odd that their price, or their decimals, fit no column, beside one that does."""
    odd = trade(
        1, program=Program.PUMPSWAP, pool=address("odd"), mint=address("odd mint"), quote_mint=address("odd quote"),
        quote_amount_raw=10**18, token_amount_raw=1, reserves=BothReserves(),
    )  # fmt: skip
    opened = trade(
        0, program=Program.PUMPSWAP, kind=EventKind.CREATE_POOL, pool=address("odd"), mint=address("odd mint"),
        quote_mint=address("odd quote"), signature=signature("opened"), event_index=3,
        fields={"base_mint_decimals": decimals, "quote_mint_decimals": 0}, reserves=BothReserves(after=Reserves()),
    )  # fmt: skip
    stored = store(opened, odd, trade(2))
    assert stored.rejected == stored.noise != {}
    assert Row.objects.filter(pool__pool_address=POOL).count() == 1
    assert not Row.objects.filter(price_per_token__gt=1).exists()
    assert not RejectedMessage.objects.filter(status=RejectionStatus.WAITING).exists()


@pytest.mark.django_db
def test_truth_16_noise_of_a_watched_venue_is_no_loss() -> None:
    """Comparing with the chain must not ask for it again: it came, and left no trade."""
    VenueState.objects.create(venue=Program.PUMPSWAP, watched_from_slot=1, settled_slot=1)
    store(trade(0, program=Program.PUMPSWAP, pool=address("silly"), mint=MINT, quote_mint=MINT))
    assert StreamSighting.objects.get().signature == trade(0).signature


@pytest.mark.django_db
def test_truth_16_an_old_message_that_is_noise_leaves_the_waiting_list() -> None:
    """Played again, it is found to be what it is; thirty days later it is forgotten."""
    line = encode(trade(0, program=Program.PUMPSWAP, pool=address("silly"), quote_mint=WSOL, mint=WSOL))
    ingest.keep(rejections=[Rejection("s", line, RejectionReason.NOT_STORABLE, "d")], now=NOON)
    kept = RejectedMessage.objects.get()
    assert rejections.retry(messages=[kept.pk], now=NOW).resolved == 1
    kept.refresh_from_db()
    assert (kept.status, kept.resolved_at) == (RejectionStatus.NOISE, NOW)
    assert rejections.forget_resolved(now=NOW + timedelta(days=31)) == 1


@pytest.mark.django_db
def test_truth_16_a_message_of_which_something_waits_is_not_noise_alone() -> None:
    """Of one message the waiting part counts, whichever was seen first."""
    noise = Rejection("s", b"m", RejectionReason.NOT_STORABLE, "d", noise=True)
    waits = Rejection("s", b"m", RejectionReason.UNKNOWN_POOL, "d", "pool")
    for order in ([noise, waits], [waits, noise]):
        RejectedMessage.objects.all().delete()
        ingest.keep(rejections=order, now=NOON)
        assert RejectedMessage.objects.get().status == RejectionStatus.WAITING
    RejectedMessage.objects.all().delete()
    ingest.keep(rejections=[noise], now=NOON)
    ingest.keep(rejections=[waits], now=NOON)
    assert RejectedMessage.objects.get().reason == RejectionReason.UNKNOWN_POOL


_LINES = [
    json.loads(encode(event))
    for message in recordings.messages().values()
    for one in _decoded(message)
    for event in one.events
]


class StoringTest(TestCase):
    """Whatever a line of an export says, it is stored, or refused by an error that has a name."""

    @settings(max_examples=400, deadline=None)
    @given(
        st.sampled_from(_LINES),
        st.lists(
            st.tuples(st.lists(st.integers(0, 50), min_size=1, max_size=3), JSON | EXTREMES), min_size=1, max_size=3
        ),
    )
    def test_truth_15_an_edited_line_is_stored_or_refused_by_name(self, line: Any, edits: Any) -> None:
        """Fields of other types, huge, negative, nested, with NUL: no error but our own named ones."""
        for path, value in edits:
            line = replaced(line, path, value)
        play(json.dumps(line).encode(), feed="replay")
        for row in Row.objects.all():
            assert chain.doubt(slot=row.slot, block_time=int(row.block_time.timestamp()), now=LATER) == ""
        Row.objects.all().delete()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["messages", "cases"])
def test_truth_15_a_line_of_our_export_that_lacks_something_is_no_error_of_ours(name: str) -> None:
    """Somebody took a field out, made a word a number or named another program: the line is stored, or refused by name."""
    raws = recordings.messages().values() if name == "messages" else recordings.lines("cases/c11_scalper.jsonl")[:3]
    events = {(e.program, e.kind, e.raw.get("layout")): e for raw in raws for one in _decoded(raw) for e in one.events}
    lines = []
    for event in events.values():
        line = json.loads(encode(event))
        lines += [{**line, "fields": {k: v for k, v in line["fields"].items() if k != gone}} for gone in line["fields"]]
        lines += [{**line, "raw": {**line["raw"], "layout": word}} for word in (0, 1.5, True, None)]
        lines += [{**line, "program": program, "kind": kind.value} for program in Program for kind in EventKind]
    for line in lines:
        raw = json.dumps(line).encode()
        gatherer = Gatherer({})
        for event in (event for one in _decoded(raw) for event in one.events):
            try:
                gatherer.add(event, commitment=1, transaction_fee=None)
            except Unstorable:
                continue
