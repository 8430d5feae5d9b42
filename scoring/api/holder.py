"""The API's doors to holder scores and risks. Reading only."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from megatron.core.access import CanRead
from megatron.core.api import CursorPagination, queries
from megatron.core.api.fields import DecimalText
from scoring.choices import Confidence, RiskLevel
from scoring.selectors import holder


class _Query(queries.BetweenQuery):
    mint = queries.Address(required=False, help_text="Only this token")


class HolderScoreQuery(_Query):
    confidence = queries.Choice(Confidence.choices, required=False, help_text="How far it can be believed")
    frozen = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Only frozen ones, or only others"
    )


class RiskQuery(_Query):
    level = queries.Choice(RiskLevel.choices, required=False, help_text="`unknown` is not `low`")


class HolderScoreSerializer(serializers.Serializer[Any]):
    """What the holders of a token are worth at one snapshot; null is unknown, never zero."""

    mint = serializers.CharField(source="token_mint")
    measured_at = serializers.DateTimeField(source="timestamp", help_text="Time of the holder snapshot")
    total_score = DecimalText(help_text="Points of the known blocks, 0 to 333")
    available_max = DecimalText(help_text="What the known lines can give at most")
    distribution_score = DecimalText(help_text="Points, 0 to 111")
    quality_score = DecimalText(help_text="Points, 0 to 111")
    activity_score = DecimalText(help_text="Points, 0 to 111")
    gini_coefficient = DecimalText(help_text="0: all hold the same, 1: one holds everything")
    theil_index = DecimalText()
    shannon_entropy = DecimalText(help_text="Normalised, 0 to 1")
    top_10_concentration = DecimalText(help_text="Percent of the circulating supply")
    avg_wallet_age_days = DecimalText()
    smart_money_ratio = DecimalText(help_text="Part of the analysed wallets")
    bot_wallet_ratio = DecimalText(help_text="Part of the analysed wallets")
    known_dumper_ratio = DecimalText(help_text="Part of the analysed wallets")
    holder_growth_rate = DecimalText(help_text="Percent in an hour, signed")
    unique_buyers_1h = serializers.IntegerField(allow_null=True)
    unique_sellers_1h = serializers.IntegerField(allow_null=True)
    diamond_hands_ratio = DecimalText(help_text="Part of the holders")
    avg_hold_time_hours = DecimalText()
    total_holders = serializers.IntegerField(allow_null=True)
    active_holders_24h = serializers.IntegerField(allow_null=True)
    new_holders_1h = serializers.IntegerField(allow_null=True)
    confidence = serializers.ChoiceField(Confidence.choices, source="confidence_level")
    confidence_score = DecimalText(help_text="Percent")
    data_completeness = DecimalText(help_text="Percent")
    progress_quote_pct = DecimalText(help_text="Percent of the quote target that was raised")
    bonding_curve_progress = DecimalText(help_text="Percent of the tokens on sale that were sold")
    is_frozen = serializers.BooleanField(help_text="The score with which the token graduated")
    policy_version = serializers.IntegerField()
    breakdown = serializers.JSONField(help_text="Every line with its points, the most it gives, the reason, its inputs")
    inputs = serializers.JSONField(help_text="Everything that the points follow from")


class CautionSerializer(serializers.Serializer[Any]):
    level = serializers.CharField(help_text="critical, warning or positive; red or yellow")
    code = serializers.CharField(help_text="The limit's name in the policy")
    words = serializers.CharField()


class RiskSerializer(serializers.Serializer[Any]):
    """What speaks against a token at one snapshot; null is unknown and never means no risk."""

    mint = serializers.CharField(source="token_mint")
    measured_at = serializers.DateTimeField(source="timestamp", help_text="Time of the holder snapshot")
    level = serializers.ChoiceField(RiskLevel.choices, source="risk_level")
    overall_risk_score = DecimalText(help_text="The worst of concentration, bots, rug and wash trading, 0 to 100")
    overall_risk_weighted = DecimalText(help_text="0 to 100")
    completeness = DecimalText(source="risk_completeness", help_text="Percent of the weights that was known")
    confidence = DecimalText(source="confidence_level", help_text="Percent")
    concentration_risk = DecimalText(help_text="0 to 100")
    bot_activity_score = DecimalText(help_text="0 to 100")
    rug_risk_score = DecimalText(help_text="0 to 100")
    wash_trading_score = DecimalText(help_text="0 to 100")
    liquidity_risk = DecimalText(help_text="0 to 100, from the number of holders")
    volatility_risk = DecimalText(help_text="0 to 100")
    pump_dump_risk = DecimalText(help_text="0 to 100")
    liquidity_removal_risk = DecimalText(help_text="Percent of the quote that was taken out within a day")
    mev_bot_percentage = DecimalText(help_text="Percent of the analysed wallets")
    signs = serializers.JSONField(
        source="evidence",
        help_text="Each danger: whether it was seen (true is bad, false is good, null is unknown), in words",
    )
    red_flags = CautionSerializer(many=True)
    yellow_flags = CautionSerializer(many=True)
    alerts = CautionSerializer(many=True)
    policy_version = serializers.IntegerField()
    breakdown = serializers.JSONField(help_text="Every line with its points and the reason")
    inputs = serializers.JSONField(help_text="Everything that the figures follow from")


class _ListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    ordering = holder.NEWEST_FIRST

    def page(self, found: QuerySet[Any]) -> Response:
        """Return the page of ``found`` that the caller asked for."""
        rows = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


class HolderScoreListView(_ListView):
    serializer_class = HolderScoreSerializer

    @extend_schema(
        operation_id="list_holder_scores", parameters=[HolderScoreQuery], responses=HolderScoreSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Holder scores of 333 points with every line's reason, newest measured first."""
        asked = queries.asked(request, HolderScoreQuery)
        return self.page(
            holder.scores(
                token_mint=asked.get("mint"),
                confidence=asked.get("confidence"),
                frozen=asked.get("frozen"),
                after=asked.get("after"),
                before=asked.get("before"),
            )
        )


class RiskListView(_ListView):
    serializer_class = RiskSerializer

    @extend_schema(operation_id="list_risks", parameters=[RiskQuery], responses=RiskSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What speaks against tokens: risks of 100, signs (true is bad, false is good, null is unknown) and flags in words,
        newest measured first."""
        asked = queries.asked(request, RiskQuery)
        return self.page(
            holder.risks(
                token_mint=asked.get("mint"),
                level=asked.get("level"),
                after=asked.get("after"),
                before=asked.get("before"),
            )
        )
