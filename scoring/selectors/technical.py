"""What the technical score of many tokens is computed from: one statement over pools, minutes and trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from scoring.domain.technical.facts import Facts

# Everything is to the minute: the price at the start of a window is the close of the newest minute that had ended by
# then, of a day at most, or else the first price in the hour. detect_selloff says the same of one token. Trades are buys
# and sells of the pools that price the token; a quote other than SOL is counted in itself.
_FACTS = """
WITH asked AS MATERIALIZED (
    SELECT t.id AS token_id, t.mint_address, t.is_graduated, t.creation_timestamp
    FROM tokens t WHERE t.mint_address = ANY(%(mints)s::text[])
), hour AS MATERIALIZED (
    SELECT c.token_id, c.bucket, c.open, c.close, c.volume_usd
    FROM asked JOIN price_candles_1m c USING (token_id)
    WHERE c.bucket > %(now)s - interval '61 minutes' AND c.bucket <= %(now)s
), minutes AS (
    SELECT token_id,
        array_agg(close ORDER BY bucket DESC) AS closes,
        (array_agg(open ORDER BY bucket DESC))[count(*)] AS opened,
        (array_agg(close ORDER BY bucket DESC) FILTER (WHERE bucket <= %(now)s - interval '6 minutes'))[1] AS before_5m,
        (array_agg(close ORDER BY bucket DESC) FILTER (WHERE bucket <= %(now)s - interval '16 minutes'))[1] AS before_15m,
        (array_agg(close ORDER BY bucket DESC) FILTER (WHERE bucket <= %(now)s - interval '31 minutes'))[1] AS before_30m,
        array_agg(bucket ORDER BY bucket DESC) FILTER (WHERE {ended}) AS ended_at,
        array_agg(close ORDER BY bucket DESC) FILTER (WHERE {ended}) AS ended,
        array_agg(close < open ORDER BY bucket DESC) FILTER (WHERE bucket > %(now)s - interval '31 minutes') AS reds,
        sum(volume_usd) FILTER (WHERE bucket >= %(hour)s) AS volume_usd
    FROM hour GROUP BY token_id
), traders AS MATERIALIZED (
    SELECT t.token_id, t.user_address,
        {bands},
        sum(v.value) AS volume, count(*) AS trades,
        count(*) FILTER (WHERE t.type = 'buy') AS buys_1h,
        count(*) FILTER (WHERE t.type = 'buy' AND {five}) AS buys_5m,
        count(*) FILTER (WHERE t.type = 'sell' AND {five}) AS sells_5m,
        count(*) FILTER (WHERE t.type = 'buy' AND {one}) AS buys_1m,
        count(*) FILTER (WHERE t.type = 'sell' AND {one}) AS sells_1m,
        sum(CASE WHEN t.type = 'buy' THEN t.sol_amount ELSE -t.sol_amount END) FILTER (WHERE {one}) AS flow_1m,
        sum(CASE WHEN t.type = 'buy' THEN t.sol_amount ELSE -t.sol_amount END) FILTER (WHERE {five}) AS flow_5m,
        sum(t.sol_amount) FILTER (WHERE t.type = 'buy') AS bought_sol,
        sum(t.sol_amount) FILTER (WHERE t.type = 'sell') AS sold_sol,
        max(t.sol_amount) FILTER (WHERE t.type = 'buy') AS largest_buy,
        max(t.sol_amount) FILTER (WHERE t.type = 'sell') AS largest_sell
    FROM asked
    JOIN transactions t ON t.token_id = asked.token_id
        AND t.block_time > %(now)s - interval '1 hour' AND t.block_time <= %(now)s
    JOIN pools p ON p.id = t.pool_id AND p.pool_type <> 'permissionless'
    CROSS JOIN LATERAL (SELECT
        coalesce(t.sol_amount, t.price_per_token * t.token_amount) AS value,
        CASE WHEN t.block_time > %(now)s - interval '5 minutes' THEN 0
             WHEN t.block_time > %(now)s - interval '15 minutes' THEN 1
             WHEN t.block_time > %(now)s - interval '30 minutes' THEN 2 ELSE 3 END AS band
    ) AS v
    WHERE t.type IN ('buy', 'sell') AND t.price_per_token > 0
    GROUP BY t.token_id, t.user_address
), traded AS (
    SELECT token_id, {band_sums},
        max(volume) AS largest, sum(trades) AS trades, count(*) AS traders,
        count(*) FILTER (WHERE buys_1h > 0) AS buyers, count(*) FILTER (WHERE trades > buys_1h) AS sellers,
        sum(buys_1h) AS buys_1h, sum(trades - buys_1h) AS sells_1h, sum(buys_5m) AS buys_5m, sum(sells_5m) AS sells_5m,
        sum(buys_1m) AS buys_1m, sum(sells_1m) AS sells_1m,
        sum(flow_1m) AS flow_1m, sum(flow_5m) AS flow_5m, sum(bought_sol) AS bought, sum(sold_sol) AS sold,
        max(largest_buy) AS largest_buy, max(largest_sell) AS largest_sell
    FROM traders GROUP BY token_id
)
SELECT asked.mint_address, current.market_cap_usd, current.sold_pct, current.latest_price,
    carried.close, closes[1], opened, before_5m, before_15m, before_30m,
    ended[least(4, cardinality(ended))], ended_at[least(4, cardinality(ended))],
    coalesce(array_position(reds, false) - 1, cardinality(reds), 0),
    progress.steps,
    (SELECT floor(extract(epoch FROM %(now)s - detection_time) / 60)::int FROM selloff_events e
      WHERE e.token_mint = asked.mint_address AND e.status = 'open' AND e.detection_time <= %(now)s),
    {band_names}, largest, trades, traders,
    (SELECT sum(volume_usd) FROM price_candles_1h c
      WHERE c.token_id = asked.token_id AND c.bucket > %(hour)s - interval '1 day' AND c.bucket < %(hour)s),
    (SELECT sum(volume_usd) FROM price_candles_1m c
      WHERE c.token_id = asked.token_id AND c.bucket >= %(now)s - interval '1 day'
        AND c.bucket < %(hour)s - interval '23 hours'),
    minutes.volume_usd,
    buyers, sellers, buys_1h, sells_1h, buys_5m, sells_5m, buys_1m, sells_1m, flow_1m, flow_5m, bought, sold,
    largest_buy, largest_sell
FROM asked
LEFT JOIN LATERAL (
    SELECT pools.market_cap_usd, pools.latest_price, curve.bonding_curve_progress AS sold_pct FROM pools
    LEFT JOIN pools curve ON curve.token_id = asked.token_id AND curve.pool_type = 'initial'
    WHERE pools.token_id = asked.token_id AND pools.pool_type IN ('initial', 'graduated')
    ORDER BY pools.pool_type = 'graduated' DESC, pools.id LIMIT 1
) AS current ON true
LEFT JOIN minutes ON minutes.token_id = asked.token_id
LEFT JOIN traded ON traded.token_id = asked.token_id
LEFT JOIN LATERAL (
    SELECT close FROM price_candles_1m c
    WHERE c.token_id = asked.token_id AND c.bucket <= %(now)s - interval '61 minutes'
      AND c.bucket > %(now)s - interval '1 day 61 minutes'
    ORDER BY c.bucket DESC LIMIT 1
) AS carried ON true
LEFT JOIN LATERAL ({progress}) AS progress ON true
"""

# The virtual reserves of a curve are its real ones and a constant, so every trade tells the progress after it. A curve
# that is complete stands at 100 whatever the migration took out of it; before it existed nothing was raised.
_PROGRESS = """
    SELECT array_agg(CASE
        WHEN step.back = 0 THEN CASE WHEN asked.is_graduated OR c.status <> 'active' THEN 100 ELSE c.progress_quote_pct END
        WHEN asked.creation_timestamp > %(now)s - step.back * interval '5 minutes' THEN 0
        ELSE (SELECT greatest(0, least(100, round(
                (x.quote_reserves - c.virtual_sol_reserves + c.real_sol_reserves) * 100 / c.quote_target, 4)))
              FROM transactions x
              WHERE x.token_id = c.token_id AND x.pool_id = c.id AND x.quote_reserves IS NOT NULL
                AND x.block_time <= %(now)s - step.back * interval '5 minutes' AND x.block_time > %(now)s - interval '1 day'
              ORDER BY x.block_time DESC, x.slot DESC, x.quote_reserves * x.token_reserves DESC, x.event_index DESC LIMIT 1)
        END ORDER BY step.back DESC) AS steps
    FROM pools c CROSS JOIN generate_series(0, 6) AS step(back)
    WHERE c.token_id = asked.token_id AND c.pool_type = 'initial' AND c.quote_target > 0
"""

_SIDES = ("buy", "sell")
_BANDS = [f"{side}_{band}" for side in _SIDES for band in range(4)]
_STATEMENT = _FACTS.format(
    ended="bucket > %(now)s - interval '11 minutes' AND bucket <= %(now)s - interval '1 minute'",
    five="v.band = 0",
    one="t.block_time > %(now)s - interval '1 minute'",
    bands=", ".join(
        f"sum(v.value) FILTER (WHERE t.type = '{side}' AND v.band = {band}) AS {side}_{band}"
        for side in _SIDES
        for band in range(4)
    ),
    band_sums=", ".join(f"sum({name}) AS {name}" for name in _BANDS),
    band_names=", ".join(_BANDS),
    progress=_PROGRESS,
)
_ZERO = Decimal(0)
_ACTIVITY = (
    "unique_buyers_1h",
    "unique_sellers_1h",
    "buys_1h",
    "sells_1h",
    "buys_5m",
    "sells_5m",
    "buys_1m",
    "sells_1m",
    "net_flow_1m",
    "net_flow_5m",
    "bought",
    "sold",
)


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of a token's market at a moment: what is scored, and what stands beside the score."""

    mint: str
    facts: Facts
    sold_pct: Decimal | None
    """Percent of the tokens on sale that are sold (T4)."""
    traders_1h: int
    volume_24h_usd: Decimal | None
    activity: Mapping[str, Any]
    """Columns of ``activity_metrics``: SOL and trades of a minute, five and an hour."""


def markets(*, mints: Sequence[str], now: datetime) -> Sequence[Market]:
    """Return the market of each known token of ``mints`` at ``now``, in no order; one statement for any number.

    Only what is in the candles by now counts: call it after the minutes were rolled.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"mints": list(mints), "now": now, "hour": hour})
        return [_market(row, now) for row in cursor.fetchall()]


def _market(row: tuple[Any, ...], now: datetime) -> Market:
    mint, cap, sold, latest, carried, close, opened, b5, b15, b30, ended, ended_at, red, steps, minutes, *rest = row
    bands, (largest, trades, traders, hours, first_hour, last_hour, *activity) = rest[:8], rest[8:]
    buys, sells = (tuple(amount or _ZERO for amount in side) for side in (bands[:4], bands[4:]))
    price = _first(close, carried, latest)
    facts = Facts(
        market_cap_usd=cap,
        price=price,
        before=ended,
        before_minutes=_minutes_since(ended_at, now),
        progress=tuple(steps) if steps else (None,) * 7,
        buys=buys,  # type: ignore[arg-type]  # four each
        sells=sells,  # type: ignore[arg-type]
        trades_1h=int(trades or 0),
        largest=largest or _ZERO,
        first_5m=_first(b5, carried, opened, price),
        first_15m=_first(b15, carried, opened, price),
        first_30m=_first(b30, carried, opened, price),
        first_60m=_first(carried, opened, price),
        red=red,
        selloff_minutes=minutes,
    )
    volumes = [volume for volume in (hours, first_hour, last_hour) if volume is not None]
    volume = sum(volumes, _ZERO) if volumes else None
    return Market(mint, facts, sold, int(traders or 0), volume, _activity(activity))


def _activity(row: Sequence[Any]) -> dict[str, Any]:
    known = dict(zip(_ACTIVITY, (value or _ZERO for value in row[:12]), strict=True))
    bought, sold = known.pop("bought"), known.pop("sold")
    return {
        **known,
        "net_flow_1h": bought - sold,
        "avg_buy_size_sol": bought / known["buys_1h"] if bought else None,
        "avg_sell_size_sol": sold / known["sells_1h"] if sold else None,
        "largest_buy_sol": row[12],
        "largest_sell_sol": row[13],
    }


def _first(*prices: Decimal | None) -> Decimal | None:
    return next((price for price in prices if price is not None), None)


def _minutes_since(bucket: datetime | None, now: datetime) -> Decimal | None:
    """Return how long ago the minute ended; at least one, so that the noise of a second is no speed."""
    if bucket is None:
        return None
    return max(Decimal(1), round(Decimal(str((now - bucket).total_seconds())) / 60 - 1, 4))
