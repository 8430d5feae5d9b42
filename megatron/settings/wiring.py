"""All wiring on one page: which nudge wakes which task, and the heartbeat behind every nudge.

A nudge carries no facts. It only wakes a task early; the beat wakes the same task anyway, so a lost nudge costs delay
and never data.
"""

from datetime import UTC, time, timedelta

NUDGES: dict[str, tuple[str, ...]] = {
    "candles_due": ("tokens.tasks.roll_candles",),
    "tokens_traded": ("scoring.tasks.score_technical",),
    "pools_learned": ("tokens.tasks.retry_rejected",),
    "retention_asked": ("tokens.tasks.apply_retention",),
    "metadata_due": ("tokens.tasks.fetch_metadata",),
    "gaps_found": ("tokens.tasks.heal_gaps",),
    "venue_released": ("tokens.tasks.play_released",),
    "holder_jobs": ("holders.tasks.analyse_holders",),
    "holders_measured": ("scoring.tasks.score_holders",),
}

QUEUES = ("stream", "score", "chain", "outside", "money", "slow")
"""Every queue; each has a worker, in the supervisor and in compose.yaml, and a heartbeat that goes through it."""

HEARTBEAT = timedelta(seconds=15)

BEAT: dict[str, tuple[str, timedelta | time, str]] = {
    # task: (queue, interval or an hour and minute of each day in UTC, what the operator reads)
    "tokens.tasks.roll_candles": ("stream", timedelta(seconds=5), "Compute due candles"),
    "tokens.tasks.retry_rejected": ("stream", timedelta(minutes=1), "Play waiting messages again"),
    "tokens.tasks.play_released": ("stream", timedelta(minutes=1), "Play what was kept of released venues"),
    # Not on the queue chain: it has to tell when nobody works there.
    "tokens.tasks.watch_comparison": (
        "stream",
        timedelta(seconds=30),
        "Tell when chain comparison, gaps or feeds stall",
    ),
    "tokens.tasks.settle_chain": ("chain", timedelta(seconds=5), "Compare with the finalized chain"),
    "tokens.tasks.heal_gaps": ("chain", timedelta(seconds=15), "Heal gaps from the chain"),
    "tokens.tasks.complete_rejected": ("chain", timedelta(seconds=15), "Ask for the whole of cut transactions"),
    "tokens.tasks.poll_prices": ("chain", timedelta(seconds=10), "Ask the price sources"),
    "tokens.tasks.watch_programs": ("chain", timedelta(hours=1), "Look whether programs or their settings changed"),
    "holders.tasks.analyse_holders": ("outside", timedelta(seconds=10), "Analyse holders that are due"),
    "scoring.tasks.score_technical": ("score", timedelta(seconds=5), "Score the markets of tokens that traded"),
    "scoring.tasks.follow_selloffs": ("score", timedelta(seconds=30), "Follow open sell-offs"),
    "scoring.tasks.poll_social": ("outside", timedelta(minutes=1), "Ask how tokens are followed"),
    "scoring.tasks.score_holders": ("score", timedelta(seconds=30), "Score measured holders, freeze graduated tokens"),
    "scoring.tasks.plan_holder_analyses": ("score", timedelta(seconds=30), "Plan analyses of holders by the scores"),
    "holders.tasks.watch_credits": ("slow", timedelta(minutes=5), "Look whether credits run short"),
    "holders.tasks.rank_smart_money": ("slow", time(3, 50, tzinfo=UTC), "Rank the wallets of smart money"),
    "holders.tasks.forget_holder_updates": (
        "slow",
        time(3, 45, tzinfo=UTC),
        "Forget differences from lists of holders",
    ),
    "holders.tasks.forget_analyses": ("slow", time(3, 40, tzinfo=UTC), "Forget analyses that were done long ago"),
    "tokens.tasks.fill_usd": ("slow", timedelta(minutes=1), "Fill USD values whose price came later"),
    "tokens.tasks.fetch_metadata": ("outside", timedelta(seconds=30), "Fetch the documents of new tokens"),
    "tokens.tasks.rebuild_hot_tokens": ("slow", timedelta(seconds=30), "Rank the tokens that trade by their score"),
    "tokens.tasks.record_metrics": ("slow", timedelta(minutes=1), "Write down what a worker uses"),
    "tokens.tasks.apply_retention": ("slow", timedelta(hours=1), "Drop what is older than its table's retention"),
    "tokens.tasks.refresh_aggregates": ("slow", timedelta(minutes=1), "Compute hours of aggregates that changed"),
    "tokens.tasks.check_aggregates": ("slow", time(2, 40, tzinfo=UTC), "Compare aggregates with their tables"),
    "tokens.tasks.keep_chains": ("slow", timedelta(minutes=5), "Keep what curves' reserves prove of their trades"),
    "tokens.tasks.refresh_top_tokens": ("slow", timedelta(minutes=5), "Refresh the tokens with the most volume"),
    "scoring.tasks.clean_scores": ("slow", time(2, 10, tzinfo=UTC), "Remove old scores of tokens that never graduated"),
    **{
        f"megatron.core.tasks.heartbeat_{queue}": (queue, HEARTBEAT, f"Show that a worker of the queue {queue} lives")
        for queue in QUEUES
    },
    "megatron.core.tasks.maintain": ("slow", time(3, 20, tzinfo=UTC), "Analyze tables, forget what has expired"),
}
"""Every task in NUDGES has its heartbeat here; a test holds the two together."""

CELERY_TASK_ROUTES = {task: {"queue": queue} for task, (queue, _, _) in BEAT.items()}

READINGS = (
    "megatron.core.readings.database",
    "tokens.selectors.gauges.read",
    "tokens.selectors.upkeep.read",
    "holders.selectors.gauges.read",
    "scoring.selectors.gauges.read",
)
"""Who reads gauges from the database when /metrics is asked."""

TOKEN_PANELS = ("scoring.admin.panels.score", "scoring.admin.panels.risk", "holders.admin.panels.of")
"""Who brings what to a token's page, in this order: the rooms above ``tokens``, which it does not know."""

HOT_RANKING = "scoring.selectors.hot.ranking"
"""Who says which tokens are hot: their scores are in a room above the one that keeps the list."""
