from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from holders.choices import JobReason
from megatron.core.fields import PubkeyField
from megatron.core.models import Work


class HolderScoreJob(Work):
    """One row is the wish that a token's holders be analysed. Unique by token while it is not done (G9): who asks again
    raises the priority and brings ``due_at`` forward. Written by ``agenda``, the trigger on pools and ``analyses``. Kept
    30 days once done.

    A job that an operator set aside is not done: it stands in the way of a new one until it is released.
    """

    token_mint = PubkeyField()
    priority = models.IntegerField(default=5, db_default=5, help_text="Larger is more urgent, on one scale up to 2000")
    reason = models.CharField(max_length=100, choices=JobReason, help_text="Who asked most urgently")
    scheduled_at = models.DateTimeField(
        db_default=Now(), help_text="When it was first asked for; for a milestone its block time"
    )
    processed_at = models.GeneratedField(
        expression=F("finished_at"),  # type: ignore[arg-type]  # the stubs' F is no Expression
        output_field=models.DateTimeField(null=True),
        db_persist=True,
        help_text="The seed's name for finished_at",
    )
    paid_at = models.DateTimeField(null=True, blank=True, help_text="When credits were set aside for it; NULL: none")
    credits_used = models.IntegerField(
        default=0, db_default=0, help_text="Credits set aside when it began, then those that it did cost"
    )
    evidence = models.JSONField(
        default=dict, blank=True, db_default={}, help_text="What was decided, done and spent, stage by stage"
    )

    class Meta(Work.Meta):
        db_table = "holder_score_queue"
        verbose_name, verbose_name_plural = "holder analysis", "holder analyses"
        indexes = (
            models.Index(
                F("priority").desc(),
                F("scheduled_at"),
                condition=Q(finished_at=None, quarantined_at=None),
                name="idx_queue_priority",
            ),
            models.Index(
                F("token_mint"), F("finished_at").desc(), condition=Q(finished_at__isnull=False), name="idx_queue_done"
            ),
            models.Index(fields=["paid_at"], condition=Q(paid_at__isnull=False), name="idx_queue_paid"),
        )
        constraints = (
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["token_mint"], condition=Q(processed_at=None), name="holder_job_one_open_a_token"
            ),
            models.CheckConstraint(condition=Q(priority__range=(1, 2000)), name="holder_job_priority_1_to_2000"),
            models.CheckConstraint(condition=Q(reason__in=JobReason.values), name="holder_job_reason_known"),
            models.CheckConstraint(
                condition=Q(credits_used=0, paid_at=None) | Q(credits_used__gte=0, paid_at__isnull=False),
                name="holder_job_credits_with_their_time",
            ),
        )

    def __str__(self) -> str:
        return f"Holders of {self.token_mint}"
