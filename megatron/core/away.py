"""The page that people get while the database does not answer."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from megatron.core.api.problems import request_id

AGAIN_SECONDS = 10
"""The page asks again after so long."""


def page(_request: HttpRequest) -> HttpResponse:
    """Return the page that stands without the database and refreshes itself, with status 503."""
    text = render_to_string("console/away.html", {"seconds": AGAIN_SECONDS, "request_id": request_id()})
    response = HttpResponse(text, status=HTTPStatus.SERVICE_UNAVAILABLE)
    response.headers["Retry-After"] = str(AGAIN_SECONDS)
    response.headers["Cache-Control"] = "no-store"
    return response


def needs_database(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Have a view that could show a form without the database, and do nothing with it, fail as all others do."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with connection.cursor():  # asks a kept connection whether it still lives
            pass
        return view(request, *args, **kwargs)

    return wrapped
