"""The API's doors to totals: the list by score, one token's score, its history with what changed, and why it is so."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F
from django.db.models.expressions import OrderBy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from megatron.core.access import CanRead
from megatron.core.api import CursorPagination, queries
from megatron.core.api.fields import DecimalText
from megatron.core.clock import utc_now
from scoring.api.subjects import token_of
from scoring.models import LatestTokenScore, TokenScore
from scoring.selectors import scores
from scoring.services import explain, why_unknown
from tokens.choices import Platform

# Each is read off an index of the newest scores, however long the history is.
_ORDERS: Mapping[str, Sequence[OrderBy]] = {
    f"-{name}": (F(column).desc(nulls_last=True), F("token").desc())
    for name, column in (
        ("ratio", "total_ratio"),
        ("total", "total_adjusted"),
        ("technical", "technical_score"),
        ("holder", "holder_score"),
        ("social", "social_score"),
    )
}
_NEWEST_FIRST = ("-calculated_at", "-id")


class RankedQuery(queries.PageQuery):
    ordering = serializers.ChoiceField(list(_ORDERS), default="-ratio", help_text="Most first; unknown last")
    platform = queries.Choice(Platform.choices, required=False)
    graduated = serializers.BooleanField(required=False, allow_null=True, default=None)


class ExplainQuery(queries.Query):
    at = queries.Time(required=False, help_text="As it was then; without it, now")


class TotalSerializer(serializers.Serializer[Any]):
    """What a token scored; a part of which nothing is known is null and brings nothing to `available_max`."""

    calculated_at = serializers.DateTimeField(help_text="Since when it says this")
    technical_score = DecimalText(help_text="Points, 0 to 333")
    holder_score = DecimalText(help_text="Points, 0 to 333")
    social_score = DecimalText(help_text="Points, 0 to 333")
    total_raw = DecimalText(help_text="The parts together, 0 to 999")
    score_multiplier = DecimalText(help_text="Product of the multipliers that hold")
    total_adjusted = serializers.IntegerField(help_text="With multiplier, at most available_max; 0 under a hard flag")
    available_max = serializers.IntegerField(help_text="Points that were to be had: 999, 666, 333 …")
    ratio = DecimalText(source="total_ratio", help_text="total_adjusted of available_max: compare thresholds with it")
    completeness = DecimalText(help_text="Percent of the data for all 999 points that was there")
    is_disqualified = serializers.BooleanField(help_text="True is bad: a hard red flag is raised")
    red_flags = serializers.ListField(child=serializers.CharField(), help_text="Names of the raised flags")
    ml_graduation_probability = DecimalText(help_text="0 to 1")
    policy_version = serializers.IntegerField()


class ScoreSerializer(TotalSerializer):
    """A total with the blocks of its parts and what raised or spoiled it."""

    market_cap_score = DecimalText(help_text="Points, 0 to 100")
    bonding_curve_score = DecimalText(help_text="Points, 0 to 83")
    trading_health_score = DecimalText(help_text="Points, 0 to 75")
    selloff_response_score = DecimalText(help_text="Points, −60 to 75")
    distribution_score = DecimalText(help_text="Points, 0 to 111")
    quality_score = DecimalText(help_text="Points, 0 to 111")
    activity_score = DecimalText(help_text="Points, 0 to 111")
    twitter_score = DecimalText(help_text="Points, 0 to 111")
    community_score = DecimalText(help_text="Points, 0 to 111")
    virality_score = DecimalText(help_text="Points, 0 to 111")
    details = serializers.JSONField(
        source="score_details", help_text="Multipliers that hold, raised flags with reasons, names of what is unknown"
    )


class RankedSerializer(serializers.Serializer[Any]):
    mint = serializers.CharField(source="token.mint_address")
    symbol = serializers.CharField(source="token.symbol", allow_null=True)
    platform = serializers.ChoiceField(Platform.choices, source="token.platform")
    is_graduated = serializers.BooleanField(source="token.is_graduated")
    score = TotalSerializer()


class TokenScoreSerializer(serializers.Serializer[Any]):
    mint = serializers.CharField()
    score = ScoreSerializer(allow_null=True)
    why_unknown = serializers.CharField(allow_null=True, help_text="Why there is no score; null when there is one")


class PastScoreSerializer(TotalSerializer):
    """A score that held from `calculated_at` until the next one."""

    changes = serializers.SerializerMethodField(help_text="What changed against the score before it, in words")

    def get_changes(self, score: TokenScore) -> list[str]:
        return list(self.context["changes"].get(score.pk, ()))


class BlockSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    points = serializers.CharField(allow_null=True)
    most = serializers.CharField()
    components = serializers.ListField(
        child=serializers.DictField(), help_text="Lines: name, points (null: unknown), most, reason in words, inputs"
    )


class PartSerializer(serializers.Serializer[Any]):
    name = serializers.ChoiceField(["technical", "holder", "social"])
    points = serializers.CharField(allow_null=True, help_text="What it adds to the total; null: unknown")
    points_signed = serializers.CharField(allow_null=True, help_text="As the part itself counts them")
    available = serializers.CharField(help_text="What its known lines can give at most")
    calculated_at = serializers.DateTimeField(allow_null=True)
    policy_version = serializers.IntegerField(allow_null=True)
    why_unknown = serializers.CharField(allow_null=True)
    computed_again = serializers.CharField(
        allow_null=True, help_text="From its stored inputs; null: not stored any more"
    )
    is_same = serializers.BooleanField(allow_null=True)
    blocks = BlockSerializer(many=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    mint = serializers.CharField()
    symbol = serializers.CharField(allow_null=True)
    asked_at = serializers.DateTimeField()
    score = serializers.DictField(help_text="The total as it is stored")
    parts = PartSerializer(many=True)
    multipliers = serializers.ListField(
        child=serializers.DictField(), help_text="name, holds (null: unknown), reason, inputs, factor"
    )
    flags = serializers.ListField(
        child=serializers.DictField(), help_text="name, holds (null: unknown), reason, inputs, hard"
    )
    computed_again = serializers.DictField(
        help_text="total_adjusted from the stored inputs, and whether it is the same"
    )


class ReadView(APIView):
    permission_classes = (CanRead,)


class RankedView(GenericAPIView[LatestTokenScore]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = RankedSerializer
    ordering: Sequence[OrderBy] = ()

    @extend_schema(operation_id="list_scores", parameters=[RankedQuery], responses=RankedSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The newest score of each token, by ratio, total or one part, most first."""
        wanted = queries.asked(request, RankedQuery)
        self.ordering = _ORDERS[wanted["ordering"]]
        found = scores.ranked(graduated=wanted["graduated"], platform=wanted.get("platform"))
        rows = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


class ScoreView(ReadView):
    @extend_schema(operation_id="get_token_score", parameters=[queries.MINT], responses=TokenScoreSerializer)
    def get(self, request: Request, mint: str) -> Response:
        """What a token scores now, with the blocks of its parts, multipliers and red flags."""
        queries.asked(request)
        token = token_of(mint)
        score = scores.find_score(token=token)
        why = None if score is not None else why_unknown.total(token=token, at=utc_now())
        return Response(TokenScoreSerializer({"mint": mint, "score": score, "why_unknown": why}).data)


class ScoreListView(GenericAPIView[TokenScore]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = PastScoreSerializer
    ordering = _NEWEST_FIRST

    @extend_schema(
        operation_id="list_token_scores",
        parameters=[queries.MINT, queries.BetweenQuery],
        responses=PastScoreSerializer(many=True),
    )
    def get(self, request: Request, mint: str) -> Response:
        """A token's scores, newest first, each with what changed against the one before it."""
        wanted = queries.asked(request, queries.BetweenQuery)
        found = scores.history(token=token_of(mint), after=wanted.get("after"), before=wanted.get("before"))
        rows = self.paginate_queryset(found) or []
        earlier = scores.find_before(rows[-1]) if rows else None
        changes = dict(scores.what_changed([*rows, earlier] if earlier else rows))
        return self.get_paginated_response(
            self.get_serializer(
                rows, many=True, context={"changes": {one.pk: said for one, said in changes.items()}}
            ).data
        )


class ExplainView(ReadView):
    @extend_schema(
        operation_id="explain_token_score", parameters=[queries.MINT, ExplainQuery], responses=ExplanationSerializer
    )
    def get(self, request: Request, mint: str) -> Response:
        """Why a token has its score, or had it: every line with its inputs, points and reason; what is unknown and why; and
        whether computing it again from what was stored gives the same number."""
        at = queries.asked(request, ExplainQuery).get("at")
        try:
            explained = explain.explain(token=token_of(mint), at=at, now=utc_now())
        except explain.NotScored as refusal:
            raise NotFound(str(refusal)) from refusal
        return Response(ExplanationSerializer(explain.as_json(explained)).data)
