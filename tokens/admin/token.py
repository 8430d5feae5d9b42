"""Tokens: the list, and the page with the chart, the curve, the pools and the latest trades."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.decorators import display

from megatron.core import display as formats
from megatron.core.admin import FactAdmin, panels
from megatron.core.booleans import NEUTRAL
from megatron.core.clock import utc_now
from tokens.admin import cells, charts
from tokens.admin.metadata import TokenStateFilter
from tokens.choices import CandleInterval, Platform
from tokens.models import Pool, Token, Transaction
from tokens.selectors import desk
from tokens.selectors import tokens as token_reads
from tokens.selectors.market import Market
from tokens.services import cache

_INTERVALS = {str(interval.value): interval.label for interval in CandleInterval}


def _listed(model: type[Model], key: str) -> str:
    """Return the address of the list of ``model`` that is filtered by ``key``."""
    query = urlencode({"q": key})
    return f"{reverse(f'admin:{model._meta.app_label}_{model._meta.model_name}_changelist')}?{query}"


@admin.register(Token)
class TokenAdmin(FactAdmin):
    booleans = {"is_graduated": NEUTRAL}
    list_display = (
        "symbol_cell",
        "name",
        "mint_cell",
        "platform_cell",
        "launched",
        "sold",
        "market_cap",
        "volume",
        "change",
        "stage",
    )
    list_display_links = ("symbol_cell",)
    list_filter = ("platform", "is_graduated", TokenStateFilter)
    list_filter_submit = False
    search_fields = ("=mint_address", "=creator_address", "=symbol")
    search_help_text = "Exact mint or creator, symbol or name"
    ordering = (Token._meta.indexes[0].expressions[0],)
    fieldsets = (
        ("Identity", {"fields": (("symbol", "name"), ("mint_address", "platform"), ("decimals", "token_program"))}),
        (
            "Launch",
            {
                "fields": (
                    ("creation_timestamp", "initial_supply"),
                    ("creator_address", "creation_signature"),
                    "launch_wallets",
                    ("uri", "image_url"),
                )
            },
        ),
        (
            "Graduation",
            {"fields": (("is_graduated", "graduation_timestamp"), ("graduation_platform", "graduation_signature"))},
        ),
        ("Record", {"fields": (("id", "last_holder_score_progress"), ("created_at", "updated_at"), "metadata")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        tokens = super().get_queryset(request).select_related("document").defer("document__raw")
        return tokens.prefetch_related("pools")

    @display(description="Token")
    def symbol_cell(self, token: Token) -> str:
        return token.short_name

    @display(description="Mint")
    def mint_cell(self, token: Token) -> str:
        return cells.key(token.mint_address)

    @display(description="Platform", label={Platform.UNKNOWN.label: "warning"})
    def platform_cell(self, token: Token) -> str:
        return token.get_platform_display()

    @display(description="Launched")
    def launched(self, token: Token) -> str:
        return cells.age(token.creation_timestamp)

    @display(description="Tokens sold")
    def sold(self, token: Token) -> str:
        pool = token_reads.current_of(token.pools.all())
        return cells.percent(pool.bonding_curve_progress if pool else None)

    @display(description="Market cap (FDV)")
    def market_cap(self, token: Token) -> str:
        return cells.market_cap(token_reads.current_of(token.pools.all()))

    @display(description="SOL in 1 h")
    def volume(self, token: Token) -> str:
        market = self._market(token)
        return "—" if market is None else formats.amount(market.volume_1h, "SOL")

    @display(description="Price, 1 h")
    def change(self, token: Token) -> str:
        market = self._market(token)
        return "—" if market is None or market.change_1h is None else f"{market.change_1h:+.1f} %"

    def _market(self, token: Token) -> Market | None:
        """Return what the list read for all its rows at once."""
        found: Market | None = getattr(token, "market", None)
        return found

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        changelist.result_list = list(changelist.result_list)
        markets = cache.markets(ids=[token.pk for token in changelist.result_list], now=utc_now())
        for token in changelist.result_list:
            token.market = markets.get(token.pk)
        return changelist

    @display(description="Stage", label={"Graduated": "info", "On the curve": "success"})
    def stage(self, token: Token) -> str:
        return "Graduated" if token.is_graduated else "On the curve"

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("find/", self.admin_site.admin_view(self.find), name="tokens_find"),
            path("<uuid:pk>/candles/", self.admin_site.admin_view(self.candles), name="tokens_token_candles"),
        ]
        return own + super().get_urls()

    def find(self, request: HttpRequest) -> HttpResponse:
        """Lead from a key or a name to the page or list of what it names.

        What the operator may not view is not looked for: he does not learn whether it exists.
        """
        key = request.GET.get("key", "").strip()
        seen = {model for model in (Token, Pool, Transaction) if self._may_view(request, model)}
        match desk.find(key, among=seen):
            case Token() as token:
                target = reverse("admin:tokens_token_change", args=[token.pk])
            case Pool() as pool:
                target = reverse("admin:tokens_pool_change", args=[pool.pk])
            case Transaction():
                target = _listed(Transaction, key)
            case desk.Find(model=model):
                target = _listed(model, key)
            case None:
                messages.warning(
                    request,
                    f"Nothing that you may view is named {key[:100]!r}. Addresses and signatures are matched exactly, "
                    f"capital letters too; symbols in any case, names among the newest {desk.NAMES_AMONG:,} tokens.",
                )
                target = reverse("admin:index")
        return HttpResponseRedirect(target)

    def _may_view(self, request: HttpRequest, model: type[Model]) -> bool:
        page = self.admin_site.get_model_admin(model)
        return page.has_view_permission(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Token], search_term: str
    ) -> tuple[QuerySet[Token], bool]:
        """Return the tokens with this mint, creator, symbol or name."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()
        if not term or "\x00" in term:
            return found, may_repeat
        return queryset.filter(Q(mint_address=term) | Q(creator_address=term) | desk.named(term)), may_repeat

    def candles(self, request: HttpRequest, pk: Any) -> JsonResponse:
        """Return the chart of one token: ``?interval=60|300|3600|86400&currency=quote|usd``."""
        interval, currency = request.GET.get("interval", "60"), request.GET.get("currency", "quote")
        if not self.has_view_permission(request) or interval not in _INTERVALS or currency not in ("quote", "usd"):
            raise Http404("No such chart")
        token = get_object_or_404(Token.objects.prefetch_related("pools"), pk=pk)
        return JsonResponse(
            charts.candles(token=token, interval=int(interval), currency="usd" if currency == "usd" else "quote")
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        token = self.get_object(request, object_id)
        page: dict[str, Any] = {}
        if token is not None:
            now = utc_now()
            page = {**charts.token_page(token=token, now=now), "panels": panels.of_token(token=token, now=now)}
        return super().change_view(
            request, object_id, form_url, {**page, "intervals": _INTERVALS, **(extra_context or {})}
        )
