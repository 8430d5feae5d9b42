"""What the chain itself says about a stretch of slots: the transactions of an address, and the ones that we do not have."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction

from megatron.clients import signatures as pages
from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import ChainReader, Landed
from megatron.core.chain import AHEAD, EVER
from megatron.core.timescale.bounds import bounded
from tokens.choices import Commitment, EventKind, Program, RejectionReason, RejectionStatus
from tokens.domain.decode import Decoded, Outcome, Undecodable, decode_message
from tokens.models import RejectedMessage, VenueState
from tokens.services import ingest, quarantine, streams

MOST_PAGES = 2_000
"""A list of two million transactions, or of as many pages as a node makes of less, is not read to its end."""
AT_ONCE = 8
"""Questions asked at the same time; the client's budget holds them back where a provider allows less."""
BLOCK_WORTH = 25
"""So many missing transactions of one slot make its block, megabytes of all programs, the cheaper question."""
FEED = "chain"
"""The source of what was asked for and did not come by itself."""
_TRADES = frozenset({EventKind.BUY, EventKind.SELL, EventKind.DEPOSIT, EventKind.WITHDRAW})
_FACTS = frozenset({EventKind.CREATE, EventKind.COMPLETE, EventKind.MIGRATE, EventKind.CREATE_POOL, EventKind.RESERVES})
PARTLY = (
    RejectionReason.TRUNCATED,
    RejectionReason.NEEDS_TRANSACTION,
    RejectionReason.NO_BLOCK_TIME,
    RejectionReason.NO_SLOT,
    RejectionReason.UNKNOWN_POOL,
)
"""Why a transaction that came is not stored, or not all of it: the whole of it, as the chain has it, would do."""
_SLACK = timedelta(hours=1)
"""How far a fork's clock may be from the chain's, with much to spare."""


class Listed(NamedTuple):
    """What a list names, oldest first, and between which slots (both included) something landed that nobody can read; ``None``
    where all is read."""

    landed: Sequence[Landed]
    unread: tuple[int, int] | None


def listed(*, chain: ChainReader, address: str, after_slot: int, through_slot: int, finalized: bool) -> Listed:
    """Return the transactions of ``address`` with ``after_slot`` < slot ≤ ``through_slot``, failed ones too.

    The end is a transaction at or before ``after_slot``, or an empty page of a node that still has the blocks behind that slot,
    and that is empty again afterwards: what a node has forgotten is not the chain's beginning. Raises ``TryLater`` from one that
    has forgotten more, that has not come as far as ``through_slot``, or whose list is too long, and ``Malformed`` for pages that
    do not go on.
    """
    found = pages.list_back(
        chain, address, after_slot=after_slot, min_slot=through_slot, finalized=finalized, most_pages=MOST_PAGES
    )
    if not (found.has_reached or found.has_ended):
        raise TryLater(f"{address}: {found.pages} pages of transactions do not reach back to slot {after_slot}.")
    if not found.has_reached:
        if (oldest := chain.get_first_slot()) > after_slot + 1:
            raise TryLater(f"{address}: the list ends, but the node has no blocks between {after_slot} and {oldest}.")
        # Another node may have said so, or the same one after it had caught up: the end must still be one.
        last = next((one.signature for one in reversed(found.landed) if one.is_read), None)
        page = chain.get_signatures(
            address, before=last, until=None, limit=pages.PAGE, finalized=finalized, min_slot=through_slot
        )
        if any(after_slot < one.slot <= through_slot for one in page):
            raise TryLater(f"{address}: the list went on behind the empty page with which it ended.")
    inside = [one for one in reversed(found.landed) if one.is_read and after_slot < one.slot <= through_slot]
    return Listed(inside, _unread(found.landed, after_slot, through_slot))


def _unread(landed: Sequence[Landed], after_slot: int, through_slot: int) -> tuple[int, int] | None:
    """Return the slots of ``landed``, newest first, in which what cannot be read may be: between its neighbours that can."""
    first, last, newest = None, through_slot, through_slot
    for one in landed:
        if one.is_read:
            newest = min(one.slot, through_slot)
        elif newest > after_slot and one.slot <= through_slot:
            first, last = max(one.slot, after_slot + 1), newest
    return None if first is None else (first, last)


@dataclass(slots=True)
class Stored:
    """What we have of some signatures: in which slots they left trades, and in which they came without leaving one."""

    slots: dict[str, set[int]] = field(default_factory=dict)
    sighted: dict[str, set[int]] = field(default_factory=dict)
    partly: set[str] = field(default_factory=set)
    """Those that came and of which a message waits still; perhaps some of their trades are stored."""

    def __contains__(self, landed: Landed) -> bool:
        return self.has(landed.signature, landed.slot)

    def has(self, signature: str, slot: int | None) -> bool:
        """Return whether all of a transaction is stored where it landed."""
        if signature in self.partly:
            return False
        return slot in self.slots.get(signature, ()) or slot in self.sighted.get(signature, ())

    @property
    def all_slots(self) -> set[int]:
        """Return every slot of which something came."""
        return {slot for slots in (*self.slots.values(), *self.sighted.values()) for slot in slots}


def stored(*, venue: Program, signatures: Collection[str], between: tuple[datetime, datetime]) -> Stored:
    """Return what is stored of ``signatures``: trades of the two block times and between."""
    have = Stored()
    if signatures:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT signature, slot FROM transactions"
                f" WHERE signature = ANY(%(signatures)s) AND {bounded('block_time >= %(start)s AND block_time <= %(end)s')}",
                {"signatures": list(signatures), "start": between[0], "end": between[1]},
            )
            for signature, slot in cursor.fetchall():
                have.slots.setdefault(signature, set()).add(slot)
            cursor.execute(
                "SELECT signature, slot FROM stream_sightings WHERE venue = %s AND signature = ANY(%s)",
                [venue.value, list(signatures)],
            )
            for signature, slot in cursor.fetchall():
                have.sighted.setdefault(signature, set()).add(slot)
        waiting = RejectedMessage.objects.filter(
            status=RejectionStatus.WAITING, reason__in=PARTLY, signature__in=signatures
        )
        have.partly = {signature for signature in waiting.values_list("signature", flat=True) if signature}
    return have


def times_around(times: Iterable[datetime | None], *, now: datetime) -> tuple[datetime, datetime]:
    """Return between which block times the rows of transactions stand that landed at ``times``; any, if one is not known."""
    told = list(times)
    known = [at for at in told if at is not None]
    if len(known) < len(told) or not known:
        return EVER, now + AHEAD
    return min(known) - _SLACK, max(known) + _SLACK


def times_told(received: Iterable[ingest.Received], *, now: datetime) -> tuple[datetime, datetime]:
    """Return the same of transactions that say their time, and of their events, which may say another."""
    told = [one.decoded for one in received]
    said = [*(one.block_time for one in told), *(event.block_time for one in told for event in one.events)]
    return times_around((None if at is None else datetime.fromtimestamp(at, UTC) for at in said), now=now)


@dataclass(slots=True)
class Fetched:
    """Transactions as the chain gave them, in the form that ``ingest.store`` takes, and those that it did not give."""

    received: list[ingest.Received] = field(default_factory=list)
    unresolved: list[Landed] = field(default_factory=list)
    unread: list[ingest.Received] = field(default_factory=list)
    """Answers that cannot be read as far as to say of what: they are kept, and nothing is given by them."""

    @property
    def telling(self) -> list[ingest.Received]:
        """Return those that say something about a launchpad, or cannot be read."""
        told = (one for one in self.received if one.decoded.events or one.decoded.outcome is Outcome.UNDECODABLE)
        return [*told, *self.unread]


class Blocked(NamedTuple):
    """The transactions of a block that can be read, by signature, and what in it cannot: that may be anybody's."""

    found: dict[str, ingest.Received]
    unread: list[ingest.Received]


def fetch(*, chain: ChainReader, wanted: Iterable[Landed], finalized: bool, now: datetime) -> Fetched:
    """Ask for transactions, by the block where one slot misses many. ``finalized`` says how settled the list was.

    What the node does not give now, or gives in a form that cannot be read, is ``unresolved`` and harms nothing beside it: an
    answer counts only if it names the transaction that was asked for.
    Raises ``Refused`` when the node refuses everything that it is asked: then it is not the transaction.
    """
    by_slot: dict[int, list[Landed]] = defaultdict(list)
    for landed in wanted:
        by_slot[landed.slot].append(landed)
    whole = {slot for slot, missing in by_slot.items() if len(missing) >= BLOCK_WORTH}
    single = [landed for slot, missing in by_slot.items() if slot not in whole for landed in missing]
    fetched = Fetched()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        blocks = pool.map(partial(_asked, partial(chain.get_block, finalized=finalized)), sorted(whole))
        alone = pool.map(partial(_asked, chain.get_transaction), [landed.signature for landed in single])
        answers = [*blocks, *alone]
        if answers and all(isinstance(answer, Refused) for answer in answers):
            raise next(answer for answer in answers if isinstance(answer, Refused))
        for slot, payload in zip(sorted(whole), answers, strict=False):
            found: dict[str, ingest.Received] = {}
            if isinstance(payload, bytes):
                found, unread = block(slot=slot, payload=payload, finalized=finalized, now=now)
                fetched.unread += unread
            fetched.received += [found[one.signature] for one in by_slot[slot] if one.signature in found]
            fetched.unresolved += [one for one in by_slot[slot] if one.signature not in found]
        for landed, payload in zip(single, answers[len(whole) :], strict=True):
            received: list[ingest.Received] = []
            if isinstance(payload, bytes):
                received, unread = _received(payload, landed.signature, finalized=finalized, now=now)
                fetched.unread += unread
            # A node that is behind may know it from where a fork had it; a confused one answers for another.
            if (
                not received
                or any(one.decoded.signature != landed.signature for one in received)
                or (finalized and any(one.decoded.slot not in (None, landed.slot) for one in received))
            ):
                fetched.unresolved.append(landed)
            else:
                fetched.received += received
    fetched.received.sort(key=lambda one: (one.decoded.slot or 0, one.decoded.signature or ""))
    return fetched


def keep(*, venue: Program, fetched: Fetched, now: datetime) -> set[str]:
    """Store what was fetched; return the transactions that nobody had stored before us, so that each is counted once.

    Must run in a transaction; whoever else fetches for the venue waits for its end.
    """
    state = VenueState.objects.select_for_update().filter(venue=venue).first()
    places = {one.decoded.signature: one.decoded.slot for one in fetched.received if one.decoded.signature is not None}
    have = stored(venue=venue, signatures=places.keys(), between=times_told(fetched.received, now=now))
    stored_now = quarantine.store(batch=fetched.telling, feed=FEED, now=now) if fetched.telling else ingest.Stored()
    settled = None if state is None else state.settled_slot
    silent = {one.decoded.signature for one in fetched.received if not leaves_trades(one.decoded)}
    # A later look at slots that are not settled yet must not take for missing what leaves no trade. Of settled ones nobody
    # remembers which that were.
    ahead = {key: slot for key, slot in places.items() if slot is not None and settled is not None and slot > settled}
    telling = {one.decoded.signature for one in fetched.received if tells_a_fact(one.decoded)}
    seen = [(key, slot, key in telling) for key, slot in ahead.items() if key in silent | telling]
    streams.sighted(venue=venue, seen=seen)
    answer(signatures=places.keys(), now=now)
    unheard = settled is None and bool(stored_now.transactions or stored_now.tokens)
    return {
        key
        for key, slot in places.items()
        if not have.has(key, slot) and key not in have.partly and (key not in silent or key in ahead or unheard)
    }


@transaction.atomic
def answer(*, signatures: Collection[str], now: datetime) -> None:
    """Resolve the messages of what came in part and is stored whole now, so that nobody asks for it again.

    What the chain itself does not have whole goes on waiting. A message that another worker plays right now is left to it.
    """
    waiting = RejectedMessage.objects.select_for_update(skip_locked=True).filter(
        status=RejectionStatus.WAITING, reason__in=PARTLY, signature__in=signatures
    )
    mine = list(waiting.exclude(source__startswith=f"{FEED}:").values_list("id", flat=True))
    RejectedMessage.objects.filter(id__in=mine).update(status=RejectionStatus.RESOLVED, resolved_at=now)


def leaves_trades(decoded: Decoded) -> bool:
    """Return whether a transaction leaves rows by which it is known to be stored."""
    return any(event.kind in _TRADES for event in decoded.events)


def concerns(decoded: Decoded, *, venue: Program) -> bool:
    """Return whether a transaction of a block is one of the venue's, readable or not: blocks hold those of all programs."""
    return decoded.refused_by is venue or any(event.program is venue for event in decoded.events)


def tells_a_fact(decoded: Decoded) -> bool:
    """Return whether a transaction says what tokens and pools remember beside their trades, of which no trade row tells."""
    return any(event.kind in _FACTS or event.fields.get("pool_status") for event in decoded.events)


def block(*, slot: int, payload: bytes, finalized: bool, now: datetime) -> Blocked:
    """Return the transactions of a block that concern a launchpad. ``finalized`` says how settled it is."""
    if payload.startswith(b"{"):
        # A block does not say its own slot; with it the bytes can be read again by themselves.
        payload = b'{"slot":%d,' % slot + payload[1:]
    received, unread = _received(payload, str(slot), finalized=finalized, now=now)
    return Blocked({one.decoded.signature: one for one in received if one.decoded.signature is not None}, unread)


def _asked(question: Callable[[Any], bytes | None], key: str | int) -> bytes | Refused | None:
    try:
        return question(key)
    except Refused as refusal:
        return refusal
    except (TryLater, Malformed):
        return None


def _received(
    payload: bytes, what: str, *, finalized: bool, now: datetime
) -> tuple[list[ingest.Received], list[ingest.Received]]:
    """Return the transactions of an answer that say of what they are, and the rest of it."""
    source = f"{FEED}:{what}"
    try:
        decoded = decode_message(payload)
    except Undecodable as refusal:
        decoded = [refusal.decoded()]
    except Exception as error:  # noqa: BLE001  # ours, told with its traceback: the bytes are kept, and what they hold is asked for again
        detail = ingest.failures.tell(error, source=source, now=now)
        decoded = [Decoded(outcome=Outcome.UNDECODABLE, reason=RejectionReason.FAILED, detail=detail)]
    commitment = Commitment.FINALIZED if finalized else Commitment.CONFIRMED
    received: list[ingest.Received] = []
    unread: list[ingest.Received] = []
    for one in decoded:
        is_unread = one.outcome is Outcome.UNDECODABLE and (one.signature is None or one.refused_by is None)
        told = ingest.Received(msgspec.structs.replace(one, commitment=commitment), source, payload)
        (unread if is_unread else received).append(told)
    return received, unread
