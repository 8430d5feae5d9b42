"""Tokens in the order of their scores, and every score that a token had, with the reasons."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.booleans import DANGER
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago
from scoring.admin import cells, lines, words
from scoring.models import LatestTokenScore, TokenScore
from scoring.selectors import scores
from scoring.services import explain


@admin.register(LatestTokenScore)
class LatestTokenScoreAdmin(FactAdmin):
    """The newest score of each token; a token's own page says why."""

    list_reads = ("score__red_flags",)
    list_display = ("token_cell", "total", "share", "technical", "holder", "social", "flags", "known", "since")
    list_display_links = None
    list_filter = ("token__platform", "token__is_graduated", "score__is_disqualified")
    search_fields = ("=token__mint_address", "=token__symbol")
    search_help_text = "Exact mint or symbol"
    ordering = (F("total_adjusted").desc(nulls_last=True), "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LatestTokenScore]:
        """Bring the token and the whole score along."""
        return scores.ranked()

    @display(description="Token")
    def token_cell(self, row: LatestTokenScore) -> str:
        return cells.token_link(row.token_id, row.token.symbol, row.token.mint_address)

    @display(description="Points", ordering=F("total_adjusted").desc(nulls_last=True))
    def total(self, row: LatestTokenScore) -> str:
        return "—" if row.score is None else _total(row.score)

    @display(description="Share", ordering=F("total_ratio").desc(nulls_last=True))
    def share(self, row: LatestTokenScore) -> str:
        return "—" if row.total_ratio is None else cells.unbroken(f"{row.total_ratio * 100:.1f} %")

    @display(description="Technical", ordering=F("technical_score").desc(nulls_last=True))
    def technical(self, row: LatestTokenScore) -> str:
        return cells.points(row.technical_score)

    @display(description="Holders", ordering=F("holder_score").desc(nulls_last=True))
    def holder(self, row: LatestTokenScore) -> str:
        return cells.points(row.holder_score)

    @display(description="Social", ordering=F("social_score").desc(nulls_last=True))
    def social(self, row: LatestTokenScore) -> str:
        return cells.points(row.social_score)

    @display(description="Red flags", label={"hard": "danger", "soft": "warning"})
    def flags(self, row: LatestTokenScore) -> tuple[str, str] | str:
        return _flags(row.score)

    @display(description="Data there")
    def known(self, row: LatestTokenScore) -> str:
        return "—" if row.score is None else f"{row.score.completeness:.0f} %"

    @display(description="Since")
    def since(self, row: LatestTokenScore) -> str:
        return ago(row.calculated_at, utc_now())


@admin.register(TokenScore)
class TokenScoreAdmin(FactAdmin):
    """Every score, and on its page every line of it as it was then."""

    list_reads = ("red_flags",)
    booleans = {"is_disqualified": DANGER, "has_red_flags": DANGER}
    list_display = ("since", "token_cell", "total", "technical", "holder", "social", "flags", "policy_version")
    list_display_links = ("since",)
    list_filter = ("is_disqualified",)
    search_fields = ("=token__mint_address",)
    search_help_text = "Exact mint"
    ordering = ("-calculated_at", "-id")
    change_form_before_template = "console/score_then.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TokenScore]:
        """Bring the token along."""
        return super().get_queryset(request).select_related("token")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        score, now = self.get_object(request, object_id), utc_now()
        page: dict[str, Any] = {}
        if isinstance(score, TokenScore):
            explained = explain.of(score, asked_at=now)
            page = {"it": {"now": now, "score": score, "dial": words.of_dial(score), **lines.told(explained)}}
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})

    @display(description="From", ordering="calculated_at")
    def since(self, row: TokenScore) -> str:
        return ago(row.calculated_at, utc_now())

    @display(description="Token")
    def token_cell(self, row: TokenScore) -> str:
        return cells.token_link(row.token_id, row.token.symbol, row.token.mint_address)

    @display(description="Points")
    def total(self, row: TokenScore) -> str:
        return _total(row)

    @display(description="Technical")
    def technical(self, row: TokenScore) -> str:
        return cells.points(row.technical_score)

    @display(description="Holders")
    def holder(self, row: TokenScore) -> str:
        return cells.points(row.holder_score)

    @display(description="Social")
    def social(self, row: TokenScore) -> str:
        return cells.points(row.social_score)

    @display(description="Red flags", label={"hard": "danger", "soft": "warning"})
    def flags(self, row: TokenScore) -> tuple[str, str] | str:
        return _flags(row)


def _total(score: TokenScore) -> str:
    return cells.unbroken(f"{score.total_adjusted} of {score.available_max}")


def _flags(score: TokenScore | None) -> tuple[str, str] | str:
    """Return the raised flags, two by name: the token's page tells all, with reasons."""
    if score is None or not score.red_flags:
        return "—"
    named, more = score.red_flags[:2], len(score.red_flags) - 2
    told = ", ".join(words.said(name) for name in named)
    return "hard" if score.is_disqualified else "soft", f"{told} +{more}" if more > 0 else told
