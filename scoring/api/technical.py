"""The API's doors to technical scores and sell-offs. Reading only."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from megatron.core.access import CanRead
from megatron.core.api import CursorPagination, queries
from megatron.core.api.fields import DecimalText
from megatron.core.clock import utc_now
from scoring.api.subjects import token_of
from scoring.choices import SelloffStatus, SellPressure
from scoring.models import SelloffEvent
from scoring.selectors import markets


class SelloffQuery(queries.BetweenQuery):
    mint = queries.Address(required=False, help_text="Only this token")
    status = queries.Choice(SelloffStatus.choices, required=False, help_text="`open` for what falls now")


class TechnicalScoreSerializer(serializers.Serializer[Any]):
    """What a token's market was worth at a moment; null is unknown, never zero."""

    mint = serializers.CharField(source="token_mint")
    measured_at = serializers.DateTimeField(source="timestamp")
    total_score = DecimalText(help_text="Points of the known parts, -60 to 333")
    available_max = DecimalText(help_text="What the known lines can give at most")
    market_cap_score = DecimalText(help_text="Points, 0 to 100")
    market_cap_usd = DecimalText(help_text="Fully diluted")
    market_cap_velocity_pct_min = DecimalText(help_text="Percent a minute over ten minutes, signed")
    bonding_curve_score = DecimalText(help_text="Points, 0 to 83")
    bonding_curve_progress = DecimalText(help_text="Percent of the tokens on sale that are sold")
    progress_quote_pct = DecimalText(help_text="Percent of the quote target that is raised")
    progress_velocity = DecimalText(help_text="Percent points an hour over half an hour, signed")
    progress_consistency = DecimalText(help_text="Part of the last six five-minute steps without a fall")
    trading_health_score = DecimalText(help_text="Points, 0 to 75")
    buy_sell_ratio = DecimalText(help_text="Weighted buys over sells of an hour, at most 999")
    volume_trend = DecimalText(help_text="Percent by which five minutes are above the half hour")
    unique_traders_1h = serializers.IntegerField()
    whale_concentration = DecimalText(help_text="Largest wallet's part of the hour's volume")
    selloff_response_score = DecimalText(help_text="Points, -60 to 75")
    price_drop_5m = DecimalText(help_text="Percent below the highest price of that time, 0 at it")
    price_drop_15m = DecimalText(help_text="Percent")
    price_drop_30m = DecimalText(help_text="Percent")
    price_drop_60m = DecimalText(help_text="Percent")
    recovery_strength = DecimalText(help_text="Weighted buys over sells of half an hour, at most 999")
    price = DecimalText(help_text="Of the newest trade, quote per whole token")
    volume_24h_usd = DecimalText()
    transactions_1h = serializers.IntegerField(help_text="Buys and sells")
    policy_version = serializers.IntegerField()
    inputs = serializers.JSONField(help_text="Everything that the points follow from")


class SelloffSerializer(serializers.Serializer[Any]):
    """A fall of more than ten percent in fifteen minutes. Prices are quote per whole token."""

    id = serializers.UUIDField()
    mint = serializers.CharField(source="token_mint")
    seen_at = serializers.DateTimeField(source="detection_time")
    status = serializers.ChoiceField(SelloffStatus.choices)
    sell_pressure = serializers.SerializerMethodField(
        help_text="How hard it is being sold, by its fall and the sales of five minutes; null when it is over"
    )
    initial_price = DecimalText(help_text="The highest of the fifteen minutes before it was seen")
    lowest_price = DecimalText(help_text="The lowest while it was open")
    drop_percentage = DecimalText(help_text="Percent from the initial to the lowest price")
    recovery_price = DecimalText(help_text="When it had recovered")
    recovery_time = serializers.DateTimeField(allow_null=True)
    recovery_percentage = DecimalText(help_text="Percent from the lowest to the recovery price")
    ended_at = serializers.DateTimeField(allow_null=True)
    duration_minutes = serializers.IntegerField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(SellPressure.choices, allow_null=True))
    def get_sell_pressure(self, row: SelloffEvent) -> str | None:
        return markets.pressure_of(row)


class TechnicalScoreListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = TechnicalScoreSerializer
    ordering = markets.NEWEST_FIRST

    @extend_schema(
        operation_id="list_token_technical_scores",
        parameters=[queries.MINT, queries.BetweenQuery],
        responses=TechnicalScoreSerializer(many=True),
    )
    def get(self, request: Request, mint: str) -> Response:
        """Technical scores of a token with what they follow from, newest first."""
        asked = queries.asked(request, queries.BetweenQuery)
        token = token_of(mint)
        found = markets.scores(token_mint=token.mint_address, after=asked.get("after"), before=asked.get("before"))
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(found) or [], many=True).data)


class SelloffListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = SelloffSerializer
    ordering = markets.LATEST_SEEN_FIRST

    @extend_schema(operation_id="list_selloffs", parameters=[SelloffQuery], responses=SelloffSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Sell-offs of all tokens, newest first; with `status=open` those that go on now."""
        asked = queries.asked(request, SelloffQuery)
        found = markets.selloffs(
            token_mint=asked.get("mint"),
            status=asked.get("status"),
            after=asked.get("after"),
            before=asked.get("before"),
        )
        found = markets.with_sales(found, now=utc_now())
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(found) or [], many=True).data)
