"""Errors as RFC 9457 problems, wherever in a request they happen, with nothing in them that is not the caller's
business.

``type`` names the kind of problem and never changes; ``detail`` is for people; ``request_id`` finds our log lines.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:megatron:problem:"

logger = structlog.get_logger(__name__)


class Conflict(exceptions.APIException):
    """What is asked does not fit the present state."""

    status_code = HTTPStatus.CONFLICT
    default_detail = "This does not fit the present state."
    default_code = "conflict"


class Unprocessable(exceptions.APIException):
    """The request is well formed and still cannot be done."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_detail = "This request cannot be done."
    default_code = "unprocessable"


def problem(
    status: int, *, code: str, detail: str = "", path: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """Return the members of a problem. ``errors`` lists what is wrong with single fields: field, code, detail."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code.replace("_", "-"),
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": path,
        "request_id": request_id(),
    }
    return body | ({"errors": errors} if errors else {})


def request_id() -> str:
    """Return the id of the request in hand, empty outside one."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the problem for whatever a view raised. An error that nobody foresaw is logged in full and told as its
    id."""
    request = context.get("request")
    path = request.path if request is not None else ""
    if request is not None:
        # Whatever the view would have rendered (a page, YAML), a problem is JSON.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), CONTENT_TYPE
    known = _known(error)
    set_rollback()
    if known is None:
        logger.error("request.failed", path=path, exc_info=error)
        return _respond(problem(500, code="internal", detail=_OPAQUE, path=path))
    headers: dict[str, str] = {}
    if asked := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = str(asked)
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = str(int(wait))
    code, detail, errors = _words(known)
    return _respond(problem(known.status_code, code=code, detail=detail, path=path, errors=errors), headers)


_OPAQUE = "Something went wrong here. The request id finds it in the log."


def _known(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return _TooLarge()
        case OperationalError() | InterfaceError():
            logger.error("request.database_failed", exc_info=error)  # one line a minute where it is away
            return _Unavailable()
    return None


class _TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "too_large"


class _Unavailable(exceptions.APIException):
    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The database does not answer. Try again later."
    default_code = "unavailable"
    wait = 5


def _words(error: exceptions.APIException) -> tuple[str, str, list[dict[str, str]] | None]:
    if isinstance(error, exceptions.ValidationError):
        listed = list(_flatten(error.get_full_details(), ""))
        return (
            "invalid",
            "; ".join(f"{it['field']}: {it['detail']}" if it["field"] else it["detail"] for it in listed),
            listed,
        )
    codes = error.get_codes()
    return (codes if isinstance(codes, str) else error.default_code), str(error.detail), None


def _flatten(details: Any, field: str) -> Iterator[dict[str, str]]:
    """Yield one entry a wrong field; nested fields are named with dots."""
    if isinstance(details, list):
        for place, item in enumerate(details):
            leaf = isinstance(item, dict) and set(item) == {"message", "code"}
            yield from _flatten(item, field if leaf else f"{field}.{place}".lstrip("."))
    elif set(details) == {"message", "code"} and not isinstance(details["message"], (dict, list)):
        yield {"field": field, "code": str(details["code"]), "detail": str(details["message"])}
    else:
        for name, item in details.items():
            yield from _flatten(item, field if name == "non_field_errors" else f"{field}.{name}".lstrip("."))


def _respond(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status=body["status"], headers=dict(headers or {}), content_type=CONTENT_TYPE)


def reply(request: HttpRequest, status: int, *, code: str, detail: str = "") -> HttpResponse:
    """Return a problem from outside DRF: an address that does not exist, a broken middleware."""
    body = problem(status, code=code, detail=detail, path=request.path)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refused before any view saw it."""
    return reply(request, 400, code="bad_request", detail="The request cannot be read.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django forbade before any view saw it."""
    return reply(request, 403, code="permission_denied", detail="This is not allowed.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that does not exist."""
    return reply(request, 404, code="not_found", detail="There is nothing at this address.")


def unavailable(request: HttpRequest) -> HttpResponse:
    """Answer while the database is away, when no view could."""
    response = reply(request, 503, code=_Unavailable.default_code, detail=_Unavailable.default_detail)
    response.headers["Retry-After"] = str(_Unavailable.wait)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for what nobody foresaw; Django has logged it."""
    return reply(request, 500, code="internal", detail=_OPAQUE)
