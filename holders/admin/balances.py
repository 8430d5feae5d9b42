"""Who holds what: distributions, holdings, and where lists of holders differed from our books."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from unfold.decorators import display

from holders.choices import HolderUpdateType
from holders.models import HolderSnapshot, HolderUpdate, TokenHolder
from megatron.core.admin import FactAdmin
from megatron.core.booleans import DANGER, MERIT, NEUTRAL
from megatron.core.clock import utc_now
from megatron.core.display import amount, compact
from megatron.core.templatetags.console import ago, copyable

_TONES = {
    HolderUpdateType.NEW_HOLDER: "success",
    HolderUpdateType.HOLDER_EXIT: "danger",
    HolderUpdateType.BALANCE_CHANGE: "info",
}


def _percent(value: Decimal | None) -> str:
    return "—" if value is None else f"{value:.2f} %"


@admin.register(HolderSnapshot)
class SnapshotAdmin(FactAdmin):
    """Distributions, newest first: search a mint to see how one token's spread."""

    booleans = {"is_complete": MERIT, "has_trades": NEUTRAL}
    list_display = ("taken", "mint", "holders", "gini", "top_1", "top_10", "creator", "origin", "state")
    list_display_links = ("taken",)
    list_filter = ("data_source", "is_complete")
    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"
    ordering: Any = ("-snapshot_time", "-id")

    @display(description="Taken", ordering="snapshot_time")
    def taken(self, row: HolderSnapshot) -> str:
        return ago(row.snapshot_time, utc_now())

    @display(description="Token")
    def mint(self, row: HolderSnapshot) -> str:
        return copyable(row.token_mint)

    @display(description="Holders")
    def holders(self, row: HolderSnapshot) -> str:
        left_out = row.unique_holders - row.total_holders
        counted = f"{row.total_holders:,}" if row.is_measured else f"at least {row.total_holders:,}"
        return counted + (f", {left_out} left out" if left_out else "")

    @display(description="Gini")
    def gini(self, row: HolderSnapshot) -> str:
        return "—" if row.gini_coefficient is None else f"{row.gini_coefficient:.3f}"

    @display(description="Largest")
    def top_1(self, row: HolderSnapshot) -> str:
        return _percent(row.top_1_percentage)

    @display(description="Ten largest")
    def top_10(self, row: HolderSnapshot) -> str:
        return _percent(row.top_10_percentage)

    @display(description="Creator")
    def creator(self, row: HolderSnapshot) -> str:
        return _percent(row.creator_percentage)

    @display(description="From")
    def origin(self, row: HolderSnapshot) -> str:
        return row.get_data_source_display()

    @display(description="Complete", label={"yes": "success", "no": "warning"})
    def state(self, row: HolderSnapshot) -> tuple[str, str]:
        if row.why_not_measured:
            return "no", f"Not measured: {row.why_not_measured}"
        return ("yes", "Complete") if row.is_complete else ("no", row.incomplete_reason)


@admin.register(TokenHolder)
class HolderAdmin(FactAdmin):
    """Holdings: search a mint for its holders or a wallet for what it holds."""

    list_reads = ("flags",)
    booleans = {"is_smart_money": MERIT, "is_bot": DANGER, "is_mev_bot": DANGER, "is_insider": DANGER}
    # The columns default to no; until the wallet is judged in this token that says nothing.
    boolean_known = dict.fromkeys(booleans, lambda row: row.flags is not None)
    list_display = ("wallet", "mint", "balance", "paid", "realised", "on_paper", "held", "trades", "listed")
    list_display_links = ("balance",)
    list_filter = ("is_smart_money", "is_bot", "is_insider")
    search_fields = ("=token_mint", "=wallet_address")
    search_help_text = "Exact mint or wallet"
    ordering: Any = ("-id",)

    @display(description="Wallet")
    def wallet(self, row: TokenHolder) -> str:
        return copyable(row.wallet_address)

    @display(description="Token")
    def mint(self, row: TokenHolder) -> str:
        return copyable(row.token_mint)

    @display(description="Holds")
    def balance(self, row: TokenHolder) -> str:
        return compact(row.current_balance)

    @display(description="Cost with fees")
    def paid(self, row: TokenHolder) -> str:
        return amount(row.cost_sol, "SOL")

    @display(description="Realised, net")
    def realised(self, row: TokenHolder) -> str:
        return amount(row.realized_pnl_sol, "SOL")

    @display(description="On paper")
    def on_paper(self, row: TokenHolder) -> str:
        return amount(row.unrealized_pnl_sol, "SOL")

    @display(description="Held for")
    def held(self, row: TokenHolder) -> str:
        return "—" if row.hold_hours is None else f"{row.hold_hours:,.1f} h"

    @display(description="Trades")
    def trades(self, row: TokenHolder) -> str:
        return f"{row.buy_count:,} / {row.sell_count:,}"

    @display(description="By a list")
    def listed(self, row: TokenHolder) -> str:
        return "—" if row.chain_slot is None else f"slot {row.chain_slot:,}"


@admin.register(HolderUpdate)
class HolderUpdateAdmin(FactAdmin):
    """Where complete lists of holders differed from our books: transfers, burns, and trades that we did not see."""

    booleans = {"processed": NEUTRAL}
    list_display = ("seen", "kind", "wallet", "mint", "before", "after", "impact", "processed")
    list_display_links = ("seen",)
    list_filter = ("update_type", "processed")
    search_fields = ("=token_mint", "=wallet_address")
    search_help_text = "Exact mint or wallet"
    ordering: Any = ("-id",)

    @display(description="Seen")
    def seen(self, row: HolderUpdate) -> str:
        return ago(row.update_time, utc_now())

    @display(description="What", label=_TONES)
    def kind(self, row: HolderUpdate) -> tuple[str, str]:
        return row.update_type, row.get_update_type_display()

    @display(description="Wallet")
    def wallet(self, row: HolderUpdate) -> str:
        return copyable(row.wallet_address)

    @display(description="Token")
    def mint(self, row: HolderUpdate) -> str:
        return copyable(row.token_mint)

    @display(description="By our books")
    def before(self, row: HolderUpdate) -> str:
        return compact(row.old_balance)

    @display(description="By the list")
    def after(self, row: HolderUpdate) -> str:
        return compact(row.new_balance)

    @display(description="HHI")
    def impact(self, row: HolderUpdate) -> str:
        return "—" if row.impact_on_concentration is None else f"{row.impact_on_concentration:+.1f}"
