"""Amounts and prices as programs read them: text, so that no JSON parser rounds them."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from megatron.core import money

_AMOUNT = {
    "type": "object",
    "nullable": True,
    "properties": {
        "raw": {"type": "string", "pattern": "^-?[0-9]+$", "description": "Base units"},
        "decimals": {"type": "integer", "nullable": True, "description": "Null while not known"},
        "amount": {
            "type": "string",
            "nullable": True,
            "description": "Whole units: raw divided by ten to the power of decimals",
        },
    },
    "required": ["raw", "decimals", "amount"],
}


@cache
def _shared(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    return kind()


def shown(kind: type[serializers.Serializer[Any]], row: Any) -> dict[str, Any]:
    """Return ``row`` as the serializer ``kind`` shows it, which must need no context.

    For a row inside each row of a list: one instance serves them all. To make one is to copy its fields, which took nearly
    half of the time of a list.
    """
    fields: dict[str, Any] = _shared(kind).to_representation(row)
    return fields


@extend_schema_field(_AMOUNT)
class Amount(serializers.Field[Any, Any, Any, Any]):
    """An amount of base units as ``{"raw": "1500000", "decimals": 6, "amount": "1.5"}``; null when the amount is not
    known.

    ``raw`` names the attribute with the integer and ``decimals`` the one with its decimals (both may have dots), or is
    their number. Read-only.
    """

    def __init__(self, raw: str, decimals: str | int, **options: Any) -> None:
        super().__init__(source="*", read_only=True, **options)
        self.raw_path, self.decimals_of = raw, decimals

    def to_representation(self, value: Any) -> dict[str, Any] | None:
        raw = _read(value, self.raw_path)
        if raw is None:
            return None
        decimals = self.decimals_of if isinstance(self.decimals_of, int) else _read(value, self.decimals_of)
        whole = None if decimals is None else plain(money.raw_to_whole(int(raw), decimals))
        return {"raw": str(int(raw)), "decimals": decimals, "amount": whole}


@extend_schema_field({"type": "string", "nullable": True, "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
class DecimalText(serializers.Field[Any, Any, Any, Any]):
    """A Decimal as text, without an exponent and without trailing zeros; null when it is not known. Read-only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Decimal | int) -> str:
        return plain(Decimal(value))


@extend_schema_field({"type": "number"})
class Seconds(serializers.Field[timedelta, Any, float, Any]):
    """A length of time in seconds. Read-only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: timedelta) -> float:
        return value.total_seconds()


def plain(value: Decimal) -> str:
    """Return ``value`` exactly, in digits: ``0.000000027958993476``, ``12000``, ``0``."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _read(value: Any, path: str) -> Any:
    for name in path.split("."):
        if value is None:
            return None
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value
