"""What the addresses of this room understand after the question mark."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import F
from django.db.models.expressions import OrderBy
from rest_framework import serializers

from megatron.core.api.queries import (
    Address,
    BetweenQuery,
    Choice,
    Flag,
    PageQuery,
    Percent,
    Query,
    Time,
    address_in_path,
    in_order,
)
from tokens.choices import (
    CandleInterval,
    Platform,
    PoolStatus,
    PoolType,
    PriceOrigin,
    TransactionType,
    Venue,
)

CANDLES_AT_MOST = 5_000


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
    # By the token in between, as the indexes have it: thousands share a progress.
    "-last_event": Order(("-last_trade_at", "-token_id", "-id"), known="last_trade_at"),
    "last_event": Order(("last_trade_at", "token_id", "id"), known="last_trade_at"),
    "-progress": Order(("-bonding_curve_progress", "-token_id", "-id"), known="bonding_curve_progress"),
    "progress": Order(("bonding_curve_progress", "token_id", "id"), known="bonding_curve_progress"),
}


ADDRESS = address_in_path("address", "Address of the pool")
INTERVALS = {interval.label: interval.value for interval in CandleInterval}


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
        in_order(attrs, "created_after", "created_before")
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


class TransactionQuery(BetweenQuery):
    type = Choice(TransactionType.choices, required=False, help_text="What happened")
    user = Address(required=False, help_text="Whose wallet")


class WindowQuery(Query):
    """A half-open stretch of time, cut at a number of rows."""

    start = Time(required=False, help_text="First moment of the window; by default a span before its end")
    end = Time(required=False, help_text="First moment after the window; by default right after the newest row")
    limit = serializers.IntegerField(
        default=1440, min_value=1, max_value=CANDLES_AT_MOST, help_text="Rows in one answer; `next` leads on"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        in_order(attrs, "start", "end")
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
