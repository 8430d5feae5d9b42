"""Tokens' documents: what waits, what was set aside and why, and what an operator does about it."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from unfold.decorators import display

from megatron.core.admin import WorkAdmin
from tokens.admin import cells
from tokens.models import TokenMetadata

_STATES: dict[str, tuple[str, dict[str, Any]]] = {
    "fetched": ("Fetched", {"finished_at__isnull": False}),
    "waiting": ("Waiting", {"finished_at": None, "quarantined_at": None}),
    "failed": ("Set aside", {"quarantined_at__isnull": False}),
}


class StateFilter(admin.SimpleListFilter):
    """How far a document is. ``prefix`` leads from the listed rows to it."""

    title = "metadata"
    parameter_name = "metadata"
    prefix = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in _STATES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if (wanted := self.value()) not in _STATES:
            return queryset
        conditions = Q(**{f"{self.prefix}{name}": value for name, value in _STATES[wanted][1].items()})
        return queryset.filter(conditions & Q(**{f"{self.prefix}id__isnull": False}))


class TokenStateFilter(StateFilter):
    """How far a token's document is; a token without a URI has none."""

    prefix = "document__"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*super().lookups(request, model_admin), ("none", "No document")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(document=None) if self.value() == "none" else super().queryset(request, queryset)


@admin.register(TokenMetadata)
class TokenMetadataAdmin(WorkAdmin):
    list_display = ("token_cell", "state", "uri_cell", "due", "attempts", "error_cell", "fetched")
    list_filter = (StateFilter,)
    list_select_related = ("token",)
    search_fields = ("=token__mint_address", "=uri")
    search_help_text = "Exact mint or URI"
    ordering = ("-due_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TokenMetadata]:
        """Leave the documents themselves in the database until one is opened."""
        return super().get_queryset(request).defer("raw")

    @display(description="Token")
    def token_cell(self, row: TokenMetadata) -> str:
        return row.token.short_name

    @display(description="URI")
    def uri_cell(self, row: TokenMetadata) -> str:
        return truncatechars(row.uri, 32)

    @display(description="Due", ordering="due_at")
    def due(self, row: TokenMetadata) -> str:
        return "—" if row.finished_at or row.quarantined_at else cells.age(row.due_at)

    @display(description="Newest failure")
    def error_cell(self, row: TokenMetadata) -> str:
        return truncatechars(row.last_error, 60)

    @display(description="Fetched", ordering="fetched_at")
    def fetched(self, row: TokenMetadata) -> str:
        return cells.age(row.fetched_at)
