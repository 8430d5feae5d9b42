"""The audit log: who did what, why, and what changed. Each entry is chained to the one before by its hash.

Entries are written one after the other under an advisory lock, in the transaction of the change they speak of, so
there is no change without its entry and no entry without its change.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from megatron.core import locks
from megatron.core.models import AuditEntry

FIRST = "0" * 64
"""What the first entry names as the hash before it."""

_CONTENT = ("sequence", "actor", "action", "reason", "object_kind", "object_id", "before", "after", "request_id")


class ChainBroken(Exception):
    """The audit log was changed: restore it from a backup and find out who could write to the database."""


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
    newest = AuditEntry.objects.order_by("-sequence").first()
    entry = AuditEntry(
        sequence=newest.sequence + 1 if newest else 1,
        previous_hash=newest.hash if newest else FIRST,
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


def verify() -> int:
    """Read the whole log, oldest first, and return how many entries it has. Raises :class:`ChainBroken` at the first
    entry that was changed, removed, inserted or put elsewhere."""
    expected, count = FIRST, 0
    for entry in AuditEntry.objects.order_by("sequence").iterator(chunk_size=2000):
        count += 1
        if entry.sequence != count or entry.previous_hash != expected or entry.hash != hash_of(entry):
            raise ChainBroken(f"The audit log does not hold at entry {count} (sequence {entry.sequence}).")
        expected = entry.hash
    return count


def hash_of(entry: AuditEntry) -> str:
    """Return the SHA-256 of what ``entry`` says and of the hash before it, as 64 hexadecimal digits."""
    content = {name: getattr(entry, name) for name in _CONTENT}
    content["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{entry.previous_hash}{text}".encode()).hexdigest()


def _plain(values: Mapping[str, Any] | None) -> Any:
    """Return ``values`` as JSON gives them back, so that an entry hashes the same before and after it is stored."""
    return None if values is None else json.loads(json.dumps(values, cls=DjangoJSONEncoder, sort_keys=True))
