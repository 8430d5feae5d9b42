"""The life of a sell-off: opened by the trigger of ``technical_scores``, followed here until it recovered or expired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from scoring.choices import SelloffStatus
from scoring.services import policies

# The price of two minutes ago is the close of the newest minute that had ended by then: with it and the lows since, the
# price has held for two whole minutes. Who is followed by another worker is left to it.
_FOLLOW = """
WITH followed AS (
    SELECT e.id, e.initial_price, e.lowest_price, e.detection_time, t.id AS token_id
    FROM selloff_events e JOIN tokens t ON t.mint_address = e.token_mint
    WHERE e.status = 'open' AND e.detection_time <= %(now)s AND (%(mints)s::text[] IS NULL OR e.token_mint = ANY(%(mints)s))
    ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
), seen AS (
    SELECT f.id, least(f.lowest_price, since.low) AS lowest, newest.close AS price,
        f.detection_time <= %(now)s - %(recovery)s
            AND least(before.close, lately.low, newest.close) >= f.initial_price * %(share)s AS recovered,
        f.detection_time <= %(now)s - %(patience)s AS expired
    FROM followed f
    LEFT JOIN LATERAL (
        -- Of the minute in which it was seen only the close is known to come after the top.
        SELECT min(CASE WHEN c.bucket > f.detection_time THEN c.low ELSE c.close END) AS low FROM price_candles_1m c
        WHERE c.token_id = f.token_id AND c.bucket > f.detection_time - interval '1 minute' AND c.bucket <= %(now)s
    ) AS since ON true
    LEFT JOIN LATERAL (
        SELECT min(low) AS low FROM price_candles_1m c
        WHERE c.token_id = f.token_id AND c.bucket > %(now)s - %(recovery)s - interval '1 minute' AND c.bucket <= %(now)s
    ) AS lately ON true
    LEFT JOIN LATERAL (
        SELECT close FROM price_candles_1m c
        WHERE c.token_id = f.token_id AND c.bucket <= %(now)s - %(recovery)s - interval '1 minute'
          AND c.bucket > f.detection_time - interval '1 day' AND c.close IS NOT NULL
        ORDER BY c.bucket DESC LIMIT 1
    ) AS before ON true
    LEFT JOIN LATERAL (
        SELECT close FROM price_candles_1m c
        WHERE c.token_id = f.token_id AND c.bucket <= %(now)s AND c.bucket > f.detection_time - interval '1 day'
          AND c.close IS NOT NULL
        ORDER BY c.bucket DESC LIMIT 1
    ) AS newest ON true
)
UPDATE selloff_events e SET
    lowest_price = seen.lowest,
    status = CASE WHEN seen.recovered THEN 'recovered' WHEN seen.expired THEN 'expired' ELSE 'open' END,
    recovery_price = CASE WHEN seen.recovered THEN seen.price END,
    recovery_time = CASE WHEN seen.recovered THEN %(now)s END,
    ended_at = CASE WHEN seen.recovered OR seen.expired THEN %(now)s END,
    duration_minutes = CASE WHEN seen.recovered OR seen.expired
        THEN floor(extract(epoch FROM %(now)s - e.detection_time) / 60) END
FROM seen
WHERE seen.id = e.id AND (seen.recovered OR seen.expired OR seen.lowest < e.lowest_price)
RETURNING e.status
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """How many open sell-offs ended, and how."""

    recovered: int
    expired: int


@transaction.atomic
def follow(*, now: datetime, mints: Sequence[str] | None = None) -> Followed:
    """Look at the open sell-offs of ``mints``, or at all: move their lowest price, end what recovered or is too old.

    Recovered is a price that held two minutes at nine tenths of the first one, expired an hour without that; the
    figures are the active policy's.
    """
    terms = policies.active().technical.section("selloff_response").section("event")
    parameters: dict[str, Any] = {
        "now": now,
        "mints": None if mints is None else list(mints),
        "share": terms.number("recovered_at"),
        "recovery": timedelta(minutes=terms.whole("recovered_minutes")),
        "patience": timedelta(minutes=terms.whole("expires_minutes")),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, parameters)
        ends = [status for (status,) in cursor.fetchall()]
    return Followed(ends.count(SelloffStatus.RECOVERED), ends.count(SelloffStatus.EXPIRED))
