"""Technical scores of many tokens: heard of, taken in turn, computed from one statement's facts and written by one."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from megatron.core import ids
from scoring.domain.technical.scored import Technical, Terms
from scoring.domain.technical.scored import score as score_facts
from scoring.selectors import technical as reads
from scoring.selectors.technical import Market
from scoring.services import policies, selloffs, totals
from tokens.services import traded

AT_ONCE = 2_000
"""Tokens that one statement reads and one transaction writes."""
PAUSE = timedelta(seconds=5)
"""A token is scored at most so often, but for a trade of more than 5 SOL."""
LEASE = timedelta(minutes=1)
"""Who has not written by then lost its turn."""

# After its last trade a token is scored again whenever one of its windows has run empty, then forgotten. Windows are in
# whole minutes, hence one more.
_DECAY = [timedelta(minutes=minutes + 1) for minutes in (5, 15, 30, 60)]

_HEAR = """
INSERT INTO technical_scores_due AS d (token_id, due_at, traded_at, big_at)
SELECT h.token_id, %(now)s, h.traded_at, h.big_at
FROM unnest(%(tokens)s::uuid[], %(traded)s::timestamptz[], %(big)s::timestamptz[]) AS h(token_id, traded_at, big_at)
WHERE h.traded_at > %(now)s - %(forgotten)s
   OR NOT EXISTS (SELECT FROM technical_scores s JOIN tokens t ON t.mint_address = s.token_mint WHERE t.id = h.token_id)
ORDER BY h.token_id
ON CONFLICT (token_id) DO UPDATE SET
    traded_at = greatest(d.traded_at, EXCLUDED.traded_at),
    big_at = greatest(d.big_at, EXCLUDED.big_at),
    due_at = CASE WHEN EXCLUDED.big_at > coalesce(d.big_at, '-infinity') THEN %(now)s
        ELSE least(d.due_at, greatest(%(now)s, d.scored_at + %(pause)s)) END
"""

# Materialized: a subquery that a join runs again would lock, and take, others each time.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT token_id FROM technical_scores_due WHERE due_at <= %(now)s
    ORDER BY due_at, token_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE technical_scores_due d SET due_at = %(lease)s, scored_at = %(now)s
FROM picked, tokens t
WHERE d.token_id = picked.token_id AND t.id = d.token_id
RETURNING t.mint_address
"""

# Whoever was heard of again meanwhile keeps its new turn.
_DONE = """
WITH done AS (
    SELECT d.token_id, (SELECT min(d.traded_at + after) FROM unnest(%(decay)s::interval[]) AS after
                        WHERE d.traded_at + after > %(now)s) AS next
    FROM technical_scores_due d JOIN tokens t ON t.id = d.token_id
    WHERE t.mint_address = ANY(%(mints)s) AND d.scored_at = %(now)s AND d.due_at = %(lease)s
    ORDER BY d.token_id FOR UPDATE OF d
), gone AS (
    DELETE FROM technical_scores_due d USING done WHERE d.token_id = done.token_id AND done.next IS NULL
)
UPDATE technical_scores_due d SET due_at = done.next FROM done WHERE d.token_id = done.token_id AND done.next IS NOT NULL
"""

_SCORE_COLUMNS = (
    "token_mint, timestamp, market_cap_score, market_cap_usd, market_cap_velocity_pct_min, bonding_curve_score,"
    " bonding_curve_progress, progress_quote_pct, progress_velocity, progress_consistency, trading_health_score,"
    " buy_sell_ratio, volume_trend, unique_traders_1h, whale_concentration, selloff_response_score, price_drop_5m,"
    " price_drop_15m, price_drop_30m, price_drop_60m, recovery_strength, available_max, price, volume_24h_usd,"
    " transactions_1h, policy_version, inputs"
)
_INSERT_SCORES = f"""
INSERT INTO technical_scores (id, {_SCORE_COLUMNS})
SELECT id, {_SCORE_COLUMNS}
FROM jsonb_populate_recordset(NULL::technical_scores, %s::jsonb)
ON CONFLICT DO NOTHING
"""

_ACTIVITY_COLUMNS = (
    "token_mint, timestamp, buys_1m, sells_1m, net_flow_1m, buys_5m, sells_5m, net_flow_5m, buys_1h, sells_1h,"
    " net_flow_1h, unique_buyers_1h, unique_sellers_1h, avg_buy_size_sol, avg_sell_size_sol, largest_buy_sol,"
    " largest_sell_sol"
)
_INSERT_ACTIVITY = f"""
INSERT INTO activity_metrics (id, new_holders_1h, {_ACTIVITY_COLUMNS})
SELECT id,
    (SELECT h.new_holders_1h FROM holder_snapshots h WHERE h.token_mint = r.token_mint
        AND h.snapshot_time <= r.timestamp AND h.snapshot_time > r.timestamp - interval '1 hour'
      ORDER BY h.snapshot_time DESC LIMIT 1),
    {_ACTIVITY_COLUMNS}
FROM jsonb_populate_recordset(NULL::activity_metrics, %s::jsonb) AS r
WHERE NOT EXISTS (
    SELECT FROM activity_metrics a
    WHERE a.token_mint = r.token_mint AND a.timestamp >= date_trunc('minute', r.timestamp)
      AND a.timestamp < date_trunc('minute', r.timestamp) + interval '1 minute'
)
ON CONFLICT DO NOTHING
"""


_KEY = ("id", "token_mint", "timestamp")


@dataclass(frozen=True, slots=True)
class Scored:
    """Which tokens got a score, and whether others still wait."""

    mints: tuple[str, ...]
    more: bool = False


def score(*, mints: Sequence[str] | None, now: datetime, limit: int = 10_000) -> Scored:
    """Score ``mints``, or with None up to ``limit`` of the tokens whose turn it is, as of ``now``.

    A transaction for each 2,000 tokens: scores, activity, opened sell-offs and totals are committed together, the next
    turns after them, so that a worker that dies leaves its tokens due again after a minute. A token's turn comes five
    seconds after the last at the earliest, at once after a trade of more than 5 SOL, and when a window of 5, 15, 30 or
    60 minutes has run empty. Any number of workers may do it.
    """
    if mints is not None:
        return Scored(tuple(mint for some in _chunks(list(mints)) for mint in _score(some, now)))
    hear(now=now)
    scored: list[str] = []
    while len(scored) < limit:
        wanted = min(AT_ONCE, limit - len(scored))
        taken = _claim(now, wanted)
        _score(taken, now)
        _finish(taken, now)
        scored += taken
        if len(taken) < wanted:
            return Scored(tuple(scored))
    return Scored(tuple(scored), more=True)


def hear(*, now: datetime, limit: int = 10_000) -> int:
    """Give the tokens that traded their turns; return how many there were. Older trades give a first score only."""
    with transaction.atomic():
        heard = traded.take(limit=limit)
        if heard:
            tokens, traded_at, big_at = (list(column) for column in zip(*heard, strict=True))
            parameters: dict[str, Any] = {"now": now, "pause": PAUSE, "forgotten": _DECAY[-1]}
            with connection.cursor() as cursor:
                cursor.execute(_HEAR, {**parameters, "tokens": tokens, "traded": traded_at, "big": big_at})
    return len(heard)


def _claim(now: datetime, limit: int) -> list[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "lease": now + LEASE, "limit": limit})
        return [mint for (mint,) in cursor.fetchall()]


def _finish(mints: Sequence[str], now: datetime) -> None:
    """Give the tokens their next turns. Apart from the scores: candles may wait for these rows, and wait shortly."""
    parameters: dict[str, Any] = {"now": now, "lease": now + LEASE, "decay": _DECAY, "mints": list(mints)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DONE, parameters)


def _score(mints: Sequence[str], now: datetime) -> list[str]:
    """Score up to :data:`AT_ONCE` tokens in a transaction; return the known ones of them."""
    if not mints:
        return []
    with transaction.atomic():
        scored = write(mints=mints, now=now)
        totals.refresh(mints=scored, now=now)
    return scored


@transaction.atomic
def write(*, mints: Sequence[str], now: datetime) -> list[str]:
    """Write the scores and the activity of ``mints`` as of ``now``, without their totals; return the known mints."""
    policy = policies.active()
    terms = Terms.of(policy.technical)
    selloffs.follow(now=now, mints=mints)
    markets = reads.markets(mints=mints, now=now)
    rows = [
        row_of(market=market, told=score_facts(terms, market.facts), version=policy.version, now=now)
        for market in markets
    ]
    activity = [{name: row[name] for name in _KEY} | _texts(it.activity) for row, it in zip(rows, markets, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_SCORES, [json.dumps(rows)])
        cursor.execute(_INSERT_ACTIVITY, [json.dumps(activity)])
    return [market.mint for market in markets]


def row_of(*, market: Market, told: Technical, version: int, now: datetime) -> dict[str, Any]:
    """Return the columns of ``technical_scores`` as JSON: numbers as text, so that nothing is lost."""
    found, facts = told.measured, market.facts
    cap, curve, health, selloff = told.parts
    numbers = {
        "market_cap_score": cap.points,
        "market_cap_usd": facts.market_cap_usd,
        "market_cap_velocity_pct_min": found.velocity_pct_min,
        "bonding_curve_score": curve.points,
        "bonding_curve_progress": market.sold_pct,
        "progress_quote_pct": facts.progress[-1],
        "progress_velocity": found.progress_velocity_pct_h,
        "progress_consistency": found.progress_consistency,
        "trading_health_score": health.points,
        "buy_sell_ratio": found.buy_sell_ratio,
        "volume_trend": found.volume_trend,
        "whale_concentration": found.whale_concentration,
        "selloff_response_score": selloff.points,
        "price_drop_5m": found.drop_5m,
        "price_drop_15m": found.drop_15m,
        "price_drop_30m": found.drop_30m,
        "price_drop_60m": found.drop_60m,
        "recovery_strength": found.recovery,
        "available_max": told.available,
        "price": facts.price,
        "volume_24h_usd": market.volume_24h_usd,
    }
    return {
        "id": str(ids.event_id(now, market.mint)),
        "token_mint": market.mint,
        "timestamp": now.isoformat(),
        **_texts(numbers),
        "unique_traders_1h": market.traders_1h,
        "transactions_1h": facts.trades_1h,
        "policy_version": version,
        "inputs": facts.as_json(),
    }


def _texts(numbers: Any) -> dict[str, str | None]:
    return {name: None if number is None else str(number) for name, number in numbers.items()}


def _chunks(mints: list[str]) -> Iterator[list[str]]:
    unique = sorted(set(mints))
    for start in range(0, len(unique), AT_ONCE):
        yield unique[start : start + AT_ONCE]
