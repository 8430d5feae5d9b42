"""ETags for reads that are worth caching."""

import hashlib
from collections.abc import Callable

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response


def etag(*parts: object) -> str:
    """Return the weak entity tag of what ``parts`` identify: a version of a row, say, and the query that was asked."""
    return 'W/"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:32] + '"'


def conditional(request: Request, tag: str, build: Callable[[], Response]) -> HttpResponseBase:
    """Return 304 when the caller already has the version ``tag``, else the reply of ``build`` with that tag.

    ``build`` is not called for a 304. Caches must ask again each time, and keep nothing for others.
    """
    unchanged = get_conditional_response(request._request, etag=tag)
    response = unchanged if unchanged is not None and unchanged.status_code == 304 else build()
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response
