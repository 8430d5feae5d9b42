"""Candles of every length, and those that wait to be computed."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.admin.reading import chunked_object
from megatron.core.display import amount, price
from tokens.admin import cells
from tokens.models import CandleDue, PriceCandle, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m


@admin.register(PriceCandle1m, PriceCandle5m, PriceCandle1h, PriceCandle1d)
class CandleAdmin(FactAdmin):
    """Ordered by the key of the table, (token, bucket): search a mint to see one token's candles, newest first."""

    list_display = (
        "bucket_cell",
        "token_cell",
        "opened",
        "highest",
        "lowest",
        "closed",
        "closed_usd",
        "volume",
        "trade_count",
        "people",
    )
    list_select_related = ("token",)
    search_fields = ("=token__mint_address", "=token__symbol")
    search_help_text = "Exact mint or symbol: one token's candles, newest first"
    ordering = ("-token_id", "-bucket")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> PriceCandle | None:
        return chunked_object(self.get_queryset(request), object_id, "bucket")

    @display(description="Starts (UTC)")
    def bucket_cell(self, candle: PriceCandle1m) -> str:
        return f"{candle.bucket:%Y-%m-%d %H:%M}"

    @display(description="Token")
    def token_cell(self, candle: PriceCandle) -> str:
        return cells.token_link(candle.token)

    @display(description="Open (quote)")
    def opened(self, candle: PriceCandle) -> str:
        return price(candle.open)

    @display(description="High")
    def highest(self, candle: PriceCandle) -> str:
        return price(candle.high)

    @display(description="Low")
    def lowest(self, candle: PriceCandle) -> str:
        return price(candle.low)

    @display(description="Close")
    def closed(self, candle: PriceCandle) -> str:
        return price(candle.close)

    @display(description="Close (USD)")
    def closed_usd(self, candle: PriceCandle) -> str:
        return "—" if candle.close_usd is None else f"${price(candle.close_usd)}"

    @display(description="Volume")
    def volume(self, candle: PriceCandle) -> str:
        return amount(candle.volume_sol, "SOL")

    @display(description="Buyers / sellers")
    def people(self, candle: PriceCandle) -> str:
        return f"{candle.buyer_count} / {candle.seller_count}"


@admin.register(CandleDue)
class CandleDueAdmin(FactAdmin):
    list_display = ("bucket_cell", "length", "token_cell", "marked")
    list_filter = ("interval",)
    list_select_related = ("token",)
    search_fields = ("=token__mint_address",)
    search_help_text = "Exact mint"
    ordering = ("id",)

    @display(description="Starts (UTC)")
    def bucket_cell(self, due: CandleDue) -> str:
        return f"{due.bucket:%Y-%m-%d %H:%M}"

    @display(description="Length")
    def length(self, due: CandleDue) -> str:
        return due.get_interval_display()

    @display(description="Token")
    def token_cell(self, due: CandleDue) -> str:
        return cells.token_link(due.token)

    @display(description="Asked for")
    def marked(self, due: CandleDue) -> str:
        return cells.age(due.marked_at)
