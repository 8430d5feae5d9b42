"""The credits desk."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from holders import selectors
from holders.models import ApiCreditUsage
from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago

CHART_WINDOW = timedelta(days=30)


@admin.register(ApiCreditUsage)
class CreditsAdmin(FactAdmin):
    """Budgets, endpoints and a chart of the days above the single seconds."""

    list_reads = ("error_message",)
    list_display = ("made", "api_provider", "endpoint", "request_type", "calls", "credits_used", "took", "ended")
    list_display_links = ("made",)
    list_filter = ("api_provider",)
    search_fields = ("=endpoint",)
    search_help_text = "Exact method or path"
    ordering = ("-id", "-timestamp")
    list_per_page = 20
    list_before_template = "console/credits.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = utc_now()
        page = {
            "now": now,
            "budgets": selectors.budgets(now=now),
            "endpoints": selectors.spent(now=now),
            "days": _chart(selectors.daily(start=now - CHART_WINDOW, end=now + timedelta(seconds=1))),
        }
        return super().changelist_view(request, {**page, **(extra_context or {})})

    @display(description="Made", ordering="id")
    def made(self, row: ApiCreditUsage) -> str:
        return ago(row.timestamp, utc_now())

    @display(description="Mean time")
    def took(self, row: ApiCreditUsage) -> str:
        return "—" if row.response_time_ms is None else f"{row.response_time_ms:,} ms"

    @display(description="Ended", label={"failed": "danger", "answered": "success"})
    def ended(self, row: ApiCreditUsage) -> tuple[str, str]:
        told = row.error_message or "answered"
        code = "" if row.status_code is None else f" {row.status_code}"
        return ("failed" if row.error_message else "answered", f"{told}{code}")


def _chart(days: Any) -> dict[str, Any]:
    """Return a line a provider for the chart of the days."""
    lines: dict[str, list[list[int]]] = {}
    for day, provider, used in days:
        lines.setdefault(provider, []).append([int(day.timestamp()), used])
    return {"whole": True, "lines": [{"name": name, "points": points} for name, points in lines.items()]}
