from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from megatron.core import ids
from megatron.core.timescale.fields import HypertableTimeField
from tokens.choices import PriceOrigin


class SolUsdPrice(models.Model):
    """One row is one source's SOL/USD at one time. Unique by time and source. Written by ``prices.record``. Kept 90
    days."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    price_time = HypertableTimeField(
        interval="7 days", key=("source",), help_text="When the source says the price held"
    )
    price_usd = models.DecimalField(max_digits=20, decimal_places=6, help_text="USD for one SOL")
    source = models.CharField(max_length=50, choices=PriceOrigin)
    confidence = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True, help_text="± USD")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "sol_usd_prices"
        constraints = (
            models.CheckConstraint(condition=Q(price_usd__gt=0), name="sol_usd_price_positive"),
            models.CheckConstraint(condition=Q(source__in=PriceOrigin.values), name="sol_usd_source_known"),
        )

    def __str__(self) -> str:
        return f"{self.price_usd} USD {self.source} {self.price_time}"
