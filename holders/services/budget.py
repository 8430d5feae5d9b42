"""The credits of look-ups: what a job may spend, set aside before it is spent, and what an operator hears of it."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Sum

from holders import selectors
from holders.domain import budget
from holders.domain.budget import Light, Purse
from holders.models import ApiCreditUsage, HolderScoreJob
from holders.selectors import agenda
from tokens.choices import AlertKind, AlertSeverity
from tokens.selectors import alerts as open_alerts
from tokens.services import alerts

PROVIDER = "helius"
"""Whose credits holders and wallets cost."""


def purse(*, now: datetime, provider: str = PROVIDER, without: HolderScoreJob | None = None) -> Purse:
    """Return what the month of ``provider`` allows now; the job ``without`` does not count as one that was paid."""
    known = next((it for it in selectors.budgets(now=now) if it.provider == provider), None)
    mine = without is not None and without.paid_at is not None and without.paid_at >= now - agenda.HOUR
    paid = agenda.paid(since=now - agenda.HOUR, now=now).analyses - (1 if mine else 0)
    limit, used = (None, 0) if known is None else (known.limit, known.used)
    return Purse(limit=limit, used=used, today=_today(now).get(provider, 0), paid_last_hour=paid, now=now)


def set_aside(*, job: HolderScoreJob, credits_planned: int, now: datetime) -> None:
    """Note that ``job`` is about to spend so many credits, so that a killed worker's spending counts as well."""
    job.paid_at, job.credits_used = now, job.credits_used + credits_planned
    job.save(update_fields=["paid_at", "credits_used"])


def settle(*, job: HolderScoreJob, credits_planned: int, credits_paid: int) -> None:
    """Put what ``job`` did pay in the place of what was set aside for it."""
    job.credits_used = max(0, job.credits_used - credits_planned + credits_paid)
    job.save(update_fields=["credits_used"])


def watch(*, now: datetime) -> Mapping[str, Light]:
    """Tell operators of budgets that run short, and close what is over; return how each provider's month stands."""
    lights: dict[str, Light] = {}
    told = set(open_alerts.alerts(kind=AlertKind.CREDITS, is_open=True).values_list("subject", flat=True))
    today = _today(now)
    paid = agenda.paid(since=now - agenda.HOUR, now=now).analyses
    for known in selectors.budgets(now=now):
        if not known.limit:
            continue
        spent_today = today.get(known.provider, 0)
        state = Purse(limit=known.limit, used=known.used, today=spent_today, paid_last_hour=paid, now=now)
        lights[known.provider] = state.light
        said = {
            known.provider: _of_month(known.provider, state),
            f"{known.provider} today": _of_day(known.provider, state),
        }
        for subject, words in said.items():
            if words is not None:
                _raise(subject, *words, state, now)
            elif subject in told:
                alerts.resolve_alert(kind=AlertKind.CREDITS, subject=subject, now=now)
    return lights


def _of_month(provider: str, state: Purse) -> tuple[AlertSeverity, str] | None:
    """Return how gravely and in which words to tell of a month; ``None`` while there is nothing to tell."""
    if state.light is Light.GREEN:
        return None
    part = f"{provider}: {state.used:,} of {state.limit:,} credits ({float(state.spent):.0%}) of this month are used"
    if state.light is Light.WARN:
        return AlertSeverity.WARNING, f"{part}; look-ups stop at {float(budget.STOP):.0%}."
    meaning = "no look-up is paid for until the month ends, holders are analysed from our own trades"
    return AlertSeverity.CRITICAL, f"{part}; {meaning}."


def _of_day(provider: str, state: Purse) -> tuple[AlertSeverity, str] | None:
    """Return the same of today."""
    if not state.is_day_dear:
        return None
    usual = int((state.limit or 0) * budget.DAY_ALERT)
    return AlertSeverity.WARNING, f"{provider}: today cost {state.today:,} credits; a day of this budget has {usual:,}."


def _raise(subject: str, severity: AlertSeverity, message: str, state: Purse, now: datetime) -> None:
    detail = {
        "used": state.used,
        "limit": state.limit,
        "today": state.today,
        "left_until_stop": state.left,
        "analyses_per_hour": state.per_hour,
        "projected_month": budget.projected_month(used=state.used, now=now),
    }
    alerts.raise_alert(
        kind=AlertKind.CREDITS, subject=subject, severity=severity, message=message, detail=detail, now=now
    )


def _today(now: datetime) -> Mapping[str, int]:
    """Return the credits since midnight UTC by provider."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = ApiCreditUsage.objects.filter(timestamp__gte=midnight, timestamp__lte=now).values_list("api_provider")
    return dict(rows.annotate(used=Sum("credits_used")).order_by())
