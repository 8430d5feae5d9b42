"""Pages by cursor: exact while rows are added, and as fast on the thousandth page as on the first."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.utils.urls import replace_query_param

from megatron.core.timescale.newest import Lifetime, newest

DEFAULT_SIZE, LARGEST_SIZE = 100, 500


class CursorPagination(BasePagination):
    """Pages in the order of the view's ``ordering`` (or this class's), which must end in a unique column.

    ``"-name"`` is descending. A column that may be NULL is given as ``F("name").desc(nulls_last=True)`` (or ``asc``).
    A cursor is signed for its list and order: another one is refused. A view of the newest rows of a hypertable that knows
    when these can have been says so as its ``lifetime``.
    """

    ordering: Sequence[str | OrderBy] = ()
    _next: str | None = None

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any]:
        """Return one page of ``queryset``. Raises ``ValidationError`` for a cursor or a page size that cannot be."""
        assert isinstance(queryset, QuerySet), "Only the database can be read page by page."
        keys = [_Key(part) for part in getattr(view, "ordering", None) or self.ordering]
        size, at = _page_size(request), None
        lifetime: Lifetime | None = getattr(view, "lifetime", None)
        signer = Signer(salt=":".join(["cursor", queryset.model._meta.label, *(key.text for key in keys)]))
        rows = queryset.order_by(*(key.order for key in keys))
        if cursor := request.query_params.get("cursor"):
            try:
                values = signer.unsign_object(cursor, serializer=_Json)
            except (BadSignature, ValueError) as error:
                raise ValidationError(
                    {"cursor": "Not a cursor of this list and order: start again without one."}
                ) from error
            rows = rows.filter(_after(keys, values))
            at = datetime.fromisoformat(values[0]) if lifetime is not None else None
        page = list(rows[: size + 1]) if lifetime is None else newest(rows, limit=size + 1, lifetime=lifetime, at=at)
        if len(page) > size:
            page = page[:size]
            last = signer.sign_object([key.value_of(page[-1]) for key in keys], serializer=_Json)
            self._next = replace_query_param(request.build_absolute_uri(), "cursor", last)
        return page

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the address of the next one, null on the last."""
        return Response({"next": self._next, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return what a page looks like."""
        address = {
            "type": "string",
            "format": "uri",
            "nullable": True,
            "description": "The next page; null on the last",
        }
        return {"type": "object", "required": ["next", "results"], "properties": {"next": address, "results": schema}}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the query parameters of a list."""
        size = {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE}
        return [
            {"name": "cursor", "in": "query", "description": "From the page before", "schema": {"type": "string"}},
            {"name": "page_size", "in": "query", "description": "Rows a page", "schema": size},
        ]


class _Json:
    """JSON for the signer, with times, UUIDs and Decimals as text."""

    def dumps(self, values: Any) -> bytes:
        return json.dumps(values, cls=_Encoder, separators=(",", ":")).encode()

    def loads(self, text: bytes) -> Any:
        return json.loads(text)


class _Encoder(JSONEncoder):
    def default(self, obj: Any) -> Any:
        # DRF's own encoder cuts times to milliseconds, which would repeat or skip rows.
        return obj.isoformat() if hasattr(obj, "isoformat") else super().default(obj)


class _Key:
    """One column of the order."""

    def __init__(self, part: str | OrderBy) -> None:
        if isinstance(part, str):
            named = F(part.lstrip("-"))
            part = named.desc() if part.startswith("-") else named.asc()
        self.order: OrderBy = part
        assert isinstance(part.expression, F), "A page is ordered by columns."
        self.name: str = part.expression.name  # type: ignore[attr-defined]  # the stubs lack it
        self.descending: bool = part.descending
        self.nulls_last = bool(part.nulls_last)
        self.text = f"{'-' if self.descending else ''}{self.name}"

    def value_of(self, row: Model | dict[str, Any]) -> Any:
        value: Any = row
        for name in self.name.split("__"):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        return value

    def same(self, value: Any) -> Q:
        return Q(**{f"{self.name}__isnull": True}) if value is None else Q(**{self.name: value})

    def beyond(self, value: Any, *, or_same: bool = False) -> Q | None:
        """Return the condition of the rows after ``value``, or ``None`` when there are none: NULLs come last."""
        if value is None:
            return self.same(value) if or_same else None
        later = Q(**{f"{self.name}__{'lt' if self.descending else 'gt'}{'e' if or_same else ''}": value})
        return later | Q(**{f"{self.name}__isnull": True}) if self.nulls_last else later


def _after(keys: Sequence[_Key], values: Sequence[Any]) -> Q:
    """Return the condition of the rows that come after ``values``: ``(a, b) < (x, y)`` spelt out, as directions may
    differ."""
    anywhere, before = Q(pk__in=[]), Q()
    for key, value in zip(keys, values, strict=True):
        beyond = key.beyond(value)
        if beyond is not None:
            anywhere |= before & beyond
        before &= key.same(value)
    # Says no more than the rest does, but lets an index begin at the right place.
    start = keys[0].beyond(values[0], or_same=True) or Q()
    return start & anywhere


def _page_size(request: Request) -> int:
    asked = request.query_params.get("page_size")
    if asked is None:
        return DEFAULT_SIZE
    if not (asked.isascii() and asked.isdigit() and len(asked) < 5 and 1 <= int(asked) <= LARGEST_SIZE):
        raise ValidationError({"page_size": f"Must be a number from 1 to {LARGEST_SIZE}."})
    return int(asked)
