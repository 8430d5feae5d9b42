"""What tokens cost now and how much they trade: many at once, from the pool that prices each and its minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

HOUR = timedelta(hours=1)
REMEMBERED = timedelta(days=1)
"""A change is measured against a close at most this much older than the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What a token costs, quote (SOL for nearly all) and USD per whole token, and what it did in the last hour.

    ``volume_1h`` is whole SOL from the minutes that are computed (0 for pools in other quotes), both volumes net of wash
    volume; ``change_1h`` percent against the last close before the hour, or the first price in it for a token without one.
    """

    price: Decimal
    price_usd: Decimal | None
    volume_1h: Decimal
    volume_1h_usd: Decimal | None
    change_1h: Decimal | None
    last_trade: datetime | None


_MARKETS = """
SELECT p.token_id, p.latest_price, p.latest_price_usd, coalesce(hour.volume_sol - hour.wash_sol, 0),
       hour.volume_usd - hour.wash_usd,
       round((p.latest_price / nullif(coalesce(before.close, hour.open), 0) - 1) * 100, 4), p.last_trade_at
FROM unnest(%(tokens)s::uuid[]) AS wanted(token_id)
JOIN current_pools AS current ON current.token_id = wanted.token_id JOIN pools AS p ON p.id = current.pool_id
LEFT JOIN LATERAL (
    SELECT sum(volume_sol) AS volume_sol, sum(volume_usd) AS volume_usd, coalesce(sum(wash_volume_sol), 0) AS wash_sol,
           coalesce(sum(wash_volume_usd), 0) AS wash_usd,
           (array_agg(open ORDER BY bucket) FILTER (WHERE open IS NOT NULL))[1] AS open
    FROM price_candles_1m c WHERE c.token_id = p.token_id AND c.bucket >= %(since)s AND c.bucket <= %(now)s
) AS hour ON true
LEFT JOIN LATERAL (
    SELECT close FROM price_candles_1m c
    WHERE c.token_id = p.token_id AND c.bucket < %(since)s AND c.bucket >= %(remembered)s AND c.close IS NOT NULL
    ORDER BY c.bucket DESC LIMIT 1
) AS before ON true
WHERE p.latest_price IS NOT NULL
"""


def markets(*, ids: Sequence[UUID], now: datetime) -> dict[UUID, Market]:
    """Return the market of each token in ``ids`` that has a price, at ``now``; one query for any number."""
    since = _hour_before(now)
    parameters = {"tokens": list(ids), "since": since, "now": now, "remembered": since - REMEMBERED}
    return {row[0]: _market(row) for row in _rows(_MARKETS, parameters)} if ids else {}


def _market(row: tuple[Any, ...]) -> Market:
    _, price, price_usd, volume, volume_usd, change, last_trade = row
    return Market(
        price=price,
        price_usd=price_usd,
        volume_1h=volume,
        volume_1h_usd=volume_usd,
        change_1h=change,
        last_trade=last_trade,
    )


def _hour_before(now: datetime) -> datetime:
    """Return the first minute that began in the hour before ``now``."""
    return now.replace(second=0, microsecond=0) - HOUR + timedelta(minutes=1)


def _rows(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
