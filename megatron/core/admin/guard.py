"""What every page of the console keeps to: who may act, and that each act is in the audit log."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest

from megatron.core import audit, clock


class Guarded:
    """An admin whose actions need the permission to change, or the one that they name, and whose forms and deletions
    leave an entry each in the audit log, in the transaction of what they do. It stands before ``ModelAdmin``.

    What an action does it tells the audit log itself.
    """

    model: Any
    tells_itself = False
    """Whether what its form calls tells the audit log itself."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return what this operator may do. An action that names no permission, as those of other packages, needs the one
        to change; one that names only the permission to view too."""
        found = super().get_actions(request)  # type: ignore[misc]  # of ModelAdmin, beside which it stands
        may_change = self.has_change_permission(request)  # type: ignore[attr-defined]  # of ModelAdmin too
        return {name: entry for name, entry in found.items() if may_change or needed(entry[0])}

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Tell the audit log of a new row."""
        self._record(request, "add", [obj], message)
        return super().log_addition(request, obj, message)  # type: ignore[misc]  # as above

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Tell the audit log of a change: which fields, and what they hold now."""
        self._record(request, "change", [obj], message)
        return super().log_change(request, obj, message)  # type: ignore[misc]  # as above

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Remove a row and tell the audit log."""
        self._record(request, "delete", [obj], None)
        super().delete_model(request, obj)  # type: ignore[misc]  # as above

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Remove the chosen rows and tell the audit log, both or neither."""
        with transaction.atomic():
            self._record(request, "delete", queryset, None)
            super().delete_queryset(request, queryset)  # type: ignore[misc]  # as above

    def _record(self, request: HttpRequest, what: str, rows: Iterable[Any], message: Any) -> None:
        for row in () if self.tells_itself else rows:
            changed = {name for part in message or () for name in _fields(part)}
            audit.record(
                actor=request.user.get_username(),
                action=f"console.{what}",
                kind=row._meta.label_lower,
                key=row.pk,
                after={"named": str(row)[:200], **({"fields": sorted(changed)} if changed else {})},
                now=clock.utc_now(),
            )


def needed(action: Any) -> list[str]:
    """Return the permissions of which any allows ``action``, without the one to look."""
    return [name for name in getattr(action, "allowed_permissions", ()) if name != "view"]


def reason_of(page: Any, request: HttpRequest) -> str:
    """Return why an operator does it; when he does not say so, tell him and return nothing."""
    reason = str(request.POST.get("reason", "")).strip()[:500]
    if not reason:
        page.message_user(request, "Say why in the field beside the action: the audit log keeps it.", messages.ERROR)
    return reason


def _fields(part: Any) -> list[str]:
    """Return the fields that one part of Django's message of a change names."""
    return [str(name) for told in part.values() for name in told.get("fields", ())] if isinstance(part, dict) else []
