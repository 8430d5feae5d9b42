"""The monitor of one venue: a thread a source reads, one thread decodes and stores, and nothing is forgotten uncommitted."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import structlog
from django.db import InterfaceError, OperationalError, connection

from megatron.clients.errors import Refused
from megatron.clients.ports import ChainReader, Frame, Lost, Opened, TransactionStream
from megatron.core import chain, metrics
from tokens.choices import AlertKind, AlertSeverity, Commitment, EventKind, Program
from tokens.domain import programs
from tokens.domain.decode import Decoded, Outcome
from tokens.services import alerts, backfill, gaps, streams
from tokens.services.ingest.parents import known_pools
from tokens.services.monitor.buffer import Buffer, Item
from tokens.services.monitor.completion import Completed, Completion
from tokens.services.monitor.feed import Feed
from tokens.services.monitor.scoreboard import Scoreboard
from tokens.services.monitor.strangers import Strangers, nameless
from tokens.services.playback import Player

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.2
TALLY_SECONDS = 5.0
BATCH_EVENTS = 5_000
PATIENCE_SECONDS = (0.25, 2.0)
"""First and longest pause before a batch that the database did not take is tried again."""
MOST_LATENCIES = 50_000
MOST_PARTIAL, MOST_KNOWN = 50_000, 200_000
"""Signatures and pools that are remembered: a month brings more than a process should hold."""
LAST_ATTEMPTS = 5
"""How often a stopping monitor tries before it gives its last batch up to the gap that begins at its cursor."""

_SUCCEEDED = (Outcome.EVENTS, Outcome.NOT_OURS)


class NothingToFollow(Exception):
    """No source is left to listen to; the message says why each of them gave up."""


@dataclass(slots=True)
class Report:
    """What the monitor did since it began, for whoever watches it."""

    frames: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    disconnects: int = 0
    buffered: int = 0
    completing: int = 0
    behind: timedelta | None = None
    """Age of the newest event, by our clock."""
    latencies_ms: list[float] = field(default_factory=list, repr=False)
    """From a frame's arrival to its commit, for the newest frames; whoever writes them down empties the list."""
    feeds: dict[str, bool] = field(default_factory=dict)


class Monitor:
    """Follows one venue by several sources side by side. ``clock`` is the door's clock.

    Without ``chain`` log lines that are cut are stored as they are and wait among the rejected messages.
    """

    def __init__(
        self,
        *,
        venue: Program,
        sources: Sequence[TransactionStream],
        chain: ChainReader | None,
        clock: Callable[[], datetime],
        buffer: Buffer | None = None,
    ) -> None:
        self.venue, self._clock = venue, clock
        self._feeds = [
            Feed(stream, Player(feed=stream.source, batch_events=BATCH_EVENTS, survives=True)) for stream in sources
        ]
        self._buffer = buffer or Buffer()
        self._board = Scoreboard(len(self._feeds))
        self._completion = None if chain is None else Completion(chain, [feed.fail for feed in self._feeds])
        self._sighted: list[tuple[str, int, bool]] = []
        self._arrived: list[datetime] = []
        self._known_pools: set[str] = set()
        self._strangers = Strangers()
        self._partial: dict[str, bool] = {}
        """What came, but not whole; whether it is asked for, or waits among the rejected messages."""
        self._made_whole: list[str] = []
        self._begun = False
        self._stop = threading.Event()
        self.report = Report()

    def run(self, *, stop: threading.Event, tell: Callable[[Report], None] | None = None) -> Report:
        """Follow until ``stop`` is set, then store what is there and return. Raises :class:`NothingToFollow`."""
        self._stop = stop
        threads = [
            threading.Thread(target=self._listen, args=(place, stop), name=feed.stream.source, daemon=True)
            for place, feed in enumerate(self._feeds)
        ]
        for thread in threads:
            thread.start()
        flushed = tallied = time.monotonic()
        try:
            while not stop.is_set() and any(thread.is_alive() for thread in threads):
                full = self._take(FLUSH_SECONDS)
                if full or time.monotonic() - flushed >= FLUSH_SECONDS:
                    self._flush()
                    flushed = time.monotonic()
                    if tell is not None:
                        tell(self._told())
                if time.monotonic() - tallied >= TALLY_SECONDS:
                    self._end_quiet_gaps()
                    self._tally()
                    self._alert()
                    tallied = time.monotonic()
        finally:
            self._end(threads)
        if not stop.is_set() and all(feed.refusal for feed in self._feeds):
            raise NothingToFollow("; ".join(f"{feed.stream.source}: {feed.refusal}" for feed in self._feeds))
        return self._told()

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Store what was heard, on the way out. A killed monitor does not come here: its gap begins at its cursor."""
        self._take(0, most=len(self._buffer))
        if self._completion is not None:
            for one in (*self._completion.close(), *self._strangers.all()):
                self._keep(one.source, one.decoded, one.payload)
        self._buffer.close()
        self._flush()
        self._tally()
        self._alert()
        for thread in threads:
            thread.join(timeout=2)

    # -- the reading threads

    def _listen(self, place: int, stop: threading.Event) -> None:
        feed = self._feeds[place]
        try:
            for heard in feed.stream.listen(program=programs.ADDRESSES[self.venue], stop=stop):
                if isinstance(heard, Frame | Opened | Lost) and not self._buffer.put(Item(place, heard)):
                    return
        except Refused as refusal:
            feed.refusal = str(refusal)
            log.error("monitor.refused", source=feed.stream.source, venue=self.venue.value, reason=feed.refusal)
        except Exception as error:  # a thread that ends must not leave a feed that seems to listen
            feed.refusal = f"{type(error).__name__}: {error}"
            log.exception("monitor.failed", source=feed.stream.source, venue=self.venue.value)
            self._buffer.put(Item(place, Lost(self._clock(), feed.refusal)))

    # -- the storing thread

    def _take(self, timeout: float, *, most: int = BATCH_EVENTS) -> bool:
        """Decode what is there, no more than makes a batch; return whether one is full."""
        full = False
        for place, heard in self._buffer.take(timeout=timeout, most=most):
            feed, tally = self._feeds[place], self._board.tallies[place]
            if isinstance(heard, Frame):
                tally.frames += 1
                tally.bytes += len(heard.payload)
                self.report.frames += 1
                metrics.frames.labels(source=feed.stream.source, venue=self.venue.value).inc()
                full |= self._try_frame(place, heard)
            elif isinstance(heard, Opened):
                feed.open = feed.resuming = True
                log.info("monitor.listening", source=feed.stream.source, venue=self.venue.value)
                if self._completion is not None:
                    self._completion.forget_head()
            elif isinstance(heard, Lost) and not self._stop.is_set():  # else the next start's gap begins at the cursor
                self._lost(feed, heard)
                tally.disconnects += 1
                self.report.disconnects += 1
        if self._completion is not None:
            for answer in self._completion.done():
                for one in (answer, *self._strangers.answered(answer)):
                    full |= self._keep(one.source, one.decoded, one.payload)
        return full

    def _try_frame(self, place: int, frame: Frame) -> bool:
        """Take a frame; an error of ours costs this frame, which is kept, and not the feed."""
        try:
            return self._frame(place, frame)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001  # told with its traceback when the frame is kept
            self._feeds[place].fail(frame.payload, error)
            return False

    def _frame(self, place: int, frame: Frame) -> bool:
        feed = self._feeds[place]
        feed.heard = True
        self._arrived.append(frame.at)
        full = False
        for decoded in feed.player.decode(source=feed.stream.source, payload=frame.payload):
            one = decoded
            if one.commitment is None:
                one = msgspec.structs.replace(one, commitment=Commitment(feed.stream.commitment))
            self._progressed(feed, one)
            if one.signature is not None and one.outcome in _SUCCEEDED:
                is_first = self._board.saw(place, one.signature, one.slot, frame.at)
                if not self._wanted(Completed(place, one, frame.payload), is_first=is_first):
                    continue
            full |= self._keep(place, one, frame.payload)
        return full

    def _progressed(self, feed: Feed, decoded: Decoded) -> None:
        """Note how far a feed has come. What cannot be is not believed: no cursor would move again after it."""
        now = self._clock()
        if decoded.slot is not None and not chain.doubt(slot=decoded.slot, block_time=decoded.block_time, now=now):
            self._heard_slot(feed, decoded.slot)
        named = {event.block_time for event in decoded.events if event.block_time is not None}
        times = [at for at in named if not chain.doubt(block_time=at, now=now)]
        if times and decoded.signature is not None:
            newest = datetime.fromtimestamp(max(times), UTC)
            if feed.block_time is None or newest >= feed.block_time:
                feed.block_time, feed.signature = newest, decoded.signature

    def _heard_slot(self, feed: Feed, slot: int) -> None:
        if feed.stream.complete and feed.resuming:
            feed.resuming = False
            now = self._clock()
            self._insist(lambda: gaps.resumed(source=feed.stream.source, venue=self.venue, slot=slot, now=now))
        feed.first_slot = slot if feed.first_slot is None else min(feed.first_slot, slot)
        feed.last_slot = slot if feed.last_slot is None else max(feed.last_slot, slot)

    def _wanted(self, told: Completed, *, is_first: bool) -> bool:
        """Say whether a transaction is to be stored as it came: no other source brought it whole, and nobody asks for it."""
        signature, asked = told.decoded.signature or "", self._partial.get(told.decoded.signature or "")
        if not is_first and asked is None:
            return False  # another source brought it, and this one only confirms it
        pools = self._unknown(told.decoded)
        if not (told.decoded.truncated or told.decoded.missing or pools):
            if self._partial.pop(signature, False):
                self._made_whole.append(signature)
            return True
        if asked:
            return False
        # A source that only says that something happened waits for one that says what.
        complete = self._feeds[told.source].stream.complete
        is_herald = not complete and any(feed.open and feed.stream.complete for feed in self._feeds)
        self._partial[signature] = not is_herald
        if len(self._partial) > MOST_PARTIAL:
            del self._partial[next(iter(self._partial))]
        return not is_herald and not self._ask(told, pools)

    def _unknown(self, decoded: Decoded) -> set[str]:
        """Return the pools that a log does not tell enough about: PumpSwap's name no mint, enough once the pool is known."""
        pools = nameless(decoded) - self._known_pools
        if pools:
            if len(self._known_pools) > MOST_KNOWN:
                self._known_pools.clear()
            self._insist(lambda: self._known_pools.update(known_pools(pools)))
        return pools - self._known_pools

    def _ask(self, told: Completed, pools: set[str]) -> bool:
        """Ask for the whole of a transaction; return whether somebody does. One tells all about a pool that is not known."""
        if self._completion is None:
            return False
        if not (told.decoded.truncated or told.decoded.missing) and self._strangers.hold(told, pools):
            return True
        if not self._completion.ask(told.source, told.decoded, told.payload):
            return False
        self._strangers.asked(told.decoded.signature or "", pools)
        return True

    def _keep(self, place: int, decoded: Decoded, payload: bytes) -> bool:
        feed = self._feeds[place]
        if (
            decoded.outcome in _SUCCEEDED
            and decoded.signature is not None
            and decoded.slot is not None
            and not decoded.truncated
            # A log that names too little may stand for a launch or a migration.
            and (not decoded.missing or {event.kind for event in decoded.events} == {EventKind.OTHER})
            and ((tells := backfill.tells_a_fact(decoded)) or not backfill.leaves_trades(decoded))
        ):
            self._sighted.append((decoded.signature, decoded.slot, tells))
        return feed.player.take([decoded], source=feed.stream.source, payload=payload)

    def _lost(self, feed: Feed, lost: Lost) -> None:
        if feed.open and feed.stream.complete and feed.last_slot is not None:
            slot = feed.last_slot
            self._insist(lambda: gaps.lost(source=feed.stream.source, venue=self.venue, slot=slot, now=self._clock()))
        feed.open = False
        log.info("monitor.lost", source=feed.stream.source, venue=self.venue.value, reason=lost.reason)

    # -- the database

    def _flush(self) -> None:
        """Store what was decoded, then say how far each source came: never the other way round."""
        self._insist(self._store)
        now = self._clock()
        latencies = self.report.latencies_ms
        latencies += [(now - at) / timedelta(milliseconds=1) for at in self._arrived]
        del latencies[:-MOST_LATENCIES]
        self._arrived.clear()
        self.report.buffered = len(self._buffer)
        self.report.completing = 0 if self._completion is None else len(self._completion) + len(self._strangers)

    def _store(self) -> None:
        now = self._clock()
        if not self._begun:
            slots = [feed.first_slot for feed in self._feeds if feed.first_slot is not None and feed.stream.complete]
            if slots:
                times = [feed.block_time for feed in self._feeds if feed.block_time is not None]
                streams.begin(venue=self.venue, slot=min(slots), block_time=min(times, default=None))
                self._begun = True
        for feed in self._feeds:
            feed.player.flush(now=now)
        for one in self._strangers.known():
            if self._wanted(one, is_first=True):
                self._keep(one.source, one.decoded, one.payload)
        if self._made_whole:
            backfill.answer(signatures=self._made_whole, now=now)
            self._made_whole = []
        streams.sighted(venue=self.venue, seen=self._sighted)
        self._sighted = []
        streams.moved(
            progress=[
                streams.Progress(
                    feed.stream.source, self.venue, feed.first_slot, feed.last_slot, feed.block_time, feed.signature
                )
                for feed in self._feeds
                if feed.heard and feed.first_slot is not None and feed.last_slot is not None and feed.stream.complete
            ],
            now=now,
        )
        for feed in self._feeds:
            feed.heard = False

    def _insist(self, write: Callable[[], object]) -> None:
        """Write, and while the database is away try again: what was heard waits, and so does the network behind it."""
        pause, longest = PATIENCE_SECONDS
        attempts = 0
        while True:
            try:
                write()
                return
            except (OperationalError, InterfaceError) as error:
                log.warning("monitor.database_away", venue=self.venue.value, error=str(error).splitlines()[0][:200])
                connection.close()
                attempts += 1
                if self._stop.is_set() and attempts >= LAST_ATTEMPTS:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, longest)

    def _end_quiet_gaps(self) -> None:
        """End the gap of a feed that is back and brings nothing: its venue is quiet, and the chain says how far it is."""
        quiet = [feed for feed in self._feeds if feed.open and feed.resuming and feed.stream.complete]
        now = self._clock()
        slot = self._completion.head(now) if quiet and self._completion is not None else None
        if slot is None:
            return
        for feed in quiet:
            feed.resuming = False
            source = feed.stream.source
            self._insist(partial(gaps.resumed, source=source, venue=self.venue, slot=slot, now=now))

    def _tally(self) -> None:
        now = self._clock()
        self._board.close_before(now, listening=[feed.open and feed.stream.complete for feed in self._feeds])
        taken = self._board.take()
        told = [(feed.stream.source, self.venue, tally) for feed, tally in zip(self._feeds, taken, strict=True)]
        self._insist(lambda: streams.tally(tallies=told, now=now))

    def _alert(self) -> None:
        """Tell operators of sources that gave up, and of those that are back."""
        for feed in self._feeds:
            subject = f"{feed.stream.source} {self.venue.value}"
            if feed.refusal and not feed.told:
                alerts.raise_alert(
                    kind=AlertKind.STREAM,
                    subject=subject,
                    severity=AlertSeverity.CRITICAL,
                    message=f"The source gave up: {feed.refusal}",
                    now=self._clock(),
                )
                feed.told = True
            elif feed.open and not feed.told:
                alerts.resolve_alert(kind=AlertKind.STREAM, subject=subject, now=self._clock())
                feed.told = True

    def _told(self) -> Report:
        report, now = self.report, self._clock()
        times = [feed.block_time for feed in self._feeds if feed.block_time is not None]
        report.behind = now - max(times) if times else None
        report.stored = sum(feed.player.stored.transactions for feed in self._feeds)
        report.duplicates = sum(feed.player.stored.duplicates for feed in self._feeds)
        report.rejected = sum(feed.player.stored.rejected.total() for feed in self._feeds)
        report.feeds = {feed.stream.source: feed.open for feed in self._feeds}
        return report
