"""SOL/USD: the line of the last day, and every price with its source."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from tokens.admin import cells, charts
from tokens.models import SolUsdPrice
from tokens.selectors import desk

CHART_WINDOW = timedelta(days=1)


@admin.register(SolUsdPrice)
class SolUsdAdmin(FactAdmin):
    """Ordered by the key of the table, (source, time)."""

    list_display = ("usd", "source_cell", "spread", "held_at", "age_cell")
    list_display_links = None
    list_filter = ("source",)
    ordering = ("-source", "-price_time")
    list_before_template = "console/sol_usd.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        newest = desk.latest_sol_usd()
        now = until = utc_now()
        if newest is not None and now - newest.price_time >= CHART_WINDOW:
            until = newest.price_time + timedelta(seconds=1)  # type: ignore[assignment]  # the field's package has no types
        line = charts.sol_usd(since=until - CHART_WINDOW, until=until)
        page = {"now": now, "newest": newest, "until": until, "sol_usd": line}
        return super().changelist_view(request, {**page, **(extra_context or {})})

    @display(description="USD for one SOL")
    def usd(self, sample: SolUsdPrice) -> str:
        return f"${sample.price_usd:,.4f}"

    @display(description="Source", label=True)
    def source_cell(self, sample: SolUsdPrice) -> str:
        return sample.get_source_display()

    @display(description="Confidence")
    def spread(self, sample: SolUsdPrice) -> str:
        return "—" if sample.confidence is None else f"± ${sample.confidence:,.4f}"

    @display(description="Held at (UTC)")
    def held_at(self, sample: SolUsdPrice) -> str:
        return f"{sample.price_time:%Y-%m-%d %H:%M:%S}"

    @display(description="Age")
    def age_cell(self, sample: SolUsdPrice) -> str:
        return cells.age(sample.price_time)
