"""What our own books tell of wallets: their trades, what came of them, and what was found out before.

Set-based: the same few statements for one wallet and for a thousand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet

from holders.domain import terms
from holders.domain.behaviour import Results, Trade
from holders.models import TokenHolder, WalletAnalysis, WalletCluster
from megatron.core.timescale.bounds import bounded

NEWEST = 200
"""Trades of a wallet by whose shape it is judged."""
COUNTED = 5_000
"""Trades of a wallet, the newest, by which its tokens are counted: who has more is judged by these."""

_TRADES = """
SELECT wallet, t.block_time, t.slot, t.event_index, t.token_id::text, t.type = 'buy', t.sol_amount
  FROM unnest(%(wallets)s::varchar[]) AS wallet
 CROSS JOIN LATERAL (
       SELECT block_time, slot, event_index, token_id, type, sol_amount FROM transactions
        WHERE user_address = wallet AND block_time <= %(at)s AND {between} AND type IN ('buy', 'sell')
        ORDER BY block_time DESC LIMIT %(newest)s) AS t
"""

# A dump: of what was bought within the window of the first buy, so much was sold in the same window.
_RESULTS = """
WITH trades AS (
    SELECT wallet, t.*,
           min(t.block_time) FILTER (WHERE t.type = 'buy') OVER (PARTITION BY wallet, t.token_id) AS first_buy
      FROM unnest(%(wallets)s::varchar[]) AS wallet
     CROSS JOIN LATERAL (
           SELECT token_id, block_time, type, amount_in, amount_out, sol_amount_usd FROM transactions
            WHERE user_address = wallet AND block_time <= %(at)s AND type IN ('buy', 'sell')
            ORDER BY block_time DESC LIMIT %(counted)s) AS t
), tokens_traded AS (
    SELECT wallet, token_id, min(first_buy) AS first_buy, sum(sol_amount_usd) AS volume_usd,
           min(block_time) AS first_at, max(block_time) AS last_at,
           coalesce(sum(amount_out) FILTER (WHERE type = 'buy' AND block_time <= first_buy + %(window)s), 0) AS bought,
           coalesce(sum(amount_in) FILTER (WHERE type = 'sell' AND block_time BETWEEN first_buy
                                                 AND first_buy + %(window)s), 0) AS sold
      FROM trades GROUP BY wallet, token_id
), judged AS (
    SELECT held.*, sold > %(dump)s * bought AND bought > 0 AS is_dumped,
           token.creator_address = wallet OR wallet = ANY(token.launch_wallets) AS is_own,
           token.graduation_timestamp <= %(at)s AS is_graduated,
           first_buy BETWEEN token.creation_timestamp AND token.creation_timestamp + %(snipe)s AS is_sniped
      FROM tokens_traded AS held JOIN tokens AS token ON token.id = held.token_id
)
SELECT wallet, count(*), sum(volume_usd), count(*) FILTER (WHERE is_graduated),
       count(*) FILTER (WHERE is_sniped AND is_own IS NOT TRUE), count(*) FILTER (WHERE is_dumped),
       count(*) FILTER (WHERE is_dumped AND is_own), min(first_at), max(last_at)
  FROM judged GROUP BY wallet
"""

# Net of fees. A holding that moved after the time would tell what was not known then: it is left out, and so is one of
# which a fee is not known: its profit is unknown.
_PROFITS = """
SELECT wallet_address, count(*) FILTER (WHERE total_sold > 0 AND coalesce(realized_pnl_sol, realized_pnl) IS NOT NULL),
       count(*) FILTER (WHERE total_sold > 0 AND coalesce(realized_pnl_sol, realized_pnl) > 0),
       sum(realized_pnl) FILTER (WHERE total_sold > 0),
       count(*) FILTER (WHERE total_sold > 0 AND realized_pnl IS NOT NULL),
       max(100 * realized_pnl_sol
           / nullif(coalesce(sold_cost_sol, avg_buy_price * (total_sold - untracked_sold)), 0))
           FILTER (WHERE total_sold > 0),
       count(*) FILTER (WHERE transaction_count > 0)
  FROM token_holders
 WHERE wallet_address = ANY(%(wallets)s::varchar[]) AND last_transaction_time <= %(at)s
 GROUP BY wallet_address
"""

_CREATED = """
SELECT wallet, count(DISTINCT token_id) FROM (
       SELECT creator_address AS wallet, id AS token_id FROM tokens
        WHERE creator_address = ANY(%(wallets)s::varchar[]) AND creation_timestamp <= %(at)s
       UNION ALL
       SELECT wallet, id FROM tokens CROSS JOIN unnest(launch_wallets) AS wallet
        WHERE launch_wallets && %(wallets)s::varchar[] AND creation_timestamp <= %(at)s
           AND wallet = ANY(%(wallets)s::varchar[])) AS made
 GROUP BY wallet
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What our books tell of one wallet: its newest trades, oldest first, what came of all, and the span of them."""

    trades: Sequence[Trade]
    results: Results
    first_at: datetime | None
    last_at: datetime | None


def own(*, wallets: Sequence[str], at: datetime) -> Mapping[str, Own]:
    """Return what our books told of each of ``wallets`` at ``at``; nothing later is in it. Four statements."""
    names = sorted(set(wallets))
    asked: dict[str, Any] = {
        "wallets": names,
        "at": at,
        "newest": NEWEST,
        "counted": COUNTED,
        "window": terms.DUMP_WINDOW,
        "snipe": terms.SNIPER_WINDOW,
        "dump": terms.DUMP_ABOVE,
    }
    results = {row[0]: row[1:] for row in _rows(_RESULTS, asked)}
    # Where they traded is known now: their trades are looked for in no other chunk.
    asked["first"] = min((first for *_, first, _ in results.values()), default=at)
    asked["last"] = max((last for *_, last in results.values()), default=at)
    between = bounded("block_time >= %(first)s AND block_time <= %(last)s")
    trades: dict[str, list[Trade]] = {}
    for wallet, *columns in _rows(_TRADES.replace("{between}", between), asked):
        trades.setdefault(wallet, []).append(Trade(*columns))
    profits = {row[0]: row[1:] for row in _rows(_PROFITS, asked)}
    created = dict(_rows(_CREATED, asked))
    return {
        wallet: _own(
            trades.get(wallet, ()),
            results.get(wallet, (0, None, 0, 0, 0, 0, None, None)),
            profits.get(wallet, (0, 0, None, 0, None, 0)),
            created=created.get(wallet, 0),
            at=at,
        )
        for wallet in names
    }


def _own(trades: Sequence[Trade], counted: Sequence[Any], profits: Sequence[Any], *, created: int, at: datetime) -> Own:
    tokens, volume, graduated, sniped, dumped, own_dumped, first_at, last_at = counted
    closed, wins, profit, priced, best, held = profits
    results = Results(
        at=at,
        tokens=max(tokens, held),
        closed=closed,
        wins=wins,
        profit_usd=profit,
        priced=priced,
        volume_usd=volume,
        best_return_pct=None if best is None else round(Decimal(best), 4),
        graduated=graduated,
        sniped=sniped,
        created=created,
        dumped=dumped,
        own_dumped=own_dumped,
    )
    return Own(trades=list(reversed(trades)), results=results, first_at=first_at, last_at=last_at)


def analyses(*, wallets: Sequence[str]) -> Mapping[str, WalletAnalysis]:
    """Return what was found out about those of ``wallets`` of which something was."""
    rows = WalletAnalysis.objects.filter(wallet_address__in=list(wallets))
    return {row.wallet_address: row for row in rows}


def get_analysis(*, wallet: str) -> WalletAnalysis:
    """Return what is known of ``wallet``. Raises ``WalletAnalysis.DoesNotExist``."""
    return WalletAnalysis.objects.get(wallet_address=wallet)


def holdings(*, wallet: str, limit: int) -> Sequence[TokenHolder]:
    """Return what ``wallet`` holds or held, what it moved last first, at most ``limit``."""
    rows = TokenHolder.objects.filter(wallet_address=wallet)
    return list(rows.order_by("-last_transaction_time", "token_mint")[:limit])


def clusters(*, wallets: Sequence[str]) -> QuerySet[WalletCluster]:
    """Return the groups, as last measured, that any of ``wallets`` belongs to, the largest first."""
    return WalletCluster.objects.filter(members__overlap=list(wallets)).order_by("-size", "id")


def clusters_of(*, token_mint: str) -> Sequence[WalletCluster]:
    """Return the groups of a token's holders as last measured, those that hold most first."""
    return list(WalletCluster.objects.filter(token_mint=token_mint).order_by("-balance", "id"))


def funded(*, funders: Sequence[str]) -> Mapping[str, int]:
    """Return how many wallets each of ``funders`` sent their first SOL to, as far as we know."""
    rows = WalletAnalysis.objects.filter(funder__in=list(funders)).values_list("funder").annotate(wallets=Count("id"))
    return {str(funder): count for funder, count in rows}


def _rows(statement: str, asked: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return list(cursor.fetchall())
