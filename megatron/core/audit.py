"""The audit log: who did what, why, and what changed. Each entry is chained to the one before by its hash.

Entries are written one after the other under an advisory lock, in the transaction of the change they speak of, so
there is no change without its entry and no entry without its change.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from megatron.core import locks
from megatron.core.models import AuditEntry

FIRST = "0" * 64
"""What the first entry names as the hash before it."""

_TOLD_EVERY = 2000

_CONTENT = ("sequence", "actor", "action", "reason", "object_kind", "object_id", "before", "after", "request_id")


class ChainBroken(Exception):
    """The audit log was changed: restore it from a backup and find out who could write to the database.

    ``entry`` is the place of the first entry that does not hold, counted from 1; ``sequence`` is its own number.
    """

    def __init__(self, *, entry: int, sequence: int, why: str) -> None:
        super().__init__(f"The audit log does not hold at entry {entry} (sequence {sequence}): {why}.")
        self.entry, self.sequence, self.why = entry, sequence, why


@transaction.atomic
def record(
    *,
    actor: str,
    action: str,
    kind: str,
    key: object,
    now: datetime,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry about the object ``key`` of ``kind``, in the surrounding transaction when there is one.
    ``before`` and ``after`` may hold what JSON can, times, Decimals and UUIDs; never a secret. The request id is taken
    from the log's context."""
    locks.hold_until_commit("audit.record")
    before_it = newest()
    entry = AuditEntry(
        sequence=before_it.sequence + 1 if before_it else 1,
        previous_hash=before_it.hash if before_it else FIRST,
        at=now,
        actor=actor,
        action=action,
        # What the database cannot hold is left out: an entry must never fail for how somebody typed.
        reason=reason.replace("\0", ""),
        object_kind=kind,
        object_id=str(key),
        before=_plain(before),
        after=_plain(after),
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
    entry.hash = hash_of(entry)
    entry.save(force_insert=True)
    return entry


def verify(*, tell: Callable[[int], None] = lambda _: None) -> int:
    """Read the whole log, oldest first, and return how many entries it has. Raises :class:`ChainBroken` at the first
    entry that was changed, removed, inserted or put elsewhere. ``tell`` hears now and then how many were read.

    Entries that were cut off at the end leave a whole chain: compare :func:`newest` with what was noted before.
    """
    expected, count = FIRST, 0
    for entry in AuditEntry.objects.order_by("sequence").iterator(chunk_size=_TOLD_EVERY):
        count += 1
        why = ""
        if entry.sequence != count:
            why = f"its number should be {count}, so an entry was removed or inserted before it"
        elif entry.previous_hash != expected:
            why = "it does not carry the hash of the entry before it"
        elif entry.hash != hash_of(entry):
            why = "what it says does not give its hash"
        if why:
            raise ChainBroken(entry=count, sequence=entry.sequence, why=why)
        expected = entry.hash
        if count % _TOLD_EVERY == 0:
            tell(count)
    tell(count)
    return count


def newest() -> AuditEntry | None:
    """Return the newest entry, or ``None`` for an empty log."""
    return AuditEntry.objects.order_by("-sequence").first()


def hash_of(entry: AuditEntry) -> str:
    """Return the SHA-256 of what ``entry`` says and of the hash before it, as 64 hexadecimal digits."""
    content = {name: getattr(entry, name) for name in _CONTENT}
    content["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{entry.previous_hash}{text}".encode()).hexdigest()


def _plain(values: Mapping[str, Any] | None) -> Any:
    """Return ``values`` as JSON gives them back, so that an entry hashes the same before and after it is stored."""
    return None if values is None else json.loads(json.dumps(values, cls=DjangoJSONEncoder, sort_keys=True))
