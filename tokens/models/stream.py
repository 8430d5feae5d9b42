import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from megatron.core.fields import PubkeyField, SignatureField
from megatron.core.models import Fact, Row, Work
from tokens.choices import GapCause, GapOutcome, Program, RejectionReason, RejectionStatus, VenueStatus

_PASSES_A_GAP = """
    IF EXISTS (
        SELECT FROM public.slot_gaps gap
        WHERE gap.finished_at IS NULL AND gap.venue = NEW.venue AND gap.source IN (NEW.source, '')
          AND gap.slot_from <= NEW.verified_slot
    ) THEN
        RAISE check_violation USING
            MESSAGE = format('The cursor of %s %s would pass a gap that is not healed', NEW.source, NEW.venue),
            CONSTRAINT = 'cursor_stops_at_a_gap';
    END IF;
    RETURN NEW;
"""

# A cursor that moves at the same moment does not see a gap that is not committed yet: whoever opens one waits for the
# cursors, and makes them wait, also those that are not behind it.
_PULL_CURSORS_BACK = """
    PERFORM 1 FROM public.stream_cursors WHERE venue = NEW.venue AND NEW.source IN (source, '') ORDER BY source FOR UPDATE;
    UPDATE public.stream_cursors SET verified_slot = NEW.slot_from - 1
    WHERE venue = NEW.venue AND NEW.source IN (source, '') AND verified_slot >= NEW.slot_from;
    RETURN NULL;
"""


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
    verified_slot = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Up to here nothing is missing; NULL for feeds that nobody compares with the chain",
    )

    class Meta(Row.Meta):
        db_table = "stream_cursors"
        verbose_name, verbose_name_plural = "stream", "streams and lag"
        triggers = (
            *Row.Meta.triggers,
            pgtrigger.Trigger(
                name="cursor_stops_at_a_gap",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("verified_slot"),  # type: ignore[no-untyped-call]  # pgtrigger has none
                condition=pgtrigger.Condition("NEW.verified_slot IS NOT NULL"),
                func=_PASSES_A_GAP,
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["source", "venue"], name="cursor_once_a_source_and_venue"),
            models.CheckConstraint(condition=Q(last_slot__gte=models.F("first_slot")), name="cursor_runs_forward"),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.venue} at slot {self.last_slot}"


class VenueState(Row):
    """One row is one launchpad program as we watch it. Unique by ``venue``. Written by ``streams.begin``,
    ``finality.settle`` and ``quarantine``. Kept for ever."""

    venue = models.CharField(max_length=50, choices=Program)
    status = models.CharField(max_length=20, choices=VenueStatus, default=VenueStatus.LIVE)
    quarantined_at = models.DateTimeField(null=True, blank=True)
    quarantine_reason = models.TextField(blank=True, default="")
    watched_from_slot = models.BigIntegerField(null=True, blank=True, help_text="First slot that a live feed brought")
    settled_slot = models.BigIntegerField(
        null=True, blank=True, help_text="Up to here every transaction was compared with the finalized chain"
    )
    settled_block_time = models.DateTimeField(null=True, blank=True, help_text="Chain time of about settled_slot")
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When it was compared last")
    advanced_at = models.DateTimeField(null=True, blank=True, help_text="When settled_slot last moved")
    comparison_error = models.TextField(
        blank=True, default="", db_default="", help_text="Why the newest comparison failed; empty when it did not"
    )
    leased_until = models.DateTimeField(null=True, blank=True, help_text="A worker compares it until then")

    class Meta(Row.Meta):
        db_table = "venue_states"
        verbose_name, verbose_name_plural = "venue", "venues"
        constraints = (
            models.UniqueConstraint(fields=["venue"], name="venue_state_once"),
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="venue_state_venue_known"),
            models.CheckConstraint(condition=Q(status__in=VenueStatus.values), name="venue_state_status_known"),
            models.CheckConstraint(
                condition=Q(status=VenueStatus.LIVE, quarantined_at=None, quarantine_reason="")
                | (Q(status=VenueStatus.QUARANTINED, quarantined_at__isnull=False) & ~Q(quarantine_reason="")),
                name="venue_state_quarantined_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(settled_slot=None) | Q(watched_from_slot__isnull=False),
                name="venue_state_settled_once_watched",
            ),
        )

    def __str__(self) -> str:
        return f"{self.venue} {self.status}"


class SlotGap(Work):
    """One row is a stretch of slots, ends included, of which something may be missing. Unique by source and venue while it
    runs. Written by ``gaps`` and ``finality``; healed by ``gaps.heal``. Kept for ever."""

    source = models.CharField(max_length=100, blank=True, default="", help_text="Which feed; empty: all of them")
    venue = models.CharField(max_length=50, choices=Program)
    cause = models.CharField(max_length=20, choices=GapCause)
    slot_from = models.BigIntegerField()
    slot_to = models.BigIntegerField(null=True, blank=True, help_text="NULL while the feed is still away")
    pool_address = PubkeyField(null=True, blank=True, help_text="Whose reserves do not follow")
    detected_at = models.DateTimeField()
    healed_to = models.BigIntegerField(null=True, blank=True, help_text="Gone through up to here; resumes behind it")
    outcome = models.CharField(
        max_length=20, choices=GapOutcome, blank=True, default="", help_text="So far, or at the end"
    )
    transactions_found = models.IntegerField(default=0, help_text="Transactions that were missing and are stored now")

    class Meta(Work.Meta):
        db_table = "slot_gaps"
        verbose_name, verbose_name_plural = "gap", "gaps"
        indexes = (
            *Work.Meta.indexes,
            models.Index(fields=["venue", "slot_from"], condition=Q(finished_at=None), name="idx_slot_gaps_open"),
            models.Index(fields=["detected_at"], name="idx_slot_gaps_detected_at"),
        )
        triggers = (
            *Work.Meta.triggers,
            pgtrigger.Trigger(
                name="gap_pulls_cursors_back",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("slot_from", "finished_at"),  # type: ignore[no-untyped-call]  # pgtrigger has none
                condition=pgtrigger.Condition("NEW.finished_at IS NULL"),
                func=_PULL_CURSORS_BACK,
            ),
        )
        constraints = (
            *Work.Meta.constraints,
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="gap_venue_known"),
            models.CheckConstraint(condition=Q(cause__in=GapCause.values), name="gap_cause_known"),
            models.CheckConstraint(
                condition=Q(slot_to=None) | Q(slot_to__gte=models.F("slot_from")), name="gap_runs_forward"
            ),
            models.CheckConstraint(
                condition=Q(cause=GapCause.CONSERVATION, pool_address__isnull=False)
                | (~Q(cause=GapCause.CONSERVATION) & Q(pool_address=None)),
                name="gap_names_a_pool_when_reserves_tell",
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(slot_to__isnull=False, outcome__in=GapOutcome.values),
                name="gap_ends_with_an_outcome",
            ),
            models.CheckConstraint(condition=Q(transactions_found__gte=0), name="gap_found_not_negative"),
            models.UniqueConstraint(
                fields=["source", "venue"],
                condition=Q(slot_to=None, finished_at=None),
                name="gap_one_running_a_source_and_venue",
            ),
            models.UniqueConstraint(
                fields=["pool_address", "slot_from", "slot_to"],
                condition=Q(cause=GapCause.CONSERVATION, finished_at=None),
                name="gap_once_a_break",
            ),
        )

    def __str__(self) -> str:
        return f"{self.venue} {self.cause} {self.slot_from} to {self.slot_to or 'now'}"


class StreamSighting(models.Model):
    """One row is where a transaction came from of which no trade tells: it left none, so that comparing with the chain
    would take it for a loss, or it told a fact (a launch, a graduation, reserves) that another fork may deny. Unique by
    venue, signature and slot. Written by ``streams.sighted``. Kept until its slot is settled."""

    id = models.BigAutoField(primary_key=True)
    venue = models.CharField(max_length=50, choices=Program)
    signature = SignatureField(hot=True)
    slot = models.BigIntegerField()
    tells = models.BooleanField(
        default=True, db_default=True, help_text="It said what tokens and pools remember beside their trades"
    )

    class Meta:
        db_table = "stream_sightings"
        indexes = (models.Index(fields=["venue", "slot"], name="idx_stream_sightings_slot"),)
        constraints = (models.UniqueConstraint(fields=["venue", "signature", "slot"], name="sighting_once"),)

    def __str__(self) -> str:
        return f"{self.venue} {self.signature}"


class SourceTally(Row):
    """One row is what one source brought of one venue in one hour, beside the others. Unique by source, venue and hour.
    Written by ``streams.tally``. Kept for ever: 24 rows a day, source and venue."""

    source = models.CharField(max_length=100)
    venue = models.CharField(max_length=50, choices=Program)
    hour = models.DateTimeField(help_text="Start of the hour, by our clock")
    frames = models.BigIntegerField(default=0, help_text="Messages, whatever was in them")
    bytes = models.BigIntegerField(default=0)
    transactions = models.BigIntegerField(default=0, help_text="Successful transactions of the venue")
    first = models.BigIntegerField(default=0, help_text="Of these: this source brought them first, or alone")
    missed = models.BigIntegerField(default=0, help_text="Others, or the chain, had them and this source did not")
    lead_ms = models.BigIntegerField(
        default=0, help_text="Sum of how far ahead of the next source it was, milliseconds"
    )
    disconnects = models.IntegerField(default=0)

    class Meta(Row.Meta):
        db_table = "source_tallies"
        verbose_name, verbose_name_plural = "source comparison", "source comparison"
        constraints = (
            models.UniqueConstraint(fields=["source", "venue", "hour"], name="tally_once_an_hour"),
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="tally_venue_known"),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.venue} {self.hour:%Y-%m-%d %H:00}"


class ChainReorg(Fact):
    """One row is a fork of the chain that we had believed and that was dropped. Unique by nothing but its id. Written by
    ``reorgs.take_back`` in the transaction that removes its rows. Kept for ever."""

    venue = models.CharField(max_length=50, choices=Program)
    slot_from = models.BigIntegerField(help_text="First slot of which something was dropped")
    slot_to = models.BigIntegerField()
    detected_at = models.DateTimeField()
    trades_removed = models.IntegerField(help_text="Rows of transactions that were removed")
    moved = models.IntegerField(help_text="Dropped transactions that landed again in another slot")
    tokens_removed = models.IntegerField(help_text="Tokens that were only ever created on the fork")
    signatures = ArrayField(models.CharField(max_length=88), help_text="What was dropped; the first 1,000")

    class Meta(Fact.Meta):
        db_table = "chain_reorgs"
        verbose_name, verbose_name_plural = "fork", "forks"
        indexes = (models.Index(fields=["detected_at"], name="idx_chain_reorgs_detected_at"),)
        constraints = (
            models.CheckConstraint(condition=Q(venue__in=Program.values), name="reorg_venue_known"),
            models.CheckConstraint(condition=Q(slot_to__gte=models.F("slot_from")), name="reorg_runs_forward"),
        )

    def __str__(self) -> str:
        return f"{self.venue} slots {self.slot_from} to {self.slot_to}"


class RejectedMessage(Row):
    """One row is a message that could not be stored, with its bytes. Unique by digest. Written by ``rejections.keep``.
    Kept until an operator discards it; a resolved one, and noise, 30 days."""

    digest = models.CharField(max_length=64, help_text="SHA-256 of the bytes: the same message is kept once")
    source = models.CharField(max_length=300, help_text="File and line, or stream")
    reason = models.CharField(max_length=30, choices=RejectionReason)
    detail = models.TextField(help_text="What was wrong, in words")
    waits_for = models.CharField(
        max_length=100, null=True, blank=True, help_text="The fact that would let it in, e.g. a pool"
    )
    signature = models.CharField(
        max_length=100, null=True, blank=True, help_text="The transaction that it tells of, where it tells of one"
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
                fields=["reason", "observed_at"],
                condition=Q(status=RejectionStatus.WAITING),
                name="idx_rejected_waiting",
            ),
            models.Index(
                fields=["waits_for"], condition=Q(status=RejectionStatus.WAITING), name="idx_rejected_waits_for"
            ),
            models.Index(
                fields=["signature"], condition=Q(status=RejectionStatus.WAITING), name="idx_rejected_signature"
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
