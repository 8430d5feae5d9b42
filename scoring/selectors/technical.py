"""What the technical score of many tokens is computed from: one statement over pools, minutes and trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from scoring.domain.technical.facts import Facts
from tokens.domain.programs import MAYHEM_AGENT
from tokens.selectors.counting import FORMS_PRICE
from tokens.selectors.slots import place_in_slot

# Everything is to the minute. A fall is measured from the highest price of its window (G13): the highest of the minutes that
# had not ended when it began, or the price that it began with: the close of the newest minute that had ended by then, of a
# day at most. detect_selloff says the same of one token. Trades are buys and sells of the pools that price the token; a quote
# other than SOL is counted in itself. Trades that form no price (T16) count and have no close. What the mayhem agent trades
# is no demand (T15): only what it made of the curve's progress is read, to be left out.
_FACTS = """
WITH asked AS MATERIALIZED (
    SELECT t.id AS token_id, t.mint_address, t.creation_timestamp,
        t.is_graduated AND coalesce(t.graduation_timestamp <= %(now)s, true) AS is_graduated
    FROM tokens t WHERE t.mint_address = ANY(%(mints)s::text[])
), hour AS MATERIALIZED (
    SELECT c.token_id, c.bucket, c.open, c.high, c.close, c.close IS NOT NULL AS priced,
        c.volume_usd - coalesce(c.wash_volume_usd, 0) AS volume_usd
    FROM asked JOIN price_candles_1m c USING (token_id)
    WHERE c.bucket > %(m61)s AND c.bucket <= %(now)s
), minutes AS (
    SELECT token_id,
        array_agg(close ORDER BY bucket DESC) FILTER (WHERE priced) AS closes,
        max(high) FILTER (WHERE bucket > %(m6)s) AS high_5m, max(high) FILTER (WHERE bucket > %(m16)s) AS high_15m,
        max(high) FILTER (WHERE bucket > %(m31)s) AS high_30m, max(high) AS high_60m,
        (array_agg(close ORDER BY bucket DESC) FILTER (WHERE priced AND bucket <= %(m6)s))[1] AS before_5m,
        (array_agg(close ORDER BY bucket DESC) FILTER (WHERE priced AND bucket <= %(m16)s))[1] AS before_15m,
        (array_agg(close ORDER BY bucket DESC) FILTER (WHERE priced AND bucket <= %(m31)s))[1] AS before_30m,
        array_agg(bucket ORDER BY bucket DESC) FILTER (WHERE priced AND {ended}) AS ended_at,
        array_agg(close ORDER BY bucket DESC) FILTER (WHERE priced AND {ended}) AS ended,
        array_agg(close < open ORDER BY bucket DESC) FILTER (WHERE priced AND bucket > %(m31)s) AS reds,
        sum(volume_usd) FILTER (WHERE bucket >= %(hour)s) AS volume_usd
    FROM hour GROUP BY token_id
), seen AS MATERIALIZED (
    SELECT t.token_id, t.user_address, t.user_address = %(agent)s AS by_agent, t.type = 'buy' AS buys, t.sol_amount AS sol,
        t.block_time, t.slot, {place} AS invariant, t.event_index, t.signature,
        CASE WHEN {forms} THEN t.price_per_token END AS price,
        coalesce(t.sol_amount, t.price_per_token * t.token_amount) AS value,
        CASE WHEN t.type = 'buy' THEN t.sol_amount ELSE -t.sol_amount END AS flow, t.block_time > %(m1)s AS is_new,
        CASE WHEN t.block_time > %(m5)s THEN 0 WHEN t.block_time > %(m15)s THEN 1 WHEN t.block_time > %(m30)s THEN 2 ELSE 3
        END AS band
    FROM asked
    JOIN transactions t ON t.token_id = asked.token_id AND t.block_time > %(m60)s AND t.block_time <= %(now)s
    JOIN pools p ON p.id = t.pool_id AND p.pool_type <> 'permissionless'
    WHERE t.type IN ('buy', 'sell') AND t.price_per_token > 0
), trades AS MATERIALIZED (
    SELECT * FROM seen WHERE NOT by_agent
), agent AS MATERIALIZED (
    SELECT token_id, count(*) AS trades, sum(value) AS volume FROM seen WHERE by_agent GROUP BY token_id
), demanded AS (
    -- Where the agent traded the speed is that of the others' prices.
    SELECT token_id, (array_agg(close ORDER BY bucket DESC))[1] AS price,
        array_agg(bucket ORDER BY bucket DESC) FILTER (WHERE {ended}) AS ended_at,
        array_agg(close ORDER BY bucket DESC) FILTER (WHERE {ended}) AS ended
    FROM (
        SELECT DISTINCT ON (token_id, bucket) token_id, time_bucket('1 minute', block_time) AS bucket, price AS close
        FROM trades JOIN agent USING (token_id) WHERE price IS NOT NULL
        ORDER BY token_id, bucket, slot DESC, invariant DESC, event_index DESC, signature COLLATE "C" DESC
    ) AS minute
    GROUP BY token_id
), traders AS (
    SELECT token_id, max(volume) AS largest, count(*) AS traders,
        count(*) FILTER (WHERE buys) AS buyers, count(*) FILTER (WHERE sells) AS sellers
    FROM (
        SELECT token_id, sum(value) AS volume, bool_or(buys) AS buys, NOT bool_and(buys) AS sells
        FROM trades GROUP BY token_id, user_address
    ) AS each_trader
    GROUP BY token_id
), traded AS (
    SELECT token_id, {bands},
        count(*) AS trades, count(price) AS forming,
        count(*) FILTER (WHERE buys) AS buys_1h, count(*) FILTER (WHERE NOT buys) AS sells_1h,
        count(*) FILTER (WHERE band = 0 AND buys) AS buys_5m, count(*) FILTER (WHERE band = 0 AND NOT buys) AS sells_5m,
        count(*) FILTER (WHERE is_new AND buys) AS buys_1m, count(*) FILTER (WHERE is_new AND NOT buys) AS sells_1m,
        sum(flow) FILTER (WHERE is_new) AS flow_1m, sum(flow) FILTER (WHERE band = 0) AS flow_5m,
        sum(sol) FILTER (WHERE buys) AS bought, sum(sol) FILTER (WHERE NOT buys) AS sold,
        max(sol) FILTER (WHERE buys) AS largest_buy, max(sol) FILTER (WHERE NOT buys) AS largest_sell
    FROM trades GROUP BY token_id
)
SELECT asked.mint_address, current.market_cap_usd, current.sold_pct, current.latest_price,
    carried.close, closes[1], before_5m, before_15m, before_30m, high_5m, high_15m, high_30m, high_60m,
    CASE WHEN agent.trades > 0 THEN demanded.ended[least(4, cardinality(demanded.ended))]
        ELSE minutes.ended[least(4, cardinality(minutes.ended))] END,
    CASE WHEN agent.trades > 0 THEN demanded.ended_at[least(4, cardinality(demanded.ended_at))]
        ELSE minutes.ended_at[least(4, cardinality(minutes.ended_at))] END,
    coalesce(array_position(reds, false) - 1, cardinality(reds), 0),
    progress.steps, progress.left_out, asked.is_graduated OR coalesce(current.is_over, false),
    coalesce(agent.trades, 0), coalesce(agent.volume, 0), demanded.price, coalesce(traded.forming, 0),
    (SELECT floor(extract(epoch FROM %(now)s - detection_time) / 60)::int FROM selloff_events e
      WHERE e.token_mint = asked.mint_address AND e.status = 'open' AND e.detection_time <= %(now)s),
    {band_names}, largest, traded.trades, traders,
    (SELECT sum(volume_usd - coalesce(wash_volume_usd, 0)) FROM price_candles_1h c
      WHERE c.token_id = asked.token_id AND c.bucket > %(hour)s - interval '1 day' AND c.bucket < %(hour)s),
    (SELECT sum(volume_usd - coalesce(wash_volume_usd, 0)) FROM price_candles_1m c
      WHERE c.token_id = asked.token_id AND c.bucket >= %(m1440)s
        AND c.bucket < %(hour)s - interval '23 hours'),
    minutes.volume_usd,
    buyers, sellers, buys_1h, sells_1h, buys_5m, sells_5m, buys_1m, sells_1m, flow_1m, flow_5m, bought, sold,
    largest_buy, largest_sell
FROM asked
LEFT JOIN LATERAL (
    SELECT pools.market_cap_usd, pools.latest_price, curve.bonding_curve_progress AS sold_pct,
        curve.status <> 'active' AS is_over
    FROM current_pools JOIN pools ON pools.id = current_pools.pool_id
    LEFT JOIN pools curve ON curve.token_id = asked.token_id AND curve.pool_type = 'initial'
    WHERE current_pools.token_id = asked.token_id
) AS current ON true
LEFT JOIN minutes ON minutes.token_id = asked.token_id
LEFT JOIN traded ON traded.token_id = asked.token_id
LEFT JOIN traders ON traders.token_id = asked.token_id
LEFT JOIN agent ON agent.token_id = asked.token_id
LEFT JOIN demanded ON demanded.token_id = asked.token_id
LEFT JOIN LATERAL (
    SELECT close FROM price_candles_1m c
    WHERE c.token_id = asked.token_id AND c.bucket <= %(m61)s
      AND c.bucket > %(m1501)s AND c.close IS NOT NULL
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
                AND x.block_time <= %(now)s - step.back * interval '5 minutes' AND x.block_time > %(m1440)s
              ORDER BY x.block_time DESC, x.slot DESC, x.quote_reserves * x.token_reserves DESC, x.event_index DESC LIMIT 1)
        END ORDER BY step.back DESC) AS steps,
        array_agg(CASE WHEN agent.trades > 0 THEN (
            SELECT round(coalesce(sum(CASE WHEN x.type = 'buy' THEN x.amount_in ELSE -x.amount_out END), 0) * 100
                         / c.quote_target, 4)
            FROM transactions x
            WHERE x.token_id = c.token_id AND x.pool_id = c.id AND x.user_address = %(agent)s AND x.type IN ('buy', 'sell')
              AND x.block_time > %(m30)s AND x.block_time <= %(now)s - step.back * interval '5 minutes'
        ) END ORDER BY step.back DESC) AS left_out
    FROM pools c CROSS JOIN generate_series(0, 6) AS step(back)
    WHERE c.token_id = asked.token_id AND c.pool_type = 'initial' AND c.quote_target > 0
"""

_BANDS = {f"{side}_{band}": (side, band) for side in ("buys", "NOT buys") for band in range(4)}
_STATEMENT = _FACTS.format(
    ended="bucket > %(m11)s AND bucket <= %(m1)s",
    forms=FORMS_PRICE,
    place=place_in_slot("t"),
    bands=", ".join(
        f'sum(value) FILTER (WHERE {side} AND band = {band}) AS "{name}"' for name, (side, band) in _BANDS.items()
    ),
    band_names=", ".join(f'"{name}"' for name in _BANDS),
    progress=_PROGRESS,
)
_AGO = (1, 5, 6, 11, 15, 16, 30, 31, 60, 61, 1440, 1501)
"""Minutes that the statement looks back: as parameters, or PostgreSQL would subtract for every row."""
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
        ago = {f"m{minutes}": now - timedelta(minutes=minutes) for minutes in _AGO}
        cursor.execute(_STATEMENT, {"mints": list(mints), "now": now, "hour": hour, "agent": MAYHEM_AGENT, **ago})
        return [_market(row, now) for row in cursor.fetchall()]


def _market(row: tuple[Any, ...], now: datetime) -> Market:
    mint, cap, sold, latest, carried, close, b5, b15, b30, *rest = row
    highs, (ended, ended_at, red, steps, left_out, is_over, *rest) = rest[:4], rest[4:]
    agent_trades, agent_volume, demand_price, forming, minutes, *rest = rest
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
        high_5m=_highest(_first(b5, carried), highs[0], price),
        high_15m=_highest(_first(b15, carried), highs[1], price),
        high_30m=_highest(_first(b30, carried), highs[2], price),
        high_60m=_highest(carried, highs[3], price),
        red=red,
        selloff_minutes=minutes,
        is_silent=not forming,
        is_graduated=is_over,
        left_out_trades=agent_trades,
        left_out_volume=agent_volume,
        left_out_progress=tuple(left_out) if left_out and agent_trades else (),
        demand_price=demand_price,
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


def _highest(*prices: Decimal | None) -> Decimal | None:
    return max((price for price in prices if price is not None), default=None)


def _minutes_since(bucket: datetime | None, now: datetime) -> Decimal | None:
    """Return how long ago the minute ended; at least one, so that the noise of a second is no speed."""
    if bucket is None:
        return None
    return max(Decimal(1), round(Decimal(str((now - bucket).total_seconds())) / 60 - 1, 4))
