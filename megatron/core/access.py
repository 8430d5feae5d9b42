"""Who calls, and what he may do: programs by API key, operators by their session in the browser."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from megatron.core import api_keys, clock
from megatron.core.choices import Scope
from megatron.core.models import ApiKey

# DRF's own modules load these classes by our settings, so nothing here may import ``rest_framework.views``.

KEYWORD = "Api-Key"


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """``Authorization: Api-Key mgt_…``. The request's ``auth`` is then the key's row; its ``user`` stays anonymous."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        """Return the caller, or ``None`` when the header names another scheme. Raises ``AuthenticationFailed``."""
        scheme, _, presented = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != KEYWORD.lower():
            return None
        now = clock.utc_now()
        key = api_keys.find_valid(presented.strip(), now=now)
        if key is None:
            raise exceptions.AuthenticationFailed("The API key is unknown, revoked or expired.")
        api_keys.note_use(key, now=now)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 asks for."""
        return f'{KEYWORD} realm="api"'


class OperatorSession(authentication.SessionAuthentication):
    """The session of an operator who is signed in to the console. Writes need the CSRF token."""


def HasScope(scope: Scope) -> type[permissions.BasePermission]:  # noqa: N802  # reads as the class that it returns
    """Return the permission of callers with ``scope``: keys that have it, and operators.

    With ``API_ANONYMOUS_READ`` anybody may do what only needs ``Scope.READ``, on this machine and elsewhere alike.
    """

    class ScopeRequired(permissions.BasePermission):
        message = f"This needs an API key with the scope {scope.value!r}."

        def has_permission(self, request: Request, view: Any) -> bool:
            if isinstance(request.auth, ApiKey):
                return scope.value in request.auth.scopes
            if request.user.is_active and request.user.is_staff:
                return True
            anonymous = not request.user.is_authenticated
            return (
                anonymous
                and scope is Scope.READ
                and settings.API_ANONYMOUS_READ
                and request.method in permissions.SAFE_METHODS
            )

    return ScopeRequired


CanRead = HasScope(Scope.READ)
"""The permission of every view that does not say otherwise."""


def caller_of(request: Request) -> str:
    """Return who calls, for logs, limits and the audit log: ``key:<prefix>``, ``operator:<name>`` or ``anonymous``."""
    if isinstance(request.auth, ApiKey):
        return f"key:{request.auth.prefix}"
    return f"operator:{request.user.get_username()}" if request.user.is_authenticated else "anonymous"
