"""Sell-offs: which are open now, and how earlier ones ended."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from megatron.core import display as formats
from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago
from scoring.admin import cells
from scoring.choices import SelloffStatus, SellPressure
from scoring.models import SelloffEvent
from scoring.selectors import desk, markets

_TONES = {SelloffStatus.OPEN: "danger", SelloffStatus.RECOVERED: "success", SelloffStatus.EXPIRED: "info"}
_PRESSURES = {SellPressure.CRITICAL: "danger", SellPressure.HIGH: "danger", SellPressure.MEDIUM: "warning"}


@admin.register(SelloffEvent)
class SelloffEventAdmin(FactAdmin):
    list_display = ("seen", "token_cell", "state", "pressure", "fell", "before", "lowest", "recovered", "lasted")
    list_display_links = ("seen",)
    list_filter = ("status",)
    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"
    ordering = ("-detection_time", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SelloffEvent]:
        """Bring the token along, and what is being sold."""
        return markets.with_sales(desk.with_token(super().get_queryset(request)), now=utc_now())

    @display(description="Seen", ordering="detection_time")
    def seen(self, row: SelloffEvent) -> str:
        return ago(row.detection_time, utc_now())

    @display(description="Token")
    def token_cell(self, row: SelloffEvent) -> str:
        return cells.of_mint(row)

    @display(description="State", label=_TONES)
    def state(self, row: SelloffEvent) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description="Pressure", label=_PRESSURES)
    def pressure(self, row: SelloffEvent) -> tuple[str, str] | str:
        found = markets.pressure_of(row)
        return (found, found.label) if found else "—"

    @display(description="Fell")
    def fell(self, row: SelloffEvent) -> str:
        return f"{row.drop_percentage:.1f} %"

    @display(description="Price before")
    def before(self, row: SelloffEvent) -> str:
        return formats.price(row.initial_price)

    @display(description="Lowest")
    def lowest(self, row: SelloffEvent) -> str:
        return formats.price(row.lowest_price)

    @display(description="Back at")
    def recovered(self, row: SelloffEvent) -> str:
        return formats.price(row.recovery_price)

    @display(description="Lasted")
    def lasted(self, row: SelloffEvent) -> str:
        return "—" if row.duration_minutes is None else f"{row.duration_minutes} min"
