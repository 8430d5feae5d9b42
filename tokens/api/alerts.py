"""The API's door to operator alerts. Reading only: acknowledging is an operator's word, given in the console."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from megatron.core.api import queries
from tokens.api import filters
from tokens.api.views import ListView
from tokens.choices import AlertKind, AlertSeverity
from tokens.selectors import alerts


class AlertQuery(queries.PageQuery):
    kind = queries.Choice(AlertKind.choices, required=False, help_text="What it tells of")
    severity = queries.Choice(AlertSeverity.choices, required=False, help_text="How soon somebody has to look")
    open = queries.Flag(required=False, help_text="Only what is not over, or only what is")


class AlertSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(AlertKind.choices)
    subject = serializers.CharField(help_text="What it is about: a venue, a source, an address")
    severity = serializers.ChoiceField(AlertSeverity.choices)
    message = serializers.CharField(help_text="What happened, in words")
    detail = serializers.JSONField(help_text="Figures behind the words; their names depend on the kind")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    occurrences = serializers.IntegerField(help_text="How often it was seen while open")
    acknowledged_at = serializers.DateTimeField(allow_null=True, help_text="Since when an operator knows")
    resolved_at = serializers.DateTimeField(allow_null=True, help_text="When it was over; null while open")


class AlertListView(ListView):
    serializer_class = AlertSerializer

    @extend_schema(operation_id="list_alerts", parameters=[AlertQuery], responses=AlertSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What an operator was told, newest first: one row for each thing that was wrong, counted while it lasted."""
        asked = queries.asked(request, AlertQuery)
        found = alerts.alerts(kind=asked.get("kind"), severity=asked.get("severity"), is_open=asked.get("open"))
        return self.page(found, filters.Order(alerts.NEWEST_FIRST))
