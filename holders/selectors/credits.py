"""What calls to providers cost: by provider, by endpoint, by day, and what is left of a budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, TruncDay

from holders.models import ApiCreditUsage
from megatron.core.metrics import Gauge

DAY = timedelta(days=1)
MEASURED = timedelta(days=7)
"""The end of the month is projected from the pace of so many days at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Credits and calls of one endpoint of one provider; the days are UTC's, the windows end now."""

    provider: str
    endpoint: str
    today: int
    week: int
    month: int
    calls: int
    failed: int
    """Calls of the 30 days, and those of them that failed."""
    mean_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One provider in this calendar month (UTC): ``limit`` is what an operator set, ``None`` for no limit."""

    provider: str
    limit: int | None
    used: int
    projected: int
    """What the month will have cost at the pace of the last days."""

    @property
    def left(self) -> int | None:
        """What the rest of the month may cost; never below zero."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def is_short(self) -> bool:
        """Whether the month will have cost more than its budget."""
        return self.limit is not None and self.projected > self.limit

    @property
    def used_ratio(self) -> float | None:
        """The part of the budget that is spent."""
        return None if not self.limit else self.used / self.limit


def spent(*, now: datetime) -> Sequence[Spent]:
    """Return what each endpoint cost in the last 30 days, dearest first."""
    today, week, month = _midnight(now), now - 7 * DAY, now - 30 * DAY
    failed = Q(error_message__isnull=False)
    rows = (
        ApiCreditUsage.objects.filter(timestamp__gte=month, timestamp__lte=now)
        .values("api_provider", "endpoint")
        .annotate(
            today=Coalesce(Sum("credits_used", filter=Q(timestamp__gte=today)), 0),
            week=Coalesce(Sum("credits_used", filter=Q(timestamp__gte=week)), 0),
            month=Sum("credits_used"),
            total=Sum("calls"),
            failed=Coalesce(Sum("calls", filter=failed), 0),
            waited=Sum(F("response_time_ms") * F("calls")),
            timed=Sum("calls", filter=Q(response_time_ms__isnull=False)),
        )
        .order_by("-month", "-total", "api_provider", "endpoint")
    )
    return [
        Spent(
            provider=row["api_provider"],
            endpoint=row["endpoint"],
            today=row["today"],
            week=row["week"],
            month=row["month"],
            calls=row["total"],
            failed=row["failed"],
            mean_ms=round(row["waited"] / row["timed"]) if row["timed"] else None,
        )
        for row in rows
    ]


def budgets(*, now: datetime) -> Sequence[Budget]:
    """Return this month of every provider that was called in it or has a budget, by name."""
    since = min(_month(now), now - MEASURED)
    used = {
        row["api_provider"]: (row["used"] or 0, row["pace"] or 0)
        for row in ApiCreditUsage.objects.filter(timestamp__gte=since, timestamp__lte=now)
        .values("api_provider")
        .annotate(
            used=Sum("credits_used", filter=Q(timestamp__gte=_month(now))),
            pace=Sum("credits_used", filter=Q(timestamp__gte=now - MEASURED)),
        )
    }
    names = sorted({*used, *settings.CREDITS_PER_MONTH})
    return [_budget(name, *used.get(name, (0, 0)), now=now) for name in names]


def left(*, provider: str, now: datetime) -> int | None:
    """Return what calls to ``provider`` may still cost this month, ``None`` without a limit. Up to a second behind."""
    limit = settings.CREDITS_PER_MONTH.get(provider)
    if limit is None:
        return None
    rows = ApiCreditUsage.objects.filter(api_provider=provider, timestamp__gte=_month(now), timestamp__lte=now)
    used = rows.aggregate(used=Sum("credits_used"))["used"] or 0
    return max(0, int(limit) - used)


def gauges(*, now: datetime) -> Iterator[Gauge]:
    """Yield what this month cost and will have cost, in credits and as parts of the budgets."""
    found = budgets(now=now)
    used = [({"provider": it.provider}, float(it.used)) for it in found]
    yield Gauge("credits_used_month", "Credits that this calendar month (UTC) cost", used)
    limited = [(it, it.limit) for it in found if it.limit]
    spent_ratio = [({"provider": it.provider}, it.used / limit) for it, limit in limited]
    yield Gauge("credits_used_ratio", "Part of the month's budget that is spent", spent_ratio)
    coming = [({"provider": it.provider}, it.projected / limit) for it, limit in limited]
    yield Gauge("credits_projected_ratio", "Part of the budget that the month will have cost at this pace", coming)


def daily(*, start: datetime, end: datetime) -> Sequence[tuple[datetime, str, int]]:
    """Return the credits of each UTC day with calls in ``[start, end)``, a provider at a time, oldest first."""
    rows = (
        ApiCreditUsage.objects.filter(timestamp__gte=start, timestamp__lt=end)
        .annotate(day=TruncDay("timestamp", tzinfo=UTC))
        .values_list("day", "api_provider")
        .annotate(used=Sum("credits_used"))
        .order_by("day", "api_provider")
    )
    return list(rows)


def _budget(provider: str, used: int, pace: int, *, now: datetime) -> Budget:
    month = _month(now)
    end = _month(month + timedelta(days=32))
    projected = used + int(pace * ((end - now) / MEASURED))
    limit = settings.CREDITS_PER_MONTH.get(provider)
    return Budget(provider=provider, limit=limit, used=used, projected=projected)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _month(at: datetime) -> datetime:
    return _midnight(at).replace(day=1)
