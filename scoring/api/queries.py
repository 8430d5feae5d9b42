"""What the addresses of scores understand after the question mark, and which token they speak of."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from megatron.core.api.pagination import DEFAULT_SIZE, LARGEST_SIZE
from tokens.models import Token
from tokens.selectors import tokens

_ADDRESS = "[1-9A-HJ-NP-Za-km-z]{32,44}"
_EARLIEST, _LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

MINT = OpenApiParameter("mint", {"type": "string", "pattern": f"^{_ADDRESS}$"}, "path", description="Token's address")


class Query(serializers.Serializer[Any]):
    """Query parameters of one address. An unknown parameter is an error that lists the known ones."""

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(sorted(self.fields)) or "none"
            raise serializers.ValidationError({name: [f"Unknown parameter. Known here: {known}."] for name in unknown})
        value: dict[str, Any] = super().to_internal_value(data)
        for name, at in value.items():
            if isinstance(at, datetime) and not _EARLIEST <= at <= _LATEST:
                raise serializers.ValidationError({name: ["Nothing is known of that time: ask between 2020 and 2100."]})
        return value


class PageQuery(Query):
    cursor = serializers.CharField(required=False, max_length=1000, help_text="From the page before: follow its `next`")
    page_size = serializers.IntegerField(
        default=DEFAULT_SIZE, min_value=1, max_value=LARGEST_SIZE, help_text="Rows a page"
    )


def asked(request: Request, query: type[Query]) -> dict[str, Any]:
    """Return the query parameters, read and checked. Raises ``ValidationError``."""
    read = query(data=request.query_params.dict())
    read.is_valid(raise_exception=True)
    wanted: dict[str, Any] = read.validated_data
    return wanted


def token_of(mint: str) -> Token:
    """Return the token of an address's path. Raises ``NotFound``."""
    if not re.fullmatch(_ADDRESS, mint):
        raise NotFound("Not an address: it has 32 to 44 base58 characters.")
    try:
        return tokens.get_token(mint)
    except Token.DoesNotExist as error:
        raise NotFound(f"No token {mint} is known.") from error
