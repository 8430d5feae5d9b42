"""What this room keeps in the cache, under the keys of seed 002: ``price:current:{token_id}`` and ``tokens:hot``.

``token:score`` and ``signal:active`` come with the rooms that own their facts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from megatron.core import cache
from tokens.models import Token
from tokens.selectors import market, tokens
from tokens.selectors.market import Market

HOT = "tokens:hot"
HOT_SECONDS = 60
HOT_SIZE = 200


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _dump(now: Market) -> dict[str, Any]:
    return {
        "price": _text(now.price),
        "price_usd": _text(now.price_usd),
        "volume_1h": _text(now.volume_1h),
        "volume_1h_usd": _text(now.volume_1h_usd),
        "change_1h": _text(now.change_1h),
        "last_trade": now.last_trade.isoformat().replace("+00:00", "Z") if now.last_trade else None,
    }


def _parse(kept: dict[str, Any]) -> Market:
    last_trade = kept["last_trade"]
    return Market(
        price=Decimal(kept["price"]),
        price_usd=_decimal(kept["price_usd"]),
        volume_1h=Decimal(kept["volume_1h"]),
        volume_1h_usd=_decimal(kept["volume_1h_usd"]),
        change_1h=_decimal(kept["change_1h"]),
        last_trade=datetime.fromisoformat(last_trade) if last_trade else None,
    )


MARKETS = cache.ReadThrough[Market]("price:current", seconds=30, load=market.markets, dump=_dump, parse=_parse)


@dataclass(frozen=True, slots=True)
class Hot:
    """A token of ``tokens:hot``: ``score`` is its activity, whole SOL traded in the last hour."""

    token: Token
    score: Decimal
    market: Market | None


def markets(*, ids: Iterable[UUID], now: datetime) -> dict[UUID, Market]:
    """Return the market of each token in ``ids`` that has a price; at most 30 seconds old."""
    return MARKETS.read(ids, now=now)


def traded(*, ids: Iterable[UUID], now: datetime) -> int:
    """Replace the markets of ``ids`` that somebody looked at lately; return how many. Call it after the commit of their
    trades; never raises for a cache that is away."""
    return MARKETS.write_through(ids, now=now)


def rebuild_hot(*, now: datetime) -> int:
    """Put the :data:`HOT_SIZE` most active tokens of the last hour in the place of ``tokens:hot``; return how many.

    The score is the SOL volume of the hour. The first of them are what is looked at most, so their markets are read too.
    """
    scores = market.activity(now=now, limit=HOT_SIZE)
    cache.replace_ranking(HOT, {str(token): float(score) for token, score in scores.items()}, seconds=HOT_SECONDS)
    MARKETS.read(list(scores)[:50], now=now)
    return len(scores)


def hot(*, now: datetime, limit: int) -> Sequence[Hot]:
    """Return the most active tokens, most active first, at most :data:`HOT_SIZE`; from the database without a cache."""
    ranked = cache.read_ranking(HOT, limit=limit)
    if ranked is None:
        scores = market.activity(now=now, limit=limit)
    else:
        scores = {UUID(token): Decimal(repr(score)) for token, score in ranked}
    found = {token.pk: token for token in tokens.tokens().filter(pk__in=list(scores))}
    current = markets(ids=found, now=now)
    return [Hot(found[pk], score, current.get(pk)) for pk, score in scores.items() if pk in found]
