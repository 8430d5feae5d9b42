"""The API's door to the queue of holder analyses. Reading only: retrying and setting aside are an operator's."""

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
from megatron.core.api import CursorPagination, queries
from megatron.core.clock import utc_now

STATES = ("waiting", "finished", "quarantined")


class JobQuery(queries.PageQuery):
    mint = queries.Address(required=False, help_text="Jobs of this token")
    state = queries.Choice(
        STATES, required=False, help_text="Not done (also while a worker has it), done, or set aside"
    )


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
        asked = queries.asked(request, JobQuery)
        found = agenda.jobs(token_mint=asked.get("mint"), state=asked.get("state"))
        rows = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
