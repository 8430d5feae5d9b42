"""Who the wallets are: their classes with the evidence in words, their groups, and the quality of each snapshot's holders."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Func, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.html import format_html, format_html_join
from unfold.decorators import display

from holders.admin import words
from holders.choices import WalletClass
from holders.models import WalletAnalysis, WalletCluster, WalletQualityMetric
from megatron.core.admin import FactAdmin
from megatron.core.booleans import DANGER, NEUTRAL
from megatron.core.clock import utc_now
from megatron.core.display import amount
from megatron.core.templatetags.console import ago, copyable

_TONES = {
    WalletClass.MEV_BOT: "danger",
    WalletClass.BOT: "danger",
    WalletClass.KNOWN_DUMPER: "danger",
    WalletClass.SMART_MONEY: "success",
    WalletClass.WHALE: "info",
    WalletClass.RETAIL: "",
    None: "",
}
_LAMPORTS = 1_000_000_000


@admin.register(WalletAnalysis)
class WalletAdmin(FactAdmin):
    """Wallets, those that were looked at last first."""

    list_reads = ("evidence",)
    booleans = {"from_start": NEUTRAL, "is_whole": NEUTRAL, "known_scammer": DANGER}
    # Who never traded a token that we know was never seen to dump one either.
    boolean_known = {"known_scammer": lambda row: bool(row.unique_tokens_traded)}
    list_display = (
        "wallet",
        "class_cell",
        "why",
        "age_cell",
        "transactions",
        "sol",
        "tokens",
        "wins",
        "profit",
        "group_cell",
        "risk",
        "looked",
    )
    list_display_links = ("looked",)
    list_filter = ("wallet_type", "source", "known_scammer")
    search_fields = ("=wallet_address", "=funder")
    search_help_text = "Exact wallet, or who funded it first"
    ordering: Any = ("-last_analyzed", "-id")
    readonly_fields = ("reasons",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WalletAnalysis]:
        """Bring along how large the largest group is that a wallet belongs to."""
        itself = Func(OuterRef("wallet_address"), template="ARRAY[%(expressions)s]::varchar(44)[]")
        groups = WalletCluster.objects.filter(members__contains=itself).order_by("-size")
        return super().get_queryset(request).annotate(group_size=Subquery(groups.values("size")[:1]))

    @display(description="Wallet")
    def wallet(self, row: WalletAnalysis) -> str:
        return copyable(row.wallet_address)

    @display(description="Class", ordering="wallet_type", label=_TONES)
    def class_cell(self, row: WalletAnalysis) -> tuple[str | None, str]:
        return row.wallet_type, row.get_wallet_type_display() or "Not known"

    @display(description="Why")
    def why(self, row: WalletAnalysis) -> str:
        said = "; ".join(tag.why for tag in words.tags(row.evidence) or ())
        return format_html('<span title="{}">{}</span>', said, truncatechars(said, 80)) if said else "—"

    @display(description="Evidence")
    def reasons(self, row: WalletAnalysis) -> str:
        """Return each class with its signals, a line each."""
        lines = [(tag.label, tag.why) for tag in words.tags(row.evidence) or ()]
        return format_html_join("", "<p><b>{}</b>: {}</p>", lines) or "No class holds."

    @display(description="Age", ordering="first_seen_at")
    def age_cell(self, row: WalletAnalysis) -> str:
        if row.wallet_age_days is None:
            return "—"
        return f"{row.wallet_age_days:,} d" if row.from_start else f"over {row.wallet_age_days:,} d"

    @display(description="Transactions", ordering="total_transactions")
    def transactions(self, row: WalletAnalysis) -> str:
        if row.total_transactions is None:
            return "—"
        return f"{row.total_transactions:,}" if row.is_whole else f"over {row.total_transactions:,}"

    @display(description="SOL", ordering="sol_lamports")
    def sol(self, row: WalletAnalysis) -> str:
        return "—" if row.sol_lamports is None else f"{row.sol_lamports / _LAMPORTS:,.2f}"

    @display(description="Tokens", ordering="unique_tokens_traded")
    def tokens(self, row: WalletAnalysis) -> str:
        return "—" if row.unique_tokens_traded is None else f"{row.unique_tokens_traded:,}"

    @display(description="Won, net", ordering="win_rate")
    def wins(self, row: WalletAnalysis) -> str:
        return words.percent(row.win_rate)

    @display(description="Earned, net", ordering="total_profit_usd")
    def profit(self, row: WalletAnalysis) -> str:
        return amount(row.total_profit_usd, "USD")

    @display(description="Group")
    def group_cell(self, row: Any) -> str:
        return "—" if row.group_size is None else f"{row.group_size:,} wallets"

    @display(description="Risk", ordering="risk_score")
    def risk(self, row: WalletAnalysis) -> str:
        return "—" if row.risk_score is None else f"{row.risk_score:.0f}"

    @display(description="Looked at", ordering="last_analyzed")
    def looked(self, row: WalletAnalysis) -> str:
        return ago(row.last_analyzed, utc_now())


@admin.register(WalletCluster)
class ClusterAdmin(FactAdmin):
    """Groups of wallets that belong together, the largest first."""

    list_reads = ("members", "funders")
    list_display = ("tie", "token", "size", "share", "named", "funded_by", "found")
    list_display_links = ("tie",)
    list_filter = ("kind",)
    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"
    ordering: Any = ("-size", "-id")

    @display(description="What ties them", ordering="kind", label=True)
    def tie(self, row: WalletCluster) -> str:
        return row.get_kind_display()

    @display(description="Token")
    def token(self, row: WalletCluster) -> str:
        return copyable(row.token_mint)

    @display(description="Hold", ordering="share_pct")
    def share(self, row: WalletCluster) -> str:
        return words.percent(row.share_pct)

    @display(description="Wallets")
    def named(self, row: WalletCluster) -> str:
        return _keys(row.members)

    @display(description="Funded by")
    def funded_by(self, row: WalletCluster) -> str:
        return _keys(row.funders)

    @display(description="Found", ordering="snapshot_time")
    def found(self, row: WalletCluster) -> str:
        return ago(row.snapshot_time, utc_now())


@admin.register(WalletQualityMetric)
class QualityAdmin(FactAdmin):
    """Who held a token at each snapshot, the newest first."""

    list_display = ("measured", "token", "wallets", "age_cell", "bots", "smart", "hands", "organic", "groups", "known")
    list_display_links = ("measured",)
    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"
    ordering: Any = (F("snapshot_time").desc(), F("id").desc())

    @display(description="Snapshot", ordering="snapshot_time")
    def measured(self, row: WalletQualityMetric) -> str:
        return ago(row.snapshot_time, utc_now())

    @display(description="Token")
    def token(self, row: WalletQualityMetric) -> str:
        return copyable(row.token_mint)

    @display(description="Looked up")
    def wallets(self, row: WalletQualityMetric) -> str:
        return f"{row.wallets_enriched:,} of {row.wallets_sampled:,}"

    @display(description="Mean age", ordering="avg_wallet_age_days")
    def age_cell(self, row: WalletQualityMetric) -> str:
        return "—" if row.avg_wallet_age_days is None else f"{row.avg_wallet_age_days:,.0f} d"

    @display(description="Bots", ordering="bot_percentage")
    def bots(self, row: WalletQualityMetric) -> str:
        return words.percent(row.bot_percentage)

    @display(description="Smart money", ordering="smart_money_percentage")
    def smart(self, row: WalletQualityMetric) -> str:
        return words.percent(row.smart_money_percentage)

    @display(description="Diamond hands", ordering="diamond_hands_count")
    def hands(self, row: WalletQualityMetric) -> str:
        return "—" if row.diamond_hands_count is None else f"{row.diamond_hands_count:,}"

    @display(description="Organic", ordering="organic_score")
    def organic(self, row: WalletQualityMetric) -> str:
        return "—" if row.organic_score is None else f"{row.organic_score:.2f}"

    @display(description="Groups", ordering="clusters")
    def groups(self, row: WalletQualityMetric) -> str:
        return f"{row.clusters:,}"

    @display(description="Known", ordering="data_completeness")
    def known(self, row: WalletQualityMetric) -> str:
        return words.percent(row.data_completeness)


def _keys(addresses: list[str]) -> str:
    """Return up to three addresses that a click copies, and how many more there are."""
    shown = format_html_join(" ", "{}", ((copyable(address),) for address in addresses[:3]))
    more = len(addresses) - 3
    return format_html("{} and {} more", shown, more) if more > 0 else shown or "—"
