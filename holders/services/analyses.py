"""Analyses of holders, one job at a time: list or derive the holders, look at a sample of the wallets, measure.

Each stage commits what it found before it is noted in the job, and a job that is taken up again goes on after the last
stage that is done: nothing is paid for twice but the call that was on its way when the worker died.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db.models import QuerySet

from holders.choices import WalletOrigin
from holders.domain import budget as costs
from holders.domain import priority as ranks
from holders.domain.priority import Depth
from holders.domain.sampling import sample
from holders.models import HolderScoreJob, HolderSnapshot, TokenHolder, WalletAnalysis
from holders.selectors import agenda
from holders.services import budget, quality, snapshots, wallets
from megatron.clients import meter
from megatron.clients.costs import credits_of
from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import HolderSource, WalletSource
from megatron.core import nudges, queue
from megatron.core.queue import Drained

FEW = 3
"""Jobs of one run: each may take its minute, and a task has four."""
MAX_ATTEMPTS = 3
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
BATCH = 100
"""Wallets whose balances one call tells."""
A_PAGE = credits_of("helius", "getTokenAccounts")
"""What a page of holders costs at the dearest source; which one is asked, a job does not know."""
STALE = timedelta(minutes=15)
"""A snapshot of an earlier attempt that is older is taken anew."""

log = structlog.get_logger(__name__)


class UnknownToken(Exception):
    """A job names a mint that nobody stored."""


def run_due(
    *,
    holder_source: HolderSource | None,
    wallet_source: WalletSource | None,
    now: datetime,
    limit: int = FEW,
    only: Sequence[str] = (),
    seen: Callable[[HolderScoreJob], object] = lambda _: None,
) -> Drained:
    """Do up to ``limit`` due jobs (of the mints ``only``, if any), the most urgent and then the longest waiting first.
    ``seen`` hears of each job before it begins.

    Without a source, or where the budget of credits says no, an analysis goes on from our own trades. What fails is tried
    again after 1 and 5 minutes, the last time without any source, then set aside with the reason.
    """

    def step(job: HolderScoreJob) -> None:
        seen(job)
        _analyse(holder_source, wallet_source, now, job)

    rows: QuerySet[HolderScoreJob] = HolderScoreJob.objects.order_by("-priority", "scheduled_at", "pk")
    return queue.drain(
        rows.filter(token_mint__in=only) if only else rows,
        step,
        now=now,
        limit=limit,
        hopeless=(UnknownToken,),
        expected=(TryLater, Refused, Malformed),
        max_attempts=MAX_ATTEMPTS,
        pauses=PAUSES,
    )


def _analyse(
    holder_source: HolderSource | None, wallet_source: WalletSource | None, now: datetime, job: HolderScoreJob
) -> None:
    subject = agenda.find_subject(token_mint=job.token_mint)
    if subject is None:
        raise UnknownToken(f"{job.token_mint} is not stored: ask again once it has traded.")
    if subject.is_graduated:
        _note(job, skipped="The curve is full: its score is frozen.")
        return
    if job.attempts >= MAX_ATTEMPTS:
        _note(job, alone=f"Attempt {job.attempts}, so without any source: {job.last_error or 'the worker died'}")
        holder_source = wallet_source = None
    progress = subject.progress_pct
    if progress is None or not ranks.WINDOW_FROM <= progress < ranks.WINDOW_TO:
        _note(job, alone="Outside the window of scoring: no look-up is worth its cost.")
        holder_source = wallet_source = None
    depth = ranks.DEPTHS[ranks.tier_of(job.priority)]
    snapshot = _snapshot(job, holder_source, depth, now)
    if snapshot is None:
        _note(job, skipped="Nobody is known to hold it.")
        return
    if not ranks.is_in_window(progress_quote_pct=progress, holders=snapshot.total_holders):
        wallet_source = None
    _look_at_wallets(job, snapshot, wallet_source, depth, now)
    if not _is_done(job, "quality", snapshot):
        measured = quality.measure(token_mint=job.token_mint, snapshot_time=snapshot.snapshot_time, now=now)
        _note(job, quality={"at": snapshot.snapshot_time, **_told(measured)})
    nudges.ring("holders_measured")


def _snapshot(job: HolderScoreJob, source: HolderSource | None, depth: Depth, now: datetime) -> HolderSnapshot | None:
    """Return the job's snapshot: that of an earlier attempt while it is fresh, else a new one."""
    started = _time(job.evidence.get("started_at"))
    if started is not None and (found := _newest(job.token_mint, max(started, now - STALE))) is not None:
        return found
    if job.evidence.get("started_at") is None or now - (started or now) > STALE:
        _note(job, started_at=now)
    listed = _listed(job.token_mint)
    planned = costs.cost(holders=min(listed or depth.holders, depth.holders), wallets=0, a_page=A_PAGE)
    allowed = _allowed(job, planned, now) if source is not None else 0
    is_paid = source is not None and (allowed is None or planned <= allowed)
    asked = source if is_paid else None
    take = partial(snapshots.take, token_mint=job.token_mint, source=asked, now=now, most=depth.holders)
    taken, paid = _pay(job, planned if is_paid else 0, take, now, most=allowed if is_paid else None)
    worth = costs.value(priority=job.priority, paid=planned)
    _note(
        job,
        snapshot={
            "listed": is_paid,
            "planned_credits": planned,
            "credits": paid,
            "points_a_credit": None if worth is None else str(worth),
            **_told(taken),
        },
    )
    return None if taken is None else _newest(job.token_mint, now - STALE)


def _look_at_wallets(
    job: HolderScoreJob, snapshot: HolderSnapshot, source: WalletSource | None, depth: Depth, now: datetime
) -> None:
    """Analyse a sample of the holders: the budget decides how many of those that nobody knows are looked up."""
    if _is_done(job, "wallets", snapshot):
        return
    seed = f"{job.token_mint}/{snapshot.snapshot_time.isoformat()}"
    owners = sample(_owners(snapshot, depth.holders), size=depth.wallets, seed=seed)
    unknown = len(owners) - _known(owners, now)
    planned = least = 0
    allowed: int | None = 0
    if source is not None and unknown:
        least = source.credits_each + source.credits_a_batch
        batches = -(-unknown // BATCH) * source.credits_a_batch
        planned = costs.cost(holders=0, wallets=unknown, a_wallet=source.credits_each) + batches
        allowed = _allowed(job, least, now)
    spend = planned if allowed is None else min(planned, allowed)
    paying = source if least <= spend and unknown else None
    most = None if paying is None or allowed is None else spend
    look = partial(wallets.analyse, wallets=owners, source=paying, now=now, budget=most)
    analysed, paid = _pay(job, spend if paying is not None else 0, look, now, most=most)
    _note(
        job,
        wallets={
            "at": snapshot.snapshot_time,
            "sampled": len(owners),
            "seed": seed,
            "unknown": unknown,
            "allowed_credits": allowed,
            "credits": paid,
            **_told(analysed),
        },
    )


def _pay(
    job: HolderScoreJob, planned: int, step: Callable[[], Any], now: datetime, *, most: int | None
) -> tuple[Any, int]:
    """Do ``step`` and return its answer and what it did cost, ``most`` credits; ``planned`` are set aside before it begins."""
    if planned:
        budget.set_aside(job=job, credits_planned=planned, now=now)
    with meter.tally(most=most) as counted:
        try:
            return step(), counted.credits
        finally:
            if planned:
                budget.settle(job=job, credits_planned=planned, credits_paid=counted.credits)


def _allowed(job: HolderScoreJob, least: int, now: datetime) -> int | None:
    """Return the credits that the job may still spend; noted with the budget's state."""
    purse = budget.purse(now=now, without=job)
    worth = purse.credits_for(job.priority)
    allowed = None if worth is None else max(0, worth - job.credits_used)
    state = {"light": purse.light.value, "used": purse.used, "limit": purse.limit, "per_hour": purse.per_hour}
    _note(job, budget={**state, "allowed": allowed, "wanted_at_least": least})
    return allowed


def _owners(snapshot: HolderSnapshot, limit: int) -> Sequence[str]:
    """Return who holds the token, the largest first, without the accounts that are no holders."""
    excluded = [account["wallet"] for account in snapshot.raw_distribution.get("excluded", [])]
    rows = TokenHolder.objects.filter(token_mint=snapshot.token_mint, current_balance__gt=0)
    rows = rows.exclude(wallet_address__in=excluded)
    return list(rows.order_by("-current_balance", "wallet_address").values_list("wallet_address", flat=True)[:limit])


def _known(owners: Sequence[str], now: datetime) -> int:
    """Return how many of ``owners`` need no look-up now."""
    rows = WalletAnalysis.objects.filter(wallet_address__in=owners, valid_until__gt=now, source=WalletOrigin.CHAIN)
    return rows.count()


def _listed(token_mint: str) -> int | None:
    """Return how many holders the newest snapshot had."""
    newest = HolderSnapshot.objects.filter(token_mint=token_mint).order_by("-snapshot_time").first()
    return None if newest is None else newest.unique_holders


def _newest(token_mint: str, since: datetime) -> HolderSnapshot | None:
    """Return the newest snapshot that was taken from ``since`` on."""
    rows = HolderSnapshot.objects.filter(token_mint=token_mint, snapshot_time__gte=since)
    return rows.order_by("-snapshot_time").first()


def _is_done(job: HolderScoreJob, stage: str, snapshot: HolderSnapshot) -> bool:
    """Say whether an earlier attempt has done ``stage`` for this snapshot."""
    return _time(job.evidence.get(stage, {}).get("at")) == snapshot.snapshot_time


def _note(job: HolderScoreJob, **facts: Any) -> None:
    """Commit what a stage did, in the job."""
    job.evidence = {**job.evidence, **{name: _plain(value) for name, value in facts.items()}}
    job.save(update_fields=["evidence"])


def _told(result: Any) -> Mapping[str, Any]:
    """Return the figures of a stage's answer: plain ones, not its lists."""
    if not is_dataclass(result) or isinstance(result, type):
        return {}
    found = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: _plain(value) for name, value in found.items() if _plain(value) is not None}


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON keeps it; ``None`` for what is no plain figure."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value if isinstance(value, str | int | float | bool) else None


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
