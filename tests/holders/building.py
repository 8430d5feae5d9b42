"""Rows of this room for tests: plain functions with defaults; name only what the test is about."""

from typing import Any

from holders.choices import JobReason
from holders.models import ApiCreditUsage, HolderScoreJob
from tests import factories
from tests.factories import NOON


def usage(**fields: Any) -> ApiCreditUsage:
    """Create one answered call of a Helius method for ten credits at :data:`NOON`."""
    defaults = {
        "timestamp": NOON,
        "api_provider": "helius",
        "endpoint": "getTransaction",
        "credits_used": 10,
        "response_time_ms": 120,
        "status_code": 200,
        "request_type": "read",
    }
    return ApiCreditUsage.objects.create(**{**defaults, **fields})


def job(**fields: Any) -> HolderScoreJob:
    """Create the waiting analysis of a new token, due since :data:`NOON`, at the priority of the tier "standard"."""
    mint = fields.pop("token_mint", None) or factories.pool().token.mint_address
    defaults = {"priority": 200, "reason": JobReason.TIER_DUE, "scheduled_at": NOON, "due_at": NOON}
    return HolderScoreJob.objects.create(token_mint=mint, **{**defaults, **fields})
