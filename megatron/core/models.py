"""Rows that the rooms build on, and the three tables of the cellar itself: audit log, API keys, idempotent replies."""

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from megatron.core import ids
from megatron.core.choices import Scope

_SHA256 = "^[0-9a-f]{64}$"


class Row(models.Model):
    """A row with a UUID key and audit times. A child's ``Meta`` inherits ``Row.Meta``: it brings the ``updated_at``
    trigger.

    ``created_at`` and ``updated_at`` are for people only: no decision in the house reads them.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    created_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Audit only: when the row was written"
    )
    updated_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only: set by trigger")

    class Meta:
        abstract = True
        triggers: tuple[pgtrigger.Trigger, ...] = (
            pgtrigger.Trigger(
                name="set_updated_at",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                # Bulk writers that set it themselves do not pay for the call.
                condition=pgtrigger.Condition("OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at"),
                func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
            ),
        )


class Fact(models.Model):
    """A row that is never edited: a trigger refuses UPDATE and DELETE. A child's ``Meta`` inherits ``Fact.Meta``."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    created_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Audit only: when the row was written"
    )

    class Meta:
        abstract = True
        triggers: tuple[pgtrigger.Trigger, ...] = (
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        )


class Work(Row):
    """A row that waits to be done, done by :func:`megatron.core.queue.drain`. A child's ``Meta`` inherits
    ``Work.Meta``."""

    due_at = models.DateTimeField(help_text="Not before")
    leased_until = models.DateTimeField(null=True, blank=True, help_text="A worker has it until then")
    attempts = models.PositiveIntegerField(default=0, help_text="How often a worker took it")
    last_error = models.TextField(blank=True, default="", help_text="Why the newest attempt failed")
    finished_at = models.DateTimeField(null=True, blank=True)
    quarantined_at = models.DateTimeField(null=True, blank=True, help_text="Set aside until an operator looks")

    class Meta(Row.Meta):
        abstract = True
        indexes: ClassVar[tuple[models.Index, ...]] = (
            models.Index(
                fields=["due_at"], condition=Q(finished_at=None, quarantined_at=None), name="idx_%(class)s_due"
            ),
        )
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(quarantined_at=None), name="%(class)s_finished_or_quarantined"
            ),
            models.CheckConstraint(
                condition=Q(leased_until=None) | Q(finished_at=None, quarantined_at=None),
                name="%(class)s_leased_only_while_open",
            ),
            models.CheckConstraint(
                condition=Q(quarantined_at=None) | ~Q(last_error=""), name="%(class)s_quarantined_with_reason"
            ),
        )


class PolicyVersion(models.Model):
    """One version of a policy. Its terms never change; being active moves from version to version, one at a time.

    A child's ``Meta`` inherits ``PolicyVersion.Meta``; a column that may change beside ``active`` does not belong here.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    version = models.PositiveIntegerField(unique=True, help_text="1, 2, 3 …")
    active = models.BooleanField(default=False)
    reason = models.TextField(help_text="Why this version was made")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Audit only: when the row was written"
    )

    class Meta:
        abstract = True
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="%(class)s_one_active"),
            models.CheckConstraint(condition=Q(version__gte=1), name="%(class)s_version_from_1"),
        )
        triggers: tuple[pgtrigger.Trigger, ...] = (
            pgtrigger.Protect(name="never_removed", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="terms_never_change",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=(
                    "IF to_jsonb(NEW) - 'active' IS DISTINCT FROM to_jsonb(OLD) - 'active' THEN "
                    "RAISE EXCEPTION 'A policy version never changes: copy it as a new version'; END IF; RETURN NEW;"
                ),
            ),
        )


class AuditEntry(Fact):
    """One row is one thing that somebody did. Unique by ``sequence``; each carries the hash of the one before. Written
    by ``audit.record``. Kept for ever."""

    sequence = models.BigIntegerField(unique=True, help_text="1, 2, 3 … without gaps")
    at = models.DateTimeField(help_text="When it was done")
    actor = models.CharField(max_length=150, help_text="Operator, API key or command")
    action = models.CharField(max_length=100, help_text="What was done, e.g. api_key.revoke")
    reason = models.TextField(blank=True, default="", help_text="Why, in the actor's words")
    object_kind = models.CharField(max_length=100)
    object_id = models.CharField(max_length=200)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True, default="", help_text="Finds the log lines of the request")
    previous_hash = models.CharField(max_length=64, help_text="Hash of the entry before; zeros for the first")
    hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of this entry's content and previous_hash")

    class Meta(Fact.Meta):
        db_table = "audit_log"
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=["object_kind", "object_id", "at"], name="idx_audit_log_object"),
            models.Index(fields=["actor", "at"], name="idx_audit_log_actor"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(sequence__gte=1), name="audit_sequence_from_1"),
            models.CheckConstraint(
                condition=Q(hash__regex=_SHA256, previous_hash__regex=_SHA256),
                name="audit_hash_is_sha256",
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


MOST_A_MINUTE = 1_000_000
"""More requests of one key than any installation serves."""


class ApiKey(Row):
    """One row is one program that may call the API. Unique by ``name`` and ``prefix``. Written by ``api_keys``. Kept
    for ever: a key that is no longer wanted is revoked."""

    name = models.CharField(max_length=100, unique=True)
    prefix = models.CharField(max_length=12, unique=True, help_text="The part of the key that may be shown")
    secret_hash = models.CharField(
        max_length=64, help_text="SHA-256 of the secret part, which nobody has but the caller"
    )
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope), help_text="What the key may do")
    rate_per_minute = models.PositiveIntegerField(default=600, help_text="Requests a minute")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never")
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To within five minutes")

    class Meta(Row.Meta):
        db_table = "api_keys"
        verbose_name = "API key"
        constraints = (
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="api_key_has_a_scope"),
            models.CheckConstraint(condition=Q(scopes__contained_by=list(Scope.values)), name="api_key_scopes_known"),
            models.CheckConstraint(condition=Q(rate_per_minute__gte=1), name="api_key_rate_positive"),
            models.CheckConstraint(condition=Q(secret_hash__regex=_SHA256), name="api_key_secret_is_hashed"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def clean(self) -> None:
        """Raise ``ValidationError`` for a name that cannot be shown in a line and a rate that is no limit."""
        if not self.name.isprintable():
            raise ValidationError({"name": "A name has printable characters only."})
        if not 1 <= self.rate_per_minute <= MOST_A_MINUTE:
            raise ValidationError({"rate_per_minute": f"A rate is between 1 and {MOST_A_MINUTE:,} requests a minute."})


class IdempotencyRecord(models.Model):
    """One row is the reply that one caller got for one Idempotency-Key. Unique by caller, path and key. Written by
    ``api.idempotency`` in the transaction of the write itself. Kept 24 hours."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    caller = models.CharField(max_length=150, help_text="API key or operator")
    path = models.CharField(max_length=300)
    key = models.CharField(max_length=255, help_text="The header as the caller sent it")
    request_hash = models.CharField(
        max_length=64, help_text="SHA-256 of method and body: the same key never serves another body"
    )
    stored_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(
        null=True, help_text="HTTP status of the reply; NULL only inside the transaction"
    )
    body = models.JSONField(null=True)

    class Meta:
        db_table = "idempotency_records"
        indexes = (models.Index(fields=["caller", "stored_at"], name="idx_idempotency_age"),)
        constraints = (
            models.UniqueConstraint(fields=["caller", "path", "key"], name="idempotency_once_a_caller_path_key"),
            models.CheckConstraint(
                condition=Q(status=None) | Q(status__range=(200, 299)), name="idempotency_keeps_success_only"
            ),
        )

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"
