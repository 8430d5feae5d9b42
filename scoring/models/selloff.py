from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import NullIf, Round

from megatron.core.fields import PriceField, PubkeyField
from megatron.core.models import Row
from scoring.choices import SelloffStatus

_PERCENT = models.DecimalField(max_digits=14, decimal_places=4)
_EXACT = models.DecimalField(max_digits=60, decimal_places=20)


class SelloffEvent(Row):
    """One row is one sell-off of one token: open, then recovered or expired. Unique by ``id``, one open a token.
    Written by the trigger of ``technical_scores``, closed by ``selloffs.follow``. Kept for ever.

    Prices are quote per whole token.
    """

    token_mint = PubkeyField()
    detection_time = models.DateTimeField(help_text="Time of the score that saw it")
    status = models.CharField(max_length=10, choices=SelloffStatus, default=SelloffStatus.OPEN)
    initial_price = PriceField(help_text="The highest of the fifteen minutes before it was seen")
    lowest_price = PriceField(help_text="The lowest since that top")
    drop_percentage = models.GeneratedField(
        expression=Round(
            (F("initial_price") - F("lowest_price"))
            * Value(100, _EXACT)
            / NullIf(F("initial_price"), Value(0, _EXACT)),
            precision=4,
            output_field=_PERCENT,
        ),
        output_field=_PERCENT,
        db_persist=True,
        help_text="Percent from the initial to the lowest price",
    )
    recovery_price = PriceField(null=True, blank=True, help_text="When it had recovered")
    recovery_time = models.DateTimeField(null=True, blank=True)
    recovery_percentage = models.GeneratedField(
        expression=Round(
            (F("recovery_price") - F("lowest_price"))
            * Value(100, _EXACT)
            / NullIf(F("lowest_price"), Value(0, _EXACT)),
            precision=4,
            output_field=models.DecimalField(max_digits=28, decimal_places=4),
        ),
        output_field=models.DecimalField(max_digits=28, decimal_places=4),
        db_persist=True,
        help_text="Percent from the lowest to the recovery price",
    )
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it recovered or expired")
    duration_minutes = models.IntegerField(null=True, blank=True, help_text="Whole minutes that it was open")

    class Meta(Row.Meta):
        db_table = "selloff_events"
        verbose_name, verbose_name_plural = "sell-off", "sell-offs"
        indexes = (
            models.Index(fields=["token_mint", "-detection_time"], name="idx_selloff_events_token"),
            models.Index(fields=["detection_time"], name="idx_selloff_events_time"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["token_mint"], condition=Q(status=SelloffStatus.OPEN), name="selloff_one_open_a_token"
            ),
            models.CheckConstraint(condition=Q(status__in=SelloffStatus.values), name="selloff_status_known"),
            models.CheckConstraint(
                condition=Q(initial_price__gt=0, lowest_price__lte=F("initial_price")), name="selloff_falls"
            ),
            models.CheckConstraint(
                condition=Q(status=SelloffStatus.OPEN, ended_at=None, duration_minutes=None)
                | Q(~Q(status=SelloffStatus.OPEN), ended_at__isnull=False, duration_minutes__gte=0),
                name="selloff_ended_unless_open",
            ),
            models.CheckConstraint(
                condition=Q(status=SelloffStatus.RECOVERED, recovery_price__isnull=False, recovery_time__isnull=False)
                | Q(~Q(status=SelloffStatus.RECOVERED), recovery_price=None, recovery_time=None),
                name="selloff_recovery_only_when_recovered",
            ),
        )

    def __str__(self) -> str:
        return f"{self.token_mint} {self.detection_time:%Y-%m-%d %H:%M}"
