"""Celery doors: each reads the clock and calls one service. The rows are the queue; a lost message costs delay."""

from celery import shared_task
from django.conf import settings

from megatron.clients import registry
from megatron.core import clock
from tokens.choices import ProcessKind
from tokens.services import (
    aggregates,
    cache,
    candles,
    chains,
    comparison_alerts,
    drift,
    finality,
    gaps,
    metadata,
    metrics,
    polls,
    prices,
    programs,
    rankings,
    rejections,
    releases,
    retention,
)


@shared_task
def roll_candles() -> int:
    """Compute due candles; return how many. Wakes itself again while there are more."""
    rolled = candles.roll(now=clock.utc_now()).total
    if rolled >= 2_000:
        roll_candles.delay()
    return rolled


@shared_task
def retry_rejected() -> int:
    """Play messages again whose pool has become known; return how many were stored."""
    return rejections.retry_answered(now=clock.utc_now()).resolved


@shared_task
def play_released() -> int:
    """Play what was kept of venues that were quarantined and are released; return how many messages were stored.

    Wakes itself again while there are more.
    """
    done = releases.play(now=clock.utc_now())
    if done.played >= 2_000:
        play_released.delay()
    return done.resolved


@shared_task
def poll_prices() -> int:
    """Ask the price sources whose turn it is; return how many prices were stored."""
    return polls.poll(sources=registry.price_sources(), now=clock.utc_now()).stored


@shared_task
def fill_usd() -> int:
    """Give USD values to trades of the last hour whose price came later; return how many."""
    return prices.fill_recent(now=clock.utc_now())


@shared_task
def apply_retention() -> int:
    """Drop what is older than its table's retention, and old resolved rejections; return how many rows went."""
    now = clock.utc_now()
    applied = retention.apply(now=now, export_to=settings.RETENTION_EXPORT_DIR)
    return sum(applied.rows.values()) + rejections.forget_resolved(now=now)


@shared_task
def refresh_aggregates() -> int:
    """Compute hours of aggregates again that changed; return how many. Wakes itself again while there are more."""
    done = aggregates.refresh_due(now=clock.utc_now())
    if done.hours + done.failed >= aggregates.MOST:
        refresh_aggregates.delay()
    return done.hours


@shared_task
def check_aggregates() -> int:
    """Compare aggregates with their tables; return how many hours differed, which are due now."""
    return aggregates.check(now=clock.utc_now())


@shared_task
def keep_chains() -> int:
    """Keep what the reserves of curves prove of their trades up to an hour ago; return of how many."""
    return chains.keep(now=clock.utc_now())


@shared_task
def refresh_top_tokens() -> None:
    """Compute anew which tokens had the most volume; readers keep the old rows until then."""
    rankings.refresh_top_tokens()


@shared_task
def rebuild_hot_tokens() -> int:
    """Rank the tokens that traded in the last hour; return how many are ranked."""
    return cache.rebuild_hot(now=clock.utc_now())


@shared_task
def record_metrics() -> None:
    """Write down what this worker uses; each monitor does the same for itself."""
    metrics.record(kind=ProcessKind.WORKER, now=clock.utc_now())


@shared_task
def fetch_metadata() -> int:
    """Fetch due documents of tokens; return how many. Wakes itself again while there are more."""
    if not settings.METADATA_GATEWAYS:
        return 0
    done = metadata.fetch_due(documents=registry.documents(), now=clock.utc_now())
    if done.finished + done.postponed + done.quarantined >= metadata.FEW:
        fetch_metadata.delay()
    return done.finished


@shared_task
def settle_chain() -> int:
    """Compare every watched venue with the finalized chain; return how many transactions were missing."""
    if not registry.has_chain():
        return 0
    return sum(done.missing for done in finality.settle_all(chain=registry.chain(), now=clock.utc_now()))


@shared_task
def heal_gaps() -> int:
    """Ask the chain for what is in the gaps that have ended; return how many were healed."""
    if not registry.has_chain():
        return 0
    return gaps.heal_due(chain=registry.chain(), now=clock.utc_now()).finished


@shared_task
def watch_comparison() -> int:
    """Tell when venues are not compared with the chain, gaps do not heal or feeds stay away; return how many alerts are open.

    Apart from the tasks that do these things: whatever stops them, also that there is no node to ask, must be told.
    """
    now = clock.utc_now()
    gaps.alert_about_old(now=now)
    away = comparison_alerts.alert_about_away(now=now)
    return away + comparison_alerts.alert_about_stalled(has_chain=registry.has_chain(), now=now)


@shared_task
def complete_rejected() -> int:
    """Ask the chain for the whole of transactions that came in part; return how many messages that resolved."""
    if not registry.has_chain():
        return 0
    return rejections.complete(chain=registry.chain(), now=clock.utc_now()).resolved


@shared_task
def watch_programs() -> int:
    """Look whether programs or their settings changed, and close alerts about drift that is over; return how many changed."""
    now = clock.utc_now()
    drift.settle(now=now)
    return programs.watch(chain=registry.chain(), now=now) if registry.has_chain() else 0
