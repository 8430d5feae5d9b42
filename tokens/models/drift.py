from django.db import models
from django.db.models import F, Q

from megatron.core.fields import PubkeyField, SignatureField
from megatron.core.models import Fact, Row
from tokens.choices import Program, RecipientOrigin


class DriftCount(Row):
    """One row is how often a venue's events did not fit our layouts in one way, in one hour. Unique by hour, venue and
    ``what``. Written by ``drift.note`` with the batch that it speaks of. Kept for ever: a few rows an hour, if any."""

    hour = models.DateTimeField(help_text="Start of the hour, by our clock")
    venue = models.CharField(max_length=50, choices=Program)
    what = models.CharField(max_length=200, help_text="Event and kind of drift, e.g. TradeEvent.unknown_bytes.8")
    count = models.BigIntegerField(help_text="Events")
    sample_signature = SignatureField(null=True, blank=True, help_text="The first transaction of the hour")
    sample_slot = models.BigIntegerField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta(Row.Meta):
        db_table = "drift_counts"
        verbose_name, verbose_name_plural = "drift", "drift"
        constraints = (
            models.UniqueConstraint(fields=["hour", "venue", "what"], name="drift_once_an_hour"),
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="drift_venue_known"),
            models.CheckConstraint(condition=Q(count__gte=1), name="drift_was_seen"),
            models.CheckConstraint(condition=Q(last_seen_at__gte=F("first_seen_at")), name="drift_seen_in_order"),
        )

    def __str__(self) -> str:
        return f"{self.venue} {self.what} {self.hour:%Y-%m-%d %H:00}"


class FeeRecipient(Row):
    """One row is an address that a venue pays its own fees to. Unique by venue and address. Seeded by a migration with the
    published ones, then written by ``drift.learn``. Kept for ever."""

    venue = models.CharField(max_length=50, choices=Program)
    address = PubkeyField()
    origin = models.CharField(max_length=20, choices=RecipientOrigin)
    first_seen_at = models.DateTimeField(null=True, blank=True, help_text="Empty for published ones")
    sample_signature = SignatureField(null=True, blank=True, help_text="The transaction that first named it")

    class Meta(Row.Meta):
        db_table = "fee_recipients"
        constraints = (
            models.UniqueConstraint(fields=["venue", "address"], name="fee_recipient_once_a_venue"),
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="fee_recipient_venue_known"),
            models.CheckConstraint(condition=Q(origin__in=RecipientOrigin.values), name="fee_recipient_origin_known"),
            models.CheckConstraint(
                condition=Q(origin=RecipientOrigin.PUBLISHED) | Q(first_seen_at__isnull=False),
                name="fee_recipient_seen_or_published",
            ),
        )

    def __str__(self) -> str:
        return f"{self.venue} {self.address}"


class ProgramSnapshot(Fact):
    """One row is what a venue's program, or one of its configuration accounts, looked like from ``slot`` on. Unique by
    address and time. Written by ``programs.watch`` when it differs from the row before. Kept for ever."""

    venue = models.CharField(max_length=50, choices=Program)
    role = models.CharField(max_length=50, help_text="What the account is to the venue, e.g. program or fee_config")
    address = PubkeyField()
    observed_at = models.DateTimeField()
    slot = models.BigIntegerField(help_text="Slot of the answer")
    length = models.BigIntegerField(help_text="Bytes; 0: the account does not exist")
    digest = models.CharField(max_length=64, help_text="SHA-256 of what is compared")
    details = models.JSONField(default=dict, help_text="What was read from it: deploy slot, recipients, fees")

    class Meta(Fact.Meta):
        db_table = "program_snapshots"
        verbose_name, verbose_name_plural = "program and its settings", "programs and settings"
        constraints = (
            models.UniqueConstraint(fields=["address", "observed_at"], name="snapshot_once_a_time"),
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="snapshot_venue_known"),
            models.CheckConstraint(condition=Q(length__gte=0), name="snapshot_length_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.venue} {self.role} at {self.observed_at:%Y-%m-%d %H:%M}"
