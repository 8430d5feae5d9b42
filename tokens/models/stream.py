from django.db import models
from django.db.models import Q

from megatron.core.fields import SignatureField
from megatron.core.models import Row
from tokens.choices import RejectionReason, RejectionStatus


class StreamCursor(Row):
    """One row is how far one source has been read. Unique by source and venue. Written by ``ingest.store`` with the
    rows it speaks of. Kept for ever."""

    source = models.CharField(max_length=100, help_text="Which feed, e.g. replay or solana-logs")
    venue = models.CharField(max_length=50, help_text="Which program's events")
    first_slot = models.BigIntegerField()
    last_slot = models.BigIntegerField()
    last_block_time = models.DateTimeField(help_text="Block time of the newest event")
    last_signature = SignatureField()
    messages = models.BigIntegerField(default=0, help_text="Messages with at least one stored event")
    events = models.BigIntegerField(default=0, help_text="Events stored, duplicates not counted")
    observed_at = models.DateTimeField(help_text="When the newest batch was stored")

    class Meta(Row.Meta):
        db_table = "stream_cursors"
        constraints = (
            models.UniqueConstraint(fields=["source", "venue"], name="cursor_once_a_source_and_venue"),
            models.CheckConstraint(condition=Q(last_slot__gte=models.F("first_slot")), name="cursor_runs_forward"),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.venue} at slot {self.last_slot}"


class RejectedMessage(Row):
    """One row is a message that could not be stored, with its bytes. Unique by digest. Written by ``rejections.keep``.
    Kept until an operator discards it; a resolved one 30 days."""

    digest = models.CharField(max_length=64, help_text="SHA-256 of the bytes: the same message is kept once")
    source = models.CharField(max_length=300, help_text="File and line, or stream")
    reason = models.CharField(max_length=30, choices=RejectionReason)
    detail = models.TextField(help_text="What was wrong, in words")
    waits_for = models.CharField(
        max_length=100, null=True, blank=True, help_text="The fact that would let it in, e.g. a pool"
    )
    payload = models.BinaryField(help_text="The message as it came")
    status = models.CharField(max_length=20, choices=RejectionStatus, default=RejectionStatus.WAITING)
    attempts = models.IntegerField(default=0, help_text="How often it was played again")
    observed_at = models.DateTimeField(help_text="When it first came")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta(Row.Meta):
        db_table = "rejected_messages"
        indexes = (
            models.Index(fields=["observed_at"], name="idx_rejected_observed_at"),
            models.Index(
                fields=["waits_for"], condition=Q(status=RejectionStatus.WAITING), name="idx_rejected_waits_for"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["digest"], name="rejected_digest_once"),
            models.CheckConstraint(condition=Q(reason__in=RejectionReason.values), name="rejected_reason_known"),
            models.CheckConstraint(condition=Q(status__in=RejectionStatus.values), name="rejected_status_known"),
            models.CheckConstraint(
                condition=Q(status=RejectionStatus.WAITING, resolved_at=None)
                | (~Q(status=RejectionStatus.WAITING) & Q(resolved_at__isnull=False)),
                name="rejected_resolved_at_only_when_done",
            ),
        )

    def __str__(self) -> str:
        return f"{self.reason} {self.source}"
