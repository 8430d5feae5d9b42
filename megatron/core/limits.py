"""How often somebody may call: counted a minute in the cache. Without a cache everybody is served, it is logged,
and for a few seconds nobody asks it again."""

from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from megatron.core import clock
from megatron.core.access import caller_of
from megatron.core.models import ApiKey
from megatron.core.pause import PAUSE_SECONDS, Pause
from megatron.core.visitors import address_of

# DRF's own modules load this class by our settings, so nothing here may import ``rest_framework.views``.

OPERATOR_RATE = 1200
"""Requests a minute of a signed-in operator: a page of the console may ask for several things at once."""

_MINUTE = 60

logger = structlog.get_logger(__name__)

_pause = Pause()
"""One cache a process."""


class PerMinute(BaseThrottle):
    """The limit of a key is its own ``rate_per_minute``; callers without one share a limit by address."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Return whether the caller has not used up this minute."""
        who = caller_of(request)
        if isinstance(request.auth, ApiKey):
            rate = request.auth.rate_per_minute
        elif request.user.is_authenticated:
            rate = OPERATOR_RATE
        else:
            rate, who = settings.API_ANONYMOUS_RATE, f"address:{address_of(request)}"
        return _count(f"rate:{who}:{int(clock.utc_now().timestamp()) // _MINUTE}") <= rate

    def wait(self) -> float:
        """Return the seconds until the next minute begins."""
        return _MINUTE - clock.utc_now().timestamp() % _MINUTE + 1


def _count(name: str) -> int:
    """Count one more under ``name`` and return how many there are, 0 without a cache."""
    if not _pause.may_ask():
        return 0
    try:
        cache.add(name, 0, 2 * _MINUTE)
        count = cache.incr(name)
    except Exception as error:  # noqa: BLE001  # whatever a cache may raise, a reader is served
        # The error may name the address and its password.
        _pause.begin()
        logger.warning("limits.cache_away", error=type(error).__name__, pause_seconds=PAUSE_SECONDS)
        return 0
    _pause.end()
    return count
