"""How tokens are held: holder scores with their reasons, the frozen ones, and what speaks against a token."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.admin.reading import chunked_object
from megatron.core.booleans import DANGER, NEUTRAL, pill
from megatron.core.clock import utc_now
from megatron.core.display import compact
from megatron.core.templatetags.console import ago, copyable
from scoring.models import HolderScore, HolderScoreFreeze, RiskMetric

_CONFIDENCES = {"HIGH": "success", "MEDIUM": "warning", "LOW": "danger"}
_LEVELS = {"critical": "danger", "high": "danger", "moderate": "warning", "low": "success", "unknown": ""}


SIGNS = (
    "single_wallet_dominance",
    "whale_coordination_detected",
    "bot_swarm_detected",
    "creator_dumping",
    "insider_selling",
    "pump_dump_pattern",
    "coordinated_buying",
)
"""Columns of a risk record, each of a danger."""


class _OfMint(FactAdmin):
    """A list whose rows name a mint, newest first."""

    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"

    @display(description="Mint")
    def mint_cell(self, row: Any) -> SafeString | str:
        return copyable(row.token_mint)


class _Timed(_OfMint):
    ordering = ("-timestamp", "-id")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return chunked_object(self.get_queryset(request), object_id, "timestamp")

    @display(description="Measured", ordering="timestamp")
    def at(self, row: Any) -> SafeString | str:
        return ago(row.timestamp, utc_now())

    @display(description="Line by line")
    def lines(self, row: Any) -> SafeString:
        return _lines(row.breakdown)


@admin.register(HolderScore)
class HolderScoreAdmin(_Timed):
    booleans = {"is_frozen": NEUTRAL}
    list_display = (
        "at",
        "mint_cell",
        "total",
        "distribution",
        "quality",
        "activity",
        "holders",
        "progress",
        "confidence",
        "is_frozen",
    )
    list_filter = ("confidence_level", "is_frozen")
    readonly_fields = ("lines",)
    exclude = ("breakdown",)

    @display(description="Points of what was to be had")
    def total(self, row: HolderScore) -> str:
        return f"{_points(row.total_score)} of {row.available_max:.0f}"

    @display(description="Distribution, of 111")
    def distribution(self, row: HolderScore) -> str:
        return _points(row.distribution_score)

    @display(description="Quality, of 111")
    def quality(self, row: HolderScore) -> str:
        return _points(row.quality_score)

    @display(description="Activity, of 111")
    def activity(self, row: HolderScore) -> str:
        return _points(row.activity_score)

    @display(description="Holders")
    def holders(self, row: HolderScore) -> str:
        return "—" if row.total_holders is None else f"{row.total_holders:,}"

    @display(description="Quote raised")
    def progress(self, row: HolderScore) -> str:
        return _percent(row.progress_quote_pct)

    @display(description="Confidence", label=_CONFIDENCES)
    def confidence(self, row: HolderScore) -> tuple[str, str]:
        return row.confidence_level, f"{row.get_confidence_level_display()}, {_percent(row.confidence_score)}"


@admin.register(HolderScoreFreeze)
class HolderScoreFreezeAdmin(_OfMint):
    list_reads = ("score",)
    list_display = ("frozen", "mint_cell", "points", "graduated", "scored")
    ordering = ("-frozen_at", "-id")

    @display(description="Frozen", ordering="frozen_at")
    def frozen(self, row: HolderScoreFreeze) -> SafeString | str:
        return ago(row.frozen_at, utc_now())

    @display(description="Points of what was to be had")
    def points(self, row: HolderScoreFreeze) -> str:
        return f"{row.score.get('total_score')} of {row.score.get('available_max')}"

    @display(description="Graduated")
    def graduated(self, row: HolderScoreFreeze) -> SafeString | str:
        return ago(row.graduated_at, utc_now())

    @display(description="Measured")
    def scored(self, row: HolderScoreFreeze) -> SafeString | str:
        return ago(row.score_time, utc_now())


@admin.register(RiskMetric)
class RiskMetricAdmin(_Timed):
    list_reads = ("evidence", "red_flags")
    booleans = dict.fromkeys(SIGNS, DANGER)
    list_display = ("at", "mint_cell", "level", "worst", "weighted", "known", "signs_seen", "flags")
    list_filter = ("risk_level",)
    readonly_fields = ("lines", "signs", "cautions")
    exclude = ("breakdown", "evidence", "alerts", "red_flags", "yellow_flags")

    @display(description="Risk", label=_LEVELS)
    def level(self, row: RiskMetric) -> tuple[str, str]:
        return row.risk_level, row.get_risk_level_display()

    @display(description="Worst, of 100")
    def worst(self, row: RiskMetric) -> str:
        return _points(row.overall_risk_score)

    @display(description="Weighted, of 100")
    def weighted(self, row: RiskMetric) -> str:
        return _points(row.overall_risk_weighted)

    @display(description="Known")
    def known(self, row: RiskMetric) -> str:
        return _percent(row.risk_completeness)

    @display(description="Signs detected")
    def signs_seen(self, row: RiskMetric) -> str:
        """Return the signs that were detected; that none was says nothing of those that nobody knows."""
        seen = [_name(name) for name, sign in sorted(row.evidence.items()) if sign["seen"]]
        unknown = sum(sign["seen"] is None for sign in row.evidence.values())
        told = ", ".join(seen) or ("None" if row.evidence and not unknown else "None of those known")
        return f"{told} ({unknown} unknown)" if unknown else told

    @display(description="Red flags")
    def flags(self, row: RiskMetric) -> str:
        return "; ".join(flag["words"] for flag in row.red_flags) or "—"

    @display(description="Signs")
    def signs(self, row: RiskMetric) -> SafeString:
        told = sorted(row.evidence.items())
        return _list(
            (format_html("{} {}", _name(name), pill(sign["seen"], DANGER)), sign["words"]) for name, sign in told
        )

    @display(description="To read")
    def cautions(self, row: RiskMetric) -> SafeString | str:
        told = [*row.red_flags, *row.yellow_flags, *row.alerts]
        return (
            _list((one["level"].capitalize(), one["words"]) for one in told)
            if told
            else "No figure that is known is beyond a limit."
        )


def _lines(breakdown: Iterable[Mapping[str, Any]]) -> SafeString:
    """Return each line of a score: its part and name, its points, and the reason."""
    told = []
    for part in breakdown:
        for line in part["components"]:
            points = "unknown" if line["points"] is None else compact(Decimal(line["points"]))
            told.append((f"{_name(part['name'])}, {_name(line['name']).lower()}: {points}", line["reason"]))
    return _list(told)


def _list(told: Iterable[tuple[str, str]]) -> SafeString:
    return format_html("<ul>{}</ul>", format_html_join("", "<li><strong>{}</strong>. {}</li>", told))


def _name(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _points(points: Any) -> str:
    return "—" if points is None else f"{points:.1f}"


def _percent(value: Any) -> str:
    return "—" if value is None else f"{value:.1f} %"
