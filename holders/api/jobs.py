"""The API's door to the queue of holder analyses. Reading only: retrying and setting aside are an operator's."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from holders.choices import JobReason, Tier
from holders.domain.priority import tier_of
from holders.models import HolderScoreJob
from holders.selectors import agenda
from megatron.core import queue
from megatron.core.access import CanRead
from megatron.core.api import CursorPagination
from megatron.core.api.pagination import DEFAULT_SIZE, LARGEST_SIZE
from megatron.core.clock import utc_now

STATES = ("waiting", "finished", "quarantined")


class JobQuery(serializers.Serializer[Any]):
    mint = serializers.RegexField(
        r"\A[1-9A-HJ-NP-Za-km-z]{32,44}\Z",
        required=False,
        help_text="Jobs of this token",
        error_messages={"invalid": "Must be an address: 32 to 44 base58 characters."},
    )
    state = serializers.ChoiceField(
        STATES,
        required=False,
        help_text="Not done (also while a worker has it), done, or set aside",
        error_messages={"invalid_choice": f"Must be one of: {', '.join(STATES)}."},
    )
    cursor = serializers.CharField(required=False, max_length=1000, help_text="From the page before: follow its `next`")
    page_size = serializers.IntegerField(
        default=DEFAULT_SIZE, min_value=1, max_value=LARGEST_SIZE, help_text="Rows a page"
    )

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(sorted(self.fields))
            raise serializers.ValidationError({name: [f"Unknown parameter. Known here: {known}."] for name in unknown})
        read: dict[str, Any] = super().to_internal_value(data)
        return read


class JobSerializer(serializers.Serializer[HolderScoreJob]):
    """One analysis of a token's holders, waiting or done."""

    mint = serializers.CharField(source="token_mint")
    state = serializers.SerializerMethodField(help_text="waiting, working, finished or quarantined")
    priority = serializers.IntegerField(help_text="Larger is more urgent, up to 2000")
    tier = serializers.SerializerMethodField(help_text="As which tier the priority counts")
    reason = serializers.ChoiceField(JobReason.choices, help_text="Who asked most urgently")
    scheduled_at = serializers.DateTimeField(help_text="When it was first asked for")
    due_at = serializers.DateTimeField(help_text="Not before")
    processed_at = serializers.DateTimeField(allow_null=True, help_text="When it was done; null while it is not")
    attempts = serializers.IntegerField()
    last_error = serializers.CharField(help_text="Why the newest attempt failed; empty when none did")
    credits_used = serializers.IntegerField(help_text="Credits paid or set aside for its look-ups")
    evidence = serializers.JSONField(help_text="What was decided, done and spent, stage by stage")

    def get_state(self, job: HolderScoreJob) -> str:
        return queue.state_of(job, now=utc_now())

    @extend_schema_field(serializers.ChoiceField(Tier.choices))
    def get_tier(self, job: HolderScoreJob) -> str:
        return tier_of(job.priority).value


class JobListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = JobSerializer
    ordering = agenda.NEWEST_FIRST

    @extend_schema(operation_id="list_holder_jobs", parameters=[JobQuery], responses=JobSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Analyses of holders, the newest wish first: what waits, what is done and what it did cost."""
        query = JobQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = agenda.jobs(token_mint=query.validated_data.get("mint"), state=query.validated_data.get("state"))
        rows = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
