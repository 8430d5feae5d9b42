from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from megatron.core import ids
from megatron.core.fields import PubkeyField
from megatron.core.models import Row
from megatron.core.timescale.fields import HypertableTimeField
from tokens.choices import PriceDrop, PriceOrigin, PriceSourceStatus
from tokens.domain.programs import WRAPPED_SOL


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
        verbose_name, verbose_name_plural = "SOL/USD price", "SOL/USD"
        constraints = (
            models.CheckConstraint(condition=Q(price_usd__gt=0), name="sol_usd_price_positive"),
            models.CheckConstraint(condition=Q(source__in=PriceOrigin.values), name="sol_usd_source_known"),
        )

    def __str__(self) -> str:
        return f"{self.price_usd} USD {self.source} {self.price_time}"


class QuoteUsdPrice(models.Model):
    """One row is one source's price of a quote that is not SOL, at one time. Unique by quote, time and source. Written by
    ``prices.record``. Kept 90 days."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    quote_mint = PubkeyField()
    price_time = HypertableTimeField(
        interval="7 days", key=("quote_mint", "source"), help_text="When the source says the price held"
    )
    price_usd = models.DecimalField(max_digits=20, decimal_places=6, help_text="USD for one whole coin of the quote")
    source = models.CharField(max_length=50, choices=PriceOrigin)
    confidence = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True, help_text="± USD")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "quote_usd_prices"
        verbose_name, verbose_name_plural = "price of another quote", "other quotes"
        constraints = (
            models.CheckConstraint(condition=Q(price_usd__gt=0), name="quote_usd_price_positive"),
            models.CheckConstraint(condition=Q(source__in=PriceOrigin.values), name="quote_usd_source_known"),
            # SOL has its own table, so that no trade can find two prices of SOL.
            models.CheckConstraint(condition=~Q(quote_mint=WRAPPED_SOL), name="quote_usd_not_sol"),
        )

    def __str__(self) -> str:
        return f"{self.price_usd} USD {self.quote_mint} {self.source} {self.price_time}"


class PriceSourceState(Row):
    """One row is what one source's newest answer about one coin was worth. Unique by source and coin. Written by
    ``polls.poll``. Kept for ever."""

    source = models.CharField(max_length=50, choices=PriceOrigin)
    mint = PubkeyField()
    status = models.CharField(max_length=20, choices=PriceSourceStatus, default=PriceSourceStatus.WAITING)
    reason = models.CharField(
        max_length=20, choices=PriceDrop, blank=True, default="", help_text="Why the newest price was not used"
    )
    since = models.DateTimeField(help_text="When it came into this status, for this reason")
    last_price = models.CharField(
        max_length=60,
        blank=True,
        default="",
        help_text="The newest price it gave, used or not, as it said it: USD a coin",
    )
    last_price_at = models.DateTimeField(null=True, blank=True, help_text="When the source says that price held")
    unmoved_since = models.DateTimeField(null=True, blank=True, help_text="When it first gave exactly that price")
    repeats = models.PositiveIntegerField(
        default=0, help_text="How often in a row it gave that price at that same time"
    )
    last_asked_at = models.DateTimeField(null=True, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True, help_text="When a price of it was last used")
    ask_after = models.DateTimeField(help_text="It is not asked before: its turn, or the pause after a failure")
    failures = models.PositiveIntegerField(default=0, help_text="How often in a row it did not answer")
    dropped_count = models.PositiveBigIntegerField(default=0, help_text="Prices that were not used, ever")
    error = models.CharField(max_length=500, blank=True, default="", help_text="What went wrong at the newest failure")

    class Meta(Row.Meta):
        db_table = "price_source_states"
        constraints = (
            models.UniqueConstraint(fields=["source", "mint"], name="price_source_once_a_coin"),
            models.CheckConstraint(condition=Q(source__in=PriceOrigin.values), name="price_source_known"),
            models.CheckConstraint(condition=Q(status__in=PriceSourceStatus.values), name="price_source_status_known"),
            models.CheckConstraint(
                condition=Q(status=PriceSourceStatus.DROPPED, reason__in=PriceDrop.values)
                | (~Q(status=PriceSourceStatus.DROPPED) & Q(reason="")),
                name="price_source_reason_only_when_dropped",
            ),
            models.CheckConstraint(
                condition=Q(status=PriceSourceStatus.UNREACHABLE, failures__gt=0)
                | (~Q(status=PriceSourceStatus.UNREACHABLE) & Q(failures=0)),
                name="price_source_failures_only_when_unreachable",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.mint}: {self.status}"
