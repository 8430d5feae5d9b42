"""The queue desk: who waits to be analysed, what fails, and what credits allow."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from holders.choices import JobReason, Tier
from holders.domain.priority import RULES, tier_of
from holders.models import HolderScoreJob
from holders.selectors import agenda
from holders.services import budget
from megatron.core.admin import WorkAdmin
from megatron.core.clock import utc_now
from megatron.core.display import short_key
from megatron.core.templatetags.console import ago, copyable
from tokens.models import Token

_STATES: dict[str, tuple[str, Q]] = {
    "waiting": ("Waiting", Q(finished_at=None, quarantined_at=None)),
    "failing": ("Failing", Q(finished_at=None, quarantined_at=None, attempts__gt=0) & ~Q(last_error="")),
    "aside": ("Set aside", Q(quarantined_at__isnull=False)),
    "paid": ("Paid for", Q(paid_at__isnull=False)),
    "done": ("Done", Q(finished_at__isnull=False)),
}
_TONES = {
    Tier.ULTRA_CRITICAL: "danger",
    Tier.CRITICAL: "danger",
    Tier.HIGH: "warning",
    Tier.ELEVATED: "warning",
    Tier.STANDARD: "info",
    Tier.LOW: "",
    Tier.MINIMAL: "",
}
_REASONS = {
    JobReason.MILESTONE_CROSSED: "Milestone",
    JobReason.VELOCITY_CHANGE: "Moves fast",
    JobReason.HIGH_VOLUME: "High volume",
    JobReason.FIRST_ANALYSIS: "First analysis",
    JobReason.TIER_DUE: "Its turn",
    JobReason.OPERATOR: "Asked for",
}


def _age(at: datetime | None) -> str:
    """Return how long ago ``at`` was, in one line."""
    return format_html('<span class="whitespace-nowrap">{}</span>', ago(at, utc_now()))


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in _STATES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[HolderScoreJob]) -> QuerySet[HolderScoreJob]:
        wanted = self.value() or ""
        return queryset.filter(_STATES[wanted][1]) if wanted in _STATES else queryset


class TierFilter(admin.SimpleListFilter):
    title = "tier"
    parameter_name = "tier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(tier.value, tier.label) for tier in Tier]

    def queryset(self, request: HttpRequest, queryset: QuerySet[HolderScoreJob]) -> QuerySet[HolderScoreJob]:
        above: int | None = None
        for rule in RULES:
            if rule.tier == self.value():
                low = 1 if rule is RULES[-1] else rule.priority
                found = queryset.filter(priority__gte=low)
                return found if above is None else found.filter(priority__lt=above)
            above = rule.priority
        return queryset


@admin.register(HolderScoreJob)
class JobAdmin(WorkAdmin):
    """What waits by tier and what may be spent, above the jobs themselves."""

    list_display = (
        "token_cell",
        "tier_cell",
        "reason_cell",
        "state",
        "asked",
        "due",
        "attempts",
        "error_cell",
        "credits_cell",
        "done",
    )
    list_display_links = ("asked",)
    list_filter = (StateFilter, TierFilter, "reason")
    search_fields = ("=token_mint",)
    search_help_text = "Exact mint"
    ordering: Any = ("-scheduled_at", "-id")
    list_before_template = "console/holder_jobs.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[HolderScoreJob]:
        """Bring each job's token along."""
        of = Token.objects.filter(mint_address=OuterRef("token_mint"))
        return (
            super()
            .get_queryset(request)
            .annotate(token_pk=Subquery(of.values("pk")[:1]), symbol=Subquery(of.values("symbol")[:1]))
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = utc_now()
        lines = agenda.waiting(now=now)
        purse = budget.purse(now=now)
        page = {
            "now": now,
            "tiers": lines,
            "waits": sum(line.waiting + line.running for line in lines),
            "set_aside": sum(line.set_aside for line in lines),
            "done_last_hour": agenda.done_since(since=now - agenda.HOUR),
            "paid_last_hour": agenda.paid(since=now - agenda.HOUR, now=now),
            "purse": purse,
            "used_pct": float(purse.spent) * 100,
            "credits_at_100": purse.credits_for(100),
            "provider": budget.PROVIDER,
        }
        return super().changelist_view(request, {**page, **(extra_context or {})})

    @display(description="Token")
    def token_cell(self, job: Any) -> str:
        if job.token_pk is None:
            return copyable(job.token_mint)
        return format_html(
            '<a href="{}" class="text-primary-600 dark:text-primary-500" title="{}">{}</a> {}',
            reverse("admin:tokens_token_change", args=[job.token_pk]),
            job.token_mint,
            job.symbol or short_key(job.token_mint),
            copyable(job.token_mint),
        )

    @display(description="Tier", ordering="priority", label=_TONES)
    def tier_cell(self, job: HolderScoreJob) -> tuple[str, str]:
        tier = tier_of(job.priority)
        return tier, f"{tier.label} {job.priority:,}"

    @display(description="Why", ordering="reason")
    def reason_cell(self, job: HolderScoreJob) -> str:
        words = '<span class="whitespace-nowrap" title="{}">{}</span>'
        return format_html(words, job.get_reason_display(), _REASONS[JobReason(job.reason)])

    @display(description="Asked", ordering="scheduled_at")
    def asked(self, job: HolderScoreJob) -> str:
        return _age(job.scheduled_at)

    @display(description="Due", ordering="due_at")
    def due(self, job: HolderScoreJob) -> str:
        return "—" if job.finished_at or job.quarantined_at else _age(job.due_at)

    @display(description="Newest failure")
    def error_cell(self, job: HolderScoreJob) -> str:
        return format_html('<span title="{}">{}</span>', job.last_error, truncatechars(job.last_error, 60))

    @display(description="Credits", ordering="credits_used")
    def credits_cell(self, job: HolderScoreJob) -> str:
        return f"{job.credits_used:,}" if job.paid_at else "—"

    @display(description="Done", ordering="finished_at")
    def done(self, job: HolderScoreJob) -> str:
        return _age(job.finished_at)
