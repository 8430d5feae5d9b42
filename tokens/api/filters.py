"""What each address understands after the question mark: typed, bounded, and nothing else."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

from django.db.models import F
from django.db.models.expressions import OrderBy
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from megatron.core.api.pagination import DEFAULT_SIZE, LARGEST_SIZE
from tokens.choices import (
    CandleInterval,
    Platform,
    PoolStatus,
    PoolType,
    PriceOrigin,
    TransactionType,
    Venue,
)

EARLIEST, LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Solana's first block is of March 2020; nothing is asked beyond the century."""

CANDLES_AT_MOST = 5_000

_BASE58 = "[1-9A-HJ-NP-Za-km-z]"


class Order(NamedTuple):
    """How a list is ordered. ``known`` names the column of which rows without a value are left out."""

    terms: Sequence[str | OrderBy]
    known: str | None = None
    of_pool: bool = False


_CREATED = F("creation_timestamp")

# NULLs stand where the index has them: each order is read off an index, however long the list.
TOKEN_ORDERS: Mapping[str, Order] = {
    "-created": Order((_CREATED.desc(nulls_last=True), "-id")),
    "created": Order((_CREATED.asc(nulls_first=True), "id"), known="creation_timestamp"),
    "-graduated": Order(("-graduation_timestamp", "-id"), known="graduation_timestamp"),
    "graduated": Order(("graduation_timestamp", "id"), known="graduation_timestamp"),
    "-last_trade": Order(("-last_trade_at", "-id"), known="last_trade_at", of_pool=True),
    "last_trade": Order(("last_trade_at", "id"), known="last_trade_at", of_pool=True),
    "-progress": Order(("-progress_pct", "-id"), known="progress_pct", of_pool=True),
    "progress": Order(("progress_pct", "id"), known="progress_pct", of_pool=True),
    "-progress_quote": Order(("-progress_quote_pct", "-id"), known="progress_quote_pct", of_pool=True),
    "progress_quote": Order(("progress_quote_pct", "id"), known="progress_quote_pct", of_pool=True),
}
POOL_ORDERS: Mapping[str, Order] = {
    "address": Order(("pool_address",)),
    "-last_event": Order(("-last_trade_at", "-id"), known="last_trade_at"),
    "last_event": Order(("last_trade_at", "id"), known="last_trade_at"),
    "-progress": Order(("-bonding_curve_progress", "-id"), known="bonding_curve_progress"),
    "progress": Order(("bonding_curve_progress", "id"), known="bonding_curve_progress"),
}


INTERVALS = {interval.label: interval.value for interval in CandleInterval}

MINT = OpenApiParameter(
    "mint", {"type": "string", "pattern": f"^{_BASE58}{{32,44}}$"}, "path", description="Address of the token"
)
ADDRESS = OpenApiParameter(
    "address", {"type": "string", "pattern": f"^{_BASE58}{{32,44}}$"}, "path", description="Address of the pool"
)
SIGNATURE = OpenApiParameter(
    "signature",
    {"type": "string", "pattern": f"^{_BASE58}{{64,88}}$"},
    "path",
    description="Signature of the transaction",
)


class Query(serializers.Serializer[Any]):
    """Query parameters of one address. An unknown parameter is an error that lists the known ones."""

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(sorted(self.fields)) or "none"
            raise serializers.ValidationError({name: [f"Unknown parameter. Known here: {known}."] for name in unknown})
        value: dict[str, Any] = super().to_internal_value(data)
        return value


def asked(request: Request, query: type[Query]) -> dict[str, Any]:
    """Return the query parameters, read and checked. Raises ``ValidationError``."""
    read = query(data=request.query_params.dict())
    read.is_valid(raise_exception=True)
    wanted: dict[str, Any] = read.validated_data
    return wanted


class Choice(serializers.ChoiceField):
    """One of a few words; the error names them."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        words = ", ".join(map(str, self.choices))
        self.error_messages["invalid_choice"] = f"Must be one of: {words}."


_ADDRESS = re.compile(rf"{_BASE58}{{32,44}}")
_SIGNATURE = re.compile(rf"{_BASE58}{{64,88}}")


def checked_address(value: str) -> str:
    """Return ``value`` if it is an address. Raises ``NotFound``: nothing has such a name."""
    if not _ADDRESS.fullmatch(value):
        raise NotFound("Not an address: it has 32 to 44 base58 characters.")
    return value


def checked_signature(value: str) -> str:
    """Return ``value`` if it is a signature. Raises ``NotFound``: nothing has such a name."""
    if not _SIGNATURE.fullmatch(value):
        raise NotFound("Not a signature: it has 64 to 88 base58 characters.")
    return value


@extend_schema_field({"type": "string", "pattern": f"^{_BASE58}{{32,44}}$", "minLength": 32, "maxLength": 44})
class Address(serializers.RegexField):
    """A base58 address."""

    def __init__(self, **options: Any) -> None:
        message = "Must be an address: 32 to 44 base58 characters."
        super().__init__(rf"\A{_BASE58}{{32,44}}\Z", error_messages={"invalid": message}, **options)


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


def _ordered(attributes: Mapping[str, Any], first: str, last: str) -> None:
    """Raise ``ValidationError`` unless ``first`` is before ``last``, where both are given."""
    low, high = attributes.get(first), attributes.get(last)
    if low is not None and high is not None and low >= high:
        raise serializers.ValidationError({last: [f"Must be later than {first}."]})


class PageQuery(Query):
    """One page of a list."""

    cursor = serializers.CharField(required=False, max_length=1000, help_text="From the page before: follow its `next`")
    page_size = serializers.IntegerField(
        default=DEFAULT_SIZE, min_value=1, max_value=LARGEST_SIZE, help_text="Rows a page"
    )


class TokenQuery(PageQuery):
    ordering = Choice(
        list(TOKEN_ORDERS),
        default="-created",
        help_text="`-` is newest or highest first. `-created` lists tokens whose creation was not observed last; the "
        "other orders leave out tokens for which the value is not known. Trade and progress are the current pool's",
    )
    platform = Choice(Platform.choices, required=False, help_text="Where the token was launched")
    graduated = Flag(required=False, help_text="Whether its launch curve is complete")
    creator = Address(required=False, help_text="Who created it")
    created_after = Time(required=False, help_text="Created at or after")
    created_before = Time(required=False, help_text="Created before")
    progress_min = Percent(required=False, help_text="Percent of the tokens on sale that are sold, at least")
    progress_max = Percent(required=False, help_text="Percent of the tokens on sale that are sold, at most")
    progress_quote_min = Percent(required=False, help_text="Percent of the quote target that is raised, at least")
    progress_quote_max = Percent(required=False, help_text="Percent of the quote target that is raised, at most")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _ordered(attrs, "created_after", "created_before")
        return attrs


class HotQuery(Query):
    limit = serializers.IntegerField(default=50, min_value=1, max_value=200, help_text="How many at most")


class PoolQuery(PageQuery):
    ordering = Choice(
        list(POOL_ORDERS),
        default="address",
        help_text="`-` is newest or highest first. Orders other than `address` leave out pools without the value",
    )
    platform = Choice(Venue.choices, required=False, help_text="Which program runs the pool")
    type = Choice(PoolType.choices, required=False, help_text="What the pool is to its token")
    status = Choice(PoolStatus.choices, required=False, help_text="Where the curve stands")
    mint = Address(required=False, help_text="Pools of this token")


class TransactionQuery(PageQuery):
    type = Choice(TransactionType.choices, required=False, help_text="What happened")
    user = Address(required=False, help_text="Whose wallet")
    after = Time(required=False, help_text="Block time at or after")
    before = Time(required=False, help_text="Block time before")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _ordered(attrs, "after", "before")
        return attrs


class WindowQuery(Query):
    """A half-open stretch of time, cut at a number of rows."""

    start = Time(required=False, help_text="First moment of the window; by default a span before its end")
    end = Time(required=False, help_text="First moment after the window; by default right after the newest row")
    limit = serializers.IntegerField(
        default=1440, min_value=1, max_value=CANDLES_AT_MOST, help_text="Rows in one answer; `next` leads on"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _ordered(attrs, "start", "end")
        return attrs


class CandleQuery(WindowQuery):
    interval = Choice(
        [(label, f"{seconds} seconds") for label, seconds in INTERVALS.items()],
        default=CandleInterval.M1.label,
        help_text="Length of a candle",
    )
    fill = Choice(
        [("none", "Only intervals with trades"), ("previous", "Empty intervals flat at the close before them")],
        default="none",
        help_text="What to do about intervals without a trade",
    )


class SolUsdQuery(Query):
    at = Time(required=False, help_text="Also tell which price held at this time; by default now")


class SolUsdCandleQuery(WindowQuery):
    source = Choice(  # type: ignore[assignment]  # a declared field, not Field.source
        PriceOrigin.choices,
        required=False,
        help_text="Whose samples; by default the most believed with any in the window",
    )


class IndexingQuery(Query):
    hours = serializers.IntegerField(
        default=1, min_value=1, max_value=24, help_text="How far back from the newest event to look for gaps"
    )
