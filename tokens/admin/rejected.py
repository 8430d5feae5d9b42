"""The desk of rejected messages: why, with the bytes, and what to do about them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import BinaryField, F, Func, IntegerField, QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.utils.text import Truncator
from unfold.decorators import action, display

from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from tokens.admin import cells
from tokens.admin.payload import HEAD_BYTES, preview
from tokens.choices import RejectionStatus
from tokens.models import RejectedMessage
from tokens.services import rejections

_STATUS_TONES = {
    RejectionStatus.WAITING: "warning",
    RejectionStatus.RESOLVED: "success",
    RejectionStatus.DISCARDED: "",
    RejectionStatus.NOISE: "",
}


@admin.register(RejectedMessage)
class RejectedAdmin(FactAdmin):
    list_reads = ("detail",)
    list_display = ("reason_cell", "detail_cell", "source", "waits_for_cell", "state", "attempts", "size", "came")
    list_display_links = ("reason_cell",)
    list_filter = ("status", "reason")
    search_fields = ("=digest", "=waits_for", "=source", "=signature")
    search_help_text = "Exact digest, awaited key, source or signature"
    ordering = ("-observed_at",)
    actions = ("play_again", "discard")
    change_form_template = "console/rejected_message.html"
    fields = (
        ("reason", "status"),
        "detail",
        ("source", "waits_for"),
        "signature",
        ("observed_at", "resolved_at"),
        ("attempts", "digest"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedMessage]:
        """Leave the bytes in the database: only their number and their head are read."""
        return (
            super()
            .get_queryset(request)
            .defer("payload")
            .annotate(size_bytes=Func(F("payload"), function="octet_length", output_field=IntegerField()))
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        message = self.get_object(request, object_id)
        page: dict[str, Any] = {}
        if message is not None:
            head = Substr("payload", 1, HEAD_BYTES, output_field=BinaryField())
            start = (
                RejectedMessage.objects.filter(pk=message.pk).annotate(head=head).values_list("head", flat=True).get()
            )
            page = {
                "payload": preview(bytes(start), size_bytes=message.size_bytes),
                "is_waiting": message.status == RejectionStatus.WAITING,
                "may_act": self.has_repair_permission(request),
                "checkbox": ACTION_CHECKBOX_NAME,
            }
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})

    def has_repair_permission(self, request: HttpRequest) -> bool:
        """Tell whether this operator may play messages again or discard them."""
        return bool(request.user.has_perm("tokens.change_rejectedmessage"))

    @action(description="Play again", permissions=["repair"])
    def play_again(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> None:
        done = rejections.retry(
            messages=list(queryset.values_list("pk", flat=True)), now=utc_now(), operator=request.user.get_username()
        )
        tone = messages.SUCCESS if done.resolved else messages.WARNING
        self.message_user(
            request,
            f"Played {done.played} again: {done.resolved} resolved, {done.stored} new rows. The others still wait.",
            tone,
        )

    @action(description="Discard…", permissions=["repair"])
    def discard(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> HttpResponse | None:
        keys = list(queryset.values_list("pk", flat=True))
        reason = request.POST.get("discard_reason", "").strip()
        if not reason:
            page = {
                **self.admin_site.each_context(request),
                "title": "Discard rejected messages",
                "opts": self.opts,
                "keys": keys,
                "is_missing": "discard_reason" in request.POST,
                "checkbox": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "console/discard.html", page)
        count = rejections.discard(messages=keys, operator=request.user.get_username(), reason=reason, now=utc_now())
        self.message_user(request, f"Discarded {count}. They stay on file with your reason.", messages.SUCCESS)
        return None

    @display(description="Reason", label=True)
    def reason_cell(self, message: RejectedMessage) -> str:
        return message.reason.replace("_", " ")

    @display(description="What was wrong")
    def detail_cell(self, message: RejectedMessage) -> str:
        return Truncator(message.detail).chars(70)

    @display(description="Waits for")
    def waits_for_cell(self, message: RejectedMessage) -> str:
        return cells.key(message.waits_for)

    @display(description="Status", label=_STATUS_TONES)
    def state(self, message: RejectedMessage) -> tuple[str, str]:
        return message.status, message.get_status_display()

    @display(description="Size")
    def size(self, message: RejectedMessage) -> str:
        return filesizeformat(message.size_bytes)  # type: ignore[attr-defined]  # annotated by get_queryset

    @display(description="First came", ordering="observed_at")
    def came(self, message: RejectedMessage) -> str:
        return cells.age(message.observed_at)
