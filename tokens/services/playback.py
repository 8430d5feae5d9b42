"""Messages in, batches out: decoding, buffering and storing with bounded memory. The buffer is dropped only after a commit."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from megatron.core import metrics
from tokens.choices import RejectionReason
from tokens.domain.decode import Decoded, Outcome, Undecodable, decode_message
from tokens.services import ingest

BATCH_EVENTS = 20_000
BATCH_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Tally:
    """What has been read so far, before the database had its say."""

    messages: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    undecodable: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)


class Player:
    """Takes messages from one feed and stores them batch by batch. ``stored`` and ``tally`` add up what became of them."""

    def __init__(self, *, feed: str, batch_events: int = BATCH_EVENTS, batch_bytes: int = BATCH_BYTES) -> None:
        self.feed, self.batch_events, self.batch_bytes = feed, batch_events, batch_bytes
        self.tally, self.stored = Tally(), ingest.Stored()
        self._batch: list[ingest.Received] = []
        self._refused: list[ingest.Rejection] = []
        self._events = self._bytes = 0

    def decode(self, *, source: str, payload: bytes) -> list[Decoded]:
        """Decode one message; one that nobody can read is put by with the reason, and yields nothing."""
        self.tally.messages += 1
        try:
            decoded = decode_message(payload)
        except Undecodable as error:
            self.refuse(source=source, payload=payload, reason=error.reason, detail=error.detail)
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

    def take(self, decoded: list[Decoded], *, source: str, payload: bytes) -> bool:
        """Buffer what a message yielded; return whether the buffer is full and wants :meth:`flush`."""
        kept = [one for one in decoded if one.events or one.truncated or one.outcome is Outcome.UNDECODABLE]
        if kept:
            self._batch += [ingest.Received(one, source, payload) for one in kept]
            self._events += sum(len(one.events) for one in kept)
            self._bytes += len(payload)
        return self._events >= self.batch_events or self._bytes >= self.batch_bytes

    def flush(self, *, now: datetime) -> None:
        """Store what is buffered. The buffer is dropped only after the commit, so a failure loses nothing."""
        if self._refused:
            ingest.keep(rejections=self._refused, now=now)
            self.stored.rejected.update(refusal.reason.value for refusal in self._refused)
            self._refused = []
        if self._batch:
            self.stored += ingest.store(batch=self._batch, feed=self.feed, now=now)
        self._batch, self._events, self._bytes = [], 0, 0
