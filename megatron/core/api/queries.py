"""What an address understands in its path and after the question mark: typed, bounded, and nothing else."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from megatron.core import chain
from megatron.core.api.pagination import DEFAULT_SIZE, LARGEST_SIZE

EARLIEST, LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Solana's first block is of March 2020; nothing is asked beyond the century."""

_ADDRESS = "[1-9A-HJ-NP-Za-km-z]{32,44}"
_SIGNATURE = "[1-9A-HJ-NP-Za-km-z]{64,88}"


def address_in_path(name: str, description: str) -> OpenApiParameter:
    """Return how the schema describes the address ``name`` in a path."""
    return OpenApiParameter(name, {"type": "string", "pattern": f"^{_ADDRESS}$"}, "path", description=description)


MINT = address_in_path("mint", "Address of the token")
SIGNATURE = OpenApiParameter(
    "signature",
    {"type": "string", "pattern": f"^{_SIGNATURE}$"},
    "path",
    description="Signature of the transaction",
)


def checked_address(value: str) -> str:
    """Return ``value`` if it is an address. Raises ``NotFound``: nothing has such a name."""
    if not re.fullmatch(_ADDRESS, value):
        raise NotFound("Not an address: it has 32 to 44 base58 characters.")
    return value


def checked_signature(value: str) -> str:
    """Return ``value`` if it is a signature. Raises ``NotFound``: nothing has such a name."""
    if not chain.is_signature(value):
        raise NotFound("Not a signature: it is 64 bytes in base58, 64 to 88 characters.")
    return value


class Choice(serializers.ChoiceField):
    """One of a few words; the error names them."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        words = ", ".join(map(str, self.choices))
        self.error_messages["invalid_choice"] = f"Must be one of: {words}."


@extend_schema_field({"type": "string", "pattern": f"^{_ADDRESS}$", "minLength": 32, "maxLength": 44})
class Address(serializers.RegexField):
    """A base58 address."""

    def __init__(self, **options: Any) -> None:
        message = "Must be an address: 32 to 44 base58 characters."
        super().__init__(rf"\A{_ADDRESS}\Z", error_messages={"invalid": message}, **options)


class Flag(serializers.BooleanField):
    """``true`` or ``false``."""

    default_error_messages: ClassVar = {"invalid": "Must be true or false."}


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 100})
class Percent(serializers.DecimalField):
    """0 to 100 with at most four decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=7, decimal_places=4, min_value=0, max_value=100, **options)
        self.error_messages["invalid"] = "Must be a number from 0 to 100."


class Time(serializers.DateTimeField):
    """ISO-8601; UTC when it names no offset."""

    default_error_messages: ClassVar = {
        "invalid": "Must be an ISO-8601 time such as 2026-07-03T12:00:00Z (write + as %2B).",
        "outside": "Must lie between 2020-01-01T00:00:00Z and 2100-01-01T00:00:00Z.",
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)

    def to_internal_value(self, value: Any) -> datetime:
        at: datetime = super().to_internal_value(value)
        if not EARLIEST <= at <= LATEST:
            self.fail("outside")
        return at.astimezone(UTC)


def in_order(attributes: Mapping[str, Any], first: str, last: str) -> None:
    """Raise ``ValidationError`` unless ``first`` is before ``last``, where both are given."""
    low, high = attributes.get(first), attributes.get(last)
    if low is not None and high is not None and low >= high:
        raise serializers.ValidationError({last: [f"Must be later than {first}."]})


class Query(serializers.Serializer[Any]):
    """Query parameters of one address. An unknown parameter is an error that lists the known ones."""

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(sorted(self.fields)) or "none"
            raise serializers.ValidationError({name: [f"Unknown parameter. Known here: {known}."] for name in unknown})
        value: dict[str, Any] = super().to_internal_value(data)
        return value


class PageQuery(Query):
    """One page of a list."""

    cursor = serializers.CharField(required=False, max_length=1000, help_text="From the page before: follow its `next`")
    page_size = serializers.IntegerField(
        default=DEFAULT_SIZE, min_value=1, max_value=LARGEST_SIZE, help_text="Rows a page"
    )


class BetweenQuery(PageQuery):
    """One page of what happened in a stretch of time."""

    after = Time(required=False, help_text="At this time or later")
    before = Time(required=False, help_text="Before this time")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        in_order(attrs, "after", "before")
        return attrs


def asked(request: Request, query: type[Query] = Query) -> dict[str, Any]:
    """Return the query parameters, read and checked; without ``query`` there may be none. Raises ``ValidationError``."""
    read = query(data=request.query_params.dict())
    read.is_valid(raise_exception=True)
    wanted: dict[str, Any] = read.validated_data
    return wanted
