"""Gaps: what may be missing, how it ended, and what an operator can do about it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from unfold.decorators import action, display

from megatron.core.admin import WorkAdmin
from megatron.core.clock import utc_now
from tokens.admin import cells
from tokens.choices import GapCause, GapOutcome, Program
from tokens.domain.stretches import LAST_SLOT
from tokens.models import SlotGap
from tokens.services import gaps

MOST_SLOTS = 1_000_000
"""More than four days of the chain: a larger stretch is most likely a slip of the hand."""

# In a list a word or two; the model's longer ones are shown on the row's own page and when a mouse rests on the word.
_CAUSES = {
    GapCause.DISCONNECT: "Feed away",
    GapCause.RESTART: "Monitor away",
    GapCause.COVERAGE: "Slot missed",
    GapCause.MISSED: "Missed",
    GapCause.CONSERVATION: "Reserves",
    GapCause.OPERATOR: "Asked for",
}
_ENDS = {GapOutcome.HEALED: "Healed", GapOutcome.EMPTY: "Nothing missing", GapOutcome.ACCEPTED: "Accepted"}


class OpenFilter(admin.SimpleListFilter):
    title = "open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SlotGap]) -> QuerySet[SlotGap]:
        wanted = {"yes": True, "no": False}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(finished_at__isnull=wanted)


class AskForm(forms.Form):
    """Which slots the chain is asked for again, and why."""

    venue = forms.ChoiceField(choices=Program.choices)
    slot_from = forms.IntegerField(label="From slot", min_value=0, max_value=LAST_SLOT)
    slot_to = forms.IntegerField(label="To slot, included", min_value=0, max_value=LAST_SLOT)
    reason = forms.CharField(label="Why (kept in the audit log)", max_length=500)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        first, last = said.get("slot_from"), said.get("slot_to")
        if first is not None and last is not None:
            if last < first:
                self.add_error("slot_to", "This is before the first slot.")
            elif last - first >= MOST_SLOTS:
                self.add_error("slot_to", f"At most {MOST_SLOTS:,} slots at once.")
        return said


@admin.register(SlotGap)
class GapAdmin(WorkAdmin):
    list_display = (
        "cause_cell",
        "venue_cell",
        "source_cell",
        "slots",
        "slot_count",
        "found",
        "state",
        "ended",
        "error",
        "attempts",
    )
    list_display_links = ("cause_cell",)
    list_filter = (OpenFilter, "venue", "cause", "outcome")
    search_fields = ("=pool_address", "=source", "=slot_from", "=slot_to")
    search_help_text = "Exact slot, source or pool address"
    ordering = ("-detected_at",)
    actions: Any = ("retry", "accept", "quarantine", "release")
    list_before_template = "console/gaps.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            path("ask/", self.admin_site.admin_view(self.ask), name="tokens_slotgap_ask"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        page = {"may_ask": self.has_operate_permission(request)}
        return super().changelist_view(request, {**page, **(extra_context or {})})

    def ask(self, request: HttpRequest) -> HttpResponse:
        """Ask for a stretch of slots by a form, and open the gap that has it compared with the chain again."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        form = AskForm(request.POST or None)
        if form.is_valid():
            said = form.cleaned_data
            gap = gaps.ask(
                venue=Program(said["venue"]),
                slot_from=said["slot_from"],
                slot_to=said["slot_to"],
                operator=request.user.get_username(),
                reason=said["reason"],
                now=utc_now(),
            )
            self.message_user(
                request,
                f"The chain is asked again for {gap.get_venue_display()}, slots {gap.slot_from:,} to {gap.slot_to:,}.",
                messages.SUCCESS,
            )
            return HttpResponseRedirect(reverse("admin:tokens_slotgap_changelist"))
        page = {
            **self.admin_site.each_context(request),
            "title": "Ask the chain again",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "console/ask.html", page)

    @action(description="Accept the loss…", permissions=["operate"])
    def accept(self, request: HttpRequest, queryset: QuerySet[SlotGap]) -> HttpResponse | None:
        """Give gaps up with a reason, after a page that says what that means."""
        rows = list(queryset.filter(finished_at=None, slot_to__isnull=False).order_by("venue", "slot_from"))
        if not rows:
            self.message_user(
                request, "None of these can be accepted: they ended, or their feed is away.", messages.ERROR
            )
            return None
        reason = request.POST.get("accept_reason", "").strip()
        if not reason:
            page = {
                **self.admin_site.each_context(request),
                "title": "Accept what is missing",
                "opts": self.opts,
                "gaps": rows,
                "slot_count": sum(_count(gap) or 0 for gap in rows),
                "is_missing": "accept_reason" in request.POST,
                "checkbox": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "console/accept.html", page)
        chosen = SlotGap.objects.filter(pk__in=[gap.pk for gap in rows])
        count = gaps.accept(gaps=chosen, operator=request.user.get_username(), reason=reason, now=utc_now())
        self.message_user(request, f"Accepted {count}. What is missing there stays missing.", messages.SUCCESS)
        return None

    @display(description="Cause")
    def cause_cell(self, gap: SlotGap) -> str:
        return format_html('<span title="{}">{}</span>', gap.get_cause_display(), _CAUSES[GapCause(gap.cause)])

    @display(description="Venue", label=True, ordering="venue")
    def venue_cell(self, gap: SlotGap) -> str:
        return gap.get_venue_display()

    @display(description="Source", ordering="source")
    def source_cell(self, gap: SlotGap) -> str:
        return cells.key(gap.pool_address) if gap.pool_address else gap.source or "all"

    @display(description="Slots", ordering="slot_from")
    def slots(self, gap: SlotGap) -> str:
        last = "now" if gap.slot_to is None else f"{gap.slot_to:,}"
        return format_html('<span class="whitespace-nowrap">{} to {}</span>', f"{gap.slot_from:,}", last)

    @display(description="How many")
    def slot_count(self, gap: SlotGap) -> str:
        count = _count(gap)
        if count is None:
            return "—"
        done = "" if gap.healed_to is None or gap.finished_at else f", {gap.healed_to - gap.slot_from + 1:,} done"
        return f"{count:,}{done}"

    @display(description="Outcome", ordering="outcome")
    def ended(self, gap: SlotGap) -> str:
        """Return how it ended, and how many transactions were missing and are stored now."""
        told = _ENDS[GapOutcome(gap.outcome)] if gap.finished_at else ""
        stored = f"{gap.transactions_found:,} stored" if gap.transactions_found else ""
        return ", ".join(filter(None, (told, stored))) or "—"

    @display(description="Found", ordering="detected_at")
    def found(self, gap: SlotGap) -> str:
        return cells.age(gap.detected_at)

    @display(description="Last error")
    def error(self, gap: SlotGap) -> str:
        return Truncator(gap.last_error.removeprefix("NotThereYet: ")).chars(60) or "—"


def _count(gap: SlotGap) -> int | None:
    return None if gap.slot_to is None else gap.slot_to - gap.slot_from + 1
