"""The rules of the score: versions with what each changed, a new one with a preview of who would move, and two side by
side."""

import hashlib
import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.booleans import NEUTRAL
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago
from scoring.domain.terms import PolicyMalformed
from scoring.models import ScorePolicy
from scoring.services import policies, previews

_REFUSED = (PolicyMalformed, policies.PolicyMoved, policies.PolicyUnchanged, policies.NoPolicy, ValueError)
_SHOWN = 50
"""Terms that a list of differences has before it says how many more there are."""


@admin.register(ScorePolicy)
class ScorePolicyAdmin(FactAdmin):
    """Versions are never edited: a new one is published on top of the active one."""

    booleans = {"active": NEUTRAL}
    list_display = ("version", "state", "reason", "created_by", "since")
    list_display_links = ("version",)
    list_before_template = "console/score_policies.html"
    ordering = ("-version",)
    fields = ("version", "state", "reason", "created_by", "created_at", "changed", "terms_shown")
    readonly_fields = ("state", "changed", "terms_shown")

    def get_urls(self) -> list[URLPattern]:
        """Add the form of a new version and the comparison of two."""
        return [
            path("new/", self.admin_site.admin_view(self.new_view), name="scoring_scorepolicy_new"),
            path("compare/", self.admin_site.admin_view(self.compare_view), name="scoring_scorepolicy_compare"),
            *super().get_urls(),
        ]

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Whoever may add policies may publish a version."""
        return request.user.has_perm("scoring.add_scorepolicy")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Tell the page whether to offer a new version, and which two to compare."""
        listed = super().get_changelist_instance(request)
        listed.may_publish = self.has_publish_permission(request)
        listed.versions = list(ScorePolicy.objects.order_by("-version").values_list("version", flat=True)[:100])
        return listed

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """Show the active terms to be changed; check and preview them, and publish them with a reason."""
        if not self.has_publish_permission(request):
            raise PermissionDenied
        current = policies.active()
        page: dict[str, Any] = {
            "title": "New version of the score policy",
            "written": request.POST.get("terms") or json.dumps(current.terms, indent=2),
            "reason": request.POST.get("reason", ""),
            "on_top_of": request.POST.get("on_top_of") or current.version,
        }
        if request.method == "POST":
            try:
                terms = _read(page["written"])
                if "publish" in request.POST:
                    if request.POST.get("previewed") == _digest(page["written"]):
                        return self._publish(request, terms)
                    page["notice"] = "You have changed something since the preview: this is what it does now."
                page["preview"] = previews.preview(terms=terms)
                page["previewed"] = _digest(page["written"])
                page["differences"] = _differences(current.terms, terms)
            except _REFUSED as refusal:
                page["refusal"] = str(refusal)
        return self._page(request, "console/score_policy_new.html", page)

    def _publish(self, request: HttpRequest, terms: dict[str, Any]) -> HttpResponse:
        began_with = request.POST.get("on_top_of", "")
        made = policies.publish(
            terms=terms,
            operator=request.user.get_username(),
            reason=str(request.POST.get("reason", "")),
            now=utc_now(),
            on_top_of=int(began_with) if began_with.isdecimal() else None,
        )
        self.message_user(request, f"Version {made.version} holds from now on.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:scoring_scorepolicy_change", args=[made.pk]))

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Show what two versions make of the newest scores: ``?first=1&second=2``."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page: dict[str, Any] = {"title": "Two versions side by side"}
        try:
            first, second = (int(request.GET.get(name, "")) for name in ("first", "second"))
        except ValueError:
            page["refusal"] = "Choose two versions by their numbers."
        else:
            try:
                page["preview"] = previews.side_by_side(first=first, second=second)
                found = policies.many({first, second})
                page["differences"] = _differences(found[first].terms, found[second].terms)
            except _REFUSED as refusal:
                page["refusal"] = str(refusal)
        return self._page(request, "console/score_policy_compare.html", page)

    def _page(self, request: HttpRequest, template: str, page: dict[str, Any]) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **page}
        return TemplateResponse(request, template, whole, status=422 if "refusal" in page else 200)

    @display(description="State", label={"active": "success", "earlier": "info"})
    def state(self, policy: ScorePolicy) -> str:
        return "active" if policy.active else "earlier"

    @display(description="Since")
    def since(self, policy: ScorePolicy) -> SafeString | str:
        return ago(policy.created_at, utc_now())

    @display(description="Changed")
    def changed(self, policy: ScorePolicy) -> SafeString | str:
        before = ScorePolicy.objects.filter(version__lt=policy.version).order_by("-version").first()
        if before is None:
            return "The first version."
        rows = _differences(before.terms, policy.terms)
        return format_html_join("", "<div><code>{}</code>: {} → {}</div>", rows)

    @display(description="Terms")
    def terms_shown(self, policy: ScorePolicy) -> SafeString:
        return format_html('<pre class="mg-pre">{}</pre>', json.dumps(policy.terms, indent=2))


def _digest(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()


def _read(written: str) -> dict[str, Any]:
    """Return the terms that somebody wrote as JSON. Raises ``PolicyMalformed`` that says where it is none."""
    try:
        terms = json.loads(written)
    except ValueError as error:
        place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        raise PolicyMalformed(f"This is not JSON ({place}): look for a missing comma or quotation mark.") from error
    if not isinstance(terms, dict):
        raise PolicyMalformed("Write the terms as one JSON object, beginning with { and ending with }.")
    return terms


def _differences(first: Any, second: Any) -> list[tuple[str, str, str]]:
    old, new = policies.differences(first=first, second=second)
    rows = [(road, _said(old[road]), _said(new[road])) for road in sorted(old)]
    more = len(rows) - _SHOWN
    return rows if more <= 0 else [*rows[:_SHOWN], (f"… and {more} more", "", "")]


def _said(value: Any) -> str:
    return "—" if value is None else value if isinstance(value, str) else json.dumps(value)
