"""SOL/USD and other quotes: the lines of the last day, what each source is worth, and every price with its source."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from megatron import clients
from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from tokens.admin import cells, charts
from tokens.models import QuoteUsdPrice, SolUsdPrice
from tokens.selectors import desk, prices

CHART_WINDOW = timedelta(days=1)


class SampleAdmin(FactAdmin):
    """The cells that every price has."""

    list_display_links = None
    list_filter = ("source",)

    @display(description="Source", label=True)
    def source_cell(self, sample: SolUsdPrice | QuoteUsdPrice) -> str:
        return sample.get_source_display()

    @display(description="Confidence")
    def spread(self, sample: SolUsdPrice | QuoteUsdPrice) -> str:
        return "—" if sample.confidence is None else f"± ${sample.confidence:,.4f}"

    @display(description="Held at (UTC)")
    def held_at(self, sample: SolUsdPrice | QuoteUsdPrice) -> str:
        return f"{sample.price_time:%Y-%m-%d %H:%M:%S}"

    @display(description="Age")
    def age_cell(self, sample: SolUsdPrice | QuoteUsdPrice) -> str:
        return cells.age(sample.price_time)


@admin.register(QuoteUsdPrice)
class QuoteUsdAdmin(SampleAdmin):
    """Ordered by the key of the table, (quote, source, time)."""

    list_display = ("quote", "usd", "source_cell", "spread", "held_at", "age_cell")
    ordering = ("quote_mint", "-source", "-price_time")

    @display(description="Quote")
    def quote(self, sample: QuoteUsdPrice) -> str:
        return charts.coin_name(sample.quote_mint)

    @display(description="USD for one")
    def usd(self, sample: QuoteUsdPrice) -> str:
        return f"${sample.price_usd:,.6f}"


@admin.register(SolUsdPrice)
class SolUsdAdmin(SampleAdmin):
    """Ordered by the key of the table, (source, time)."""

    list_display = ("usd", "source_cell", "spread", "held_at", "age_cell")
    ordering = ("-source", "-price_time")
    list_before_template = "console/sol_usd.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = until = utc_now()
        newest = desk.latest_sol_usd(now=now)
        if newest is not None and now - newest.price_time >= CHART_WINDOW:
            until = newest.price_time + timedelta(seconds=1)  # type: ignore[assignment]  # the field's package has no types
        line = charts.sol_usd(since=until - CHART_WINDOW, until=until)
        page = {
            "now": now,
            "newest": newest,
            "holds": newest is not None and prices.holds(newest.price_time, now=now),
            "used_since": now - prices.FRESH,
            "until": until,
            "sol_usd": line,
            "source_states": [(charts.coin_name(state.mint), state) for state in prices.source_states()],
            "unused_sources": clients.unused_price_sources(),
        }
        return super().changelist_view(request, {**page, **(extra_context or {})})

    @display(description="USD for one SOL")
    def usd(self, sample: SolUsdPrice) -> str:
        return f"${sample.price_usd:,.4f}"
