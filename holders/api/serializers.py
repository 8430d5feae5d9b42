"""How the accounts of calls to providers look outside."""

from typing import Any

from rest_framework import serializers

from megatron.core.api import DecimalText


class BudgetSerializer(serializers.Serializer[Any]):
    provider = serializers.CharField()
    limit = serializers.IntegerField(
        allow_null=True, help_text="Credits that a calendar month (UTC) may cost; null: any"
    )
    used = serializers.IntegerField(help_text="Credits of this month")
    left = serializers.IntegerField(allow_null=True)
    projected = serializers.IntegerField(help_text="What the month will have cost at the pace of the last seven days")
    used_ratio = DecimalText(help_text="Part of the limit that is used")


class SpentSerializer(serializers.Serializer[Any]):
    provider = serializers.CharField()
    endpoint = serializers.CharField(help_text="Method or path, without keys")
    today = serializers.IntegerField(help_text="Credits since midnight UTC")
    last_7_days = serializers.IntegerField(source="week", help_text="Credits")
    last_30_days = serializers.IntegerField(source="month", help_text="Credits")
    calls = serializers.IntegerField(help_text="In 30 days")
    failed = serializers.IntegerField(help_text="Of these calls")
    mean_ms = serializers.IntegerField(allow_null=True, help_text="Mean time of a call; null for streams")


class CreditsSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    budgets = BudgetSerializer(many=True)
    endpoints = SpentSerializer(many=True, help_text="The dearest first")
