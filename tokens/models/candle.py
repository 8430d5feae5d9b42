import pgtrigger
from django.db import models
from django.db.models import F, Q

from megatron.core.fields import PriceField
from megatron.core.timescale.fields import HypertableTimeField
from tokens.choices import CandleInterval
from tokens.domain.retention import REFRESHES


class PriceCandle(models.Model):
    """What the four candle tables share. Prices are in the pool's quote (SOL for nearly all) per whole token, NULL when
    none of its trades is large enough to form one (T16)."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(bucket, token_id)")
    # A hypertable is a leaf: with a foreign key, dropping a chunk would lock tokens against every reader and making one
    # would deadlock with ingest. ``candles.roll`` proves and holds the tokens of a batch; see ADR 9.
    token = models.ForeignKey("tokens.Token", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    open = PriceField(null=True)
    high = PriceField(null=True)
    low = PriceField(null=True)
    close = PriceField(null=True)
    open_usd = PriceField(usd=True, null=True)
    high_usd = PriceField(usd=True, null=True)
    low_usd = PriceField(usd=True, null=True)
    close_usd = PriceField(usd=True, null=True)
    volume_token = models.DecimalField(max_digits=48, decimal_places=18, help_text="Whole tokens bought and sold")
    volume_sol = models.DecimalField(max_digits=39, decimal_places=9, help_text="SOL; 0 for pools in other quotes")
    volume_usd = models.DecimalField(
        max_digits=48, decimal_places=18, null=True, help_text="NULL when no trade had a USD price"
    )
    wash_volume_sol = models.DecimalField(
        max_digits=39,
        decimal_places=9,
        null=True,
        help_text="SOL of volume_sol that wallets both bought and sold within a minute; NULL when not computed",
    )
    wash_volume_usd = models.DecimalField(
        max_digits=48, decimal_places=18, null=True, help_text="The same of volume_usd, in USD"
    )
    trade_count = models.IntegerField(help_text="Buys and sells with a price")
    buyer_count = models.IntegerField(help_text="Distinct buyers")
    seller_count = models.IntegerField(help_text="Distinct sellers")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.token_id} {self.bucket:%Y-%m-%d %H:%M}"  # type: ignore[attr-defined]


def _rules(label: str) -> tuple[models.BaseConstraint, ...]:
    """Return the rules of one candle table; ``label`` keeps the names apart."""
    prices = ("open", "high", "low", "close")
    whole = Q(**{f"{name}__isnull": True for name in prices}) | Q(**{f"{name}__isnull": False for name in prices})
    inside = Q(low__lte=F("open")) & Q(low__lte=F("close")) & Q(high__gte=F("open")) & Q(high__gte=F("close"))
    return (
        models.CheckConstraint(condition=inside, name=f"candle_{label}_low_and_high_bracket"),
        models.CheckConstraint(condition=whole, name=f"candle_{label}_prices_whole"),
        models.CheckConstraint(condition=Q(trade_count__gt=0), name=f"candle_{label}_has_trades"),
    )


_PARENT = pgtrigger.Trigger(
    name="parents_exist",
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.UpdateOf("token_id"),  # type: ignore[no-untyped-call]  # pgtrigger has none
    # candles.roll holds the tokens of a whole batch at once and says so.
    condition=pgtrigger.Condition("current_setting('megatron.parents_known', true) IS DISTINCT FROM 'on'"),
    func="""
        IF NOT EXISTS (SELECT FROM public.tokens WHERE id = NEW.token_id) THEN
            RAISE foreign_key_violation USING
                MESSAGE = format('There is no token %s', NEW.token_id), CONSTRAINT = 'candle_parents_exist';
        END IF;
        RETURN NEW;
    """,
)


class PriceCandle1m(PriceCandle):
    """One row is a token's minute with at least one trade. Unique by token and bucket. Written by ``candles.roll``.
    Kept 30 days."""

    bucket = HypertableTimeField(interval="1 day", key=("token_id",), help_text="Start of the minute")

    class Meta:
        db_table = "price_candles_1m"
        verbose_name, verbose_name_plural = "candle 1m", "candles 1m"
        triggers = (_PARENT,)
        constraints = _rules("1m")


class PriceCandle5m(PriceCandle):
    """One row is a token's five minutes with at least one trade. Unique by token and bucket. Written by
    ``candles.roll``. Kept 90 days."""

    bucket = HypertableTimeField(interval="7 days", key=("token_id",), help_text="Start of the five minutes")

    class Meta:
        db_table = "price_candles_5m"
        verbose_name, verbose_name_plural = "candle 5m", "candles 5m"
        triggers = (_PARENT,)
        constraints = _rules("5m")


class PriceCandle1h(PriceCandle):
    """One row is a token's hour with at least one trade. Unique by token and bucket. Written by ``candles.roll``. Kept
    a year."""

    bucket = HypertableTimeField(interval="30 days", key=("token_id",), help_text="Start of the hour")

    class Meta:
        db_table = "price_candles_1h"
        verbose_name, verbose_name_plural = "candle 1h", "candles 1h"
        triggers = (_PARENT,)
        constraints = _rules("1h")


class PriceCandle1d(PriceCandle):
    """One row is a token's UTC day with at least one trade. Unique by token and bucket. Written by ``candles.roll``.
    Kept for ever."""

    bucket = HypertableTimeField(interval="365 days", key=("token_id",), help_text="Start of the day, UTC")

    class Meta:
        db_table = "price_candles_1d"
        verbose_name, verbose_name_plural = "candle 1d", "candles 1d"
        triggers = (_PARENT,)
        constraints = _rules("1d")


class CandleDue(models.Model):
    """One row is a candle that must be computed again. Unique by interval, token and bucket. Written by
    ``ingest.store``, removed by ``candles.roll``. Kept until then: the row is the queue."""

    interval = models.IntegerField(choices=CandleInterval, help_text="Seconds")
    token = models.ForeignKey("tokens.Token", models.CASCADE, related_name="+", db_index=False)
    bucket = models.DateTimeField(help_text="Start of the candle")
    marked_at = models.DateTimeField(help_text="When it was last asked for")

    class Meta:
        db_table = "candles_due"
        verbose_name, verbose_name_plural = "candle due", "candles due"
        constraints = (
            models.UniqueConstraint(fields=["interval", "token", "bucket"], name="candle_due_once"),
            models.CheckConstraint(condition=Q(interval__in=CandleInterval.values), name="candle_due_interval_known"),
        )

    def __str__(self) -> str:
        return f"{self.interval} s {self.token_id} {self.bucket}"


class AggregateDue(models.Model):
    """One row is an hour of a continuous aggregate that must be computed again: its rows changed where TimescaleDB's own job
    does not look any more. Unique by aggregate and bucket. Written by ``aggregates.mark``, removed by
    ``aggregates.refresh_due``. Kept until then: the row is the queue."""

    aggregate = models.CharField(max_length=63)
    bucket = models.DateTimeField(help_text="Start of the hour")
    marks = models.BigIntegerField(
        default=1, help_text="How often it was asked for: more than a worker saw, it stays due"
    )
    marked_at = models.DateTimeField(help_text="When it was first asked for")
    ask_after = models.DateTimeField(null=True, help_text="Not tried before: the pause after a failure")
    error = models.CharField(max_length=300, default="", help_text="What TimescaleDB said at the newest failure")

    class Meta:
        db_table = "aggregates_due"
        verbose_name, verbose_name_plural = "aggregate due", "aggregates due"
        constraints = (
            models.UniqueConstraint(fields=["aggregate", "bucket"], name="aggregate_due_once"),
            models.CheckConstraint(
                condition=Q(aggregate__in=[refresh.aggregate for refresh in REFRESHES]), name="aggregate_due_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.aggregate} {self.bucket:%Y-%m-%d %H:%M}"
