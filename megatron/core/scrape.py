"""The address ``/metrics``: our numbers and those of Django, for whoever may see them."""

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from megatron.core import api_keys, clock
from megatron.core.access import KEYWORD
from megatron.core.choices import Scope


@require_safe
@never_cache
def view(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics, for a key with the scope ``metrics``, for METRICS_TOKEN, and for a caller on this
    machine."""
    if not _may_read(request):
        return HttpResponse("This needs an API key with the scope metrics.\n", status=401, content_type="text/plain")
    response: HttpResponse = ExportToDjangoView(request)
    return response


def _may_read(request: HttpRequest) -> bool:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == KEYWORD.lower():
        key = api_keys.find_valid(presented.strip(), now=clock.utc_now())
        return key is not None and Scope.METRICS in key.scopes
    if scheme.lower() == "bearer" and settings.METRICS_TOKEN:
        return secrets.compare_digest(presented.strip().encode(), settings.METRICS_TOKEN.encode())
    # Behind a proxy on this machine every caller seems to be local, so a forwarded request is not.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not forwarded
