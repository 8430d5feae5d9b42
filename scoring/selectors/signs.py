"""The figures behind risk signs, from trades, holders and minutes: one statement for many tokens, each at its own time."""

import json
import math
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, get_args

from django.db import connection

from scoring.domain import risk
from scoring.domain.signs import Signs
from tokens.domain import mayhem
from tokens.domain.programs import MAYHEM_AGENT
from tokens.selectors.mayhem import is_mayhem
from tokens.selectors.slots import place_in_slot

# Nothing after ``at`` is read: no trade, no minute that ends later, no flag of a later snapshot. What the mayhem agent trades
# is no sign of anybody (T15).
_TRADES = f"""
WITH asked AS MATERIALIZED (
    SELECT a.n, a.mint, a.at, t.id AS token_id, t.creator_address AS creator,
        array_remove(array_append(array_remove(t.launch_wallets, t.creator_address), t.creator_address), NULL) AS devs,
        coalesce(CASE WHEN NOT {is_mayhem("t")} THEN t.initial_supply END,
                 (SELECT max(base_supply) FROM pools p WHERE p.token_id = t.id AND (NOT {is_mayhem("t")}
                  OR p.pool_type <> 'initial' OR a.at < t.creation_timestamp + %(mayhem)s))) AS supply
    FROM unnest(%(mints)s::text[], %(ats)s::timestamptz[]) WITH ORDINALITY AS a(mint, at, n)
    JOIN tokens t ON t.mint_address = a.mint
), trades AS MATERIALIZED (
    SELECT a.n, x.block_time, x.slot, {place_in_slot("x")} AS invariant, x.event_index,
        x.signature, x.type = 'buy' AS buys, x.user_address AS wallet, x.sol_amount,
        CASE x.type WHEN 'buy' THEN x.amount_out ELSE x.amount_in END AS tokens,
        CASE x.type WHEN 'buy' THEN x.amount_in ELSE x.amount_out END AS quote
    FROM asked a JOIN transactions x ON x.token_id = a.token_id AND x.block_time <= a.at
    WHERE x.type IN ('buy', 'sell') AND x.user_address <> %(agent)s
), wallets AS MATERIALIZED (
    SELECT n, wallet, count(*) AS trades, count(*) FILTER (WHERE buys) AS buys, count(*) FILTER (WHERE NOT buys) AS sells,
        coalesce(sum(tokens) FILTER (WHERE buys), 0) AS bought, coalesce(sum(tokens) FILTER (WHERE NOT buys), 0) AS sold,
        max(block_time) AS last_at
    FROM trades GROUP BY n, wallet
), crowd AS MATERIALIZED (
    SELECT n, count(*) AS traders,
        count(*) FILTER (WHERE buys > %(each_above)s AND sells > %(each_above)s
                           AND abs(buys - sells) < %(apart_below)s) AS round_trippers,
        count(*) FILTER (WHERE sells > 0 AND last_at > at - %(look_back)s) AS sold_active,
        coalesce(sum(sells) FILTER (WHERE last_at > at - %(look_back)s), 0) AS sells_of_those
    FROM wallets JOIN asked USING (n) GROUP BY n
), alike AS MATERIALIZED (
    SELECT n, jsonb_agg(jsonb_build_array(trades, wallets) ORDER BY trades) AS alike
    FROM (SELECT n, trades, count(*) AS wallets FROM wallets WHERE trades > %(alike_above)s GROUP BY n, trades) AS shared
    JOIN crowd USING (n)
    WHERE wallets > 1 AND wallets > traders * %(alike_ratio)s GROUP BY n
), born AS MATERIALIZED (
    SELECT n, sum(wallets) AS born, max(wallets) AS together, (array_agg(wallets ORDER BY wallets DESC))[1:20] AS hours
    FROM (
        SELECT w.n, date_trunc('hour', k.first_seen_at), count(*) AS wallets
        FROM wallets w JOIN asked a USING (n)
        JOIN wallet_analysis_cache k ON k.wallet_address = w.wallet AND k.from_start AND k.first_seen_at <= a.at
        WHERE w.bought > w.sold GROUP BY 1, 2
    ) AS hours
    GROUP BY n
)
"""

# Trades of one wallet that are no further apart than the policy says are one round; what it both bought and sold in a round is
# wash, both legs, each at its own mean price. Where some of the volume is in SOL, only that is counted.
_WASH = """
, valued AS MATERIALIZED (
    SELECT n, wallet, block_time, buys, tokens, quote
    FROM (SELECT trades.*, bool_or(sol_amount IS NOT NULL) OVER (PARTITION BY n) AS in_sol FROM trades) AS known
    WHERE NOT in_sol OR sol_amount IS NOT NULL
), numbered AS (
    SELECT n, wallet, buys, tokens, quote, count(*) FILTER (WHERE begins) OVER one AS round
    FROM (
        SELECT valued.*, block_time - lag(block_time) OVER one > %(wash_within)s AS begins
        FROM valued WINDOW one AS (PARTITION BY n, wallet ORDER BY block_time)
    ) AS begun
    WINDOW one AS (PARTITION BY n, wallet ORDER BY block_time)
), rounds AS (
    SELECT n, coalesce(sum(quote) FILTER (WHERE buys), 0) AS spent, coalesce(sum(quote) FILTER (WHERE NOT buys), 0) AS got,
        sum(tokens) FILTER (WHERE buys) AS bought, sum(tokens) FILTER (WHERE NOT buys) AS sold
    FROM numbered GROUP BY n, wallet, round
), volumes AS MATERIALIZED (
    SELECT n, sum(spent + got) AS volume,
        coalesce(sum(div(spent * least(bought, sold), nullif(bought, 0)) + div(got * least(bought, sold), nullif(sold, 0)))
                 FILTER (WHERE bought > 0 AND sold > 0), 0) AS washed
    FROM rounds GROUP BY n
)
"""

# What a wallet sold without having bought it, it was given: that much it had at the start.
_HELD = """
, judged AS MATERIALIZED (
    SELECT a.n, count(*) FILTER (WHERE h.is_insider) AS insiders
    FROM asked a JOIN token_holders h ON h.token_mint = a.mint AND h.flagged_at <= a.at
    GROUP BY a.n
), watched AS MATERIALIZED (
    SELECT n, wallet, 'creator' AS role FROM asked CROSS JOIN unnest(devs) AS wallet
    UNION ALL
    SELECT a.n, h.wallet_address, 'insider'
    FROM asked a JOIN token_holders h ON h.token_mint = a.mint AND h.is_insider AND h.flagged_at <= a.at
    UNION ALL
    SELECT n, wallet, 'whale' FROM wallets JOIN asked USING (n)
    WHERE greatest(bought, sold) * 100 >= supply * %(whale_share)s
), running AS MATERIALIZED (
    SELECT n, wallet, block_time, buys, tokens, sol_amount,
        sum(CASE WHEN buys THEN tokens ELSE -tokens END) OVER (
            PARTITION BY n, wallet ORDER BY slot, invariant, event_index, signature COLLATE "C"
        ) AS held
    FROM trades JOIN (SELECT DISTINCT n, wallet FROM watched) AS those USING (n, wallet)
), held AS MATERIALIZED (
    SELECT n, wallet, greatest(max(held), 0) - least(min(held), 0) AS peak,
        coalesce(sum(tokens) FILTER (WHERE NOT buys AND block_time > at - %(selling)s), 0) AS sold
    FROM running JOIN asked USING (n) GROUP BY n, wallet
), inside AS MATERIALIZED (
    SELECT n, sum(peak) FILTER (WHERE role = 'insider') AS insiders_peak,
        sum(sold) FILTER (WHERE role = 'insider') AS insiders_sold
    FROM watched JOIN held USING (n, wallet) GROUP BY n
), makers AS MATERIALIZED (
    -- All of the maker's wallets together, or the one that sold most of its peak, dust left out: who names a wallet that keeps
    -- much as the creator hides nothing.
    SELECT DISTINCT ON (n) n, peak AS creator_peak, sold AS creator_sold
    FROM (
        SELECT n, sum(peak) AS peak, sum(sold) AS sold FROM watched JOIN held USING (n, wallet)
        WHERE role = 'creator' GROUP BY n
        UNION ALL
        SELECT n, peak, sold FROM watched JOIN held USING (n, wallet) JOIN asked USING (n)
        WHERE role = 'creator' AND peak * 1000 >= supply
    ) AS sold_by
    ORDER BY n, sold / nullif(peak, 0) DESC NULLS LAST, peak DESC
), whale_trades AS MATERIALIZED (
    SELECT n, wallet, buys, block_time, sol_amount
    FROM held JOIN watched USING (n, wallet) JOIN asked USING (n) JOIN running USING (n, wallet)
    WHERE role = 'whale' AND peak * 100 >= supply * %(whale_share)s AND block_time > at - %(selling)s
), whales AS MATERIALIZED (
    SELECT DISTINCT ON (n) n, buys, block_time, wallets, sol
    FROM (
        SELECT s.n, s.buys, s.block_time, array_agg(DISTINCT o.wallet ORDER BY o.wallet) AS wallets, sum(o.sol_amount) AS sol
        FROM (SELECT DISTINCT n, buys, block_time FROM whale_trades) AS s
        JOIN whale_trades o ON o.n = s.n AND o.buys = s.buys
            AND o.block_time >= s.block_time AND o.block_time <= s.block_time + %(whales_within)s
        GROUP BY s.n, s.buys, s.block_time
    ) AS groups
    WHERE cardinality(wallets) >= %(whales)s
    ORDER BY n, sol DESC NULLS LAST, block_time, buys
)
"""

# Whoever belongs to a group is at most so far from its smallest buy, in time and in amount: so each wallet is tried as the
# smallest, and its neighbours are found by equal stretches of time and bands of amount, not by comparing all with all.
_JOINT = """
, firsts AS MATERIALIZED (
    SELECT DISTINCT ON (n, wallet) n, wallet, extract(epoch FROM block_time)::bigint AS second, quote
    FROM trades WHERE buys AND quote > 0
    ORDER BY n, wallet, slot, invariant, event_index, signature COLLATE "C"
), cells AS MATERIALIZED (
    SELECT n, second / %(joint_within)s::bigint AS cell, floor(ln(quote::float8) / %(joint_band)s::float8) AS band, wallet,
        second, quote
    FROM firsts
), tried AS MATERIALIZED (
    SELECT n, cell + beside AS cell, band + above AS band, wallet, second, quote
    FROM cells CROSS JOIN generate_series(-1, 1) AS beside CROSS JOIN generate_series(0, 1) AS above
), sized AS MATERIALIZED (
    SELECT a.n, a.quote AS least, b.second, count(*) OVER near AS wallets, max(b.quote) OVER near AS most
    FROM tried a JOIN cells b USING (n, cell, band)
    WHERE b.quote >= a.quote AND b.quote * 100 <= a.quote * (100 + %(joint_apart)s)
        AND abs(b.second - a.second) <= %(joint_within)s::bigint
    WINDOW near AS (
        PARTITION BY a.n, a.wallet ORDER BY b.second
        RANGE BETWEEN CURRENT ROW AND %(joint_within)s::bigint FOLLOWING
    )
), joint AS MATERIALIZED (
    SELECT DISTINCT ON (n) n, wallets, to_timestamp(second) AS at, least, most FROM sized
    ORDER BY n, wallets DESC, second, least
)
"""

_PRICES = f"""
, minutes AS MATERIALIZED (
    SELECT a.n, c.bucket, c.high, least(c.open, min(c.low) OVER before) AS low_before,
        least(c.close, min(c.low) OVER after) AS low_after
    FROM asked a
    JOIN price_candles_1m c ON c.token_id = a.token_id AND c.bucket > a.at - %(look_back)s
        AND c.bucket <= a.at - interval '1 minute' AND c.close IS NOT NULL
    WINDOW
        before AS (PARTITION BY a.n ORDER BY c.bucket
                   RANGE BETWEEN %(pump_within)s PRECEDING AND interval '1 microsecond' PRECEDING),
        after AS (PARTITION BY a.n ORDER BY c.bucket
                  RANGE BETWEEN interval '1 microsecond' FOLLOWING AND %(pump_within)s FOLLOWING)
), pump AS MATERIALIZED (
    SELECT DISTINCT ON (n) n, bucket, low_before, high, low_after FROM minutes
    WHERE low_before > 0 AND low_after > 0
    ORDER BY n, least(high / (low_before * %(pump_times)s), high * %(dump_ratio)s / low_after) DESC, bucket
), drained AS MATERIALIZED (
    SELECT a.n, count(*) AS pools, sum(taken.quote) AS removed,
        CASE WHEN bool_and(newest.quote_reserves IS NOT NULL) THEN sum(newest.quote_reserves) END AS reserve
    FROM asked a JOIN pools p ON p.token_id = a.token_id AND p.pool_type = 'graduated'
    CROSS JOIN LATERAL (
        SELECT quote_reserves FROM transactions x
        WHERE x.token_id = a.token_id AND x.pool_id = p.id AND x.block_time <= a.at
        ORDER BY x.block_time DESC, x.slot DESC, {place_in_slot("x")} DESC, x.event_index DESC, x.signature COLLATE "C" DESC
        LIMIT 1
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_out), 0) AS quote FROM transactions x
        WHERE x.token_id = a.token_id AND x.pool_id = p.id AND x.type = 'remove_liquidity'
            AND x.block_time <= a.at AND x.block_time > a.at - %(look_back)s
    ) AS taken
    GROUP BY a.n
)
"""

_ALL = f"""
{_TRADES}{_WASH}{_HELD}{_JOINT}{_PRICES}
SELECT asked.n, traders, creator, creator_sold AS creator_sold_raw, creator_peak AS creator_peak_raw, insiders,
    insiders_sold AS insiders_sold_raw, insiders_peak AS insiders_peak_raw,
    CASE WHEN supply IS NOT NULL THEN coalesce(whales.wallets, '{{}}'::text[]) END AS whales, whales.buys AS whales_bought,
    whales.sol AS whales_sol, whales.block_time AS whales_at, joint.wallets AS joint_buyers, joint.at AS joint_at,
    joint.least AS joint_least_raw, joint.most AS joint_most_raw, pump.bucket AS pump_at, low_before AS pump_low_before,
    high AS pump_high, low_after AS pump_low_after, coalesce(pools, 0) AS pools, removed AS removed_raw,
    reserve AS reserve_raw, coalesce(alike, '[]') AS alike, round_trippers, born, together AS born_together, hours AS born_hours,
    sold_active, sells_of_those, volume AS volume_raw, washed AS wash_volume_raw
FROM asked LEFT JOIN crowd USING (n) LEFT JOIN judged USING (n) LEFT JOIN inside USING (n) LEFT JOIN makers USING (n)
LEFT JOIN whales USING (n)
LEFT JOIN joint USING (n) LEFT JOIN pump USING (n) LEFT JOIN drained USING (n) LEFT JOIN alike USING (n)
LEFT JOIN born USING (n) LEFT JOIN volumes USING (n)
"""

_WHOLE = frozenset(field.name for field in fields(Signs) if int in get_args(field.type))


def read(*, asked: Sequence[tuple[str, datetime]], rules: risk.Rules) -> list[Signs]:
    """Return the figures of each (mint, time) in ``asked``, in its order; nothing is known of a mint without a token.

    A figure holds at its time, the time itself included: later trades, minutes and flags are not in it.
    """
    found: dict[int, Signs] = {}
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(_ALL, _parameters(asked, rules))
            names = [column.name for column in cursor.description]
            found = {row[0]: _signs(dict(zip(names[1:], row[1:], strict=True))) for row in cursor.fetchall()}
    return [found.get(place, Signs()) for place in range(1, len(asked) + 1)]


def _parameters(asked: Sequence[tuple[str, datetime]], rules: risk.Rules) -> dict[str, Any]:
    limits = rules.signs
    return {
        "mints": [mint for mint, _ in asked],
        "ats": [at for _, at in asked],
        "each_above": rules.wash["round_trips_each_above"],
        "apart_below": rules.wash["round_trips_apart_below"],
        "alike_above": rules.wash["alike_trades_above"],
        "alike_ratio": rules.wash["alike_ratio_above"],
        "wash_within": timedelta(seconds=int(rules.wash["volume_within_seconds"])),
        "agent": MAYHEM_AGENT,
        "mayhem": mayhem.TRADED_FOR,
        "look_back": limits.look_back,
        "selling": limits.selling,
        "whale_share": limits.whale_share,
        "whales": limits.whales,
        "whales_within": limits.whales_within,
        "joint_within": int(limits.joint_within / timedelta(seconds=1)),
        "joint_apart": limits.joint_apart,
        # A little wider than asked: what is exactly so far apart is never more than one band away.
        "joint_band": math.log1p(float(limits.joint_apart) / 100) * 1.000001,
        "pump_within": limits.pump_within,
        "pump_times": limits.pump_times,
        "dump_ratio": limits.dump_ratio,
    }


def _signs(figures: dict[str, Any]) -> Signs:
    hours = figures.pop("born_hours")
    for name, value in figures.items():
        if isinstance(value, datetime):
            figures[name] = value.isoformat()
        elif name in _WHOLE and value is not None:
            figures[name] = int(value)
    # A bare cursor hands JSON over as text.
    alike = tuple(tuple(map(int, pair)) for pair in json.loads(figures.pop("alike")))
    whales = figures.pop("whales")
    return Signs(
        alike=alike,
        whales=None if whales is None else tuple(whales),
        born_hours=tuple(map(int, hours or ())),
        **figures,
    )
