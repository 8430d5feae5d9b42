"""How markets do: technical scores, activity and whose turn it is."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.admin.reading import chunked_object
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago, copyable
from scoring.models import ActivityMetric, TechnicalDue, TechnicalScore

SHOWN = timedelta(hours=1)
"""Lists of time series show the last of it; a search for a mint shows all of its rows."""


def _points(points: Decimal | None) -> str:
    return "—" if points is None else f"{points:.1f}"


def _percent(value: Decimal | None) -> str:
    return "—" if value is None else f"{value:.2f} %"


class _OfMint(FactAdmin):
    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"

    @display(description="Mint")
    def mint_cell(self, row: Any) -> SafeString | str:
        return copyable(row.token_mint)


class _Measured(_OfMint):
    """A time series: newest first, of an hour."""

    ordering = ("-timestamp", "-id")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return chunked_object(super().get_queryset(request), object_id, "timestamp")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if request.GET.get("q") else rows.filter(timestamp__gt=utc_now() - SHOWN)

    @display(description="Measured", ordering="timestamp")
    def at(self, row: Any) -> SafeString | str:
        return ago(row.timestamp, utc_now())


@admin.register(TechnicalScore)
class TechnicalScoreAdmin(_Measured):
    list_display = ("at", "mint_cell", "total", "market_cap", "curve", "health", "selloff", "cap", "progress", "fall")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("inputs")

    @display(description="Points of what was to be had")
    def total(self, row: TechnicalScore) -> str:
        return f"{_points(row.total_score)} of {row.available_max:.0f}"

    @display(description="Market cap, of 100")
    def market_cap(self, row: TechnicalScore) -> str:
        return _points(row.market_cap_score)

    @display(description="Curve, of 83")
    def curve(self, row: TechnicalScore) -> str:
        return _points(row.bonding_curve_score)

    @display(description="Health, of 75")
    def health(self, row: TechnicalScore) -> str:
        return _points(row.trading_health_score)

    @display(description="Sell-offs, of 75")
    def selloff(self, row: TechnicalScore) -> str:
        return _points(row.selloff_response_score)

    @display(description="Market cap")
    def cap(self, row: TechnicalScore) -> str:
        return "—" if row.market_cap_usd is None else f"${row.market_cap_usd:,.0f}"

    @display(description="Quote raised")
    def progress(self, row: TechnicalScore) -> str:
        return _percent(row.progress_quote_pct)

    @display(description="Fall in 15 min")
    def fall(self, row: TechnicalScore) -> str:
        return _percent(row.price_drop_15m)


@admin.register(ActivityMetric)
class ActivityMetricAdmin(_Measured):
    list_display = ("at", "mint_cell", "minute", "five", "hour", "flow", "people", "largest")

    @display(description="Buys / sells, 1 min")
    def minute(self, row: ActivityMetric) -> str:
        return f"{row.buys_1m} / {row.sells_1m}"

    @display(description="5 min")
    def five(self, row: ActivityMetric) -> str:
        return f"{row.buys_5m} / {row.sells_5m}"

    @display(description="1 h")
    def hour(self, row: ActivityMetric) -> str:
        return f"{row.buys_1h} / {row.sells_1h}"

    @display(description="Net flow, 1 h")
    def flow(self, row: ActivityMetric) -> str:
        return "—" if row.net_flow_1h is None else f"{row.net_flow_1h:+,.3f} SOL"

    @display(description="Buyers / sellers")
    def people(self, row: ActivityMetric) -> str:
        return f"{row.unique_buyers_1h} / {row.unique_sellers_1h}"

    @display(description="Largest buy / sell")
    def largest(self, row: ActivityMetric) -> str:
        sides = (row.largest_buy_sol, row.largest_sell_sol)
        return " / ".join("—" if side is None else f"{side:,.3f} SOL" for side in sides)


@admin.register(TechnicalDue)
class TechnicalDueAdmin(FactAdmin):
    list_display = ("token_id", "due", "traded", "scored")
    list_display_links = None
    ordering = ("due_at", "token_id")
    search_fields = ("=token__mint_address",)
    search_help_text = "Exact mint"

    @display(description="Due", ordering="due_at")
    def due(self, row: TechnicalDue) -> SafeString | str:
        return ago(row.due_at, utc_now())

    @display(description="Traded")
    def traded(self, row: TechnicalDue) -> SafeString | str:
        return ago(row.traded_at, utc_now())

    @display(description="Scored")
    def scored(self, row: TechnicalDue) -> SafeString | str:
        return "—" if row.scored_at is None else ago(row.scored_at, utc_now())
