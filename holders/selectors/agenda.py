"""Whose holders could be analysed, what waits, and what analyses cost: read by the planner, the console and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Case, Count, IntegerField, Min, Q, QuerySet, Sum, Value, When

from holders.choices import Tier
from holders.domain.priority import RULES, WINDOW_FROM, WINDOW_TO
from holders.models import HolderScoreJob

ACTIVE_WITHIN = timedelta(days=1)
"""A curve that nobody trades for so long changes no holders."""
HOUR = timedelta(hours=1)

NEWEST_FIRST = ("-scheduled_at", "-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A curve in the window that traded since its holders were analysed."""

    mint: str
    progress_pct: Decimal
    """Percent of the quote target."""
    analysed_at: datetime | None
    milestone_pct: int | None
    """The newest of 10, 25, 50 and 75 that no analysis has seen yet."""
    created_at: datetime | None = None
    """When its token was made, on chain."""


_CANDIDATES = """
SELECT t.mint_address, p.progress_quote_pct, done.finished_at, passed.threshold_pct, t.creation_timestamp
FROM pools p JOIN tokens t ON t.id = p.token_id
LEFT JOIN LATERAL (
    SELECT finished_at FROM holder_score_queue
    WHERE token_mint = t.mint_address AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1
) AS done ON true
LEFT JOIN LATERAL (
    SELECT threshold_pct FROM pool_milestones
    WHERE pool_id = p.id AND threshold_pct IN (10, 25, 50, 75)
      AND reached_at > coalesce(done.finished_at, '-infinity'::timestamptz)
    ORDER BY threshold_pct DESC LIMIT 1
) AS passed ON true
WHERE p.last_trade_at > %(active)s AND p.pool_type = 'initial' AND p.status = 'active' AND NOT t.is_graduated
  AND p.progress_quote_pct >= %(least)s AND p.progress_quote_pct < %(full)s
  AND (done.finished_at IS NULL OR p.last_trade_at > done.finished_at)
ORDER BY t.mint_address
"""


def candidates(*, now: datetime) -> Sequence[Candidate]:
    """Return every curve whose holders could be worth a look, by mint. Graduated tokens are none: their score is frozen."""
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, {"active": now - ACTIVE_WITHIN, "least": WINDOW_FROM, "full": WINDOW_TO})
        return [
            Candidate(
                mint=mint, progress_pct=progress, analysed_at=analysed, milestone_pct=milestone, created_at=created
            )
            for mint, progress, analysed, milestone, created in cursor.fetchall()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A token as an analysis meets it."""

    is_graduated: bool
    """Also a curve that is full and waits for its migration."""
    progress_pct: Decimal | None


_SUBJECT = """
SELECT t.is_graduated OR coalesce(p.status <> 'active', false), p.progress_quote_pct
FROM tokens t LEFT JOIN pools p ON p.token_id = t.id AND p.pool_type = 'initial' WHERE t.mint_address = %s
"""


def find_subject(*, token_mint: str) -> Subject | None:
    """Return what an analysis has to know of a token; ``None`` for a mint that nobody stored."""
    with connection.cursor() as cursor:
        cursor.execute(_SUBJECT, [token_mint])
        row = cursor.fetchone()
    return None if row is None else Subject(is_graduated=row[0], progress_pct=row[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The jobs of one tier that are not done."""

    tier: Tier
    waiting: int
    """Those that nobody works on, due or not."""
    due: int
    running: int
    failing: int
    """Of those that wait: an attempt has failed."""
    set_aside: int
    oldest: datetime | None
    """When the longest waiting was asked for."""


def waiting(*, now: datetime) -> Sequence[Waiting]:
    """Return the open jobs by tier, the most urgent first; each tier has its line."""
    tiers = [When(priority__gte=rule.priority, then=Value(rank)) for rank, rule in enumerate(RULES)]
    idle = Q(leased_until=None) | Q(leased_until__lte=now)
    open_, aside = Q(quarantined_at=None), Q(quarantined_at__isnull=False)
    rows = (
        HolderScoreJob.objects.filter(processed_at=None)
        .annotate(rank=Case(*tiers, default=Value(len(RULES) - 1), output_field=IntegerField()))
        .values("rank")
        .annotate(
            waits=Count("pk", filter=open_ & idle),
            is_due=Count("pk", filter=open_ & idle & Q(due_at__lte=now)),
            runs=Count("pk", filter=open_ & Q(leased_until__gt=now)),
            fails=Count("pk", filter=open_ & idle & Q(attempts__gt=0)),
            aside=Count("pk", filter=aside),
            oldest=Min("scheduled_at", filter=open_ & idle),
        )
    )
    found: dict[int, Any] = {row["rank"]: row for row in rows}
    nothing: dict[str, Any] = {"waits": 0, "is_due": 0, "runs": 0, "fails": 0, "aside": 0, "oldest": None}
    lines = [(rule.tier, found.get(rank, nothing)) for rank, rule in enumerate(RULES)]
    return [
        Waiting(
            tier=tier,
            waiting=row["waits"],
            due=row["is_due"],
            running=row["runs"],
            failing=row["fails"],
            set_aside=row["aside"],
            oldest=row["oldest"],
        )
        for tier, row in lines
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What analyses of a window cost."""

    analyses: int
    """Those for which credits were paid or set aside."""
    credits: int


def paid(*, since: datetime, now: datetime) -> Paid:
    """Return what analyses in ``[since, now]`` paid or set aside."""
    rows = HolderScoreJob.objects.filter(paid_at__gte=since, paid_at__lte=now)
    found = rows.aggregate(analyses=Count("pk"), credits=Sum("credits_used"))
    return Paid(analyses=found["analyses"], credits=found["credits"] or 0)


def done_since(*, since: datetime) -> int:
    """Return how many analyses were finished from ``since`` on."""
    return HolderScoreJob.objects.filter(finished_at__gte=since).count()


def jobs(*, token_mint: str | None = None, state: str | None = None) -> QuerySet[HolderScoreJob]:
    """Return jobs of one token and in one state (``waiting``, ``finished``, ``quarantined``); all where nothing is asked."""
    found = HolderScoreJob.objects.all()
    if token_mint is not None:
        found = found.filter(token_mint=token_mint)
    if state == "waiting":
        return found.filter(finished_at=None, quarantined_at=None)
    if state == "finished":
        return found.filter(finished_at__isnull=False)
    return found.filter(quarantined_at__isnull=False) if state == "quarantined" else found
