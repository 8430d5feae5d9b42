"""Rows of this room for tests: plain functions with defaults; name only what the test is about."""

from typing import Any

from holders.models import ApiCreditUsage
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
