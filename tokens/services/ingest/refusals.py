"""Messages that could not be stored, kept with their bytes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from megatron.core import ids
from tokens.choices import Program, RejectionReason


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that could not be stored, why, and the fact that would let it in."""

    source: str
    payload: bytes
    reason: RejectionReason
    detail: str
    waits_for: str | None = None
    signature: str | None = None
    """The transaction that the message tells of, where it tells of one."""


def release_of(venue: Program | None) -> str | None:
    """Return what a message waits for that only another reading of ``venue`` can let in."""
    return None if venue is None else f"release of {venue.value}"


_KEEP = """
INSERT INTO rejected_messages
    (id, digest, source, reason, detail, waits_for, signature, payload, status, attempts, observed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'waiting', 0, %s)
ON CONFLICT (digest) DO UPDATE SET
    status = 'waiting', resolved_at = NULL, reason = EXCLUDED.reason, detail = EXCLUDED.detail, waits_for = EXCLUDED.waits_for
WHERE rejected_messages.status = 'resolved'
"""


def keep(*, rejections: Iterable[Rejection], now: datetime) -> None:
    """Keep messages with their bytes; the same bytes are kept once, and one that an operator discarded stays discarded."""
    rows = {}
    for rejection in rejections:
        digest = hashlib.sha256(rejection.payload).hexdigest()
        detail, source = (text.replace("\0", "\\0") for text in (rejection.detail, rejection.source))
        rows[digest] = (
            ids.new_id(),
            digest,
            source[-300:],
            rejection.reason.value,
            detail,
            rejection.waits_for,
            rejection.signature,
            rejection.payload,
            now,
        )
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_KEEP, [rows[digest] for digest in sorted(rows)])
