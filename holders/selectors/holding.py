"""Who holds a token at a time, and what each did with it until then: set-based, point in time.

Later trades are taken back from today's balances, and nothing else of them is read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from holders.choices import WalletOrigin
from holders.domain import activity, concentration, terms
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Token

MOST = 20_000
"""Holders that are judged one by one, the largest first."""

# What is told of a wallet is put together by grouping and not by joins: how many wallets trade a new token is not
# foreseen, and a loop of all of them over all of them would take minutes.
_HOLDERS = """
WITH trades AS (
    SELECT user_address AS wallet, block_time, slot, type = 'buy' AS is_buy,
           CASE WHEN type = 'buy' THEN amount_out ELSE amount_in END AS raw, token_amount
      FROM transactions WHERE token_id = %(token)s AND type IN ('buy', 'sell')
), past AS (
    SELECT wallet, count(*) FILTER (WHERE is_buy) AS buys, count(*) FILTER (WHERE NOT is_buy) AS sells,
           coalesce(sum(raw) FILTER (WHERE is_buy), 0) AS bought,
           coalesce(sum(raw) FILTER (WHERE NOT is_buy), 0) AS sold,
           min(block_time) FILTER (WHERE is_buy) AS first_buy_at,
           (min(ARRAY[extract(epoch FROM block_time), slot]) FILTER (WHERE is_buy))[2]::bigint AS first_buy_slot,
           max(block_time) AS last_at, count(*) AS trades
      FROM trades WHERE block_time <= %(at)s GROUP BY wallet
), later AS (
    SELECT wallet, sum(net) AS net
      FROM (
          SELECT wallet, net, block_time, max(booked_to) OVER (PARTITION BY wallet) AS booked_to
            FROM (
                SELECT wallet, CASE WHEN is_buy THEN token_amount ELSE -token_amount END AS net, block_time,
                       NULL::timestamptz AS booked_to
                  FROM trades WHERE block_time > %(at)s
                 UNION ALL
                SELECT wallet_address, NULL, NULL, last_transaction_time FROM token_holders WHERE token_mint = %(mint)s
            ) AS told
      ) AS trade
     WHERE block_time <= booked_to GROUP BY wallet
), holders AS (
    SELECT wallet, max(current_balance) - coalesce(max(net), 0) AS balance,
           CASE WHEN max(held_since) <= %(at)s THEN max(held_since) ELSE max(first_buy_at) END AS held_since,
           max(buys) AS buys, max(sells) AS sells, max(bought) AS bought, max(sold) AS sold,
           max(first_buy_at) AS first_buy_at, max(first_buy_slot) AS first_buy_slot, max(last_at) AS last_at,
           max(trades) AS trades
      FROM (
          SELECT wallet_address AS wallet, current_balance, held_since, NULL::numeric AS net, NULL::bigint AS buys,
                 NULL::bigint AS sells, NULL::numeric AS bought, NULL::numeric AS sold,
                 NULL::timestamptz AS first_buy_at, NULL::bigint AS first_buy_slot, NULL::timestamptz AS last_at,
                 NULL::bigint AS trades
            FROM token_holders
           WHERE token_mint = %(mint)s AND NOT wallet_address = ANY(%(excluded)s::varchar[])
           UNION ALL
          SELECT wallet, NULL, NULL, NULL, buys, sells, bought, sold, first_buy_at, first_buy_slot, last_at, trades
            FROM past
           UNION ALL
          SELECT wallet, NULL, NULL, net, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM later
      ) AS told
     GROUP BY wallet HAVING max(current_balance) IS NOT NULL
), known AS (
    SELECT holders.*, analysis.classes, analysis.wallet_type, analysis.bot_score, analysis.source,
           analysis.wallet_address IS NOT NULL AS is_sampled, analysis.source = %(chain)s AS is_enriched,
           analysis.total_transactions, analysis.sol_lamports, analysis.evidence,
           CASE WHEN analysis.first_seen_at <= %(at)s THEN analysis.first_seen_at END AS first_seen_at,
           analysis.from_start,
           CASE WHEN analysis.first_seen_at <= %(at)s
                 AND (analysis.from_start OR analysis.first_seen_at <= %(at)s - %(settled)s)
                THEN extract(epoch FROM %(at)s - analysis.first_seen_at) / 86400 END AS age_days,
           greatest(last_at, CASE WHEN analysis.last_seen_at <= %(at)s THEN analysis.last_seen_at END) AS active_at,
           CASE WHEN analysis.funded_at <= %(at)s THEN analysis.funder END AS funder,
           analysis.funded_lamports, analysis.funded_at
      FROM holders LEFT JOIN wallet_analysis_cache AS analysis
        ON analysis.wallet_address = holders.wallet AND analysis.last_analyzed <= %(at)s + %(grace)s
     WHERE holders.balance > 0 AND holders.balance >= %(dust_below)s
)
"""

_EACH = """
SELECT wallet, balance, held_since, coalesce(buys, 0), coalesce(sells, 0), coalesce(bought, 0), coalesce(sold, 0),
       first_buy_at, first_buy_slot, is_sampled, first_seen_at, coalesce(from_start, false), total_transactions,
       sol_lamports, evidence, classes, wallet_type, funder, funded_lamports, funded_at
  FROM known ORDER BY balance DESC, wallet LIMIT %(most)s
"""

_ALL = """
, measured AS (
    SELECT *, 100 * balance / coalesce(%(circulating)s, sum(balance) OVER ()) AS share,
           extract(epoch FROM %(at)s - active_at) / 86400 AS idle_days,
           greatest(coalesce(trades, 0), coalesce(total_transactions, 0)) AS activity
      FROM known
)
SELECT count(*) AS holders, count(*) FILTER (WHERE is_sampled) AS sampled,
       count(*) FILTER (WHERE is_enriched) AS enriched, count(trades) AS traders,
       avg(age_days) AS age_mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY age_days) AS age_median,
       count(age_days) AS aged, count(*) FILTER (WHERE age_days < 7) AS new,
       ARRAY[count(*) FILTER (WHERE age_days < 7), count(*) FILTER (WHERE age_days >= 7 AND age_days < 30),
             count(*) FILTER (WHERE age_days >= 30 AND age_days < 90),
             count(*) FILTER (WHERE age_days >= 90 AND age_days < 180),
             count(*) FILTER (WHERE age_days >= 180)] AS ages,
       ARRAY[count(*) FILTER (WHERE share < 0.01), count(*) FILTER (WHERE share >= 0.01 AND share < 0.1),
             count(*) FILTER (WHERE share >= 0.1 AND share < 1), count(*) FILTER (WHERE share >= 1 AND share < 5),
             count(*) FILTER (WHERE share >= 5)] AS sizes,
       count(*) FILTER (WHERE is_enriched AND bot_score >= %(suspected)s AND bot_score < %(bot)s
                          AND NOT classes && ARRAY['bot', 'mev_bot']::varchar[]) AS suspected_bots,
       count(*) FILTER (WHERE is_enriched AND classes && ARRAY['bot', 'mev_bot']::varchar[]) AS bots,
       count(*) FILTER (WHERE is_enriched AND 'mev_bot' = ANY(classes)) AS mev_bots,
       count(*) FILTER (WHERE is_enriched AND wallet_type = 'smart_money') AS smart,
       coalesce(sum(balance) FILTER (WHERE is_enriched AND wallet_type = 'smart_money'), 0) AS smart_balance,
       count(*) FILTER (WHERE 'known_dumper' = ANY(classes)) AS dumpers,
       count(*) FILTER (WHERE bought > 0 AND held_since < %(at)s - %(diamond)s AND sold < %(sold)s * bought) AS diamonds,
       avg(extract(epoch FROM %(at)s - held_since) / 3600) AS hold_hours,
       count(*) FILTER (WHERE activity = 0) AS silent,
       avg(CASE WHEN active_at IS NULL THEN 0 ELSE 0.7 * greatest(0, 1 - idle_days / %(rests)s)
                + 0.3 * least(1, activity / %(busy)s::numeric) END) AS velocity,
       (SELECT count(*) FROM (SELECT FROM measured GROUP BY floor(balance)
                HAVING count(*) > 1 AND count(*) > %(alike)s * (SELECT count(*) FROM measured)) AS shared) AS alike
  FROM measured
"""

_LAUNCH = """
SELECT coalesce((SELECT min(slot) FROM transactions
                  WHERE token_id = %(token)s AND signature = %(creation)s AND block_time <= %(at)s),
                (SELECT min(slot) FROM transactions WHERE token_id = %(token)s AND block_time = %(created)s
                    AND block_time <= %(at)s))
"""

# One transaction has one fee payer.
_BUNDLES = """
SELECT DISTINCT array_agg(DISTINCT user_address ORDER BY user_address)
  FROM transactions WHERE token_id = %(token)s AND type = 'buy' AND block_time <= %(at)s AND user_address <> %(agent)s
 GROUP BY signature HAVING count(DISTINCT user_address) > 1
"""

_LAUNCH_BUYERS = """
SELECT coalesce(array_agg(DISTINCT user_address ORDER BY user_address), '{}'::varchar[])
  FROM transactions
 WHERE token_id = %(token)s AND type = 'buy' AND slot = %(slot)s AND block_time <= %(at)s AND user_address <> %(agent)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One holder and what was known of it; ``balance`` in whole tokens, ``*_raw`` in base units."""

    wallet: str
    balance: Decimal
    held_since: datetime | None
    buys: int
    sells: int
    bought_raw: int
    sold_raw: int
    first_buy_at: datetime | None
    first_buy_slot: int | None
    is_sampled: bool
    first_seen_at: datetime | None
    from_start: bool
    transactions: int | None
    lamports: int | None
    evidence: Sequence[Mapping[str, Any]]
    classes: Sequence[str]
    wallet_type: str | None
    funder: str | None
    funded_lamports: int | None
    funded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How a token's trade began: the slot of its creation where that is known, the ``bundles`` that bought in one
    transaction each, and who bought in the creation's slot."""

    slot: int | None
    bundles: Sequence[Sequence[str]]
    launch_buyers: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All holders of a token at a time, counted; the names are those of the columns of the statement."""

    holders: int
    sampled: int
    enriched: int
    traders: int
    age_mean: Decimal | None
    age_median: float | None
    aged: int
    new: int
    ages: Sequence[int]
    sizes: Sequence[int]
    suspected_bots: int
    bots: int
    mev_bots: int
    smart: int
    smart_balance: Decimal
    dumpers: int
    diamonds: int
    hold_hours: Decimal | None
    silent: int
    velocity: Decimal | None
    alike: int


def holders(
    *, token: Token, excluded: Sequence[str], at: datetime, circulating: Decimal | None = None
) -> Sequence[Holder]:
    """Return who held ``token`` at ``at``, the largest first, at most :data:`MOST`; of the whole tokens that were
    ``circulating``, where that is known, owners of dust are none."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS + _EACH, _asked(token, excluded, at, circulating))
        return [_holder(row) for row in cursor.fetchall()]


def counted(*, token: Token, excluded: Sequence[str], at: datetime, circulating: Decimal | None = None) -> Counted:
    """Return the same holders of ``token``, all of them, counted by one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS + _ALL, _asked(token, excluded, at, circulating))
        names = [column.name for column in cursor.description or ()]
        return Counted(**dict(zip(names, cursor.fetchone(), strict=True)))


def beginning(*, token: Token, at: datetime) -> Beginning:
    """Return how the trade of ``token`` began, as known at ``at``."""
    asked = {
        "token": token.pk,
        "creation": token.creation_signature,
        "created": token.creation_timestamp,
        "at": at,
        "agent": MAYHEM_AGENT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LAUNCH, asked)
        (slot,) = cursor.fetchone()
        cursor.execute(_BUNDLES, asked)
        bundles = [members for (members,) in cursor.fetchall()]
        cursor.execute(_LAUNCH_BUYERS, {**asked, "slot": slot})
        (buyers,) = cursor.fetchone()
    return Beginning(slot=slot, bundles=bundles, launch_buyers=buyers)


def _asked(token: Token, excluded: Sequence[str], at: datetime, circulating: Decimal | None = None) -> dict[str, Any]:
    return {
        "token": token.pk,
        "mint": token.mint_address,
        "excluded": list(excluded),
        "at": at,
        "dust_below": concentration.dust_below(circulating),
        "circulating": circulating or None,
        "grace": terms.ANALYSIS_GRACE,
        "settled": terms.AGE_SETTLED,
        "chain": WalletOrigin.CHAIN,
        "most": MOST,
        "suspected": terms.BOT_SUSPECTED_FROM,
        "bot": terms.BOT_FROM,
        "diamond": terms.DIAMOND_HOLD,
        "sold": terms.DIAMOND_SOLD_BELOW,
        "rests": activity.RESTS_DAYS,
        "busy": activity.BUSY_TRANSACTIONS,
        "alike": activity.ALIKE_ABOVE,
    }


def _holder(row: Sequence[Any]) -> Holder:
    names = (field for field in Holder.__dataclass_fields__)
    found = dict(zip(names, row, strict=True))
    for name in ("bought_raw", "sold_raw"):
        found[name] = int(found[name])
    for name in ("lamports", "funded_lamports"):
        found[name] = None if found[name] is None else int(found[name])
    found["evidence"] = _json(found["evidence"])
    found["classes"] = found["classes"] or []
    return Holder(**found)


def _json(value: Any) -> Any:
    """Return a JSON column: Django's own cursor gives its text."""
    return json.loads(value) if isinstance(value, str) else value or []
