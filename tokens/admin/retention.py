"""The desk of storage: what each table takes, how long it is kept, what falls next, and what would go now."""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from megatron.core.admin import Guarded
from megatron.core.booleans import NEUTRAL, Booleans
from megatron.core.clock import utc_now
from megatron.core.display import compact, span
from megatron.core.timescale import policies
from tokens.admin import cells
from tokens.domain.retention import next_drop
from tokens.models import RetentionPolicy
from tokens.selectors import storage, upkeep
from tokens.services import jobs, keeping, retention

if TYPE_CHECKING:

    class _PolicyForm(forms.ModelForm[RetentionPolicy]):
        """Django's form takes a type parameter in its stubs only."""
else:
    _PolicyForm = forms.ModelForm

DAY = timedelta(days=1)
LATE = timedelta(hours=1)
"""A job of TimescaleDB that should have run so long ago is not run by anybody."""
_NONE = "—"


class DaysField(forms.DecimalField):
    """A length of time as a number of days: a bare number in Django's own field would be seconds."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Return the days of a length of time for the page."""
        return f"{Decimal(value / DAY).normalize():f}" if isinstance(value, timedelta) else value

    def clean(self, value: Any) -> Any:
        """Return the length of time of a number of days; empty is ``None``: never."""
        days = super().clean(value)
        return None if days is None else timedelta(days=float(days))


class PolicyForm(_PolicyForm):
    drop_after = DaysField(
        required=False, min_value=0, max_digits=9, decimal_places=4, label="Drop after (days)", help_text="Empty: never"
    )
    compress_after = DaysField(
        required=False,
        min_value=0,
        max_digits=9,
        decimal_places=4,
        label="Compress after (days)",
        help_text="Empty: never. Needs TimescaleDB community",
    )

    class Meta:
        model = RetentionPolicy
        fields = keeping.CHANGEABLE


@admin.register(RetentionPolicy)
class RetentionAdmin(Guarded, Booleans, ModelAdmin):
    """Policies with what their tables take; the tables without one stand below."""

    booleans = {"export_before_drop": NEUTRAL}
    tells_itself = True
    form = PolicyForm
    list_display = (
        "table_name",
        "size",
        "rows",
        "chunks",
        "ratio",
        "oldest",
        "kept",
        "next_drop",
        "would_go",
        "held",
        "last_run",
        "did",
    )
    ordering = ("table_name",)
    list_per_page = 100
    show_full_result_count = False
    actions = None
    list_before_template = "console/retention.html"
    list_after_template = "console/storage.html"
    fields = ("table_name", *keeping.CHANGEABLE, "applied_at", "outcome")
    readonly_fields = ("table_name", "applied_at", "outcome")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A time series brings its policy with its migration."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RetentionPolicy | None = None) -> bool:
        """Clear the ages instead: then nothing is dropped."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks before it drops."""
        return [
            path("apply/", self.admin_site.admin_view(self.apply_view), name="tokens_retentionpolicy_apply"),
            *super().get_urls(),
        ]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list with what is known of each policy's table; asked once for all of them."""
        listed = super().get_changelist_instance(request)
        now = utc_now()
        stored = storage.tables(time_columns=jobs.time_columns())
        expired = {drop.table: drop for drop in retention.preview(now=now, export_to=settings.RETENTION_EXPORT_DIR)}
        for policy in listed.result_list:
            policy.stored = stored.pop(policy.table_name, None)
            policy.expired = expired.get(policy.table_name)
        listed.others = sorted(stored.values(), key=lambda table: -table.size_bytes)
        listed.level = policies.level(connection)
        listed.coverage = upkeep.coverage()
        listed.failing = [job for job in upkeep.jobs(now=now) if job.failed or job.overdue > LATE]
        listed.now = now
        listed.may_apply = self.has_change_permission(request)
        listed.export_dir = settings.RETENTION_EXPORT_DIR
        return listed

    def save_model(self, request: HttpRequest, obj: RetentionPolicy, form: Any, change: bool) -> None:
        """Store the change with its audit entry."""
        keeping.change(policy=obj, operator=request.user.get_username(), now=utc_now())

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """Say what TimescaleDB itself refused; nothing of it is stored."""
        try:
            return super().changeform_view(request, *args, **options)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def apply_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would go now; with a reason, wake the worker that drops it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        now = utc_now()
        reason = str(request.POST.get("reason", "")).strip()[:500]
        if request.method == "POST" and reason:
            keeping.ask_to_apply(operator=request.user.get_username(), reason=reason, now=now)
            self.message_user(
                request,
                "A worker drops it now; without one the hourly run does. The list says what came of it.",
                messages.SUCCESS,
            )
            return HttpResponseRedirect(reverse("admin:tokens_retentionpolicy_changelist"))
        page = {
            **self.admin_site.each_context(request),
            "title": "Apply retention now",
            "opts": self.opts,
            "drops": [
                drop for drop in retention.preview(now=now, export_to=settings.RETENTION_EXPORT_DIR) if drop.rows
            ],
            "counted": retention.COUNTED,
            "is_missing": request.method == "POST",
            "now": now,
        }
        return TemplateResponse(request, "console/retention_apply.html", page)

    @display(description="Size")
    def size(self, policy: Any) -> str:
        return filesizeformat(policy.stored.size_bytes) if policy.stored else "a view"

    @display(description="Rows ≈")
    def rows(self, policy: Any) -> str:
        return compact(policy.stored.rows) if policy.stored else _NONE

    @display(description="Chunks")
    def chunks(self, policy: Any) -> str:
        stored = policy.stored
        if stored is None or stored.chunks is None:
            return _NONE
        return f"{stored.chunks} ({stored.compressed} compressed)" if stored.compressed else str(stored.chunks)

    @display(description="Compression")
    def ratio(self, policy: Any) -> str:
        known = policy.stored and policy.stored.ratio
        return f"{known:.1f} : 1{', takes more room' if known < 1 else ''}" if known else _NONE

    @display(description="Oldest")
    def oldest(self, policy: Any) -> SafeString | str:
        return cells.age(policy.stored.oldest if policy.stored else None)

    @display(description="Kept for", ordering="drop_after")
    def kept(self, policy: RetentionPolicy) -> str:
        return span(policy.drop_after) if policy.drop_after else "ever"

    @display(description="Next drop")
    def next_drop(self, policy: Any) -> str:
        falls = next_drop(policy.stored.first_end if policy.stored else None, policy.drop_after)
        if falls is None:
            return _NONE
        return "now" if falls <= utc_now() else f"in {span(falls - utc_now())}"

    @display(description="Would go now")
    def would_go(self, policy: Any) -> str:
        drop = policy.expired
        if drop is None or not drop.rows:
            return _NONE
        return f"{drop.rows:,}{'+' if drop.rows == retention.COUNTED else ''} rows"

    @display(description="Held because")
    def held(self, policy: Any) -> str:
        return policy.expired.held if policy.expired and policy.expired.held else _NONE

    @display(description="Last run", ordering="applied_at")
    def last_run(self, policy: RetentionPolicy) -> SafeString | str:
        return cells.age(policy.applied_at)

    @display(description="What it did")
    def did(self, policy: RetentionPolicy) -> str:
        return Truncator(policy.outcome).chars(80) or _NONE
