"""How a list on millions of rows stays fast: no exact counts, and search by exact key only."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, Index, Model, Q, QuerySet, UniqueConstraint
from django.db.models.expressions import OrderBy
from django.http import HttpRequest

from megatron.core import ids
from megatron.core.estimates import estimated_rows
from megatron.core.timescale.fields import HypertableTimeField

if TYPE_CHECKING:

    class _Paginator(Paginator[Any]):
        """Django's paginator takes a type parameter in its stubs only."""
else:
    _Paginator = Paginator

_Row = TypeVar("_Row", bound=Model)

FEW = 10_000
"""Up to so many rows a count is exact."""


class BoundedPaginator(_Paginator):
    """A paginator that counts to 10,001 and no further, and leads to the pages of the first 10,001 rows.

    To find a page is to read all before it. What lies deeper is found by its key, or from the other end: an order that is
    offered is offered both ways.
    """

    @cached_property
    def num_pages(self) -> int:
        return min(super().num_pages, -(-(FEW + 1) // self.per_page))

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        # Neither the order nor the joins that only fetch change how many there are.
        return rows.order_by().select_related(None)[: FEW + 1].count()


class EstimatedPaginator(BoundedPaginator):
    """A :class:`BoundedPaginator` that asks the planner's statistics how many rows an unfiltered table has.

    The chunks of a hypertable are counted in. A table with less than 10,000 rows by them is counted after all.
    """

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        if not rows.query.where and not rows.query.is_sliced and not rows.query.distinct and not rows.query.combinator:
            estimate = estimated_rows(rows.model)
            if estimate > FEW:
                return estimate
        return super().count


def served(model: type[Model]) -> frozenset[str]:
    """Return the columns by which all rows of ``model`` can be ordered off an index: those that an index or a key begins with."""
    firsts = {model._meta.pk.name, "pk"}
    firsts |= {field.name for field in model._meta.concrete_fields if field.unique or getattr(field, "db_index", False)}
    for field in model._meta.concrete_fields:
        if isinstance(field, HypertableTimeField) and field.key[0] != model._meta.pk.name:
            # Django's key has no index there.
            firsts = (firsts - {model._meta.pk.name, "pk"}) | {model._meta.get_field(field.key[0]).name}
    for index in model._meta.indexes:
        if type(index) is Index and index.condition is None:
            firsts.add(_column(index.expressions[0]) if index.expressions else index.fields[0].lstrip("-"))
    for rule in model._meta.constraints:
        if isinstance(rule, UniqueConstraint) and rule.condition is None and rule.fields:
            firsts.add(rule.fields[0])
    return frozenset(firsts)


def _column(term: Any) -> str:
    """Return the column of a term of an order: a name, ``F`` or either way of it."""
    if isinstance(term, OrderBy):
        term = term.expression
    return str(getattr(term, "name", term)).lstrip("-")


class ServedOrders:
    """Offers only the orders that an index serves: by any other a list sorts the whole table for its first page."""

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """Return the names of the list's columns that it can be ordered by."""
        admin: Any = self
        return [name for name in admin.get_list_display(request) if self._order_of(name) in served(admin.model)]

    def _order_of(self, name: Any) -> str | None:
        """Return the column by which a column of the list, a name or a function, is ordered."""
        admin: Any = self
        if any(field.name == name for field in admin.model._meta.concrete_fields):
            return str(name)
        shown = name if callable(name) else getattr(admin, name, None)
        order = getattr(shown, "admin_order_field", None)
        return None if order is None else _column(order)


class ExactSearch:
    """Search by exact value in ``search_fields`` (a leading ``=`` changes nothing), so that an index answers.

    A field of a related row is looked up first and becomes a condition on the foreign key: an OR across two tables
    could use no index.
    """

    search_fields: tuple[str, ...] = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows of which any search field equals ``search_term``; all rows for an empty one."""
        term = search_term.strip()
        if not term or not self.search_fields:
            return queryset, False
        fitting = Q()
        for name in self.search_fields:
            fitting |= _equals(queryset.model, name.lstrip("=^@"), term)
        return (queryset.filter(fitting) if fitting else queryset.none()), False


def _equals(model: type[Model], name: str, term: str) -> Q:
    """Return the condition that the field ``name`` of ``model`` equals ``term``; an empty one when it cannot."""
    first, _, rest = name.partition("__")
    field = model._meta.get_field(first)
    if rest and field.related_model is not None:
        related: Any = field.related_model
        fitting = _equals(related, rest, term)
        keys = list(related._default_manager.filter(fitting).values_list("pk", flat=True)[: FEW + 1]) if fitting else []
        return Q(**{f"{first}__in": keys}) if keys else Q()
    if not isinstance(field, Field) or "\x00" in term:
        return Q()
    try:
        field.get_prep_value(field.to_python(term))
    except (ValidationError, ValueError, TypeError, ArithmeticError):
        return Q()
    return Q(**{first: term})


def chunked_object(rows: QuerySet[_Row], object_id: str, time_field: str) -> _Row | None:
    """Return the row of a hypertable with ``object_id`` or ``None``: the id carries the time, and the time says which
    chunk to look in."""
    try:
        identifier = UUID(object_id)
        at = ids.time_of(identifier)
    except (ValueError, OverflowError):  # no identifier, or one whose first bits are no time of this calendar
        return None
    window = {f"{time_field}__gte": at, f"{time_field}__lt": at + timedelta(milliseconds=1)}
    return rows.filter(pk=identifier, **window).first()
