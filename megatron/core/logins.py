"""Signing in to the console, slowed down for those who guess.

Five failures of one account from one address, or thirty from one address, close the door to that address for a quarter
of an hour; nobody can lock an account for others. The failures are counted in the audit log, so no restart forgets
them, and Redis has no part in it: without it the door is neither open nor shut. Attempts from one address are made one
after the other, each in one transaction with its entry, so that no two of them are counted as one. Trying a password is
dear on purpose, so a process tries few at the same time, and guesses do not take the pages of everybody else.
"""

import hashlib
import hmac
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from megatron.core import audit, clock, locks
from megatron.core.models import AuditEntry
from megatron.core.visitors import address_of

WINDOW = timedelta(minutes=15)
OF_AN_ACCOUNT, OF_AN_ADDRESS = 5, 30
AT_ONCE = 2
"""Passwords that a process tries at the same time, of its four threads. Who comes then is asked to come again."""
_trying = threading.BoundedSemaphore(AT_ONCE)


def few_at_once(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Have a view that tries passwords answer 429 at once while :data:`AT_ONCE` are tried: it waits for nobody."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        if not _trying.acquire(blocking=False):
            told = "Others are signing in at this moment. Go back and try again in a few seconds."
            busy = HttpResponse(told, status=HTTPStatus.TOO_MANY_REQUESTS, content_type="text/plain; charset=utf-8")
            busy.headers["Retry-After"] = "2"
            return busy
        try:
            return view(request, *args, **kwargs)
        finally:
            _trying.release()

    return wrapped


class GuardedBackend(ModelBackend):
    """Django's accounts, behind the count of failures. A right password is in the audit log as a wrong one is."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the user, or ``None`` for a wrong password. Raises ``PermissionDenied`` while the door is closed."""
        if request is None or not username:
            return super().authenticate(request, username, password, **kwargs)
        now, address, account = clock.utc_now(), address_of(request), _account(username)
        with transaction.atomic():
            locks.hold_until_commit("login.attempt", of=address)
            if is_closed(account=account, address=address, now=now):
                raise PermissionDenied
            user = super().authenticate(request, username, password, **kwargs)
            action = "login.failed" if user is None else "login.succeeded"
            audit.record(actor=account, action=action, kind="address", key=address, now=now)
        return user


def is_closed(*, account: str, address: str, now: datetime) -> bool:
    """Return whether ``address`` has failed too often, for ``account`` or at all."""
    recent = AuditEntry.objects.filter(
        object_kind="address", object_id=address, action="login.failed", at__gt=now - WINDOW
    )
    actors = list(recent.order_by("-at").values_list("actor", flat=True)[:OF_AN_ADDRESS])
    return len(actors) >= OF_AN_ADDRESS or actors.count(account) >= OF_AN_ACCOUNT


def _account(username: str) -> str:
    """Return how the log names an account: by its name when there is one, else by a digest of what was typed, which
    may be a password in the wrong field."""
    if get_user_model()._default_manager.filter(username=username).exists():
        return username
    digest = hmac.new(settings.SECRET_KEY.encode(), username.encode("utf-8", "replace"), hashlib.sha256)
    return f"unknown:{digest.hexdigest()[:16]}"
