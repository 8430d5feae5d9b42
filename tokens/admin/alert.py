"""What is wrong: alerts, open ones first, to be acknowledged."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from unfold.decorators import action, display

from megatron.core.admin import FactAdmin
from megatron.core.admin.pages import ReasonForm
from megatron.core.clock import utc_now
from tokens.admin import cells
from tokens.choices import AlertSeverity
from tokens.models import OperatorAlert
from tokens.services import alerts

_SEVERITIES = {AlertSeverity.INFO: "info", AlertSeverity.WARNING: "warning", AlertSeverity.CRITICAL: "danger"}
_STATES = {"Open": "danger", "Acknowledged": "warning", "Over": "success"}


class StateFilter(admin.SimpleListFilter):
    """Open alerts unless something else is asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("calling", "Open, nobody knows"), ("over", "Over"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Name the default for what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield {**choice, "display": "Open"} if number == 0 else choice

    def queryset(self, request: HttpRequest, queryset: QuerySet[OperatorAlert]) -> QuerySet[OperatorAlert]:
        if self.value() == "all":
            return queryset
        if self.value() == "over":
            return queryset.filter(resolved_at__isnull=False)
        found = queryset.filter(resolved_at=None)
        return found.filter(acknowledged_at=None) if self.value() == "calling" else found


@admin.register(OperatorAlert)
class AlertAdmin(FactAdmin):
    list_reads = ("message",)
    list_display = ("severity_cell", "kind_cell", "message_cell", "state", "times", "first_seen", "last_seen")
    list_display_links = ("kind_cell",)
    list_filter = (StateFilter, "severity", "kind")
    search_fields = ("=subject",)
    search_help_text = "Exact subject"
    ordering = ("-last_seen_at",)
    action_form = ReasonForm
    actions = ("acknowledge",)
    fields = (
        ("kind", "severity"),
        "subject",
        "message",
        "detail",
        ("first_seen_at", "last_seen_at", "occurrences"),
        ("acknowledged_at", "acknowledged_by"),
        "resolved_at",
    )

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        """Tell whether this operator may acknowledge alerts."""
        return bool(request.user.has_perm("tokens.change_operatoralert"))

    @action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[OperatorAlert]) -> None:
        count = alerts.acknowledge(
            alerts=queryset,
            operator=request.user.get_username(),
            reason=str(request.POST.get("reason", "")).strip(),
            now=utc_now(),
        )
        self.message_user(
            request,
            f"Acknowledged {count}. They stay quiet until they are worse, and open until it is over."
            if count
            else "None of these waited to be acknowledged.",
            messages.SUCCESS if count else messages.WARNING,
        )

    @display(description="Severity", label=_SEVERITIES)
    def severity_cell(self, alert: OperatorAlert) -> tuple[str, str]:
        return alert.severity, alert.get_severity_display()

    @display(description="Kind")
    def kind_cell(self, alert: OperatorAlert) -> str:
        return alert.get_kind_display()

    @display(description="What happened")
    def message_cell(self, alert: OperatorAlert) -> str:
        return Truncator(alert.message).chars(160)

    @display(description="State", label=_STATES)
    def state(self, alert: OperatorAlert) -> str:
        if alert.resolved_at is not None:
            return "Over"
        return "Acknowledged" if alert.acknowledged_at is not None else "Open"

    @display(description="Times", ordering="occurrences")
    def times(self, alert: OperatorAlert) -> str:
        return f"{alert.occurrences:,}"

    @display(description="First seen", ordering="first_seen_at")
    def first_seen(self, alert: OperatorAlert) -> str:
        return cells.age(alert.first_seen_at)

    @display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, alert: OperatorAlert) -> str:
        return cells.age(alert.last_seen_at)
