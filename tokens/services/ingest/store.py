"""One batch, one transaction: what decoding yielded becomes rows, or is kept with the reason why not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, OperationalError, transaction
from psycopg import errors

from megatron.core import metrics, nudges
from tokens.choices import Commitment, EventKind, Program, RejectionReason
from tokens.domain.decode.results import Decoded, Outcome
from tokens.domain.facts import Gathered, TradeFact
from tokens.domain.gathering import Gatherer
from tokens.models import VenueState
from tokens.services import cache, metadata, prices
from tokens.services.ingest import followups, parents, places, refusals, rows, trades
from tokens.services.ingest.followups import Followups
from tokens.services.ingest.refusals import Rejection
from tokens.services.ingest.tokens import Vanished, token_id

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)
_REFUSED = (IntegrityError, DataError, errors.IntegrityError, errors.DataError, ValueError, OverflowError)
"""What one impossible value raises, in the database or on the way to it."""


@dataclass(frozen=True, slots=True)
class Received:
    """One decoded transaction and the message that it came in. ``payload`` is kept if it cannot be stored."""

    decoded: Decoded
    source: str
    payload: bytes


@dataclass(slots=True)
class Stored:
    """What became of a batch. ``+=`` adds batches up, but for ``traded``, the tokens that a new trade may have moved."""

    transactions: int = 0
    duplicates: int = 0
    late: int = 0
    """Events that were not final, of slots that were compared already."""
    tokens: int = 0
    pools: int = 0
    new_pools: list[str] = field(default_factory=list)
    due: int = 0
    traded: set[str] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "Stored") -> "Stored":
        self.transactions += other.transactions
        self.duplicates += other.duplicates
        self.late += other.late
        self.tokens += other.tokens
        self.pools += other.pools
        self.new_pools += other.new_pools
        self.due += other.due
        self.events += other.events
        self.rejected += other.rejected
        return self


def store(*, batch: Sequence[Received], feed: str, now: datetime) -> Stored:
    """Store a batch of decoded messages in one transaction and say what became of it.

    Storing the same batch again, or the same events from another source, changes nothing. Deadlocks with a rival batch, and
    tokens that somebody takes back meanwhile, are tried again. If a value cannot be stored, the batch is halved until the
    message that holds it stands alone; that one is kept as rejected and the rest is stored.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with metrics.ingest_seconds.time(), transaction.atomic():
                stored = _store(batch, feed, now)
                _tell(stored, now)
                return stored
        except (OperationalError, *_AGAIN) as error:
            cause = error if isinstance(error, errors.Error) else error.__cause__
            if not isinstance(cause, _AGAIN) or attempt == _ATTEMPTS:
                raise
        except Vanished:
            if attempt == _ATTEMPTS:
                raise
        except _REFUSED as error:
            return _halved(batch, feed, now, error)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _tell(stored: Stored, now: datetime) -> None:
    """Wake who has something to do, and count, once the batch is committed."""
    if stored.due:
        nudges.ring("candles_due")
    if stored.new_pools:
        nudges.ring("pools_learned")
    if stored.traded:
        # Robust: whoever looks at prices must not end a feed.
        transaction.on_commit(partial(cache.traded, ids=map(UUID, stored.traded), now=now), robust=True)
    transaction.on_commit(partial(_count, stored))


def _count(stored: Stored) -> None:
    metrics.stored.inc(stored.transactions)
    metrics.duplicates.inc(stored.duplicates)
    for reason, count in stored.rejected.items():
        metrics.rejected.labels(reason=reason).inc(count)


def _halved(batch: Sequence[Received], feed: str, now: datetime, error: Exception) -> Stored:
    if len(batch) > 1:
        middle = len(batch) // 2
        stored = store(batch=batch[:middle], feed=feed, now=now)
        stored += store(batch=batch[middle:], feed=feed, now=now)
        return stored
    (received,) = batch
    detail = str(error).splitlines()[0]
    log.warning("ingest.refused", source=received.source, signature=received.decoded.signature, detail=detail)
    with transaction.atomic():
        refusals.keep(rejections=[refusal(received, RejectionReason.NOT_STORABLE, detail)], now=now)
    return Stored(rejected=Counter([RejectionReason.NOT_STORABLE.value]))


def _store(batch: Sequence[Received], feed: str, now: datetime) -> Stored:
    stored = Stored()
    reserves = EventKind.RESERVES
    nameless = {
        event.pool
        for one in batch
        for event in one.decoded.events
        if (event.mint is None or (event.quote_mint is None and event.kind is reserves)) and event.pool
    }
    gatherer = Gatherer(parents.known_pools(nameless) if nameless else {})
    refused: list[Rejection] = []
    kinds: Counter[EventKind] = Counter()
    compared = _compared(batch)
    for received in batch:
        decoded = received.decoded
        commitment = Commitment.CONFIRMED.value if decoded.commitment is None else int(decoded.commitment)
        if _is_late(decoded, compared):
            stored.late += len(decoded.events)
            continue
        for event in decoded.events:
            kinds[event.kind] += 1
            gatherer.add(
                event,
                commitment=commitment,
                transaction_fee=decoded.transaction_fee,
                transaction_index=decoded.transaction_index,
            )
        if decoded.outcome is Outcome.UNDECODABLE:
            detail, waits_for = f"{decoded.reason}: {decoded.detail}", refusals.release_of(decoded.refused_by)
            refused.append(refusal(received, RejectionReason.UNDECODABLE, detail, waits_for))
        elif decoded.truncated:
            detail = "The log was cut; what came before the cut is stored"
            refused.append(refusal(received, RejectionReason.TRUNCATED, detail, decoded.signature))
        elif decoded.missing and not decoded.events:
            detail = "The log says that something happened, and not what"
            refused.append(refusal(received, decoded.missing[0], detail, decoded.signature))
    gathered = gatherer.result
    refused += _waiting(gathered, batch)

    times = [trade.block_time for trade in gathered.trades]
    times += [
        fact.newest_event.block_time
        for fact in gathered.pools.values()
        if fact.newest_event and fact.newest_event.block_time
    ]
    quotes = {fact.quote_mint for fact in gathered.pools.values()}
    usd = prices.window(start=_at(min(times)), end=_at(max(times)), quotes=quotes) if times else prices.empty_window()
    written = parents.write(gathered, usd=usd)
    metadata.queue_tokens(tokens=[token_id(m) for m, fact in gathered.tokens.items() if fact.creation], now=now)
    followups.rescale(written.rescaled, now=now)
    prepared: list[Followups] = []

    def meanwhile(new: Sequence[TradeFact]) -> None:
        prepared.append(followups.prepare(new, written.sides, feed=feed, now=now))

    found = rows.ordered(gathered.trades)
    new = trades.write(found, rows.Writer(written.sides, usd), meanwhile)
    for leftover in prepared or [followups.prepare((), written.sides, feed=feed, now=now)]:
        followups.write(leftover, written, now=now)
        places.write(new, written.sides, now=now)
        stored.due = len(leftover.minutes)
        stored.traded = {minute.split(" ", 1)[0] for minute in leftover.minutes}
    refusals.keep(rejections=refused, now=now)

    stored.events.update({kind.value: count for kind, count in kinds.items()})
    stored.transactions, stored.duplicates = len(new), len(gathered.trades) - len(new)
    stored.tokens, stored.pools, stored.new_pools = written.new_tokens, len(written.new_pools), written.new_pools
    stored.rejected.update(rejection.reason.value for rejection in refused)
    return stored


def _compared(batch: Sequence[Received]) -> dict[Program, range]:
    """Return the slots of each venue that were compared with the finalized chain, if the batch brings what is not final.

    What such a slot holds is stored, all of it. A feed's word about it that comes now is the same again, or what a node
    said of a fork that was taken back since.
    """
    if all(one.decoded.commitment in (None, Commitment.FINALIZED) for one in batch):
        return {}
    states = VenueState.objects.values_list("venue", "watched_from_slot", "settled_slot")
    return {
        Program(venue): range(first, last + 1)
        for venue, first, last in states
        if first is not None and last is not None
    }


def _is_late(decoded: Decoded, compared: Mapping[Program, range]) -> bool:
    """Say whether one of a transaction's programs was compared past it: then all of it is stored, if it is on the chain."""
    if not compared or decoded.commitment in (None, Commitment.FINALIZED):
        return False
    return any(event.slot is not None and event.slot in compared.get(event.program, ()) for event in decoded.events)


def _waiting(gathered: Gathered, batch: Sequence[Received]) -> list[Rejection]:
    """Return the messages of events that cannot be stored yet, with what would let them in."""
    if not gathered.waiting:
        return []
    message_of = {received.decoded.signature: received for received in batch}
    refused = []
    for event, reason, pool in gathered.waiting:
        received = message_of[event.signature]
        detail = f"{event.kind.label} at {event.event_index}: {reason.label}"
        refused.append(refusal(received, reason, detail, pool or event.signature))
    return refused


def refusal(received: Received, reason: RejectionReason, detail: str, waits_for: str | None = None) -> Rejection:
    """Return the message of a transaction that is not stored, or not all of it, as it is kept."""
    return Rejection(received.source, received.payload, reason, detail, waits_for, received.decoded.signature)


def _at(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
