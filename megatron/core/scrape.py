"""The address ``/metrics``: our numbers and those of Django, for whoever may see them."""

import os
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from megatron.core import api_keys, clock, readings
from megatron.core.access import KEYWORD
from megatron.core.choices import Scope
from megatron.core.visitors import is_this_machine

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")


@require_safe
@never_cache
def view(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics, for METRICS_TOKEN and for a key with the scope ``metrics``. Where there is no METRICS_TOKEN
    and no proxy, a caller on this machine needs neither."""
    if not _may_read(request):
        told = "This needs METRICS_TOKEN or an API key with the scope metrics.\n"
        return HttpResponse(told, status=401, content_type="text/plain")
    # Registered nowhere: describing itself to a registry, it would ask the database at every start.
    read = CollectorRegistry(auto_describe=False)
    read.register(readings.READINGS)
    return HttpResponse(generate_latest(_counted()) + generate_latest(read), content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    """Return what processes count: the sum of those that share PROMETHEUS_MULTIPROC_DIR, else this one's."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the package types it not
    return shared


def _may_read(request: HttpRequest) -> bool:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == KEYWORD.lower():
        key = api_keys.find_valid(presented.strip(), now=clock.utc_now())
        return key is not None and Scope.METRICS in key.scopes
    if scheme.lower() == "bearer" and settings.METRICS_TOKEN:
        return secrets.compare_digest(presented.strip().encode(), settings.METRICS_TOKEN.encode())
    # Behind a proxy on this machine every caller seems to be local, and not every proxy says that it forwards.
    behind_proxy = settings.HTTPS or settings.TRUSTED_PROXIES or any(name in request.headers for name in _FORWARDED)
    return not settings.METRICS_TOKEN and not behind_proxy and is_this_machine(request)
