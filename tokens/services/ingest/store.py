"""One batch, one transaction: what decoding yielded becomes rows, or is kept with the reason why not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec
import structlog
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, transaction
from psycopg import errors

from megatron.core import chain, metrics, nudges
from tokens.choices import Commitment, EventKind, Program, RejectionReason
from tokens.domain.decode import plausibility
from tokens.domain.decode.results import Decoded, Outcome
from tokens.domain.facts import Gathered, TradeFact, Unstorable
from tokens.domain.gathering import Gatherer
from tokens.domain.programs import NotAnAddress
from tokens.models import VenueState
from tokens.services import cache, chains, metadata, prices, streams
from tokens.services.ingest import failures, followups, parents, places, refusals, rows, trades
from tokens.services.ingest.followups import Followups
from tokens.services.ingest.refusals import Rejection
from tokens.services.ingest.tokens import Vanished, note_launch_wallets, token_id

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)
_REFUSED = (IntegrityError, DataError, errors.IntegrityError, errors.DataError, Unstorable, NotAnAddress)
"""How the database refuses a value, and how we refuse what is none or contradicts what is known. Any other error is ours."""
_AWAY = (OperationalError, InterfaceError, errors.OperationalError, errors.InterfaceError)
"""The database is away: that is no message's fault."""
_OF_THE_CHAIN = frozenset({"pool_two_different_mints", "token_decimals_0_to_18"})
"""Rules that what anybody may do on the chain can break: a pool of a coin and itself, a coin of absurd decimals."""


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
    noise: Counter[str] = field(default_factory=Counter)
    """Those of ``rejected`` that nobody can mend, and that wait for nobody."""

    @property
    def waiting(self) -> Counter[str]:
        """Return how many messages wait for something or somebody, by reason."""
        return self.rejected - self.noise

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
        self.noise += other.noise
        return self


def store(*, batch: Sequence[Received], feed: str, now: datetime, survives: bool = False) -> Stored:
    """Store a batch of decoded messages in one transaction and say what became of it.

    Storing the same batch again, or the same events from another source, changes nothing. Deadlocks with a rival batch, and
    tokens that somebody takes back meanwhile, are tried again. If a value cannot be stored, the batch is halved until the
    message that holds it stands alone; that one is kept as rejected and the rest is stored. Any other error is ours and is
    raised; with ``survives`` its message is kept in the same way, and operators are told.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with metrics.ingest_seconds.time(), transaction.atomic():
                stored = _store(batch, feed, now)
                _tell(stored, now)
                return stored
        except (*_AWAY, *_AGAIN) as error:
            if not isinstance(_cause(error), _AGAIN) or attempt == _ATTEMPTS:
                raise
        except Vanished:
            if attempt == _ATTEMPTS:
                raise
        except _REFUSED as error:
            return _halved(batch, feed, now, error, survives=survives)
        except Exception as error:
            if not survives:
                raise
            return _halved(batch, feed, now, error, survives=True)
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


def _cause(error: Exception) -> BaseException | None:
    """Return what the database itself said: Django wraps it, COPY does not."""
    return error if isinstance(error, errors.Error) else error.__cause__


def _halved(batch: Sequence[Received], feed: str, now: datetime, error: Exception, *, survives: bool) -> Stored:
    if len(batch) > 1:
        middle = len(batch) // 2
        stored = store(batch=batch[:middle], feed=feed, now=now, survives=survives)
        stored += store(batch=batch[middle:], feed=feed, now=now, survives=survives)
        return stored
    (received,) = batch
    with transaction.atomic():
        if isinstance(error, _REFUSED):
            reason, noise, detail = RejectionReason.NOT_STORABLE, _is_noise(error), (str(error).splitlines() or [""])[0]
            log.info("ingest.refused", source=received.source, signature=received.decoded.signature, detail=detail)
        else:
            reason, noise = RejectionReason.FAILED, False
            detail = failures.tell(error, source=received.source, now=now)
        refusals.keep(rejections=[refusal(received, reason, detail, noise=noise)], now=now)
        if noise:
            _sight([received])
    kept = Counter([reason.value])
    return Stored(rejected=kept, noise=kept if noise else Counter())


def _is_noise(error: Exception) -> bool:
    """Say whether the chain's own numbers are beyond our columns, or a pool is one of a coin and itself: nobody mends that."""
    cause = _cause(error)
    if isinstance(cause, errors.CheckViolation):
        name = cause.diag.constraint_name or ""
        return name in _OF_THE_CHAIN or name.endswith("_reserves_check")
    return isinstance(cause, errors.NumericValueOutOfRange)


def _sight(noise: Sequence[Received]) -> None:
    """Remember that transactions came which leave no trade: comparing with the chain must not take them for a loss."""
    watched = VenueState.objects.filter(settled_slot__isnull=False).values_list("venue", "settled_slot")
    for venue, slot in watched:
        settled = slot or 0
        ours = [one.decoded for one in noise if any(event.program == venue for event in one.decoded.events)]
        seen = [(one.signature, one.slot, False) for one in ours if one.signature and one.slot and one.slot > settled]
        streams.sighted(venue=Program(venue), seen=seen)


def _sifted(batch: Sequence[Received], now: datetime) -> tuple[Sequence[Received], list[Rejection]]:
    """Return what of a batch can be, without events that are noise, and the refusals of the rest."""
    sound: list[Received] = []
    refused: list[Rejection] = []
    silent: list[Received] = []
    for received in batch:
        decoded = received.decoded
        reasons = [doubt for event in decoded.events if (doubt := plausibility.impossible(event, now))]
        if doubt := chain.doubt(slot=decoded.slot, block_time=decoded.block_time, now=now) or "; ".join(reasons[:3]):
            refused.append(refusal(received, RejectionReason.NOT_STORABLE, f"It {doubt}"))
            continue
        if noise := {said for event in decoded.events if (said := plausibility.noise(event))}:
            refused.append(refusal(received, RejectionReason.NOT_STORABLE, f"It tells of {noise.pop()}", noise=True))
            left = tuple(event for event in decoded.events if not plausibility.noise(event))
            if not left:
                silent.append(received)
            sound.append(Received(msgspec.structs.replace(decoded, events=left), received.source, received.payload))
        else:
            sound.append(received)
    if silent:
        _sight(silent)
    return sound, refused


def _store(batch: Sequence[Received], feed: str, now: datetime) -> Stored:
    stored = Stored()
    batch, refused = _sifted(batch, now)
    reserves = EventKind.RESERVES
    nameless = {
        event.pool
        for one in batch
        for event in one.decoded.events
        if (event.mint is None or (event.quote_mint is None and event.kind is reserves)) and event.pool
    }
    gatherer = Gatherer(parents.known_pools(nameless) if nameless else {})
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
        refused += _left(received)
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
    _forget_chains(new, written, now)
    _note_launches(gathered, written)
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
    stored.noise.update(rejection.reason.value for rejection in refused if rejection.noise)
    return stored


def _left(received: Received) -> Sequence[Rejection]:
    """Return what of a transaction is not stored and must be kept as it came."""
    decoded = received.decoded
    if decoded.outcome is Outcome.UNDECODABLE:
        if decoded.reason == RejectionReason.FAILED:  # ours, while it was read: operators were told in these words
            return [refusal(received, RejectionReason.FAILED, decoded.detail)]
        detail, waits_for = f"{decoded.reason}: {decoded.detail}", refusals.release_of(decoded.refused_by)
        return [refusal(received, RejectionReason.UNDECODABLE, detail, waits_for)]
    if decoded.truncated:
        detail = "The log was cut; what came before the cut is stored"
        return [refusal(received, RejectionReason.TRUNCATED, detail, decoded.signature)]
    if decoded.missing and not decoded.events:
        detail = "The log says that something happened, and not what"
        return [refusal(received, decoded.missing[0], detail, decoded.signature)]
    return []


def _forget_chains(new: Sequence[TradeFact], written: parents.Written, now: datetime) -> None:
    """Have what is kept of curves judged again where a trade came late."""
    late = (now - chains.BEHIND).timestamp()
    earliest: dict[str, int] = {}
    for trade in new:
        if trade.block_time < late:
            pool = written.sides[trade.pool].pool_id
            earliest[pool] = min(trade.block_time, earliest.get(pool, trade.block_time))
    if earliest:
        chains.forget(pools=list(earliest), times=[_at(at) for at in earliest.values()])


def _note_launches(gathered: Gathered, written: parents.Written) -> None:
    """Have it noted who bought in the creations that the batch brings, or of which it brings a trade."""
    signed = [
        (trade.event.signature, trade.block_time)
        for trade in gathered.trades
        if trade.event.signature in written.launches
    ]
    creations = [fact.creation for fact in gathered.tokens.values() if fact.creation is not None]
    signed += [(event.signature, event.block_time) for event in creations if event.block_time is not None]
    if signed:
        times = [at for _, at in signed]
        launches = {signature for signature, _ in signed}
        note_launch_wallets(signatures=launches, start=_at(min(times)), end=_at(max(times) + 1))


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


def refusal(
    received: Received, reason: RejectionReason, detail: str, waits_for: str | None = None, *, noise: bool = False
) -> Rejection:
    """Return the message of a transaction that is not stored, or not all of it, as it is kept."""
    signature = received.decoded.signature
    return Rejection(received.source, received.payload, reason, detail, waits_for, signature, noise)


def _at(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
