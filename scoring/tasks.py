"""Celery doors of this room: each reads the clock and calls one service."""

from celery import shared_task
from django.conf import settings

from megatron.clients import registry
from megatron.core import clock
from scoring.services import cleaning, holder, selloffs, social, technical, urgency


@shared_task
def score_technical() -> int:
    """Score the tokens whose turn it is; return how many. Wakes itself again while there are more."""
    scored = technical.score(mints=None, now=clock.utc_now())
    if scored.more:
        score_technical.delay()
    return len(scored.mints)


@shared_task
def score_holders() -> int:
    """Score the holders that were measured, then freeze the scores of tokens that graduated; return how many were scored.

    Wakes itself again while there are more: only then nothing is left that belongs before a freeze.
    """
    now = clock.utc_now()
    scored = holder.score_measured(now=now, limit=holder.BATCH)
    if scored >= holder.BATCH:
        score_holders.delay()
    else:
        holder.freeze_graduated(now=now)
    return scored


@shared_task
def follow_selloffs() -> int:
    """Look whether open sell-offs recovered or are too old; return how many ended."""
    followed = selloffs.follow(now=clock.utc_now())
    return followed.recovered + followed.expired


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
