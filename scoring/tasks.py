"""Celery doors of this room: each reads the clock and calls one service."""

from celery import shared_task
from django.conf import settings

from megatron.clients import registry
from megatron.core import clock
from scoring.services import cleaning, social, urgency


@shared_task
def plan_holder_analyses() -> int:
    """Let the analyses of holders be planned by the newest scores; return how many were asked for."""
    return urgency.push(now=clock.utc_now()).queued


@shared_task
def poll_social() -> int:
    """Ask how tokens are followed, those whose turn it is; return how many readings were stored."""
    sources, most = registry.social_sources(), settings.SOCIAL_TOKENS_PER_MINUTE
    return social.poll_due(sources=sources, now=clock.utc_now(), most=most).stored if sources and most > 0 else 0


@shared_task
def clean_scores() -> int:
    """Remove old totals of tokens that never graduated; return how many. The last ones of graduated tokens are kept whole."""
    return cleaning.clean(now=clock.utc_now())
