"""What this room keeps in the cache, under the keys of seed 002: ``price:current:{token_id}`` and ``tokens:hot``.

``token:score`` and ``signal:active`` come with the rooms that own their facts. By what tokens are hot is such a fact too:
``settings.HOT_RANKING`` names who reads it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

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


class Ranking(Protocol):
    """Returns the tokens that traded in the hour before ``now``, at most ``limit`` of them, the best first, each with its
    score of 999 points. Those that nobody scored (``None``) come last."""

    def __call__(self, *, now: datetime, limit: int) -> Mapping[UUID, int | None]: ...


@dataclass(frozen=True, slots=True)
class Hot:
    """A token of ``tokens:hot``: ``score`` is its total of 999 points, ``None`` while it has none."""

    token: Token
    score: int | None
    market: Market | None


def markets(*, ids: Iterable[UUID], now: datetime) -> dict[UUID, Market]:
    """Return the market of each token in ``ids`` that has a price; at most 30 seconds old."""
    return MARKETS.read(ids, now=now)


def traded(*, ids: Iterable[UUID], now: datetime) -> int:
    """Replace the markets of ``ids`` that somebody looked at lately; return how many. Call it after the commit of their
    trades; never raises for a cache that is away."""
    return MARKETS.write_through(ids, now=now)


def rebuild_hot(*, now: datetime) -> int:
    """Put the :data:`HOT_SIZE` best of the tokens that trade now in the place of ``tokens:hot``; return how many.

    The first of them are what is looked at most, so their markets are read too.
    """
    scores = _ranking(now=now, limit=HOT_SIZE)
    # A sorted set needs a number: below zero is not scored, and keeps its place.
    kept = {str(key): float(-place if score is None else score) for place, (key, score) in enumerate(scores.items(), 1)}
    cache.replace_ranking(HOT, kept, seconds=HOT_SECONDS)
    MARKETS.read(list(scores)[:50], now=now)
    return len(scores)


def hot(*, now: datetime, limit: int) -> Sequence[Hot]:
    """Return the best of the tokens that trade now, at most :data:`HOT_SIZE`; from the database without a cache."""
    ranked = cache.read_ranking(HOT, limit=limit)
    scores: Mapping[UUID, int | None]
    if ranked is None:
        scores = _ranking(now=now, limit=limit)
    else:
        scores = {UUID(token): None if score < 0 else int(score) for token, score in ranked}
    found = {token.pk: token for token in tokens.tokens().filter(pk__in=list(scores))}
    current = markets(ids=found, now=now)
    return [Hot(found[pk], score, current.get(pk)) for pk, score in scores.items() if pk in found]


def _ranking(*, now: datetime, limit: int) -> Mapping[UUID, int | None]:
    ranking: Ranking = import_string(settings.HOT_RANKING)
    return ranking(now=now, limit=limit)
