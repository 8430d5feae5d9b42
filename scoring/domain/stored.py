"""Facts as JSON and back, so that a score can be computed again from what was stored beside it."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar, cast, get_args

from scoring.domain.points import text


class _Facts(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


F = TypeVar("F", bound=_Facts)


def as_json(facts: _Facts) -> dict[str, Any]:
    """Return what :func:`from_json` reads: numbers as text, lists for tuples, null for unknown."""
    return {name: _written(value) for name, value in asdict(facts).items()}


def from_json(kind: type[F], stored: Mapping[str, Any]) -> F:
    """Return the facts that :func:`as_json` wrote. A name that is missing is unknown; others are passed over.

    A field of ``kind`` is ``str``, ``bool``, ``int`` or ``Decimal``, each perhaps ``None``, or a tuple of them.
    """
    known = {
        field.name: (field.type, stored[field.name]) for field in fields(kind) if stored.get(field.name) is not None
    }
    return kind(**{name: _read(value, type_) for name, (type_, value) in known.items()})


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return text(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _read(value: Any, type_: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(item, get_args(type_)[0]) for item in value)
    kinds = get_args(type_) or (type_,)
    for kind in (int, Decimal):
        if kind in kinds:
            return cast("Any", kind)(value)
    return value
