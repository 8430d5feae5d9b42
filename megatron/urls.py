"""Addresses: the console, the API, health and metrics."""

import sys

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views import defaults
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from megatron.core import away, health, outage, scrape
from megatron.core.admin.others import change_own_password
from megatron.core.api import problems
from megatron.core.logins import few_at_once


def no_view_on_site(_request: HttpRequest) -> HttpResponse:
    """Answer 404 in place of Django's address for "view on site"."""
    raise Http404


def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead to the console's icon."""
    return HttpResponseRedirect(static("console/favicon.svg"))


urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # Two stretches of any length side by side: a long path would be split at each place. The console has no such page.
    re_path(r"^console/r/", no_view_on_site, name="no_view_on_site"),
    path("console/password_change/", admin.site.admin_view(change_own_password, cacheable=True)),
    path(
        "console/login/", few_at_once(away.needs_database(admin.site.login))
    ),  # before the console's own way to the same form
    path("console/", admin.site.urls),
    path("api/v1/", include("megatron.core.api.index")),
    path("api/v1/", include("tokens.api.urls")),
    path("api/v1/", include("holders.api.urls")),
    path("api/v1/", include("scoring.api.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/docs/", RedirectView.as_view(pattern_name="docs")),
    path("api/", RedirectView.as_view(pattern_name="docs")),
    path("favicon.ico", favicon),  # browsers ask for it beside pages that name none, as problems and JSON
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("metrics", scrape.view, name="metrics"),
]


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refused: as a problem below /api/, as a page elsewhere."""
    return (problems.bad_request if _for_programs(request) else defaults.bad_request)(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django forbade."""
    return (problems.forbidden if _for_programs(request) else defaults.permission_denied)(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that does not exist."""
    return (problems.not_found if _for_programs(request) else defaults.page_not_found)(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer for what nobody foresaw, or while the database is away: 503 then, wherever in the request it was noticed."""
    if outage.is_away(sys.exc_info()[1]):
        return (problems.unavailable if _for_programs(request) else away.page)(request)
    return (problems.server_error if _for_programs(request) else defaults.server_error)(request)


def _for_programs(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
