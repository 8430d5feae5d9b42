from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from holders.choices import HolderOrigin, HolderUpdateType
from holders.domain import concentration
from megatron.core import ids
from megatron.core.fields import PercentField, PriceField, PubkeyField
from megatron.core.models import Row
from megatron.core.timescale.fields import HypertableTimeField


def _tokens(**options: Any) -> "models.DecimalField[Any, Any]":
    """Return a column of whole tokens: as many decimals as a mint may have."""
    return models.DecimalField(max_digits=39, decimal_places=18, **options)


def _money(**options: Any) -> "models.DecimalField[Any, Any]":
    """Return a column of signed SOL or USD, exact to the lamport or 10⁻⁹ USD."""
    return models.DecimalField(max_digits=38, decimal_places=9, **options)


class HolderSnapshot(models.Model):
    """One row is how one token was spread over its holders at one time. Unique by token and time. Written by
    ``snapshots.take``; the times by which others are done with it by ``quality.measure`` and ``snapshots.scored``.
    Kept 180 days.

    Excluded accounts are in no measure; ``raw_distribution`` lists them with the reason. Percentages are of the
    circulating supply: the supply without the excluded accounts. Owners of dust are counted apart. Where the others hold
    less than ``concentration.JUDGED_FROM_PCT`` of what circulates, every measure is unknown: NULL.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    token_mint = PubkeyField(hot=True)
    snapshot_time = HypertableTimeField(
        interval="7 days", key=("token_mint",), help_text="When the list of holders was complete"
    )
    slot = models.BigIntegerField(null=True, help_text="The list holds at this slot; NULL when its source does not say")
    data_source = models.CharField(max_length=50, choices=HolderOrigin)
    is_complete = models.BooleanField(help_text="No holder is missing from the list")
    incomplete_reason = models.CharField(max_length=200, blank=True, default="")

    total_holders = models.PositiveIntegerField(help_text="Owners of more than dust, without the excluded; at least")
    unique_holders = models.PositiveIntegerField(help_text="Owners with a balance, with the excluded")
    holders_fetched = models.PositiveIntegerField(help_text="Owners with a balance that the list had")
    token_accounts = models.PositiveIntegerField(null=True, help_text="Accounts of them; NULL when not counted")
    uncounted_holders = models.PositiveIntegerField(
        null=True, help_text="Owners of less than a millionth of what circulates: in no other count and no measure"
    )
    active_holders = models.PositiveIntegerField(
        null=True, help_text="Holders that traded the token in the last 24 hours; NULL without trades of ours"
    )
    dust_accounts = models.PositiveIntegerField(
        null=True, help_text="Holders of less than one USD; NULL without a price"
    )
    new_holders_1h = models.PositiveIntegerField(null=True, help_text="First held in the last hour")
    holder_growth_rate = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, help_text="Percent against an hour earlier; NULL when not known"
    )
    unique_buyers_1h = models.PositiveIntegerField(null=True)
    unique_sellers_1h = models.PositiveIntegerField(null=True)
    has_trades = models.BooleanField(help_text="We have trades of the token")

    gini_coefficient = models.DecimalField(max_digits=9, decimal_places=8, null=True, help_text="0 to 1 - 1/n")
    theil_index = models.DecimalField(max_digits=12, decimal_places=8, null=True, help_text="0 to ln n")
    shannon_entropy = models.DecimalField(max_digits=9, decimal_places=8, null=True, help_text="Normalised, 0 to 1")
    hhi = models.DecimalField(max_digits=9, decimal_places=4, null=True, help_text="10,000/n to 10,000")

    circulating_supply = _tokens(null=True, help_text="Whole tokens: the supply without excluded accounts")
    judged_percentage = PercentField(
        null=True,
        help_text="What the counted owners hold of what circulates, 0 while that is not known: measures need at least 80;"
        " NULL for lists from before that was asked",
    )
    program_percentage = PercentField(
        null=True, help_text="What owners that are programs hold of it: vaults of people, or of nobody knows whom"
    )
    excluded_balance = _tokens(default=0, help_text="Whole tokens in excluded accounts")
    top_1_balance = _tokens(null=True, help_text="Whole tokens")
    top_5_balance = _tokens(null=True, help_text="Whole tokens")
    top_10_balance = _tokens(null=True, help_text="Whole tokens")
    top_20_balance = _tokens(null=True, help_text="Whole tokens")
    top_25_balance = _tokens(null=True, help_text="Whole tokens")
    top_50_balance = _tokens(null=True, help_text="Whole tokens")
    top_100_balance = _tokens(null=True, help_text="Whole tokens")
    top_1_percentage = PercentField(null=True)
    top_5_percentage = PercentField(null=True)
    top_10_percentage = PercentField(null=True)
    top_20_percentage = PercentField(null=True)
    top_25_percentage = PercentField(null=True)
    top_50_percentage = PercentField(null=True)
    top_100_percentage = PercentField(null=True)
    creator_percentage = PercentField(null=True, help_text="What the creator holds; NULL when nobody knows the creator")

    holders_1_100 = models.PositiveIntegerField(default=0, help_text="Holders of less than 100 whole tokens")
    holders_100_1k = models.PositiveIntegerField(default=0)
    holders_1k_10k = models.PositiveIntegerField(default=0)
    holders_10k_100k = models.PositiveIntegerField(default=0)
    holders_100k_plus = models.PositiveIntegerField(default=0)
    average_holding_size = _tokens(null=True, help_text="Whole tokens")
    median_holding_size = _tokens(null=True, help_text="Whole tokens")
    diamond_hands_count = models.PositiveIntegerField(
        null=True, help_text="Hold for more than 24 hours and sold less than a tenth of what they bought"
    )
    raw_distribution = models.JSONField(
        default=dict, help_text="Excluded accounts with reasons, the Lorenz curve, the largest holders, classes by size"
    )

    bonding_curve_progress = PercentField(null=True, help_text="Tokens sold, percent")
    progress_quote_pct = PercentField(null=True, help_text="Quote raised, percent of the target")
    market_cap_usd = PriceField(usd=True, null=True)
    measured_at = models.DateTimeField(null=True, help_text="When the quality of its wallets was measured")
    scored_at = models.DateTimeField(null=True, help_text="When the room above was done with it")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "holder_snapshots"
        verbose_name, verbose_name_plural = "distribution", "distributions"
        indexes = (
            # Nearly always empty: what scoring has still to read.
            models.Index(
                fields=["measured_at", "token_mint"],
                condition=Q(measured_at__isnull=False, scored_at=None),
                name="idx_holder_snapshots_unscored",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(data_source__in=HolderOrigin.values), name="holder_snapshot_source_known"
            ),
            models.CheckConstraint(
                condition=Q(is_complete=True, incomplete_reason="") | Q(is_complete=False) & ~Q(incomplete_reason=""),
                name="holder_snapshot_incomplete_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(total_holders__lte=F("unique_holders")), name="holder_snapshot_excludes_only"
            ),
            models.CheckConstraint(
                condition=Q(scored_at=None) | Q(measured_at__isnull=False), name="holder_snapshot_measured_then_scored"
            ),
            models.CheckConstraint(
                condition=Q(gini_coefficient__range=(0, 1))
                & Q(shannon_entropy__range=(0, 1))
                & Q(hhi__range=(0, 10000)),
                name="holder_snapshot_measures_in_range",
            ),
        )

    def __str__(self) -> str:
        return f"{self.total_holders} holders of {self.token_mint}"

    @property
    def is_measured(self) -> bool:
        """Whether enough of what circulates was judged for a measure of its holders. Of a list from before that was asked the
        measures are as they were."""
        return self.judged_percentage is None or self.judged_percentage >= concentration.JUDGED_FROM_PCT

    @property
    def why_not_measured(self) -> str:
        """Why no measure of its holders is known, in words; empty where they are."""
        if self.is_measured:
            return ""
        if self.circulating_supply is None:
            return "What circulates is not known"
        return (
            f"The known owners hold {self.judged_percentage:f} % of what circulates;"
            f" a measure needs {concentration.JUDGED_FROM_PCT} %"
        )


class TokenHolder(Row):
    """One row is one wallet's holding of one token. Unique by token and wallet. Written by ``balances.derive`` and
    ``snapshots.take``; the flags by ``quality.measure``. Kept for ever.

    ``traded_balance`` is what its trades leave, and all prices and profits follow from it. ``current_balance`` is what
    it holds: the newest complete list of holders plus the trades since, or the traded balance where no list is.
    """

    token_mint = PubkeyField(hot=True)
    wallet_address = PubkeyField(hot=True)
    current_balance = _tokens(help_text="Whole tokens that it holds")
    initial_balance = _tokens(null=True, help_text="Whole tokens after its first trade")
    peak_balance = _tokens(null=True, help_text="Most whole tokens that its trades left at any time")
    traded_balance = _tokens(default=0, help_text="Whole tokens that its trades leave, never below zero")
    chain_balance = _tokens(null=True, help_text="Whole tokens by the newest complete list; NULL when none named it")
    chain_slot = models.BigIntegerField(null=True, help_text="Slot of that list")

    first_transaction_time = models.DateTimeField(null=True)
    last_transaction_time = models.DateTimeField(null=True)
    held_since = models.DateTimeField(null=True, help_text="Start of its newest holding")
    held_until = models.DateTimeField(null=True, help_text="End of its newest holding; NULL while it holds")
    hold_hours = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, help_text="Length of its newest holding up to last_updated"
    )
    total_bought = _tokens(default=0, help_text="Whole tokens")
    total_sold = _tokens(default=0, help_text="Whole tokens")
    untracked_sold = _tokens(default=0, help_text="Of these what it had not bought here: transfers, or lost trades")
    buy_count = models.PositiveIntegerField(default=0)
    sell_count = models.PositiveIntegerField(default=0)
    transaction_count = models.PositiveIntegerField(default=0)

    cost_sol = _money(null=True, help_text="What the traded balance cost, SOL with fees; NULL when unknown")
    cost_usd = _money(null=True, help_text="The same in USD; NULL when a price or a fee was missing")
    avg_buy_price = PriceField(null=True, help_text="Average of all its buys, SOL per whole token, without fees")
    avg_sell_price = PriceField(null=True, help_text="Average of all its sells, SOL per whole token, without fees")
    realized_pnl_sol = _money(null=True, help_text="SOL, against average cost, net of fees")
    sold_cost_sol = _money(null=True, help_text="What it sold of what it had bought had cost, SOL with fees")
    fees_sol = _money(
        null=True, help_text="Fees of its trades that are in cost and profit, SOL; NULL when one is unknown"
    )
    network_fees_unknown = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="Trades whose network fee is not in the profit: no source told it, or the quote is not SOL",
    )
    unrealized_pnl_sol = _money(null=True, help_text="SOL, at the newest price, without the fees of a sale to come")
    realized_pnl = _money(null=True, help_text="USD, against average cost, net of fees")
    unrealized_pnl = _money(null=True, help_text="USD, at the newest price, without the fees of a sale to come")

    is_smart_money = models.BooleanField(default=False, db_default=False)
    is_bot = models.BooleanField(default=False, db_default=False)
    is_mev_bot = models.BooleanField(default=False, db_default=False)
    is_insider = models.BooleanField(default=False, db_default=False)
    flags = models.JSONField(
        null=True, help_text="The wallet's classes in this token, each with its evidence; NULL while not judged"
    )
    flagged_at = models.DateTimeField(null=True, help_text="Snapshot for which the flags were judged")
    diamond_hands_score = models.DecimalField(max_digits=7, decimal_places=4, null=True, help_text="0 to 100")
    sold_ratio = models.DecimalField(
        max_digits=7, decimal_places=6, null=True, help_text="Part of what it bought that it sold, at most 1"
    )
    trades_digest = models.BigIntegerField(
        default=0, db_default=0, help_text="Digests of its trades, xor-ed: a change of them is seen by it"
    )
    last_updated = models.DateTimeField(help_text="As of when")

    class Meta(Row.Meta):
        db_table = "token_holders"
        verbose_name, verbose_name_plural = "holding", "holdings"
        indexes: ClassVar[tuple[models.Index, ...]] = (
            models.Index(F("token_mint"), F("current_balance").desc(), name="idx_token_holders_balance"),
            models.Index(fields=["wallet_address"], name="idx_token_holders_wallet"),
            models.Index(
                fields=["wallet_address"], condition=Q(is_smart_money=True), name="idx_token_holders_smart_money"
            ),
            # Few of all holdings: a list of them, newest first, would look for each among all.
            models.Index(fields=["id"], condition=Q(is_smart_money=True), name="idx_token_holders_smart"),
            models.Index(fields=["id"], condition=Q(is_bot=True), name="idx_token_holders_bots"),
            models.Index(fields=["id"], condition=Q(is_insider=True), name="idx_token_holders_insiders"),
        )
        constraints = (
            models.UniqueConstraint(fields=["token_mint", "wallet_address"], name="token_holder_once"),
            models.CheckConstraint(
                condition=Q(current_balance__gte=0, traded_balance__gte=0, total_bought__gte=0, total_sold__gte=0),
                name="token_holder_balances_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(transaction_count=F("buy_count") + F("sell_count")), name="token_holder_counts_add_up"
            ),
            models.CheckConstraint(
                condition=Q(chain_balance=None, chain_slot=None) | Q(chain_balance__gte=0, chain_slot__isnull=False),
                name="token_holder_chain_balance_with_slot",
            ),
            models.CheckConstraint(
                condition=Q(untracked_sold__gte=0, untracked_sold__lte=F("total_sold")),
                name="token_holder_untracked_is_sold",
            ),
            models.CheckConstraint(
                condition=Q(sold_ratio__range=(0, 1)) & Q(diamond_hands_score__range=(0, 100)),
                name="token_holder_ratios_in_range",
            ),
        )

    def __str__(self) -> str:
        return f"{self.current_balance} of {self.token_mint} in {self.wallet_address}"


class HolderUpdate(Row):
    """One row is one difference between a list of holders and our own books. Unique by token, wallet and time. Written
    by ``snapshots.take``. Kept 30 days after it is processed."""

    token_mint = PubkeyField(hot=True)
    update_time = models.DateTimeField(help_text="Time of the list")
    update_type = models.CharField(max_length=50, choices=HolderUpdateType)
    wallet_address = PubkeyField(hot=True)
    old_balance = _tokens(help_text="Whole tokens by our books")
    new_balance = _tokens(help_text="Whole tokens by the list")
    balance_change = _tokens(help_text="New less old")
    impact_on_concentration = models.DecimalField(
        max_digits=10, decimal_places=4, null=True, help_text="Points of HHI that the change adds or takes"
    )
    new_holder_count = models.PositiveIntegerField(null=True, help_text="Holders of the list")
    processed = models.BooleanField(default=False, db_default=False)

    class Meta(Row.Meta):
        db_table = "holder_updates"
        verbose_name, verbose_name_plural = "difference from a list", "differences from lists"
        indexes = (
            models.Index(F("token_mint"), F("update_time").desc(), name="idx_holder_updates_mint"),
            models.Index(fields=["update_time"], condition=Q(processed=False), name="idx_holder_updates_unprocessed"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["token_mint", "wallet_address", "update_time"], name="holder_update_once_a_list"
            ),
            models.CheckConstraint(
                condition=Q(update_type__in=HolderUpdateType.values), name="holder_update_type_known"
            ),
            models.CheckConstraint(
                condition=Q(balance_change=F("new_balance") - F("old_balance")), name="holder_update_change_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(old_balance__gte=0, new_balance__gte=0), name="holder_update_not_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.update_type} of {self.wallet_address} by {self.balance_change}"
