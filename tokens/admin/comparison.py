"""Who of several sources was first and who missed what; and the forks that were dropped."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from megatron.core.display import compact
from tokens.admin import cells
from tokens.models import ChainReorg, SourceTally
from tokens.selectors import feeds

DAY = timedelta(hours=24)


@admin.register(SourceTally)
class TallyAdmin(FactAdmin):
    list_display = (
        "hour_cell",
        "venue_cell",
        "source",
        "transactions",
        "first_cell",
        "missed",
        "lead_cell",
        "disconnects",
        "frame_count",
        "size",
    )
    list_display_links = None
    list_filter = ("venue", "source")
    search_fields = ("=source",)
    search_help_text = "Exact source"
    ordering = ("-hour", "venue", "source")
    list_before_template = "console/sources.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = utc_now()
        page = {"shares": feeds.shares(since=now - DAY, until=now), "now": now}
        return super().changelist_view(request, {**page, **(extra_context or {})})

    @display(description="Hour (UTC)", ordering="hour")
    def hour_cell(self, tally: SourceTally) -> str:
        return f"{tally.hour:%Y-%m-%d %H:%M}"

    @display(description="Venue", label=True, ordering="venue")
    def venue_cell(self, tally: SourceTally) -> str:
        return tally.get_venue_display()

    @display(description="Brought first", ordering="first")
    def first_cell(self, tally: SourceTally) -> str:
        share = cells.percent(100 * tally.first / tally.transactions) if tally.transactions else "—"
        return f"{tally.first:,} ({share})" if tally.transactions else share

    @display(description="Lead")
    def lead_cell(self, tally: SourceTally) -> str:
        return f"{tally.lead_ms / tally.first:,.0f} ms" if tally.first else "—"

    @display(description="Frames", ordering="frames")
    def frame_count(self, tally: SourceTally) -> str:
        return compact(tally.frames)

    @display(description="Size", ordering="bytes")
    def size(self, tally: SourceTally) -> str:
        return filesizeformat(tally.bytes)


@admin.register(ChainReorg)
class ReorgAdmin(FactAdmin):
    list_reads = ("signatures",)
    list_display = ("found", "venue_cell", "slots", "depth", "trades_removed", "moved", "tokens_removed", "dropped")
    list_filter = ("venue",)
    search_fields = ("=slot_from", "=slot_to")
    search_help_text = "Exact first or last slot"
    ordering = ("-detected_at",)

    @display(description="Found", ordering="detected_at")
    def found(self, fork: ChainReorg) -> str:
        return cells.age(fork.detected_at)

    @display(description="Venue", label=True, ordering="venue")
    def venue_cell(self, fork: ChainReorg) -> str:
        return fork.get_venue_display()

    @display(description="Slots", ordering="slot_from")
    def slots(self, fork: ChainReorg) -> str:
        return f"{fork.slot_from:,} to {fork.slot_to:,}"

    @display(description="How deep")
    def depth(self, fork: ChainReorg) -> str:
        return f"{fork.slot_to - fork.slot_from + 1}"

    @display(description="Dropped")
    def dropped(self, fork: ChainReorg) -> str:
        return cells.key(fork.signatures[0]) if fork.signatures else "—"
