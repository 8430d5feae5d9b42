from typing import Any, cast

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Coalesce, Now

from megatron.core.fields import PercentField, PriceField, PubkeyField
from megatron.core.timescale.fields import HypertableTimeField

_POINTS = models.DecimalField(max_digits=9, decimal_places=6)
_PARTS = ("market_cap_score", "bonding_curve_score", "trading_health_score", "selloff_response_score")


def _sum_of_known() -> Expression:
    """Return the sum of the parts that are known."""
    nothing = Value(0, output_field=_POINTS)
    total: Combinable = Coalesce(F(_PARTS[0]), nothing, output_field=_POINTS)
    for part in _PARTS[1:]:
        total = total + Coalesce(F(part), nothing, output_field=_POINTS)
    return cast("Expression", total)


def _within(name: str, low: int, most: int) -> Q:
    return Q(**{name: None}) | Q(**{f"{name}__gte": low, f"{name}__lte": most})


def _points(help_text: str) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=9, decimal_places=6, null=True, help_text=help_text)


def _figure(help_text: str, *, digits: int = 14, places: int = 4) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=digits, decimal_places=places, null=True, help_text=help_text)


class TechnicalScore(models.Model):
    """One row is what the market of one token was worth at a moment, at most 333 points and signed (G1). Unique by token
    and time, of which ``id`` is derived. Written by ``technical.score``, never changed. Kept 60 days.

    A part is NULL when nothing of it is known, and ``available_max`` says what the known lines can give at most.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(timestamp, token_mint)")
    token_mint = PubkeyField(hot=True)
    timestamp = HypertableTimeField(interval="1 day", key=("token_mint",), help_text="The moment that was measured")

    market_cap_score = _points("Points, 0 to 100")
    market_cap_usd = _figure("Fully diluted, USD", digits=38, places=18)
    market_cap_velocity_pct_min = _figure("Percent a minute over ten minutes, signed (G3)", digits=26, places=10)
    market_cap_velocity = models.GeneratedField(
        expression=F("market_cap_velocity_pct_min") * 60,
        output_field=models.DecimalField(max_digits=28, decimal_places=10),
        db_persist=True,
        help_text="The same, percent an hour",
    )

    bonding_curve_score = _points("Points, 0 to 83")
    bonding_curve_progress = PercentField(null=True, help_text="Percent of the tokens on sale that are sold")
    progress_quote_pct = PercentField(null=True, help_text="Percent of the quote target: what is scored (T4)")
    progress_velocity = _figure("Percent points an hour over half an hour, signed (G3)")
    progress_consistency = _figure("Part of the last six five-minute steps without a fall, 0 to 1", digits=7, places=6)

    trading_health_score = _points("Points, 0 to 75")
    buy_sell_ratio = _figure("Weighted buys over sells of an hour, at most 999; NULL without trades")
    volume_trend = _figure("Percent by which five minutes are above the half hour, -100 to 500")
    unique_traders_1h = models.IntegerField(help_text="Wallets that bought or sold")
    whale_concentration = _figure(
        "Largest wallet's part of the hour's volume, 0 to 1; NULL without trades", digits=7, places=6
    )

    selloff_response_score = _points("Points, -60 to 75")
    price_drop_5m = _figure("Percent below the highest price of that time, 0 at the highest; NULL without a price")
    price_drop_15m = _figure("As above")
    price_drop_30m = _figure("As above")
    price_drop_60m = _figure("As above")
    recovery_strength = _figure("Weighted buys over sells of half an hour, at most 999; 1 without trades")

    total_score = models.GeneratedField(
        expression=_sum_of_known(),
        output_field=_POINTS,
        db_persist=True,
        help_text="Points of the known parts, -60 to 333 (G1)",
    )
    available_max = models.DecimalField(
        max_digits=5, decimal_places=2, help_text="What the known lines can give at most, 0 to 333"
    )

    price = PriceField(null=True, help_text="Of the newest trade, quote per whole token")
    volume_24h_usd = _figure(
        "USD of a day, net of wash volume; NULL when no trade had a USD price", digits=48, places=18
    )
    transactions_1h = models.IntegerField(help_text="Buys and sells")
    policy_version = models.PositiveIntegerField(help_text="The ScorePolicy that gave the points")
    inputs = models.JSONField(help_text="Facts from which the score is computed again; numbers as text, null unknown")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "technical_scores"
        verbose_name, verbose_name_plural = "market", "markets"
        constraints = (
            models.CheckConstraint(condition=_within("market_cap_score", 0, 100), name="technical_market_cap_0_to_100"),
            models.CheckConstraint(condition=_within("bonding_curve_score", 0, 83), name="technical_curve_0_to_83"),
            models.CheckConstraint(condition=_within("trading_health_score", 0, 75), name="technical_health_0_to_75"),
            models.CheckConstraint(
                condition=_within("selloff_response_score", -60, 75), name="technical_selloff_minus_60_to_75"
            ),
            models.CheckConstraint(
                condition=Q(available_max__gte=0, available_max__lte=333), name="technical_available_0_to_333"
            ),
            models.CheckConstraint(
                condition=_within("progress_consistency", 0, 1), name="technical_consistency_is_a_ratio"
            ),
            models.CheckConstraint(
                condition=_within("whale_concentration", 0, 1), name="technical_concentration_is_a_ratio"
            ),
        )

    def __str__(self) -> str:
        return f"{self.token_mint} {self.timestamp:%Y-%m-%d %H:%M:%S}"


class ActivityMetric(models.Model):
    """One row is how one token was traded in the minute, five minutes and hour before a moment. Unique by token and
    time, of which ``id`` is derived; at most one a minute. Written by ``technical.score``. Kept 60 days.

    Amounts are whole SOL and 0 for pools in other quotes; sizes are NULL without such trades.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(timestamp, token_mint)")
    token_mint = PubkeyField(hot=True)
    timestamp = HypertableTimeField(interval="1 day", key=("token_mint",), help_text="End of the windows")
    buys_1m = models.IntegerField(default=0)
    sells_1m = models.IntegerField(default=0)
    net_flow_1m = _figure("SOL bought less SOL sold", digits=39, places=9)
    buys_5m = models.IntegerField(default=0)
    sells_5m = models.IntegerField(default=0)
    net_flow_5m = _figure("SOL bought less SOL sold", digits=39, places=9)
    buys_1h = models.IntegerField(default=0)
    sells_1h = models.IntegerField(default=0)
    net_flow_1h = _figure("SOL bought less SOL sold", digits=39, places=9)
    unique_buyers_1h = models.IntegerField(null=True)
    unique_sellers_1h = models.IntegerField(null=True)
    new_holders_1h = models.IntegerField(
        null=True, help_text="Of the newest holder snapshot of the hour; NULL without one"
    )
    avg_buy_size_sol = _figure("Mean of the hour's buys, SOL", digits=39, places=9)
    avg_sell_size_sol = _figure("Mean of the hour's sells, SOL", digits=39, places=9)
    largest_buy_sol = _figure("Of the hour, SOL", digits=39, places=9)
    largest_sell_sol = _figure("Of the hour, SOL", digits=39, places=9)
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "activity_metrics"
        verbose_name, verbose_name_plural = "trading activity", "trading activity"
        constraints = (
            models.CheckConstraint(
                condition=Q(buys_1m__gte=0, buys_5m__gte=F("buys_1m"), buys_1h__gte=F("buys_5m")),
                name="activity_buys_of_longer_windows_are_more",
            ),
            models.CheckConstraint(
                condition=Q(sells_1m__gte=0, sells_5m__gte=F("sells_1m"), sells_1h__gte=F("sells_5m")),
                name="activity_sells_of_longer_windows_are_more",
            ),
        )

    def __str__(self) -> str:
        return f"{self.token_mint} {self.timestamp:%Y-%m-%d %H:%M:%S}"


class TechnicalDue(models.Model):
    """One row is a token that traded lately and when its technical score is computed next. Unique by token. Written by
    ``technical.hear`` and ``technical.score``. Kept until an hour without trades is scored: the row is the queue."""

    token = models.OneToOneField("tokens.Token", models.CASCADE, primary_key=True, related_name="+")
    due_at = models.DateTimeField(help_text="Not before; a worker that has it moves this to when its lease ends")
    traded_at = models.DateTimeField(help_text="Newest known trade, to the minute")
    big_at = models.DateTimeField(null=True, help_text="Newest trade of more than 5 SOL that was heard of")
    scored_at = models.DateTimeField(null=True, help_text="When a worker last took it")

    class Meta:
        db_table = "technical_scores_due"
        verbose_name, verbose_name_plural = "market to score", "markets to score"
        indexes = (models.Index(fields=["due_at"], name="idx_technical_due"),)

    def __str__(self) -> str:
        return f"{self.token_id} {self.due_at}"
