"""The API's doors to how a token is followed. Reading only."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from megatron.core.access import CanRead
from megatron.core.api import CursorPagination, queries
from megatron.core.api.fields import DecimalText
from scoring.api.subjects import token_of
from scoring.choices import SocialOrigin
from scoring.selectors import social


class ReadingQuery(queries.PageQuery):
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a declared field, not Field.source
        SocialOrigin.choices, required=False, help_text="Only what this source said"
    )


class SocialReadingSerializer(serializers.Serializer[Any]):
    """What one source said of a token at one time; null where it does not say."""

    timestamp = serializers.DateTimeField(help_text="When it was asked")
    source = serializers.ChoiceField(SocialOrigin.choices)  # type: ignore[assignment]  # a declared field
    twitter_followers = serializers.IntegerField(allow_null=True)
    twitter_mentions_1h = serializers.IntegerField(allow_null=True, help_text="Posts of others, at least so many")
    twitter_mentions_24h = serializers.IntegerField(allow_null=True, help_text="Posts of others, at least so many")
    twitter_engagement_rate = DecimalText(help_text="Percent of the views of its own posts that did something")
    twitter_sentiment_score = DecimalText(help_text="−1 to 1")
    influencer_mentions = serializers.IntegerField(allow_null=True, help_text="Authors with 10,000 followers or more")
    influencer_reach = serializers.IntegerField(allow_null=True, help_text="Their followers together")
    telegram_members = serializers.IntegerField(allow_null=True)
    telegram_active_users = serializers.IntegerField(allow_null=True, help_text="Members online")
    telegram_messages_1h = serializers.IntegerField(allow_null=True, help_text="At least so many")
    discord_members = serializers.IntegerField(allow_null=True)
    discord_active_users = serializers.IntegerField(allow_null=True, help_text="Members online")
    social_growth_rate_1h = DecimalText(help_text="Percent by which its followers or members grew")
    social_growth_rate_24h = DecimalText(help_text="Percent by which its followers or members grew")
    boosts_active = serializers.IntegerField(allow_null=True, help_text="Paid boosts that still run")
    links = serializers.JSONField(allow_null=True, help_text="Addresses by network, as strangers wrote them")


class SocialScoreSerializer(serializers.Serializer[Any]):
    """The social points; a block of which nothing is known is null."""

    calculated_at = serializers.DateTimeField(help_text="Since when it says this")
    twitter_score = DecimalText(help_text="Points, 0 to 111")
    community_score = DecimalText(help_text="Points, 0 to 111")
    virality_score = DecimalText(help_text="Points, 0 to 111")
    total_score = DecimalText(help_text="Points of the known blocks, 0 to 333")
    available_max = DecimalText(help_text="What the known lines can give at most")
    breakdown = serializers.JSONField(help_text="Every line with its points, its inputs and the reason")
    inputs = serializers.JSONField(help_text="Everything that the points follow from")
    policy_version = serializers.IntegerField()


class SocialSerializer(serializers.Serializer[Any]):
    mint = serializers.CharField()
    score = SocialScoreSerializer(allow_null=True, help_text="The newest; null while nothing was ever known")
    readings = SocialReadingSerializer(many=True, help_text="The newest of each source")


class SocialView(APIView):
    permission_classes = (CanRead,)

    @extend_schema(operation_id="get_token_social", parameters=[queries.MINT], responses=SocialSerializer)
    def get(self, request: Request, mint: str) -> Response:
        """How a token is followed: its social points with their reasons, and what each source last said."""
        queries.asked(request)
        token = token_of(mint)
        found = {
            "mint": token.mint_address,
            "score": social.find_newest_score(token=token),
            "readings": social.newest_readings(token=token),
        }
        return Response(SocialSerializer(found).data)


class SocialReadingListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = SocialReadingSerializer
    ordering = social.NEWEST_FIRST

    @extend_schema(
        operation_id="list_token_social_readings",
        parameters=[queries.MINT, ReadingQuery],
        responses=SocialReadingSerializer(many=True),
    )
    def get(self, request: Request, mint: str) -> Response:
        """What sources said of a token, newest first."""
        query = queries.asked(request, ReadingQuery)
        found = social.metrics(token_id=token_of(mint).pk, source=query.get("source"))
        rows = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
