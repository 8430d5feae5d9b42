"""The two kinds of pages: facts, which are only read, and work, which an operator may retry, set aside or release."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import ActionForm
from unfold.views import ChangeList

from megatron.core import clock, queue
from megatron.core.admin.guard import Guarded, reason_of
from megatron.core.admin.reading import EstimatedPaginator, ExactSearch, ServedOrders
from megatron.core.booleans import Booleans
from megatron.core.columns import without_unshown


class ShownColumns(ChangeList):
    """A list that reads no wide column which it does not show."""

    def get_queryset(self, *args: Any, **options: Any) -> QuerySet[Any]:
        """Return the rows of the list."""
        rows = super().get_queryset(*args, **options)
        return without_unshown(rows, {*map(str, self.list_display), *self.model_admin.list_reads})


class FactAdmin(Guarded, Booleans, ServedOrders, ExactSearch, ModelAdmin):
    """Read-only pages of any table, fast on millions of rows. A subclass names its columns and its ``search_fields``, and as
    ``list_reads`` the wide columns (``token__metadata``) that its list makes others from."""

    list_reads: tuple[str, ...] = ()

    paginator = EstimatedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_disable_select_all = True
    actions: Any = None

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        """Return how the list is read."""
        return ShownColumns

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody adds a fact by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a fact."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody removes a fact."""
        return False

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Run the chosen action. An id that is none chooses nothing, and says so."""
        try:
            for chosen in request.POST.getlist(helpers.ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(chosen)
        except ValidationError:
            self.message_user(request, "No such row.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)


class ReasonForm(ActionForm):
    """The bar of actions, with the reason that the audit log keeps."""

    reason = forms.CharField(
        label="",
        required=False,
        max_length=500,
        widget=forms.TextInput(
            {"placeholder": "Why (kept in the audit log)", "aria-label": "Reason", "class": "px-2 rounded-default"}
        ),
    )


class WorkAdmin(FactAdmin):
    """Pages of a ``Work`` table. The row itself is read-only; three actions move it, each with an audit entry."""

    action_form = ReasonForm
    actions: tuple[str, ...] = ("retry", "quarantine", "release")
    list_display: tuple[str, ...] = ("__str__", "state", "due_at", "attempts", "last_error")
    list_reads = ("last_error",)
    ordering = ("due_at",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whoever may change the model may operate on its rows."""
        return super(FactAdmin, self).has_change_permission(request)

    @display(
        description="State",
        label={"waiting": "info", "working": "warning", "finished": "success", "quarantined": "danger"},
    )
    def state(self, row: Any) -> str:
        """Return the row's state as a badge."""
        return queue.state_of(row, now=clock.utc_now())

    @action(description="Retry now", permissions=["operate"])
    def retry(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Make waiting rows due at once."""
        self._operate(request, rows, queue.retry, "due now")

    @action(description="Quarantine", permissions=["operate"])
    def quarantine(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Set waiting rows aside."""
        self._operate(request, rows, queue.quarantine, "set aside")

    @action(description="Release from quarantine", permissions=["operate"])
    def release(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Let rows out of quarantine, due at once and with their attempts forgotten."""
        self._operate(request, rows, queue.release, "released")

    def _operate(self, request: HttpRequest, rows: QuerySet[Any], move: Callable[..., int], done: str) -> None:
        reason = reason_of(self, request)
        if not reason:
            return
        moved = move(rows, operator=request.user.get_username(), reason=reason, now=clock.utc_now())
        self.message_user(request, f"{moved} of {rows.count()} rows {done}.", messages.SUCCESS)
