"""The API's doors to live feeds: what may be missing, who brought what, which forks were dropped, what is complete."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from megatron.core.api import queries, shown
from megatron.core.clock import utc_now
from tokens.api import filters
from tokens.api.serializers import PoolDetailSerializer
from tokens.api.views import ListView, ReadView
from tokens.choices import GapCause, GapOutcome, Program
from tokens.models import ChainReorg, Pool, SlotGap, SourceTally
from tokens.selectors import completeness, feeds, tokens
from tokens.selectors.completeness import Completeness, Evidence, Hole, Span

_VENUE_HELP = "Which program's transactions"


class GapQuery(queries.PageQuery):
    venue = queries.Choice(Program.choices, required=False, help_text=_VENUE_HELP)
    cause = queries.Choice(GapCause.choices, required=False, help_text="How it became known")
    open = queries.Flag(required=False, help_text="Only what has not ended, or only what has")


class SourceQuery(queries.PageQuery):
    venue = queries.Choice(Program.choices, required=False, help_text=_VENUE_HELP)
    source = serializers.CharField(  # type: ignore[assignment]  # a declared field, not Field.source
        required=False, max_length=100, help_text="Only this feed, e.g. solana-logs"
    )

    def validate_source(self, value: str) -> str:
        if "\x00" in value:
            raise serializers.ValidationError("No source has such a name.")
        return value


class ReorgQuery(queries.PageQuery):
    venue = queries.Choice(Program.choices, required=False, help_text=_VENUE_HELP)


class SlotGapSerializer(serializers.Serializer[SlotGap]):
    """A stretch of slots, ends included, of which something may be missing."""

    venue = serializers.ChoiceField(Program.choices)
    source = serializers.CharField(  # type: ignore[assignment]  # a declared field, not Field.source
        help_text="Which feed; empty for all of them"
    )
    cause = serializers.ChoiceField(GapCause.choices, help_text="How it became known")
    slot_from = serializers.IntegerField()
    slot_to = serializers.IntegerField(allow_null=True, help_text="Null while the feed is still away")
    pool = serializers.CharField(
        source="pool_address",
        allow_null=True,
        help_text="The curve whose reserves do not follow, if that is how we know",
    )
    found_at = serializers.DateTimeField(source="detected_at")
    healed_to = serializers.IntegerField(allow_null=True, help_text="A long one is gone through up to here")
    ended_at = serializers.DateTimeField(source="finished_at", allow_null=True, help_text="Null while it is open")
    outcome = serializers.SerializerMethodField(help_text="How it ended; null while it is open")
    transactions_found = serializers.IntegerField(help_text="Transactions that were missing and are stored now")
    attempts = serializers.IntegerField(help_text="How often it was tried since it last got on")
    last_error = serializers.CharField(help_text="Why the newest attempt failed")

    @extend_schema_field(serializers.ChoiceField(GapOutcome.choices, allow_null=True))
    def get_outcome(self, gap: SlotGap) -> str | None:
        return gap.outcome if gap.finished_at else None


class SourceTallySerializer(serializers.Serializer[SourceTally]):
    """What one source brought of one venue in one hour, beside the others."""

    hour = serializers.DateTimeField(help_text="Start of the hour")
    venue = serializers.ChoiceField(Program.choices)
    source = serializers.CharField()  # type: ignore[assignment]  # a declared field, not Field.source
    frames = serializers.IntegerField(help_text="Messages, whatever was in them")
    bytes = serializers.IntegerField()
    transactions = serializers.IntegerField(help_text="Successful transactions of the venue")
    first = serializers.IntegerField(help_text="Of these: it brought them first, or alone")
    missed = serializers.IntegerField(help_text="Others, or the chain, had them and it did not bring them")
    lead_ms = serializers.IntegerField(help_text="Sum of how far ahead of the next source it was")
    disconnects = serializers.IntegerField()


class ReorgSerializer(serializers.Serializer[ChainReorg]):
    """A fork of the chain that was believed and that was dropped."""

    venue = serializers.ChoiceField(Program.choices)
    slot_from = serializers.IntegerField(help_text="First slot of which something was dropped")
    slot_to = serializers.IntegerField(help_text="Last slot of which something was dropped")
    found_at = serializers.DateTimeField(source="detected_at")
    trades_removed = serializers.IntegerField(help_text="Rows of transactions that were removed")
    moved = serializers.IntegerField(help_text="Dropped transactions that landed again in another slot")
    tokens_removed = serializers.IntegerField(help_text="Tokens that were only ever created on the fork")
    signatures = serializers.ListField(child=serializers.CharField(), help_text="What was dropped; the first 1,000")


class SpanSerializer(serializers.Serializer[Span]):
    slot_from = serializers.IntegerField()
    slot_to = serializers.IntegerField()
    by = serializers.ListField(
        child=serializers.ChoiceField([kind.value for kind in Evidence]),
        help_text="conservation: each stored trade follows from the one before; coverage: compared with the chain",
    )
    from_start = serializers.BooleanField(help_text="No trade came before slot_from either: the curve began there")


class HoleSerializer(serializers.Serializer[Hole]):
    slot_from = serializers.IntegerField()
    slot_to = serializers.IntegerField()
    cause = serializers.ChoiceField(GapCause.choices, help_text="How it became known")
    accepted = serializers.BooleanField(source="is_accepted", help_text="An operator gave up on it")


class CompletenessSerializer(serializers.Serializer[Completeness]):
    """From which slot to which every trade of the pool is stored, ends included."""

    span = SpanSerializer(
        allow_null=True, help_text="The newest stretch in which nothing is missing; null where that is not known"
    )
    holes = HoleSerializer(many=True, help_text="Slots of which a trade may be missing")
    waiting = serializers.IntegerField(help_text="Rejected messages that wait for the pool or its token")
    watched = serializers.BooleanField(source="is_watched", help_text="Its venue is compared with the chain")
    held = serializers.BooleanField(source="is_held", help_text="The venue is quarantined, or not caught up since")


class PoolPageSerializer(PoolDetailSerializer):
    completeness = serializers.SerializerMethodField(help_text="Whether a trade of the pool may be missing")

    @extend_schema_field(CompletenessSerializer)
    def get_completeness(self, pool: Any) -> Any:
        return shown(CompletenessSerializer, self.context["completeness"][pool.pk])


class PoolView(ReadView):
    @extend_schema(operation_id="get_pool", parameters=[filters.ADDRESS], responses=PoolPageSerializer)
    def get(self, request: Request, address: str) -> Response:
        """One pool with its newest known state, its milestones, and from which slot to which it is complete."""
        queries.asked(request)
        try:
            pool = tokens.get_pool(queries.checked_address(address))
        except Pool.DoesNotExist as error:
            raise NotFound(f"No pool {address} is known.") from error
        known = {"completeness": completeness.spans(pools=[pool], now=utc_now())}
        return Response(PoolPageSerializer(pool, context=known).data)


class GapListView(ListView):
    serializer_class = SlotGapSerializer

    @extend_schema(operation_id="list_gaps", parameters=[GapQuery], responses=SlotGapSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Stretches of slots of which something was or may be missing, the newest found first."""
        asked = queries.asked(request, GapQuery)
        found = feeds.gaps(venue=asked.get("venue"), cause=asked.get("cause"), is_open=asked.get("open"))
        return self.page(found, filters.Order(("-detected_at", "-id")))


class SourceListView(ListView):
    serializer_class = SourceTallySerializer

    @extend_schema(operation_id="list_sources", parameters=[SourceQuery], responses=SourceTallySerializer(many=True))
    def get(self, request: Request) -> Response:
        """What each source brought of each venue, hour by hour, the newest hour first."""
        asked = queries.asked(request, SourceQuery)
        found = feeds.tallies(venue=asked.get("venue"), source=asked.get("source"))
        return self.page(found, filters.Order(("-hour", "-id")))


class ReorgListView(ListView):
    serializer_class = ReorgSerializer

    @extend_schema(operation_id="list_reorgs", parameters=[ReorgQuery], responses=ReorgSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Forks that were believed and dropped, the newest first; what they had brought is removed and computed again."""
        found = feeds.reorgs(venue=queries.asked(request, ReorgQuery).get("venue"))
        return self.page(found, filters.Order(("-detected_at", "-id")))
