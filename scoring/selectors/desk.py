"""What the overview shows of scores: which of the tokens that trade score most, and what is sold off now."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from scoring.choices import SelloffStatus
from scoring.models import LatestTokenScore, SelloffEvent
from scoring.selectors import hot, markets, scores
from tokens.models import Token

COUNT_LIMIT = 100
"""So many open sell-offs are counted at most."""


def best(*, now: datetime, limit: int = 8) -> Sequence[LatestTokenScore]:
    """Return the tokens that traded in the hour before ``now`` with the highest scores, with token and whole score.

    Two queries.
    """
    ranked = [token for token, total in hot.ranking(now=now, limit=limit).items() if total is not None]
    found = {row.token_id: row for row in scores.ranked().filter(token__in=ranked)} if ranked else {}
    return [found[token] for token in ranked if token in found]


def with_token(rows: QuerySet[SelloffEvent]) -> QuerySet[SelloffEvent]:
    """Return ``rows`` with ``token_pk`` and ``symbol`` of their token, ``None`` for one that is not known."""
    of = Token.objects.filter(mint_address=OuterRef("token_mint"))
    return rows.annotate(token_pk=Subquery(of.values("pk")[:1]), symbol=Subquery(of.values("symbol")[:1]))


def selloffs_now(*, now: datetime, limit: int = COUNT_LIMIT) -> Sequence[SelloffEvent]:
    """Return the sell-offs that are open, the newest first, each with its token as :func:`with_token` brings it and with
    its ``pressure``."""
    rows = SelloffEvent.objects.filter(status=SelloffStatus.OPEN).order_by("-detection_time", "-id")
    found = list(markets.with_sales(with_token(rows), now=now)[:limit])
    for row in found:
        row.pressure = markets.pressure_of(row)  # type: ignore[attr-defined]
    return found
