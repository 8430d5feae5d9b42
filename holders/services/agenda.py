"""The waiting analyses: one a token, asked for by milestones, tiers, first good scores and operators."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import structlog
from django.db import OperationalError, connection, transaction

from holders.choices import JobReason
from holders.domain import priority as ranks
from holders.domain.priority import Scores, Standing
from holders.models import HolderScoreJob
from holders.selectors import agenda
from holders.selectors.agenda import Candidate
from megatron.core import ids, nudges
from megatron.core.timescale.bounds import bounded
from tokens.domain.programs import MAYHEM_AGENT

HORIZON = timedelta(seconds=30)
"""The planner's own heartbeat: what comes due before the next is asked for now."""
KEPT = timedelta(days=30)
FEW_BUYS = 200
"""Among so many of a token's newest buys its five holders are looked for."""

_EPOCH, _SLACK = datetime.fromtimestamp(0, UTC), timedelta(days=1)

log = structlog.get_logger(__name__)


class Wish(NamedTuple):
    """One analysis that is to be made."""

    mint: str
    priority: int
    reason: JobReason
    due_at: datetime
    was_analysed: bool
    """Then it had its holders counted; else five different buyers are looked for first."""
    created_at: datetime | None = None
    """When its token was made: nobody bought it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one call of :func:`plan` did, in tokens."""

    considered: int = 0
    queued: int = 0
    raised: int = 0
    """Those whose waiting job became more urgent or due earlier."""


# A job that failed keeps its pause, and one that an operator set aside stays as it is; an operator may ask again at once.
_ASK = """
INSERT INTO holder_score_queue AS job
    (id, token_mint, priority, reason, scheduled_at, due_at, attempts, last_error, evidence)
SELECT n.id, n.mint, n.priority, n.reason, %(now)s, n.due_at, 0, '', %(evidence)s::jsonb
FROM unnest(%(ids)s::uuid[], %(mints)s::text[], %(priorities)s::int[], %(reasons)s::text[], %(dues)s::timestamptz[],
    %(counted)s::boolean[]) AS n(id, mint, priority, reason, due_at, counted)
JOIN tokens t ON t.mint_address = n.mint
WHERE NOT t.is_graduated
  AND NOT EXISTS (SELECT FROM pools p WHERE p.token_id = t.id AND p.pool_type = 'initial' AND p.status <> 'active')
  AND (n.counted OR %(fewest)s <= (
      SELECT count(DISTINCT user_address) FROM (
          SELECT user_address FROM transactions
          WHERE token_id = t.id AND type = 'buy' AND user_address <> %(agent)s AND {since}
          ORDER BY block_time DESC LIMIT %(buys)s
      ) AS newest))
ORDER BY n.mint
ON CONFLICT (token_mint) WHERE processed_at IS NULL DO UPDATE SET
    priority = greatest(job.priority, EXCLUDED.priority),
    reason = CASE WHEN EXCLUDED.priority > job.priority THEN EXCLUDED.reason ELSE job.reason END,
    due_at = CASE WHEN job.attempts = 0 OR EXCLUDED.reason = 'operator' THEN least(job.due_at, EXCLUDED.due_at)
        ELSE job.due_at END,
    evidence = job.evidence || EXCLUDED.evidence
WHERE job.quarantined_at IS NULL AND (
    EXCLUDED.priority > job.priority
    OR (EXCLUDED.due_at < job.due_at AND (job.attempts = 0 OR EXCLUDED.reason = 'operator')))
RETURNING xmax = 0
"""


def schedule(
    *, token_mint: str, priority: int, reason: JobReason, now: datetime, evidence: Mapping[str, Any] | None = None
) -> HolderScoreJob | None:
    """Ask for an analysis of ``token_mint`` now, or make the waiting one at least as urgent; return it.

    ``None`` for a token that nobody stored or that has graduated: its score is frozen. Part of the caller's transaction.
    """
    _ask([Wish(token_mint, priority, reason, now, True)], evidence or {}, now)
    return HolderScoreJob.objects.filter(token_mint=token_mint, processed_at=None).first()


def plan(
    *,
    scores: Mapping[str, Scores],
    now: datetime,
    among: Sequence[Candidate] | None = None,
    horizon: timedelta = HORIZON,
) -> Planned:
    """Ask for the analyses that come due within ``horizon``, by the tiers; ``scores`` are pushed down from above.

    Only curves within the window that traded since their last analysis are considered, and one that was never analysed
    needs five different buyers. ``among`` saves reading the curves when the caller has them. Two statements, however many
    tokens. A writer of trades that has the same jobs in hand is never made to wait for long: then nothing is planned, and
    the next heartbeat does it.
    """
    found = agenda.candidates(now=now) if among is None else among
    unknown = Scores()
    wishes = [wish for it in found if (wish := _wish(it, scores.get(it.mint, unknown), now)).due_at <= now + horizon]
    try:
        queued, raised = _ask(wishes, {}, now, waits=False)
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise
        log.info("agenda.busy", wishes=len(wishes))
        return Planned(considered=len(found))
    return Planned(considered=len(found), queued=queued, raised=raised)


def forget_done(*, now: datetime) -> int:
    """Remove the jobs that were done long ago; return how many."""
    return HolderScoreJob.objects.filter(finished_at__lt=now - KEPT).delete()[0]


def _wish(it: Candidate, known: Scores, now: datetime) -> Wish:
    standing = Standing(
        progress_pct=it.progress_pct, technical=known.technical, holder=known.holder, momentum=known.momentum
    )
    turn = ranks.turn_of(standing)
    since = None if it.analysed_at is None else now - it.analysed_at
    is_instant = ranks.is_instant(standing, since_analysis=since)
    asks = [(turn.priority, JobReason.TIER_DUE)]
    if is_instant and it.analysed_at is None:
        asks.append((ranks.FIRST, JobReason.FIRST_ANALYSIS))
    if it.milestone_pct is not None:
        asks.append((ranks.milestone_priority(it.milestone_pct), JobReason.MILESTONE_CROSSED))
    if fast := ranks.velocity_priority(points_15m=None, points_1h=standing.momentum):
        asks.append((fast, JobReason.VELOCITY_CHANGE))
    priority, reason = max(asks, key=lambda ask: ask[0])
    at_once = is_instant or it.analysed_at is None or it.milestone_pct is not None
    due_at = now if at_once or it.analysed_at is None else max(now, it.analysed_at + turn.interval)
    return Wish(it.mint, priority, reason, due_at, it.analysed_at is not None, it.created_at)


def _since(wishes: Sequence[Wish], now: datetime) -> datetime:
    """Return from when on there are trades of those whose buyers are looked for."""
    created = [wish.created_at or _EPOCH for wish in wishes if not wish.was_analysed]
    return min(created, default=now) - _SLACK


@transaction.atomic
def _ask(wishes: Sequence[Wish], evidence: Mapping[str, Any], now: datetime, *, waits: bool = True) -> tuple[int, int]:
    """Write wishes with one statement; return how many are new and how many changed a waiting job."""
    if not wishes:
        return 0, 0
    with connection.cursor() as cursor:
        if not waits:
            # Shorter than deadlock_timeout: of us and a writer of trades who wait for each other it is always us who gives in.
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
        cursor.execute(
            _ASK.replace("{since}", bounded("block_time >= %(since)s")),
            {
                "now": now,
                "evidence": json.dumps(dict(evidence)),
                "ids": [ids.new_id() for _ in wishes],
                "mints": [wish.mint for wish in wishes],
                "priorities": [wish.priority for wish in wishes],
                "reasons": [wish.reason.value for wish in wishes],
                "dues": [wish.due_at for wish in wishes],
                "counted": [wish.was_analysed for wish in wishes],
                "fewest": ranks.FEWEST_HOLDERS,
                "buys": FEW_BUYS,
                "agent": MAYHEM_AGENT,
                "since": _since(wishes, now),
            },
        )
        new = [is_new for (is_new,) in cursor.fetchall()]
    if new:
        nudges.ring("holder_jobs")
    return sum(new), len(new) - sum(new)
