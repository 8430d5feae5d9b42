"""The monitor: several sources side by side, bounded memory, and nothing forgotten before its commit."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError

from megatron.clients.ports import Frame, Heard, Lost, Opened
from tests.cluster import views
from tests.cluster.landing import Landing
from tests.cluster.node import Node
from tests.factories import NOON
from tests.tokens.services.live import VENUE, Feed, Refusing, World, reader, trades, world
from tokens.choices import AlertKind, Commitment, RejectionReason
from tokens.models import (
    OperatorAlert,
    RejectedMessage,
    SlotGap,
    SourceTally,
    StreamCursor,
    StreamSighting,
    Token,
    Transaction,
    VenueState,
)
from tokens.services import ingest, rejections
from tokens.services.monitor import Monitor, NothingToFollow, follow
from tokens.services.monitor.buffer import Buffer, Item
from tokens.services.monitor.scoreboard import GRACE, Scoreboard

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small() -> World:
    return world(slots=40)


def signatures() -> set[str]:
    return set(Transaction.objects.values_list("signature", flat=True))


def test_what_is_heard_is_stored_with_the_commitment_of_its_feed(small: World) -> None:
    """Every trade that a feed brings becomes rows, as settled as the feed says, and the venue is watched from there on."""
    small.follow(Feed(small.landings(), at=small.now, commitment=0))
    assert signatures() == {one.signature for one in trades(small.landings())}
    assert set(Transaction.objects.values_list("commitment", flat=True)) == {Commitment.PROCESSED}
    first, last = small.landings()[0].slot, small.landings()[-1].slot
    state = VenueState.objects.get(venue=VENUE)
    assert (state.watched_from_slot, state.settled_slot) == (first + 1, first)
    cursor = StreamCursor.objects.get(source="solana-logs")
    assert (cursor.first_slot, cursor.last_slot) == (first, last)


def test_what_leaves_no_trade_is_remembered(small: World) -> None:
    """A successful transaction without a trade leaves a sighting, a failed one leaves nothing; so does a launch."""
    small.follow(Feed(small.landings(), at=small.now))
    sighted = set(StreamSighting.objects.values_list("signature", flat=True))
    silent = {one.signature for one in small.landings() if not one.failed} - signatures()
    steps = set(Token.objects.values_list("creation_signature", flat=True))
    steps |= set(Token.objects.values_list("graduation_signature", flat=True))
    assert sighted == silent | steps - {None}
    assert sighted & signatures()


def test_two_sources_make_each_event_once_and_are_compared(small: World) -> None:
    """Of two sources each event is stored once; who was first, and who missed how many, is counted."""
    said = small.landings()
    good = [one for one in said if not one.failed]
    absent = {one.signature for one in trades(said)[:3]}
    quick = Feed(said, at=small.now, source="quick")
    slow = Feed(said, at=small.now + timedelta(milliseconds=40), source="slow", without=absent)
    monitor = Monitor(venue=VENUE, sources=[quick, slow], chain=None, clock=small.clock)
    small.later(GRACE.total_seconds() + 1)
    report = monitor.run(stop=threading.Event())
    assert signatures() == {one.signature for one in trades(said)}
    assert report.duplicates == 0
    tallies = {tally.source: tally for tally in SourceTally.objects.all()}
    assert tallies["quick"].transactions == len(good)
    assert tallies["slow"].transactions == len(good) - len(absent)
    assert tallies["quick"].first + tallies["slow"].first == len(good)
    assert tallies["quick"].frames == len(said)
    assert set(StreamCursor.objects.values_list("source", flat=True)) == {"quick", "slow"}


def test_the_scoreboard_says_who_was_first_and_who_missed() -> None:
    """A source that listens and does not bring within the grace what another brought has missed it; one that is away has not."""
    board = Scoreboard(3)
    assert board.saw(0, "a", 1, NOON) is True
    assert board.saw(1, "a", 1, NOON + timedelta(milliseconds=30)) is False
    assert board.saw(1, "b", 2, NOON) is True
    assert board.saw(0, "a", 9, NOON) is True, "it landed again in another slot"
    board.close_before(NOON + GRACE, listening=[True, True, False])
    first, second, away = board.take()
    assert (first.transactions, first.first, first.lead_ms, first.missed) == (2, 2, 30, 1)
    assert (second.transactions, second.first, second.missed) == (2, 1, 1)
    assert (away.transactions, away.missed) == (0, 0)


def test_a_full_buffer_makes_the_network_wait_and_drops_nothing() -> None:
    """Who puts into a full buffer waits until something is taken, no more at once than is asked for; order is kept, and closing
    lets everybody go."""
    buffer = Buffer(most_items=3, most_bytes=1_000)
    done: list[int] = []

    def put() -> None:
        for number in range(10):
            assert buffer.put(Item(0, Frame(NOON, b"%d" % number)))
            done.append(number)

    thread = threading.Thread(target=put)
    thread.start()
    taken: list[bytes] = []
    most = 0
    while len(taken) < 10:
        items = buffer.take(timeout=5, most=2)
        most = max(most, len(items))
        taken += [item.heard.payload for item in items if isinstance(item.heard, Frame)]
    thread.join(5)
    assert taken == [b"%d" % number for number in range(10)]
    assert most == 2
    buffer.close()
    assert buffer.put(Item(0, Frame(NOON, b"late"))) is False


def test_one_huge_frame_passes_an_empty_buffer() -> None:
    """A frame beyond the limit is taken when nothing else waits, so that it cannot block for ever."""
    buffer = Buffer(most_items=3, most_bytes=10)
    assert buffer.put(Item(0, Frame(NOON, b"x" * 100))) is True


def _cut(landing: Landing) -> bytes:
    """Return a frame whose log was cut before the event."""
    return views.logs_frame(landing, truncated=True)


def test_a_cut_log_is_completed_from_the_chain(small: World) -> None:
    """A transaction whose log was cut is asked for whole and stored like any other."""
    said = trades(small.landings())
    small.follow(Feed([_cut(said[0]), *said[1:]], at=small.now), chain=small.rpc)
    assert said[0].signature in signatures()
    assert not RejectedMessage.objects.exists()


def test_without_an_answer_a_cut_log_waits_and_a_worker_completes_it(small: World) -> None:
    """What the chain does not give at once waits among the rejected messages, longer each time, until it does."""
    said = trades(small.landings())
    dumb = Node(small.chain)
    dumb.step, dumb.unknown = small.node.step, lambda signature: True
    small.follow(Feed([_cut(said[0]), *said[1:]], at=small.now), chain=reader(dumb))
    row = RejectedMessage.objects.get()
    assert (row.reason, row.waits_for) == (RejectionReason.TRUNCATED, said[0].signature)
    assert rejections.complete(chain=reader(dumb), now=small.later(6)).resolved == 0
    assert rejections.complete(chain=small.rpc, now=small.now).played == 0, "it was asked a moment ago"
    assert rejections.complete(chain=small.rpc, now=small.later(6)).resolved == 1
    assert said[0].signature in signatures()
    row.refresh_from_db()
    assert row.resolved_at is not None


def test_a_database_that_is_away_loses_nothing(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that the database does not take is kept and tried again until it does."""
    store, refusals = ingest.store, [3]

    def sometimes(**facts: object) -> ingest.Stored:
        if refusals[0]:
            refusals[0] -= 1
            raise OperationalError("the server closed the connection unexpectedly")
        return store(**facts)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "store", sometimes)
    monkeypatch.setattr(follow, "PATIENCE_SECONDS", (0.001, 0.002))
    small.follow(Feed(small.landings(), at=small.now))
    assert refusals == [0]
    assert signatures() == {one.signature for one in trades(small.landings())}


def test_garbage_between_frames_is_kept_and_stops_nothing(small: World) -> None:
    """A page instead of a frame becomes a rejected message with its bytes; everything else is stored."""
    said = small.landings()
    small.follow(Feed([*said[:5], b"<html>502</html>", b'{"half":', *said[5:]], at=small.now))
    assert {bytes(row.payload) for row in RejectedMessage.objects.all()} == {b"<html>502</html>", b'{"half":'}
    assert signatures() == {one.signature for one in trades(said)}


def test_sources_that_give_up_end_the_monitor_with_their_reasons(small: World) -> None:
    """When no source is left the monitor says why; while one is left it goes on, and operators are told."""
    with pytest.raises(NothingToFollow, match="helius: wrong key"):
        small.follow(Refusing([], at=small.now, source="helius"))
    said = small.landings()
    stop = threading.Event()
    monitor = Monitor(
        venue=VENUE,
        sources=[Refusing([], at=small.now, source="helius"), _Endless(said, at=small.now, stop=stop)],
        chain=None,
        clock=small.clock,
    )
    monitor.run(stop=stop)
    assert signatures() == {one.signature for one in trades(said)}
    alert = OperatorAlert.objects.get(kind=AlertKind.STREAM)
    assert (alert.subject, alert.message) == ("helius pumpfun", "The source gave up: wrong key")


class _Endless(Feed):
    """A feed that brings what it has and then waits; the test's end is when the alert was written."""

    def __init__(self, said: list[Landing], *, at: object, stop: threading.Event) -> None:
        super().__init__(said, at=at)  # type: ignore[arg-type]
        self._stop = stop

    def listen(self, *, program: str, stop: threading.Event):  # type: ignore[no-untyped-def]
        yield Opened(self._at)
        for one in self._said:
            yield Frame(self._at, views.logs_frame(one))  # type: ignore[arg-type]
        threading.Timer(0.5, self._stop.set).start()
        stop.wait(10)
        yield Lost(self._at, "stopped")


class _Stopping(Feed):
    """A feed whose monitor is told to stop after what it has said."""

    def listen(self, *, program: str, stop: threading.Event) -> Iterator[Heard]:
        yield Opened(self._at)
        for one in self._said:
            yield Frame(self._at, views.logs_frame(one))  # type: ignore[arg-type]
        stop.set()
        yield Lost(self._at, "stopped")


def test_a_monitor_that_is_stopped_opens_no_gap(small: World) -> None:
    """What it did not hear is between its cursor and where the next start begins; a stop is no disconnection."""
    report = small.follow(_Stopping(small.landings(), at=small.now))
    assert (report.frames, report.disconnects) == (len(small.landings()), 0)
    assert not SlotGap.objects.exists()


def test_a_quiet_feed_that_is_back_ends_its_gap(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that returns and brings nothing, because nothing happens, ends its gap at the slot that the chain names."""
    said = small.landings()
    small.follow(Feed(said, at=small.now))
    assert SlotGap.objects.get().slot_to is None
    monkeypatch.setattr(follow, "TALLY_SECONDS", 0.05)
    stop = threading.Event()
    monitor = Monitor(venue=VENUE, sources=[_Endless([], at=small.now, stop=stop)], chain=small.rpc, clock=small.clock)
    monitor.run(stop=stop)
    assert SlotGap.objects.get().slot_to == small.rpc.get_slot(finalized=False)
