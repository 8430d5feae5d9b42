"""Messages kept because they could not be stored: played again when what they wait for is known, or given up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, Value
from django.db.models.functions import Power

from megatron.clients.errors import ClientError, TryLater
from megatron.clients.ports import ChainReader
from megatron.core import audit
from tokens.choices import RejectionReason, RejectionStatus
from tokens.domain.decode import Undecodable, decode_message
from tokens.domain.text import storable
from tokens.models import Pool, RejectedMessage
from tokens.services import backfill, ingest, quarantine

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of playing messages again."""

    played: int = 0
    resolved: int = 0
    stored: int = 0
    """Transactions that were new."""


def retry(*, messages: Iterable[UUID], now: datetime, operator: str | None = None) -> Retried:
    """Play kept messages again and resolve those that are stored now; the others keep waiting, with the newest reason.

    A transaction a message: one that fails again holds up none of the others. With ``operator`` each leaves an audit entry.
    """
    played = resolved = stored = 0
    for key in messages:
        with transaction.atomic():
            row = (
                RejectedMessage.objects.select_for_update(skip_locked=True)
                .filter(id=key, status=RejectionStatus.WAITING)
                .first()
            )
            if row is None:
                continue
            played += 1
            outcome = _play(row, now)
            done = outcome is not None and not outcome.waiting
            status = RejectionStatus.NOISE if outcome is not None and outcome.noise else RejectionStatus.RESOLVED
            if operator is not None:
                audit.record(
                    actor=operator,
                    action="rejected_message.retry",
                    kind="RejectedMessage",
                    key=str(key),
                    before={"status": "waiting", "attempts": row.attempts},
                    after={"status": status.value if done else "waiting", "attempts": row.attempts + 1},
                    now=now,
                )
            if outcome is None or not done:
                changes: dict[str, Any] = {"attempts": F("attempts") + 1}
                if outcome is not None and RejectionReason.FAILED in (row.reason, *outcome.waiting):
                    failed = RejectionReason.FAILED in outcome.waiting
                    changes["reason"] = RejectionReason.FAILED if failed else next(iter(outcome.waiting))
                RejectedMessage.objects.filter(id=key).update(**changes)
                continue
            stored += outcome.transactions
            resolved += RejectedMessage.objects.filter(id=key).update(
                attempts=F("attempts") + 1, status=status, resolved_at=now
            )
    ingest.failures.settle(now=now)
    return Retried(played, resolved, stored)


def _play(row: RejectedMessage, now: datetime) -> ingest.Stored | None:
    payload = bytes(row.payload)
    try:
        decoded = decode_message(payload)
    except Undecodable as error:
        reason = RejectionReason.UNDECODABLE if row.reason == RejectionReason.FAILED else row.reason
        RejectedMessage.objects.filter(id=row.id).update(reason=reason, detail=str(error))
        return None
    except Exception as error:  # noqa: BLE001  # told with its traceback; one message holds up none of the others
        detail = storable(ingest.failures.tell(error, source=row.source, now=now), 2_000)
        RejectedMessage.objects.filter(id=row.id).update(reason=RejectionReason.FAILED, detail=detail)
        return None
    venues = quarantine.held()
    if any(quarantine.touches(one, venues=venues) for one in decoded):
        return None  # it goes on waiting: what its venue says is not believed now
    batch = [ingest.Received(one, row.source, payload) for one in decoded]
    return ingest.store(batch=batch, feed="retry", now=now, survives=True)


def retry_answered(*, now: datetime, limit: int = 1_000) -> Retried:
    """Play the messages again whose pool has become known since; return what came of it."""
    total = Retried()
    waiting = RejectedMessage.objects.filter(
        status=RejectionStatus.WAITING,
        reason=RejectionReason.UNKNOWN_POOL,
        waits_for__in=Pool.objects.values("pool_address"),
    )
    answered = waiting.order_by("observed_at", "id").values_list("id", flat=True)[:limit]
    for keys in _chunks(list(answered)):
        done = retry(messages=keys, now=now)
        total = Retried(total.played + done.played, total.resolved + done.resolved, total.stored + done.stored)
    return total


_KEPT_INSTEAD = {RejectionReason.TRUNCATED.value, RejectionReason.QUARANTINED.value}
_ENOUGH = 5
"""So many questions in a row that nobody answers, and the chain is away."""
_FIRST_PAUSE, _MOST_ATTEMPTS = timedelta(seconds=5), 10
"""5 s, 10 s, 20 s … about an hour and a half in all; then only an operator plays the message again."""


def complete(*, chain: ChainReader, now: datetime, limit: int = 200) -> Retried:
    """Ask the chain for the whole of transactions that came in part, and store them; return what came of it.

    A message that the chain does not answer waits longer each time; when it answers nothing at all, the rest waits for the
    next call. Of the messages that wait for the same pool one is asked for: the others are played once the pool is known.
    """
    due = ExpressionWrapper(
        F("observed_at") + Value(_FIRST_PAUSE) * Power(2.0, "attempts"), output_field=models.DateTimeField()
    )
    waiting = RejectedMessage.objects.filter(
        status=RejectionStatus.WAITING, reason__in=backfill.PARTLY, attempts__lt=_MOST_ATTEMPTS
    )
    # What the chain itself gave will not be more the next time.
    waiting = waiting.exclude(source__startswith=f"{backfill.FEED}:").alias(due=due).filter(due__lte=now)
    rows = waiting.order_by("observed_at", "id").values_list("id", "reason", "waits_for", "payload")[:limit]
    total, pools, silent = Retried(), set[str | None](), 0
    for key, reason, waits_for, payload in rows:
        if reason == RejectionReason.UNKNOWN_POOL:
            if waits_for in pools:
                continue
            pools.add(waits_for)
        if silent == _ENOUGH:
            break
        try:
            batch = _asked(chain, bytes(payload))
            silent = 0
        except TryLater:
            batch, silent = [], silent + 1
        with transaction.atomic():
            row = RejectedMessage.objects.select_for_update(skip_locked=True).filter(
                id=key, status=RejectionStatus.WAITING
            )
            if not row.exists():
                continue
            stored = quarantine.store(batch=batch, feed="retry", now=now) if batch else None
            changes: dict[str, Any] = {"attempts": F("attempts") + 1}
            # What is cut on the chain too, or is kept for a venue's release, goes on waiting as the chain gave it.
            done = stored is not None and stored.waiting.keys() <= _KEPT_INSTEAD
            if done:
                changes |= {"status": RejectionStatus.RESOLVED, "resolved_at": now}
            RejectedMessage.objects.filter(id=key).update(**changes)
        new = stored.transactions if stored is not None else 0
        total = Retried(total.played + 1, total.resolved + done, total.stored + new)
    return total


def _asked(chain: ChainReader, payload: bytes) -> list[ingest.Received]:
    """Return the transactions of a message as the chain gives them; nothing unless it gives all of them.

    Raises ``TryLater`` when it does not answer.
    """
    try:
        told = decode_message(payload)
        batch = []
        for one in told:
            if one.signature is None:
                return []
            whole = chain.get_transaction(one.signature)
            if whole is None:
                return []
            given = decode_message(whole)
            if any(it.signature != one.signature for it in given):
                return []  # an answer to another question
            batch += [ingest.Received(it, f"{backfill.FEED}:{one.signature}", whole) for it in given]
    except TryLater:
        raise
    except (Undecodable, ClientError):
        return []
    return batch


def _chunks(keys: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))


def discard(*, messages: Iterable[UUID], operator: str, reason: str, now: datetime) -> int:
    """Give messages up on an operator's word; return how many. They stay on file, with the audit entry."""
    with transaction.atomic():
        waiting = RejectedMessage.objects.select_for_update().filter(id__in=messages, status=RejectionStatus.WAITING)
        found = list(waiting.order_by("id").values_list("id", "digest"))
        RejectedMessage.objects.filter(id__in=[key for key, _ in found]).update(
            status=RejectionStatus.DISCARDED, resolved_at=now
        )
        for key, digest in found:
            audit.record(
                actor=operator,
                action="rejected_message.discard",
                reason=reason,
                kind="RejectedMessage",
                key=str(key),
                before={"status": "waiting", "digest": digest},
                after={"status": "discarded"},
                now=now,
            )
        ingest.failures.settle(now=now)
    return len(found)


def forget_resolved(*, now: datetime, after: timedelta = timedelta(days=30)) -> int:
    """Delete messages that were stored, or found to be noise, long ago; return how many."""
    over = (RejectionStatus.RESOLVED, RejectionStatus.NOISE)
    return RejectedMessage.objects.filter(status__in=over, resolved_at__lt=now - after).delete()[0]
