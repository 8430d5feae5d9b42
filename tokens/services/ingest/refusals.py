"""Messages that could not be stored, kept with their bytes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from megatron.core import chain, ids
from tokens.choices import Program, RejectionReason, RejectionStatus
from tokens.domain.text import storable


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
    noise: bool = False
    """Nothing that an operator does makes a row of it: it is counted, and waits for nobody."""


def release_of(venue: Program | None) -> str | None:
    """Return what a message waits for that only another reading of ``venue`` can let in."""
    return None if venue is None else f"release of {venue.value}"


_KEEP = """
INSERT INTO rejected_messages
    (id, digest, source, reason, detail, waits_for, signature, payload, status, resolved_at, attempts, observed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s)
ON CONFLICT (digest) DO UPDATE SET
    status = EXCLUDED.status, resolved_at = EXCLUDED.resolved_at, reason = EXCLUDED.reason, detail = EXCLUDED.detail,
    waits_for = EXCLUDED.waits_for
WHERE rejected_messages.status = 'resolved' OR (rejected_messages.status = 'noise' AND EXCLUDED.status = 'waiting')
"""
_MOST_DETAIL, _MOST_SOURCE, _MOST_WAITS_FOR = 2_000, 300, 100
MOST_PAYLOAD = 128 * 1024 * 1024
"""Bytes of a message that are kept, twice what any of our sources takes in; PostgreSQL takes less than 1 GiB."""


def keep(*, rejections: Iterable[Rejection], now: datetime) -> None:
    """Keep messages with their bytes, whatever they and the words about them hold.

    The same bytes are kept once, and one that an operator discarded stays discarded. Of a message that partly waits and partly
    is noise the waiting part counts.
    """
    rows: dict[str, tuple[Any, ...]] = {}
    waits: set[str] = set()
    for rejection in rejections:
        digest = hashlib.sha256(rejection.payload).hexdigest()
        if rejection.noise and digest in waits:
            continue
        if not rejection.noise:
            waits.add(digest)
        signature = rejection.signature
        rows[digest] = (
            ids.new_id(),
            digest,
            storable(rejection.source, 10 * _MOST_SOURCE)[-_MOST_SOURCE:],
            rejection.reason.value,
            storable(rejection.detail, _MOST_DETAIL),
            None if rejection.waits_for is None else storable(rejection.waits_for, _MOST_WAITS_FOR),
            signature if signature is not None and chain.is_signature(signature) else None,
            rejection.payload[:MOST_PAYLOAD],
            (RejectionStatus.NOISE if rejection.noise else RejectionStatus.WAITING).value,
            now if rejection.noise else None,
            now,
        )
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_KEEP, [rows[digest] for digest in sorted(rows)])
