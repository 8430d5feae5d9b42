"""Pools and the milestones of their curves."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.booleans import NEUTRAL
from megatron.core.clock import utc_now
from megatron.core.display import price
from tokens.admin import cells, charts, words
from tokens.domain.milestones import THRESHOLDS
from tokens.models import Pool, PoolMilestone
from tokens.selectors import completeness


@admin.register(Pool)
class PoolAdmin(FactAdmin):
    booleans = {"mints_flipped": NEUTRAL}
    list_display = (
        "address",
        "token_cell",
        "platform",
        "kind",
        "state",
        "sold",
        "raised",
        "spot",
        "fdv",
        "last_trade",
    )
    list_filter = ("status", "pool_type", "platform")
    list_select_related = ("token",)
    search_fields = ("=pool_address", "=token__mint_address")
    search_help_text = "Exact pool address or mint"
    ordering = ("-last_trade_at",)
    readonly_fields = ("is_complete",)

    @display(description="Is any trade missing?")
    def is_complete(self, pool: Pool) -> str:
        said = words.of_completeness(pool, completeness.span(pool=pool, now=utc_now()))
        doubts = f" A trade may be missing in slots {said.doubts}." if said.doubts else ""
        return f"{said.line}. {said.why}{doubts}"

    @display(description="Pool")
    def address(self, pool: Pool) -> str:
        return cells.short(pool.pool_address)

    @display(description="Token")
    def token_cell(self, pool: Pool) -> str:
        return cells.token_link(pool.token)

    @display(description="Role", label={"Graduated pool": "info", "Launch curve": "success"})
    def kind(self, pool: Pool) -> str:
        return pool.get_pool_type_display()

    @display(description="Status", label=cells.STATUS_TONES)
    def state(self, pool: Pool) -> tuple[str, str]:
        return pool.status, pool.get_status_display()

    @display(description="Tokens sold", ordering="bonding_curve_progress")
    def sold(self, pool: Pool) -> str:
        return cells.percent(pool.bonding_curve_progress)

    @display(description="Quote raised", ordering="progress_quote_pct")
    def raised(self, pool: Pool) -> str:
        return cells.percent(pool.progress_quote_pct)

    @display(description="Price")
    def spot(self, pool: Pool) -> str:
        return "—" if pool.latest_price is None else f"{price(pool.latest_price)} {charts.quote_name(pool)}"

    @display(description="Market cap (FDV)")
    def fdv(self, pool: Pool) -> str:
        return cells.market_cap(pool)

    @display(description="Last trade", ordering="last_trade_at")
    def last_trade(self, pool: Pool) -> str:
        return cells.age(pool.last_trade_at)


class ThresholdFilter(admin.SimpleListFilter):
    """The known thresholds; asking the table which ones it holds would read all of it."""

    title = "tokens sold"
    parameter_name = "threshold_pct"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(threshold), f"{threshold} %") for threshold in THRESHOLDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PoolMilestone]) -> QuerySet[PoolMilestone]:
        wanted = [threshold for threshold in THRESHOLDS if str(threshold) == self.value()]
        return queryset.filter(threshold_pct=wanted[0]) if wanted else queryset


@admin.register(PoolMilestone)
class MilestoneAdmin(FactAdmin):
    list_display = ("threshold", "token_cell", "pool_cell", "reached", "slot", "signature_cell")
    list_filter = (ThresholdFilter,)
    list_select_related = ("pool__token",)
    search_fields = ("=pool__pool_address", "=pool__token__mint_address")
    search_help_text = "Exact pool address or mint"
    ordering = ("-reached_at",)

    @display(description="Tokens sold")
    def threshold(self, milestone: PoolMilestone) -> str:
        return f"{milestone.threshold_pct} %"

    @display(description="Token")
    def token_cell(self, milestone: PoolMilestone) -> str:
        return cells.token_link(milestone.pool.token)

    @display(description="Pool")
    def pool_cell(self, milestone: PoolMilestone) -> str:
        return cells.key(milestone.pool.pool_address)

    @display(description="Reached", ordering="reached_at")
    def reached(self, milestone: PoolMilestone) -> str:
        return cells.age(milestone.reached_at)

    @display(description="Signature")
    def signature_cell(self, milestone: PoolMilestone) -> str:
        return cells.key(milestone.signature)
