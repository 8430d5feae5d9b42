import pgtrigger
from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Greatest, Least, NullIf, Round

from megatron.core.fields import PriceField, PubkeyField, RawAmountField, SignatureField, U64Field
from megatron.core.models import Row
from tokens.choices import PoolStatus, PoolType, Venue

_PERCENT = models.DecimalField(max_digits=7, decimal_places=4)


def _percent(part: Combinable, whole: str) -> Expression:
    """Return ``part`` of ``whole`` in percent, four decimals, kept within 0 and 100; NULL when either is not known."""
    exact = models.DecimalField(max_digits=60, decimal_places=20)
    ratio = (
        ExpressionWrapper(part, output_field=exact) * Value(100, exact) / NullIf(F(whole), Value(0), output_field=exact)
    )
    kept = Least(Value(100, exact), Greatest(Value(0, exact), Round(ratio, 4, output_field=exact)))
    # LEAST and GREATEST skip NULLs, so an unknown part has to be ruled out first.
    known = Q(**{f"{whole}__gt": 0}, real_sol_reserves__isnull=False, real_token_reserves__isnull=False)
    return Case(When(known, then=kept), default=None, output_field=_PERCENT)


class Pool(Row):
    """One row is a curve or an AMM pool and its newest known state. Unique by ``pool_address``. Written by
    ``ingest.store``, only ever forward on the chain. Kept for ever.

    The seed's ``*_sol_reserves`` hold base units of ``quote_mint``, which is SOL for nearly all pools. ``virtual_*``
    price the pool, ``real_*`` are what it holds.
    """

    pool_address = PubkeyField()
    token = models.ForeignKey("tokens.Token", models.PROTECT, related_name="pools")
    base_mint = PubkeyField()
    quote_mint = PubkeyField()
    quote_decimals = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="NULL while the quote is not known"
    )
    mints_flipped = models.BooleanField(
        default=False, help_text="The program calls our quote its base: its buys are stored as sells"
    )
    platform = models.CharField(max_length=50, choices=Venue)
    pool_type = models.CharField(max_length=20, choices=PoolType, default=PoolType.INITIAL)
    bonding_curve_address = PubkeyField(null=True, blank=True)
    virtual_sol_reserves = U64Field(null=True, blank=True, help_text="Base units of the quote mint")
    virtual_token_reserves = U64Field(null=True, blank=True, help_text="Base units of the token")
    real_sol_reserves = U64Field(null=True, blank=True, help_text="Base units of the quote mint")
    real_token_reserves = U64Field(null=True, blank=True, help_text="Base units of the token")
    boost_quote_reserves = RawAmountField(
        null=True, blank=True, help_text="PumpSwap's signed virtual_quote_reserves, base units of the quote mint"
    )
    base_supply = U64Field(null=True, blank=True, help_text="Newest known supply of the token, base units")
    initial_real_token_reserves = U64Field(null=True, blank=True, help_text="Tokens on sale at the start, base units")
    quote_target = U64Field(null=True, blank=True, help_text="Quote raised when the curve is complete, base units")
    bonding_curve_progress = models.GeneratedField(
        expression=_percent(F("initial_real_token_reserves") - F("real_token_reserves"), "initial_real_token_reserves"),
        output_field=_PERCENT,
        db_persist=True,
        help_text="Percent of the tokens on sale that are sold",
    )
    progress_quote_pct = models.GeneratedField(
        expression=_percent(F("real_sol_reserves"), "quote_target"),
        output_field=_PERCENT,
        db_persist=True,
        help_text="Percent of the quote target that is raised",
    )
    lp_mint = PubkeyField(null=True, blank=True)
    base_vault = PubkeyField(null=True, blank=True)
    quote_vault = PubkeyField(null=True, blank=True)
    latest_price = PriceField(null=True, blank=True, help_text="Spot after the newest event, quote per whole token")
    latest_price_usd = PriceField(
        usd=True, null=True, blank=True, help_text="Spot after the newest event, USD per whole token"
    )
    market_cap = PriceField(null=True, blank=True, help_text="latest_price times supply (FDV), in the quote")
    market_cap_usd = PriceField(usd=True, null=True, blank=True, help_text="latest_price_usd times supply (FDV), USD")
    initial_price = PriceField(null=True, blank=True, help_text="Spot at creation, quote per whole token")
    initial_base_liquidity = U64Field(null=True, blank=True, help_text="Base units of the token at creation")
    initial_quote_liquidity = U64Field(null=True, blank=True, help_text="Base units of the quote at creation")
    status = models.CharField(max_length=20, choices=PoolStatus, default=PoolStatus.ACTIVE)
    successor = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="The pool into which this curve graduated, as soon as both are known",
    )
    migration_slot = models.BigIntegerField(
        null=True, blank=True, help_text="Slot of the earliest known event that shows the migration done"
    )
    migration_signature = SignatureField(
        null=True, blank=True, help_text="Of the migration itself; NULL while only trades of the successor show it"
    )
    liquidity_slot = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Slot of the deposit or withdrawal after which the pool held real_*; NULL when that is last_slot",
    )
    milestones_reached = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many thresholds are recorded for the curve up to its newest event"
    )
    last_trade_at = models.DateTimeField(
        null=True, blank=True, help_text="Block time of the newest event in this state"
    )
    last_slot = models.BigIntegerField(null=True, blank=True, help_text="Slot of the newest event in this state")
    last_event_index = models.IntegerField(null=True, blank=True)
    last_signature = SignatureField(null=True, blank=True)

    class Meta(Row.Meta):
        db_table = "pools"
        # Transactions name their parents without a foreign key of their own: a parent that cannot go leaves no orphan.
        triggers = (*Row.Meta.triggers, pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete))
        indexes = (
            models.Index(fields=["platform"], name="idx_pools_platform"),
            # With the token, by which lists tell apart the thousands that stand at 0 and at 100 percent.
            models.Index(fields=["bonding_curve_progress", "token"], name="idx_pools_progress"),
            models.Index(fields=["progress_quote_pct", "token"], name="idx_pools_progress_quote"),
            models.Index(fields=["last_trade_at", "token"], name="idx_pools_last_trade_at"),
            models.Index(
                fields=["migration_slot"],
                condition=models.Q(migration_slot__isnull=False),
                name="idx_pools_migration_slot",
            ),
        )
        constraints = (
            # Not unique=True: that adds a second index for LIKE, which nobody asks of a key.
            models.UniqueConstraint(fields=["pool_address"], name="pool_address_once"),
            models.CheckConstraint(condition=Q(platform__in=Venue.values), name="pool_platform_known"),
            models.CheckConstraint(condition=Q(pool_type__in=PoolType.values), name="pool_type_known"),
            models.CheckConstraint(condition=Q(status__in=PoolStatus.values), name="pool_status_known"),
            models.CheckConstraint(condition=~Q(base_mint=models.F("quote_mint")), name="pool_two_different_mints"),
            models.CheckConstraint(
                condition=Q(last_slot=None, last_event_index=None, last_signature=None, last_trade_at=None)
                | Q(
                    last_slot__isnull=False,
                    last_event_index__isnull=False,
                    last_signature__isnull=False,
                    last_trade_at__isnull=False,
                ),
                name="pool_newest_event_is_whole",
            ),
            models.UniqueConstraint(
                fields=["token"], condition=Q(pool_type=PoolType.INITIAL), name="pool_one_initial_a_token"
            ),
            models.CheckConstraint(
                condition=Q(successor=None) | Q(pool_type=PoolType.INITIAL), name="pool_successor_of_a_curve"
            ),
            models.CheckConstraint(
                condition=Q(migration_signature=None) | Q(migration_slot__isnull=False),
                name="pool_migration_signature_with_slot",
            ),
        )

    def __str__(self) -> str:
        return f"{self.platform} {self.pool_address}"


class CurrentPool(models.Model):
    """One row is the pool that prices a token (decision T14): of its graduated pools the one with the newest event (ties, and
    pools without any: the lowest id), else its launch curve. Unique by token. Written by nobody: the view ``current_pools``
    over :class:`Pool`, of which :func:`tokens.selectors.tokens.current_of` says the same of pools at hand. Kept as its pool."""

    token = models.OneToOneField("tokens.Token", models.DO_NOTHING, primary_key=True, related_name="current")
    pool = models.OneToOneField(Pool, models.DO_NOTHING, related_name="current")

    class Meta:
        db_table = "current_pools"
        managed = False

    def __str__(self) -> str:
        return f"{self.pool_id} of {self.token_id}"


class PoolMilestone(Row):
    """One row is the first time a curve's token progress reached a threshold. Unique by pool and threshold. Written by
    ``ingest.store``; an earlier trade that arrives late moves it back. Kept for ever."""

    pool = models.ForeignKey(Pool, models.PROTECT, related_name="milestones")
    threshold_pct = models.PositiveSmallIntegerField(help_text="Percent of the tokens on sale that are sold")
    reached_at = models.DateTimeField(help_text="Block time of the event that reached it")
    slot = models.BigIntegerField()
    invariant = RawAmountField(
        help_text="The order inside a slot: product of the virtual reserves after the event, of mayhem coins their place in it"
    )
    event_index = models.IntegerField()
    signature = SignatureField()

    class Meta(Row.Meta):
        db_table = "pool_milestones"
        verbose_name, verbose_name_plural = "milestone", "milestones"
        indexes = (models.Index(fields=["reached_at"], name="idx_pool_milestones_reached_at"),)
        constraints = (
            models.UniqueConstraint(fields=["pool", "threshold_pct"], name="milestone_once_a_pool"),
            models.CheckConstraint(condition=Q(threshold_pct__range=(1, 100)), name="milestone_1_to_100"),
        )

    def __str__(self) -> str:
        return f"{self.threshold_pct} % of {self.pool_id}"


class PoolChain(models.Model):
    """One row is what the reserves of one launch curve prove of its trades before a time. Unique by pool. Written by
    ``chains.keep``, removed by ``ingest.store`` and a fork where an earlier trade comes or goes. Kept as long as its pool.

    So that who asks whether a trade is missing reads what came since, and not all that a coin ever traded.
    """

    pool = models.OneToOneField(Pool, models.CASCADE, primary_key=True, related_name="+")
    judged_until = models.DateTimeField(help_text="Every trade before this block time is judged")
    first_at = models.DateTimeField(
        help_text="Block time of the first stored trade; once that is dropped the row is void"
    )
    first_slot = models.BigIntegerField(help_text="Slot of the first judged trade")
    last_slot = models.BigIntegerField(help_text="Slot of the last judged trade")
    start = models.CharField(max_length=300, help_text="What was known of the curve's start; void once that changes")
    breaks = models.JSONField(help_text="First and last slot of each stretch in which trades are missing")

    class Meta:
        db_table = "pool_chains"

    def __str__(self) -> str:
        return f"{self.pool_id} until {self.judged_until}"
