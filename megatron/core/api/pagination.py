"""Pages by cursor: exact while rows are added, and as fast on the thousandth page as on the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as NotOfTheColumn
from django.core.signing import BadSignature, Signer
from django.db.models import F, Field, Q, QuerySet
from django.db.models.expressions import Col, OrderBy
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from megatron.core.api.columns import shown_by
from megatron.core.columns import without_unshown
from megatron.core.timescale.newest import Lifetime, newest

DEFAULT_SIZE, LARGEST_SIZE = 100, 500

_FORM = "cursor:2"
"""Names how values are written. A cursor of another form is refused, so that no value is read as what it is not."""


class CursorPagination(BasePagination):
    """Pages in the order of the view's ``ordering`` (or this class's): names of columns, ``"-name"`` descending, or
    ``F("name").desc(nulls_last=True)``.

    Rows that are the same in all of them are told apart by the primary key, and NULLs stand where the order says, else
    where PostgreSQL has them (above every value). Rows without a value in the view's ``known`` column, if it names one,
    are left out. A cursor holds the values of the last row exactly and is signed for its address and order: another one
    is refused. No wide column is read that the view's serializer does not show. A view of the newest rows of a
    hypertable that knows when these can have been says so as its ``lifetime``.
    """

    ordering: Sequence[str | OrderBy] = ()
    _next: str | None = None

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any]:
        """Return one page of ``queryset``. Raises ``ValidationError`` for a cursor or a page size that cannot be."""
        assert isinstance(queryset, QuerySet), "Only the database can be read page by page."
        known = getattr(view, "known", None)
        if known:
            queryset = queryset.filter(**{f"{known}__isnull": False})
        serializer = getattr(view, "serializer_class", None)
        if serializer is not None:
            queryset = without_unshown(queryset, shown_by(serializer))
        keys = _keys(queryset, getattr(view, "ordering", None) or self.ordering, known)
        size, at = _page_size(request), None
        lifetime: Lifetime | None = getattr(view, "lifetime", None)
        signer = Signer(salt=" ".join([_FORM, request.path_info, *(key.text for key in keys)]))
        rows = queryset.order_by(*(key.order for key in keys))
        if cursor := request.query_params.get("cursor"):
            values = _values(signer, keys, cursor)
            rows, at = rows.filter(_after(keys, values)), values[0] if lifetime is not None else None
        page = list(rows[: size + 1]) if lifetime is None else newest(rows, limit=size + 1, lifetime=lifetime, at=at)
        if len(page) > size:
            page = page[:size]
            last = signer.sign_object([key.written(page[-1]) for key in keys])
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


@dataclass(frozen=True, slots=True)
class _Key:
    """One column of the order."""

    name: str
    path: Sequence[str]
    """The attributes that lead from a row to its value; of a foreign key the key alone."""
    field: "Field[Any, Any]"
    order: OrderBy
    nullable: bool

    @property
    def text(self) -> str:
        return f"{'-' if self.order.descending else ''}{self.name}{' nulls first' if self.nullable and self.nulls_first else ''}"

    @property
    def nulls_first(self) -> bool:
        """Return whether NULLs come before the values; PostgreSQL takes them for the highest unless the order says."""
        return bool(self.order.nulls_first or (self.order.descending and not self.order.nulls_last))

    def written(self, row: Any) -> str | int | bool | None:
        """Return the value of ``row`` as JSON can hold it: exactly."""
        value = row
        for name in self.path:
            value = getattr(value, name)
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, datetime | date):
            return value.isoformat()
        assert isinstance(value, Decimal | UUID), f"{self.name}: a cursor cannot hold {type(value).__name__}."
        return str(value)

    def read(self, written: Any) -> Any:
        """Return the value that :meth:`written` wrote. Raises ``ValueError`` or ``NotOfTheColumn`` if it did not."""
        if written is None and not self.nullable:
            raise ValueError(self.name)
        is_flag = self.field.get_internal_type() == "BooleanField"
        if not isinstance(written, bool if is_flag else int | str | None) and written is not None:
            raise ValueError(self.name)
        if isinstance(written, str) and "\0" in written:  # PostgreSQL has none
            raise ValueError(self.name)
        return self.field.to_python(written)

    def same(self, value: Any) -> Q:
        return Q(**{f"{self.name}__isnull": True}) if value is None else Q(**{self.name: value})

    def beyond(self, value: Any, *, or_same: bool = False) -> Q | None:
        """Return the condition of the rows after ``value``, or ``None`` when there can be none."""
        if value is None:
            if self.nulls_first:
                return Q() if or_same else Q(**{f"{self.name}__isnull": False})
            return self.same(None) if or_same else None
        later = Q(**{f"{self.name}__{'lt' if self.order.descending else 'gt'}{'e' if or_same else ''}": value})
        return later | self.same(None) if self.nullable and not self.nulls_first else later


def _keys(queryset: QuerySet[Any], ordering: Sequence[str | OrderBy], known: str | None) -> list[_Key]:
    """Return the columns of the order, the last of them unique: two rows never share a place."""
    keys, unique, query = [], False, queryset.query.clone()
    here, meta = query.get_initial_alias(), queryset.model._meta
    once = {names[0] for rule in meta.total_unique_constraints if len(names := rule.fields) == 1}
    for part in ordering:
        order = part
        if isinstance(order, str):
            named = F(order.lstrip("-"))
            order = named.desc() if order.startswith("-") else named.asc()
        assert isinstance(order.expression, F), "A page is ordered by columns."
        name: str = order.expression.name  # type: ignore[attr-defined]  # the stubs lack it
        found, path, nullable = order.expression.resolve_expression(query), name.split("__"), True
        if isinstance(found, Col) and name not in query.annotations:
            path[-1] = found.target.attname
            # A column of another table may be NULL and repeat, whatever its own table says.
            if found.alias == here:
                nullable = found.target.null
                unique = unique or ((found.target.unique or found.target.name in once) and not nullable)
        keys.append(_Key(name, path, found.output_field, order, nullable and name != known))
    if not unique:
        last = F("pk").desc() if keys and keys[-1].order.descending else F("pk").asc()
        keys.append(_Key("pk", ["pk"], meta.pk, last, nullable=False))
    return keys


def _values(signer: Signer, keys: Sequence[_Key], cursor: str) -> list[Any]:
    """Return the values that a cursor holds. Raises ``ValidationError`` if we did not make it for this address and order."""
    try:
        written = signer.unsign_object(cursor)
        return [key.read(value) for key, value in zip(keys, written, strict=True)]
    except (BadSignature, NotOfTheColumn, ValueError, TypeError) as error:
        raise ValidationError({"cursor": "Not a cursor of this list and order: start again without one."}) from error


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
