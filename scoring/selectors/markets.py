"""Technical scores and sell-offs as rows, for doors and other rooms."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, Count, Max, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Cast, JSONObject

from scoring.choices import SelloffStatus, SellPressure
from scoring.domain.technical import pressure
from scoring.models import SelloffEvent, TechnicalScore
from tokens.choices import TransactionType
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Transaction

NEWEST_FIRST = ("-timestamp", "-id")
LATEST_SEEN_FIRST = ("-detection_time", "-id")


def scores(
    *, token_mint: str, after: datetime | None = None, before: datetime | None = None
) -> QuerySet[TechnicalScore]:
    """Return the technical scores of a token that were measured in ``[after, before)``, unordered."""
    wanted = {"timestamp__gte": after, "timestamp__lt": before}
    return TechnicalScore.objects.filter(
        token_mint=token_mint, **{name: value for name, value in wanted.items() if value is not None}
    )


def selloffs(
    *,
    token_mint: str | None = None,
    status: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[SelloffEvent]:
    """Return the sell-offs that were seen in ``[after, before)`` and fit, unordered; ``status`` open: those of now."""
    wanted = {
        "token_mint": token_mint,
        "status": status,
        "detection_time__gte": after,
        "detection_time__lt": before,
    }
    return SelloffEvent.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


def with_sales(rows: QuerySet[SelloffEvent], *, now: datetime) -> QuerySet[SelloffEvent]:
    """Return ``rows`` with what :func:`pressure_of` reads of the minutes before ``now``, in the same query."""
    young = Transaction.objects.filter(
        token__mint_address=OuterRef("token_mint"),
        type=TransactionType.SELL,
        block_time__gt=now - pressure.WINDOW,
        block_time__lte=now,
    ).exclude(user_address=MAYHEM_AGENT)
    told = JSONObject(
        sold=_text(Sum("sol_amount")),
        largest=_text(Max("sol_amount")),
        in_minute=Count("id", filter=Q(block_time__gt=now - pressure.MINUTE)),
    )
    sales = Subquery(young.order_by().values("token").annotate(told=told).values("told"))
    return rows.annotate(sales=Case(When(status=SelloffStatus.OPEN, then=sales)))


def pressure_of(row: SelloffEvent) -> SellPressure | None:
    """Return how hard the token of a row of :func:`with_sales` is being sold; ``None`` when its sell-off is over."""
    if row.status != SelloffStatus.OPEN:
        return None
    told: dict[str, Any] = getattr(row, "sales") or {"sold": None, "largest": None, "in_minute": 0}  # noqa: B009
    sold, largest = (None if told[name] is None else Decimal(told[name]) for name in ("sold", "largest"))
    return pressure.of(
        drop=row.drop_percentage, sales=pressure.Sales(sold=sold, largest=largest, in_minute=told["in_minute"])
    )


def _text(amount: Sum | Max) -> Cast:
    return Cast(amount, CharField())  # JSON's own numbers are read as floats
