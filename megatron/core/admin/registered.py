"""Pages of the audit log and the API keys."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from megatron.core import api_keys, clock
from megatron.core.admin.guard import Guarded, reason_of
from megatron.core.admin.pages import FactAdmin, ReasonForm
from megatron.core.admin.reading import ExactSearch
from megatron.core.choices import Scope
from megatron.core.models import ApiKey, AuditEntry

if TYPE_CHECKING:

    class _KeyForm(forms.ModelForm[ApiKey]):
        """Django's form takes a type parameter in its stubs only."""
else:
    _KeyForm = forms.ModelForm


@admin.register(AuditEntry)
class AuditEntryAdmin(FactAdmin):
    list_display = ("sequence", "at", "actor", "action", "object_kind", "object_id", "reason")
    list_filter = ("action",)
    search_fields = ("object_id", "actor", "request_id", "hash")
    search_help_text = "Exact object id, actor, request id or hash"
    ordering = ("-sequence",)


class ApiKeyForm(_KeyForm):
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "rate_per_minute", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(Guarded, ExactSearch, ModelAdmin):
    """Keys are issued here and revoked here. The full key is shown once, on the page that follows."""

    tells_itself = True
    form = ApiKeyForm
    action_form = ReasonForm
    actions = ("revoke",)
    list_display = ("name", "prefix", "scope_list", "state", "rate_per_minute", "expires_at", "last_used_at")
    search_fields = ("name", "prefix")
    search_help_text = "Exact name or prefix"
    ordering = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key is never edited: issue another one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key is never removed: revoke it."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change keys may revoke them."""
        return super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Return what is asked for a new key, or what is known of one."""
        asked = ("name", "scopes", "rate_per_minute", "expires_at")
        return (*asked, "prefix", "created_at", "last_used_at", "revoked_at") if obj else asked

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Issue the key that ``obj`` describes."""
        row, full_key = api_keys.issue(
            name=obj.name,
            scopes=obj.scopes,
            rate_per_minute=obj.rate_per_minute,
            expires_at=obj.expires_at,
            actor=request.user.get_username(),
            now=clock.utc_now(),
        )
        obj.__dict__.update(row.__dict__, full_key=full_key)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key on a page of its own: a message would put it into a cookie."""
        context = {
            **self.admin_site.each_context(request),
            "title": "API key",
            "key": obj,
            "full_key": obj.__dict__["full_key"],
        }
        return TemplateResponse(request, "admin/core/apikey/issued.html", context)

    @display(description="Scopes")
    def scope_list(self, key: ApiKey) -> str:
        """Return the scopes with commas."""
        return ", ".join(key.scopes)

    @display(description="State", label={"valid": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        """Return whether the key opens anything."""
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= clock.utc_now() else "valid"

    @action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """End the keys at once."""
        reason = reason_of(self, request)
        if not reason:
            return
        valid = keys.filter(revoked_at=None)
        for key in valid:
            api_keys.revoke(key, actor=request.user.get_username(), reason=reason, now=clock.utc_now())
        self.message_user(request, f"{len(valid)} keys revoked.", messages.SUCCESS)
