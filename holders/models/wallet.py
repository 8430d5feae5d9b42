from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from holders.choices import ClusterKind, WalletClass, WalletOrigin
from megatron.core import ids
from megatron.core.fields import PercentField, PubkeyField, SignatureField, U64Field

_FUNDED = ("funder", "funded_lamports", "funded_at", "funding_signature")


def _usd(**options: Any) -> "models.DecimalField[Any, Any]":
    """Return a column of signed USD."""
    return models.DecimalField(max_digits=38, decimal_places=9, **options)


def _ratio(**options: Any) -> "models.DecimalField[Any, Any]":
    """Return a column of parts of one."""
    return models.DecimalField(max_digits=7, decimal_places=6, null=True, **options)


class WalletAnalysis(models.Model):
    """One row is what is known of a wallet. Unique by ``wallet_address``. Written by ``wallets.analyse``. Kept for ever,
    believed until ``valid_until``.

    Unknown is NULL. There may be transactions before ``first_seen_at`` unless it is ``from_start``.
    """

    # Not its key: a text key brings a second index for LIKE, which nobody asks of an address.
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    wallet_address = PubkeyField()
    wallet_age_days = models.IntegerField(
        null=True, help_text="Whole days at last_analyzed; at least so many where older than every rule asks"
    )
    first_seen_at = models.DateTimeField(null=True, help_text="Oldest known transaction")
    from_start = models.BooleanField(default=False, help_text="first_seen_at is its very first transaction")
    last_seen_at = models.DateTimeField(null=True, help_text="Newest known transaction")
    total_transactions = models.IntegerField(null=True, help_text="At least so many unless is_whole")
    is_whole = models.BooleanField(default=False, help_text="total_transactions counts all of them")
    sol_lamports = U64Field(null=True, help_text="Its SOL at last_analyzed, lamports")
    funder = PubkeyField(null=True, help_text="Who sent its first SOL")
    funded_lamports = U64Field(null=True, help_text="How much that was")
    funded_at = models.DateTimeField(null=True, help_text="Block time of it")
    funding_signature = SignatureField(null=True)

    unique_tokens_traded = models.IntegerField(null=True, help_text="Of the tokens that we know")
    graduated_tokens = models.IntegerField(null=True, help_text="Tokens of these that graduated")
    win_rate = PercentField(
        null=True, help_text="Tokens sold with a profit net of fees, percent of those whose profit is known"
    )
    avg_profit_per_trade = _usd(null=True, help_text="USD a token in which something was sold, net of fees")
    total_profit_usd = _usd(
        null=True, help_text="Realised, against average cost, net of fees; of tokens with known profit"
    )
    best_trade_return = models.DecimalField(
        max_digits=24,
        decimal_places=4,
        null=True,
        help_text="Best profit of a token net of fees, percent of what was sold of it cost with fees",
    )
    dumped_tokens = models.IntegerField(
        null=True, help_text="Tokens of which it sold over 80 % within 30 minutes of its first buy"
    )
    rug_pull_participation = models.IntegerField(default=0, help_text="Tokens of these that it created itself")
    known_scammer = models.BooleanField(default=False, help_text="Dumped at least three tokens of its own")
    mev_bot_likelihood = PercentField(null=True, help_text="Weight of the signs of MEV that were seen, percent")
    bot_score = models.DecimalField(max_digits=5, decimal_places=4, null=True, help_text="Part of all weights, 0 to 1")
    smart_score = models.DecimalField(
        max_digits=5, decimal_places=4, null=True, help_text="Part of all weights, 0 to 1"
    )
    risk_score = PercentField(null=True, help_text="0 (none) to 100")
    reputation_score = PercentField(null=True, help_text="0 to 100, 50 for nothing special")

    wallet_type = models.CharField(max_length=50, null=True, choices=WalletClass, help_text="Its first class")
    classes = ArrayField(models.CharField(max_length=50), default=list, help_text="All its classes over all tokens")
    evidence = models.JSONField(default=list, help_text="Each class with its signals, their weights, numbers and words")
    source = models.CharField(max_length=20, choices=WalletOrigin)
    last_analyzed = models.DateTimeField(help_text="As of when; nothing later is in it")
    valid_until = models.DateTimeField(help_text="A later analysis looks again")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "wallet_analysis_cache"
        verbose_name, verbose_name_plural = "wallet", "wallets"
        indexes = (
            models.Index(fields=["funder"], condition=Q(funder__isnull=False), name="idx_wallet_analysis_funder"),
            models.Index(fields=["wallet_type", "-last_analyzed"], name="idx_wallet_analysis_type"),
            models.Index(fields=["-last_analyzed"], name="idx_wallet_analysis_time"),
        )
        constraints = (
            models.UniqueConstraint(fields=["wallet_address"], name="wallet_analysis_once"),
            models.CheckConstraint(condition=Q(source__in=WalletOrigin.values), name="wallet_source_known"),
            models.CheckConstraint(condition=Q(wallet_type__in=WalletClass.values), name="wallet_type_known"),
            models.CheckConstraint(
                condition=Q(classes__contained_by=list(WalletClass.values)), name="wallet_classes_known"
            ),
            models.CheckConstraint(
                condition=Q(**dict.fromkeys(_FUNDED)) | Q(**{f"{name}__isnull": False for name in _FUNDED}),
                name="wallet_funding_is_whole",
            ),
            models.CheckConstraint(condition=~Q(funder=F("wallet_address")), name="wallet_funded_by_another"),
            models.CheckConstraint(condition=Q(valid_until__gt=F("last_analyzed")), name="wallet_valid_after_analysis"),
            models.CheckConstraint(
                condition=Q(first_seen_at__lte=F("last_seen_at")), name="wallet_first_seen_before_last"
            ),
            models.CheckConstraint(
                condition=Q(last_seen_at__lte=F("last_analyzed")), name="wallet_seen_before_analysis"
            ),
            models.CheckConstraint(
                condition=Q(bot_score__range=(0, 1)) & Q(smart_score__range=(0, 1)), name="wallet_scores_in_range"
            ),
            models.CheckConstraint(
                condition=Q(wallet_age_days__gte=0)
                & Q(total_transactions__gte=0)
                & Q(unique_tokens_traded__gte=0)
                & Q(graduated_tokens__gte=0)
                & Q(dumped_tokens__gte=0)
                & Q(rug_pull_participation__gte=0),
                name="wallet_counts_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.wallet_type or 'unknown'} {self.wallet_address}"


class WalletQualityMetric(models.Model):
    """One row is who the holders of one snapshot are. Unique by token and time, the snapshot's own key (C7). Written by
    ``quality.measure``. Kept 180 days.

    Ratios are parts of the wallets of which the chain was asked (``wallets_enriched``); those of known dumpers, which our
    own trades tell, of all that were sampled, and those of diamond hands of all holders.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    token_mint = PubkeyField(hot=True)
    snapshot_time = models.DateTimeField(help_text="Time of the snapshot; nothing later is in it")
    wallets_sampled = models.IntegerField(help_text="Holders that were analysed")
    wallets_enriched = models.PositiveIntegerField(help_text="Those of them of which the chain was asked")

    avg_wallet_age_days = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    median_wallet_age_days = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    aged_wallets = models.PositiveIntegerField(default=0, help_text="Wallets whose age is known")
    new_wallets_percentage = PercentField(null=True, help_text="Younger than 7 days, of those whose age is known")

    suspected_bots = models.PositiveIntegerField(null=True, help_text="Bot score of 0.30 and more, below 0.45")
    confirmed_bots = models.PositiveIntegerField(null=True, help_text="Bot score of 0.45 and more, and MEV bots")
    mev_bots = models.PositiveIntegerField(null=True)
    bot_percentage = PercentField(null=True, help_text="Confirmed ones")
    bot_ratio = _ratio(help_text="The same as a part of one")
    mev_ratio = _ratio()
    smart_money_wallets = models.PositiveIntegerField(null=True)
    smart_money_percentage = PercentField(null=True)
    smart_money_ratio = _ratio(help_text="The same as a part of one")
    smart_money_holdings = models.DecimalField(
        max_digits=39, decimal_places=18, null=True, help_text="Whole tokens that smart money holds"
    )
    known_dumpers = models.PositiveIntegerField(null=True)
    known_dumper_ratio = _ratio()
    new_wallet_ratio = _ratio(help_text="new_wallets_percentage as a part of one")

    diamond_hands_count = models.PositiveIntegerField(null=True, help_text="Hold over 24 hours, sold below a tenth")
    diamond_hands_ratio = _ratio(help_text="Of all holders")
    paper_hands_count = models.PositiveIntegerField(null=True)
    avg_hold_duration_hours = models.DecimalField(max_digits=14, decimal_places=4, null=True)

    organic_score = _ratio(help_text="How varied the holders are, 0 to 1")
    velocity_score = _ratio(help_text="How alive the holders are, 0 to 1")
    insider_percentage = PercentField(null=True, help_text="What insiders hold of what circulates")
    creator_percentage = PercentField(null=True, help_text="What the creator holds of what circulates")
    clusters = models.PositiveIntegerField(default=0, help_text="Groups of wallets that belong together")
    clustered_percentage = PercentField(null=True, help_text="What they hold of what circulates")
    data_completeness = PercentField(help_text="How much of holders, wallets and trades was known")
    classes = models.JSONField(default=dict, help_text="Holders by class")
    details = models.JSONField(default=dict, help_text="The counts behind organic and velocity score")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "wallet_quality_metrics"
        verbose_name, verbose_name_plural = "quality of holders", "quality of holders"
        indexes = (models.Index(fields=["snapshot_time"], name="idx_wallet_quality_time"),)
        constraints = (
            models.UniqueConstraint(fields=["token_mint", "snapshot_time"], name="wallet_quality_once_a_snapshot"),
            models.CheckConstraint(
                condition=Q(wallets_enriched__lte=F("wallets_sampled")), name="wallet_quality_enriched_of_sampled"
            ),
            models.CheckConstraint(
                condition=Q(wallets_enriched__gt=0) | Q(bot_ratio=None, mev_ratio=None, smart_money_ratio=None),
                name="wallet_quality_ratio_of_somebody",
            ),
            models.CheckConstraint(
                condition=Q(bot_ratio__range=(0, 1))
                & Q(mev_ratio__range=(0, 1))
                & Q(smart_money_ratio__range=(0, 1))
                & Q(known_dumper_ratio__range=(0, 1))
                & Q(new_wallet_ratio__range=(0, 1))
                & Q(diamond_hands_ratio__range=(0, 1))
                & Q(organic_score__range=(0, 1))
                & Q(velocity_score__range=(0, 1)),
                name="wallet_quality_ratios_in_range",
            ),
        )

    def __str__(self) -> str:
        return f"{self.wallets_enriched} wallets of {self.token_mint}"


class WalletCluster(models.Model):
    """One row is a group of a token's holders that belong together. Unique by its members in the token, of which ``id`` is
    derived. Written by ``quality.measure``. Kept until the token is measured again."""

    id = models.UUIDField(primary_key=True, editable=False)
    token_mint = PubkeyField(hot=True)
    snapshot_time = models.DateTimeField(help_text="Snapshot in which it was found")
    kind = models.CharField(max_length=20, choices=ClusterKind)
    members = ArrayField(models.CharField(max_length=44), help_text="Wallets, in the order of their addresses")
    funders = ArrayField(models.CharField(max_length=44), default=list, help_text="Who funded members")
    size = models.IntegerField(help_text="How many wallets")
    balance = models.DecimalField(max_digits=39, decimal_places=18, help_text="Whole tokens that they hold")
    share_pct = PercentField(null=True, help_text="Of what circulates")

    class Meta:
        db_table = "wallet_clusters"
        verbose_name, verbose_name_plural = "group of wallets", "groups of wallets"
        indexes = (
            models.Index(fields=["token_mint"], name="idx_wallet_clusters_token"),
            GinIndex(fields=["members"], name="idx_wallet_clusters_members"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=ClusterKind.values), name="wallet_cluster_kind_known"),
            models.CheckConstraint(condition=Q(size__gte=2), name="wallet_cluster_of_at_least_two"),
            models.CheckConstraint(condition=Q(members__len=F("size")), name="wallet_cluster_size_counts_members"),
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_cluster_balance_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.size} wallets of {self.token_mint}"
