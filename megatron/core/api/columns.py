"""Which columns a serializer shows."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from rest_framework.fields import Field
from rest_framework.serializers import BaseSerializer, ListSerializer


@cache
def shown_by(serializer: type[BaseSerializer[Any]]) -> frozenset[str]:
    """Return the columns that ``serializer`` shows, as Django spells them, and those that it names as ``reads``: what its
    methods, or properties of the model, look at."""
    return frozenset(_shown(serializer(), ()))


def _shown(field: Field[Any, Any, Any, Any], path: tuple[str, ...]) -> Iterator[str]:
    field = field.child if isinstance(field, ListSerializer) and field.child is not None else field
    for name in getattr(field, "reads", ()):
        yield "__".join((*path, name))
    for inner in getattr(field, "fields", {}).values():
        here = (*path, *inner.source_attrs)
        yield "__".join(here)
        yield from _shown(inner, here)
