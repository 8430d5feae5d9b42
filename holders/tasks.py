"""Celery doors of this room: each reads the clock and calls one service. The rows are the queue."""

from celery import shared_task

from holders.domain.budget import Light
from holders.services import agenda, analyses, books, budget, quality
from megatron.clients import registry
from megatron.core import clock


@shared_task
def analyse_holders() -> int:
    """Do due analyses of holders; return how many. Wakes itself again while there are more."""
    done = analyses.run_due(
        holder_source=registry.holders(), wallet_source=registry.wallets(), now=clock.utc_now(), limit=analyses.FEW
    )
    if done.finished + done.postponed + done.quarantined >= analyses.FEW:
        analyse_holders.delay()
    return done.finished


@shared_task
def watch_credits() -> int:
    """Tell operators of budgets of credits that run short; return how many stand at their hard stop."""
    return sum(light is Light.STOP for light in budget.watch(now=clock.utc_now()).values())


@shared_task
def forget_analyses() -> int:
    """Remove the jobs of analyses that were done long ago; return how many."""
    return agenda.forget_done(now=clock.utc_now())


@shared_task
def rank_smart_money() -> int:
    """Rank the wallets of smart money anew, and forget measurements whose snapshots are gone; return how many went."""
    quality.refresh_smart_money()
    return quality.forget(now=clock.utc_now())


@shared_task
def forget_holder_updates() -> int:
    """Remove differences from lists of holders that were processed long ago; return how many."""
    return books.forget(now=clock.utc_now())
