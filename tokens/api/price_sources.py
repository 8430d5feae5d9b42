"""The API's door to what each source of USD prices is worth."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from megatron import clients
from megatron.core.api import queries
from megatron.core.clock import utc_now
from tokens.api.views import ReadView
from tokens.choices import PriceDrop, PriceOrigin, PriceSourceStatus
from tokens.selectors import prices


class PriceSourceSerializer(serializers.Serializer[Any]):
    source = serializers.ChoiceField(PriceOrigin.choices)  # type: ignore[assignment]  # a declared field, not Field.source
    mint = serializers.CharField(help_text="The coin that it prices")
    status = serializers.ChoiceField(PriceSourceStatus.choices)
    reason = serializers.ChoiceField(PriceDrop.choices, allow_blank=True, help_text="Why the newest price was not used")
    since = serializers.DateTimeField(help_text="When it came into this status, for this reason")
    last_price = serializers.CharField(
        help_text="The newest price it gave, used or not, exactly as it said it: USD a coin"
    )
    last_price_at = serializers.DateTimeField(allow_null=True, help_text="When the source says that price held")
    last_asked_at = serializers.DateTimeField(allow_null=True)
    last_ok_at = serializers.DateTimeField(allow_null=True, help_text="When a price of it was last used")
    ask_after = serializers.DateTimeField(help_text="It is not asked before")
    failures = serializers.IntegerField(help_text="How often in a row it did not answer")
    dropped_count = serializers.IntegerField(help_text="Prices that were not used, ever")
    error = serializers.CharField(help_text="What went wrong at the newest failure")


class UnusedSourceSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]  # a declared field, not Field.source
    reason = serializers.CharField(help_text="What it lacks")


class PriceSourcesSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    results = PriceSourceSerializer(many=True, help_text="SOL first, then the most believed source")
    unused = UnusedSourceSerializer(many=True, help_text="Sources that are not asked")


class PriceSourcesView(ReadView):
    @extend_schema(operation_id="get_price_sources", responses=PriceSourcesSerializer)
    def get(self, request: Request) -> Response:
        """What each source of USD prices is worth now, coin by coin, with the reason when it is not used, and
        which sources are not asked."""
        queries.asked(request)
        unused = [{"source": name, "reason": reason} for name, reason in clients.unused_price_sources().items()]
        shown = {"at": utc_now(), "results": prices.source_states(), "unused": unused}
        return Response(PriceSourcesSerializer(shown).data)
