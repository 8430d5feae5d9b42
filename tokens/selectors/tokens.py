"""Tokens and their pools: one of them, many of them, and which pool prices a token (decision T14)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Prefetch, Q, QuerySet

from tokens.choices import PoolType
from tokens.models import Pool, PoolMilestone, Token

_PRICING = (PoolType.INITIAL, PoolType.GRADUATED)
_NEVER = datetime.min.replace(tzinfo=UTC)
_MILESTONES = Prefetch("milestones", PoolMilestone.objects.order_by("threshold_pct"))


def current_of(pools: Iterable[Pool]) -> Pool | None:
    """Return the pool that prices their token, ``None`` without one: what the view ``current_pools`` says of stored ones.

    Of the pools into which the token graduated it is the one with the newest event (ties, and pools without any: the lowest
    id), else the launch curve. Side pools, which anyone opens, never price a token.
    """
    known = sorted((pool for pool in pools if pool.pool_type in _PRICING), key=lambda pool: pool.id)
    graduated = [pool for pool in known if pool.pool_type == PoolType.GRADUATED]
    return max(graduated, key=lambda pool: pool.last_trade_at or _NEVER, default=next(iter(known), None))


def is_current(prefix: str = "") -> Q:
    """Return :func:`current_of` as a condition on the pool at ``prefix`` (``"pools__"`` from a token)."""
    return Q(**{f"{prefix}current__isnull": False})


def tokens(
    *,
    platform: str | None = None,
    graduated: bool | None = None,
    creator: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    progress_min: Decimal | None = None,
    progress_max: Decimal | None = None,
    progress_quote_min: Decimal | None = None,
    progress_quote_max: Decimal | None = None,
    by_current_pool: bool = False,
) -> QuerySet[Token]:
    """Return the tokens that fit, unordered; ``.pools.all()`` of each is loaded with them, side pools left out.

    The creation window is half-open; progress is the current pool's, in percent, both ends included. With
    ``by_current_pool`` (or a progress limit) tokens without a current pool are left out and each carries that pool's
    ``last_trade_at``, ``progress_pct`` and ``progress_quote_pct``, so that a caller can order by them on the pool's
    indexes.
    """
    of_token = {
        "platform": platform,
        "is_graduated": graduated,
        "creator_address": creator,
        "creation_timestamp__gte": created_after,
        "creation_timestamp__lt": created_before,
    }
    of_pool = {
        "progress_pct__gte": progress_min,
        "progress_pct__lte": progress_max,
        "progress_quote_pct__gte": progress_quote_min,
        "progress_quote_pct__lte": progress_quote_max,
    }
    limits = _known(of_pool)
    found = Token.objects.filter(**_known(of_token))
    if limits or by_current_pool:
        found = found.filter(is_current("pools__")).annotate(
            last_trade_at=F("pools__last_trade_at"),
            progress_pct=F("pools__bonding_curve_progress"),
            progress_quote_pct=F("pools__progress_quote_pct"),
        )
    return found.filter(**limits).prefetch_related(Prefetch("pools", Pool.objects.filter(pool_type__in=_PRICING)))


def _known(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}


def get_token(mint: str) -> Token:
    """Return the token of ``mint`` alone. Raises ``Token.DoesNotExist``."""
    return Token.objects.get(mint_address=mint)


def get_token_with_pools(mint: str) -> Token:
    """Return the token of ``mint`` with all its pools, their milestones and successors and what its document says loaded.

    Raises ``Token.DoesNotExist``.
    """
    every_pool = Pool.objects.order_by("id").select_related("successor").prefetch_related(_MILESTONES)
    tokens = Token.objects.select_related("document").defer("document__raw")
    return tokens.prefetch_related(Prefetch("pools", every_pool)).get(mint_address=mint)


def pools(
    *, platform: str | None = None, pool_type: str | None = None, status: str | None = None, mint: str | None = None
) -> QuerySet[Pool]:
    """Return the pools that fit, unordered, each with its token."""
    wanted = {"platform": platform, "pool_type": pool_type, "status": status, "token__mint_address": mint}
    return Pool.objects.filter(**_known(wanted)).select_related("token")


def get_pool(address: str) -> Pool:
    """Return the pool at ``address`` with its token, successor and milestones. Raises ``Pool.DoesNotExist``."""
    return Pool.objects.select_related("token", "successor").prefetch_related(_MILESTONES).get(pool_address=address)
