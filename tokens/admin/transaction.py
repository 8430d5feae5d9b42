"""Trades and liquidity events, newest first by their ids, which are in the order of time."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.admin.reading import chunked_object
from megatron.core.booleans import MERIT
from megatron.core.display import amount, price
from megatron.core.timescale.bounds import has_chunks
from megatron.core.timescale.newest import within
from tokens.admin import cells
from tokens.models import Token, Transaction
from tokens.selectors import trades


@admin.register(Transaction)
class TransactionAdmin(FactAdmin):
    booleans = {"success": MERIT}
    list_display = (
        "kind",
        "token_cell",
        "quote_moved",
        "tokens_moved",
        "unit_price",
        "usd",
        "trader",
        "happened",
        "signature_cell",
    )
    list_filter = ("type",)
    list_select_related = ("token", "pool")
    search_fields = ("=signature", "=user_address", "=token__mint_address")
    search_help_text = "Exact signature, wallet or mint"
    ordering = ("-id",)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Transaction | None:
        return chunked_object(self.get_queryset(request), object_id, "block_time")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        """Return the trades that fit; those of a mint within the life of its token, so that no other chunk is planned."""
        found, is_many = super().get_search_results(request, queryset, search_term)
        token = Token.objects.filter(mint_address=search_term.strip()).first() if has_chunks() else None
        return (found if token is None else within(found, trades.lifetime(token))), is_many

    @display(description="Type", label=cells.TYPE_TONES)
    def kind(self, trade: Transaction) -> tuple[str, str]:
        return trade.type, trade.get_type_display()

    @display(description="Token")
    def token_cell(self, trade: Transaction) -> str:
        return cells.token_link(trade.token)

    @display(description="SOL")
    def quote_moved(self, trade: Transaction) -> str:
        return amount(trade.sol_amount, "SOL")

    @display(description="Tokens")
    def tokens_moved(self, trade: Transaction) -> str:
        return amount(trade.token_amount, trade.token.short_name)

    @display(description="Price (quote)")
    def unit_price(self, trade: Transaction) -> str:
        return price(trade.price_per_token)

    @display(description="Value")
    def usd(self, trade: Transaction) -> str:
        return amount(trade.sol_amount_usd, "USD")

    @display(description="Trader")
    def trader(self, trade: Transaction) -> str:
        return cells.key(trade.user_address)

    @display(description="When", ordering="id")
    def happened(self, trade: Transaction) -> str:
        return cells.age(trade.block_time)

    @display(description="Signature")
    def signature_cell(self, trade: Transaction) -> str:
        return cells.key(trade.signature)
