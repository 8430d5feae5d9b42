"""The API's door to how far the chain was read and compared, what waits, and where trades are missing."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from megatron.core.api import Amount, Seconds, queries
from megatron.core.clock import utc_now
from tokens.api import filters
from tokens.api.views import ReadView
from tokens.choices import Program, RejectionReason
from tokens.selectors import chains, indexing


class LagSerializer(serializers.Serializer[indexing.Lag]):
    source = serializers.CharField(source="cursor.source")  # type: ignore[assignment]  # a declared field, not Field.source
    venue = serializers.CharField(source="cursor.venue")
    live = serializers.BooleanField(help_text="A feed that has to keep up; replays and repairs need not")
    synced = serializers.BooleanField(
        allow_null=True,
        help_text="At most 30 seconds behind, and not ahead of the clock; null for what need not keep up",
    )
    lag_seconds = Seconds(source="behind", help_text="Since its newest block time")
    silent_seconds = Seconds(source="silent", help_text="Since its newest batch was stored")
    first_slot = serializers.IntegerField(source="cursor.first_slot")
    last_slot = serializers.IntegerField(source="cursor.last_slot")
    verified_slot = serializers.IntegerField(
        source="cursor.verified_slot", allow_null=True, help_text="Up to here nothing is missing; null where not live"
    )
    last_block_time = serializers.DateTimeField(source="cursor.last_block_time")
    last_signature = serializers.CharField(source="cursor.last_signature")
    messages = serializers.IntegerField(source="cursor.messages")
    events = serializers.IntegerField(source="cursor.events")


class WatchSerializer(serializers.Serializer[indexing.Watch]):
    """How far one venue is compared with the finalized chain; null where nobody ever watched it."""

    venue = serializers.ChoiceField(Program.choices)
    quarantined = serializers.BooleanField(help_text="Its messages are kept and not stored")
    watched = serializers.BooleanField(help_text="A live feed brought something of it once, so it is to be compared")
    stalled = serializers.BooleanField(
        source="is_stalled",
        allow_null=True,
        help_text="It is not compared any more, for five minutes; null where it need not be",
    )
    unmoved_seconds = Seconds(source="unmoved", allow_null=True, help_text="Since the comparison last came further")
    watched_from_slot = serializers.IntegerField(source="state.watched_from_slot", default=None, allow_null=True)
    settled_slot = serializers.IntegerField(
        source="state.settled_slot", default=None, allow_null=True, help_text="Compared up to here"
    )
    settled_at = serializers.DateTimeField(
        source="state.settled_at", default=None, allow_null=True, help_text="When it was compared last"
    )
    behind_seconds = Seconds(source="behind", allow_null=True, help_text="Since the chain's time of the settled slot")
    behind_slots = serializers.IntegerField(allow_null=True, help_text="From the settled slot to the feeds' newest")
    open_gaps = serializers.IntegerField(help_text="Stretches of slots that are not healed yet")
    oldest_gap_at = serializers.DateTimeField(allow_null=True, help_text="When the oldest open one was found")


class WaitingSerializer(serializers.Serializer[Mapping[str, Any]]):
    reason = serializers.ChoiceField(RejectionReason.choices)
    count = serializers.IntegerField()


class DueCandlesSerializer(serializers.Serializer[Mapping[str, Any]]):
    interval = serializers.CharField(source="label", help_text="1m, 5m, 1h or 1d")
    count = serializers.IntegerField()
    oldest_marked_at = serializers.DateTimeField()


class GapSerializer(serializers.Serializer[Any]):
    pool = serializers.CharField(source="pool_address")
    mint = serializers.CharField()
    slot_from = serializers.IntegerField(help_text="The missing trades are in this slot or later")
    slot_to = serializers.IntegerField(help_text="The missing trades are in this slot or earlier")
    signature_from = serializers.CharField(help_text="The last stored trade before them")
    signature_to = serializers.CharField(help_text="The first stored trade after them")
    seen_at = serializers.DateTimeField(help_text="Block time of the first stored trade after them")
    quote_sum = Amount("quote_sum_raw", "quote_decimals", help_text="What they moved in sum, positive into the pool")
    token_sum = Amount("token_sum_raw", "token_decimals", help_text="What they moved in sum, positive into the pool")


class GapsSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField(allow_null=True)
    end = serializers.DateTimeField(allow_null=True)
    results = GapSerializer(many=True, help_text="Newest first, at most 100")


class IndexingSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    synced = serializers.BooleanField(allow_null=True, help_text="Every live feed keeps up; null without one")
    sources = LagSerializer(many=True, help_text="The furthest behind first")
    venues = WatchSerializer(many=True, help_text="How far each venue is compared with the chain")
    rejected_waiting = WaitingSerializer(many=True)
    candles_due = DueCandlesSerializer(many=True)
    gaps = GapsSerializer(help_text="Breaks in the reserves of recently traded launch curves: trades that we miss")


class IndexingView(ReadView):
    @extend_schema(operation_id="get_indexing", parameters=[filters.IndexingQuery], responses=IndexingSerializer)
    def get(self, request: Request) -> Response:
        """Whether live feeds keep up: lag and cursor of each source, how far each venue is compared with the chain, what
        waits, and where trades are missing."""
        asked, now = queries.asked(request, filters.IndexingQuery), utc_now()
        newest = indexing.newest_event_at()
        start = newest - timedelta(hours=asked["hours"]) if newest else None
        end = newest + timedelta(seconds=1) if newest else None
        lags = indexing.lags(now=now)
        shown = {
            "at": now,
            "synced": indexing.synced(lags),
            "sources": lags,
            "venues": indexing.watches(now=now),
            "rejected_waiting": [{"reason": it, "count": n} for it, n in indexing.waiting_by_reason().items()],
            "candles_due": indexing.due_candles(),
            "gaps": {
                "start": start,
                "end": end,
                "results": chains.gaps(start=start, end=end) if start and end else [],
            },
        }
        return Response(IndexingSerializer(shown).data)
