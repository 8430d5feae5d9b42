"""Messages in, batches out: decoding, buffering and storing with bounded memory. The buffer is dropped only after a commit."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from megatron.core import metrics
from tokens.choices import RejectionReason
from tokens.domain.decode import Decoded, Outcome, Undecodable, decode_message
from tokens.services import ingest, quarantine
from tokens.services.holding import REPLAYS
from tokens.services.sentinel import Sentinel, is_strange, keepsake

BATCH_EVENTS = 20_000
BATCH_BYTES = 32 * 1024 * 1024
_AWAY = (OperationalError, InterfaceError)


@dataclass(slots=True)
class Tally:
    """What has been read so far, before the database had its say."""

    messages: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    undecodable: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)


class Player:
    """Takes messages from one feed and stores them batch by batch. ``stored`` and ``tally`` add up what became of them.

    What is wrong with a message costs that message. An error of ours is raised; a player that ``survives`` keeps the message
    with its bytes, tells the operators and goes on.
    """

    def __init__(
        self,
        *,
        feed: str,
        batch_events: int = BATCH_EVENTS,
        batch_bytes: int = BATCH_BYTES,
        survives: bool = False,
    ) -> None:
        self.feed, self.batch_events, self.batch_bytes = feed, batch_events, batch_bytes
        self.survives = survives
        self.tally, self.stored = Tally(), ingest.Stored()
        self._batch: list[ingest.Received] = []
        self._strange: list[ingest.Received] = []
        self._refused: list[ingest.Rejection] = []
        self._failed: list[tuple[str, Exception]] = []
        self._sentinel = Sentinel(judges=feed not in REPLAYS)
        self._events = self._bytes = 0

    def decode(self, *, source: str, payload: bytes) -> list[Decoded]:
        """Decode one message; one that nobody can read is put by with the reason, and yields nothing.

        Where it is a program's own event that cannot be read, it yields one transaction that says so.
        """
        self.tally.messages += 1
        try:
            decoded = decode_message(payload)
        except Undecodable as error:
            if error.program is None:
                self.refuse(source=source, payload=payload, reason=error.reason, detail=error.detail)
                return []
            self.tally.undecodable[error.reason] += 1
            decoded = [error.decoded()]
        except Exception as error:
            if not self.survives:
                raise
            self.fail(source=source, payload=payload, error=error)
            return []
        self.tally.outcomes.update(one.outcome.value for one in decoded)
        for one in decoded:
            self.tally.drift.update(one.drift)
            for venue in {event.program.value for event in one.events}:
                metrics.decoded.labels(venue=venue).inc()
        return decoded

    def refuse(self, *, source: str, payload: bytes, reason: str, detail: str) -> None:
        """Put by something that cannot be decoded."""
        self.tally.outcomes[Outcome.UNDECODABLE.value] += 1
        self.tally.undecodable[reason] += 1
        self._refused.append(
            ingest.Rejection(source, payload, RejectionReason.UNDECODABLE, f"{reason}: {detail}"),
        )
        self._bytes += len(payload)

    def fail(self, *, source: str, payload: bytes, error: Exception) -> None:
        """Put by a message on which we failed; operators are told when it is kept."""
        self._failed.append((source, error))
        detail = f"failed: {type(error).__name__}: {error}"
        self._refused.append(ingest.Rejection(source, payload, RejectionReason.FAILED, detail))
        self._bytes += len(payload)

    def take(self, decoded: list[Decoded], *, source: str, payload: bytes) -> bool:
        """Buffer what a message yielded; return whether the buffer is full and wants :meth:`flush`."""
        kept = []
        for one in decoded:
            if one.events or one.drift:
                self._sentinel.see(one)
                if one.drift and is_strange(one):
                    self._strange.append(ingest.Received(one, source, payload))
            if one.events or one.truncated or one.missing or one.outcome is Outcome.UNDECODABLE:
                kept.append(ingest.Received(one, source, payload))
        if kept:
            self._batch += kept
            self._events += sum(len(one.decoded.events) for one in kept)
        if kept or (self._strange and self._strange[-1].payload is payload):
            self._bytes += len(payload)
        return self._events >= self.batch_events or self._bytes >= self.batch_bytes

    def flush(self, *, now: datetime) -> None:
        """Store what is buffered, in one transaction with what the sentinel saw in it. The buffers are dropped only after the
        commit, so a failure loses nothing.

        Nothing of a venue that is quarantined, perhaps just now, is stored: its messages are kept as they came.
        """
        if not (self._refused or self._batch or self._strange):
            return
        try:
            self._write(now)
        except _AWAY:
            raise
        except Exception as error:
            if not self.survives:
                raise
            self._set_aside(error, now)
        self._batch, self._strange, self._refused, self._failed = [], [], [], []
        self._events, self._bytes = 0, 0

    def _write(self, now: datetime) -> None:
        with transaction.atomic():
            held = self._sentinel.judge(now=now)
            batch, kept = quarantine.divide(self._batch, venues=held)
            _, strange = quarantine.divide(self._strange, venues=held)
            kept += strange + self._refused
            if kept:
                ingest.keep(rejections=kept, now=now)
            self._tell(now)
            stored = ingest.Stored()
            if batch:
                stored = ingest.store(batch=batch, feed=self.feed, now=now, survives=self.survives)
            before = self._sentinel.write(now=now)
            keepsakes = [found for one in self._strange if (found := keepsake(one, before=before))]
            if keepsakes:
                ingest.keep(rejections=keepsakes, now=now)
        self._sentinel.forget(held)
        self.stored += stored
        self.stored.rejected.update(rejection.reason.value for rejection in (*kept, *keepsakes))

    def _tell(self, now: datetime) -> None:
        for source, error in self._failed:
            ingest.failures.tell(error, source=source, now=now)

    def _set_aside(self, error: Exception, now: datetime) -> None:
        """Keep all that is buffered, after an error that is no single message's: played again, it is stored."""
        received = [*self._batch, *self._strange]
        with transaction.atomic():
            self._tell(now)
            detail = ingest.failures.tell(error, source=self.feed, count=len(received), now=now)
            kept = [ingest.refusal(one, RejectionReason.FAILED, detail) for one in received] + self._refused
            ingest.keep(rejections=kept, now=now)
        self._sentinel.forget(frozenset())
        self.stored.rejected.update(rejection.reason.value for rejection in kept)
