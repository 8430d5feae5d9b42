"""API keys: issued once, kept only as a hash, revoked but never removed.

A key reads ``mgt_<prefix>_<secret>``. The secret has 256 random bits, so one plain SHA-256 is enough to keep it.
"""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from megatron.core import audit
from megatron.core.choices import Scope
from megatron.core.models import ApiKey

USED_WITHIN = timedelta(minutes=5)
"""``last_used_at`` is written at most this often, so that reading does not become writing."""

_NOBODY = hashlib.sha256(b"").hexdigest()


class AlreadyRevoked(Exception):
    """The key was revoked before: nothing is left to do."""


@transaction.atomic
def issue(
    *,
    name: str,
    scopes: Collection[str],
    actor: str,
    now: datetime,
    rate_per_minute: int = 600,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; return its row and the full key, which cannot be shown again.

    Raises ``IntegrityError`` for a name that is taken, ``ValueError`` for a scope that does not exist and
    ``ValidationError`` for a name or a rate that cannot be.
    """
    for scope in scopes:
        Scope(scope)
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    row = ApiKey(
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=sorted(set(scopes)),
        rate_per_minute=rate_per_minute,
        expires_at=expires_at,
    )
    row.full_clean(validate_unique=False, validate_constraints=False)
    row.save(force_insert=True)
    after = {"name": name, "prefix": prefix, "scopes": row.scopes, "expires_at": expires_at}
    audit.record(actor=actor, action="api_key.issue", kind="api_key", key=row.pk, after=after, now=now)
    return row, f"mgt_{prefix}_{secret}"


@transaction.atomic
def revoke(key: ApiKey, *, actor: str, reason: str, now: datetime) -> None:
    """End ``key`` at once. Raises :class:`AlreadyRevoked`."""
    if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        raise AlreadyRevoked(f"{key.name} was revoked before.")
    key.revoked_at = now
    audit.record(
        actor=actor,
        action="api_key.revoke",
        reason=reason,
        kind="api_key",
        key=key.pk,
        after={"name": key.name, "revoked_at": now},
        now=now,
    )


def find_valid(presented: str, *, now: datetime) -> ApiKey | None:
    """Return the row of the full key ``presented`` when it is genuine, not revoked and not expired; else ``None``.

    The comparison takes the same time whatever part of the key is wrong.
    """
    head, _, rest = presented.partition("_")
    prefix, _, secret = rest.partition("_")
    # A NUL never reaches the database: PostgreSQL has no such text.
    row = ApiKey.objects.filter(prefix=prefix).first() if head == "mgt" and prefix.isalnum() else None
    genuine = secrets.compare_digest(row.secret_hash if row else _NOBODY, _hash(secret))
    if row is None or not genuine or row.revoked_at or (row.expires_at and row.expires_at <= now):
        return None
    return row


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Write ``last_used_at`` when the written one is older than :data:`USED_WITHIN`."""
    if key.last_used_at is None or now - key.last_used_at >= USED_WITHIN:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        key.last_used_at = now


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
