"""Our books of holders beside the chain's: where a complete list says otherwise, the list is right and the difference is
kept."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from holders.domain import concentration
from holders.models import HolderUpdate, TokenHolder
from megatron.core import ids
from tokens.models import Token

KEPT = timedelta(days=30)


def is_behind(*, token_mint: str, slot: int | None) -> bool:
    """Say whether ``slot`` is before that of a list which is in our books already."""
    known = TokenHolder.objects.filter(token_mint=token_mint, chain_slot__isnull=False)
    newest = known.order_by("-chain_slot").values_list("chain_slot", flat=True).first()
    return slot is not None and newest is not None and slot < newest


def correct(*, token: Token, held: Mapping[str, int], excluded: Collection[str], slot: int, now: datetime) -> int:
    """Take a complete list of holders, in base units as of ``slot``, into the books; return how many differences it had.

    Who is not in the list holds nothing; an ``excluded`` account is booked only where it traded; trades after ``slot`` are
    counted on top of it. Each difference is a row of ``holder_updates``, except at the first list of a token of which
    nothing was known. Must run in the transaction that holds the token's holders (``balances.hold``).
    """
    mint, scale = token.mint_address, token.decimals
    known = dict(TokenHolder.objects.filter(token_mint=mint).values_list("wallet_address", "current_balance"))
    booked = {wallet: raw for wallet, raw in held.items() if wallet in known or wallet not in excluded}
    with connection.cursor() as cursor:
        cursor.execute(
            _CORRECT,
            {
                "mint": mint,
                "token": token.pk,
                "wallets": list(booked),
                "balances": [Decimal(raw).scaleb(-scale) for raw in booked.values()],
                "slot": slot,
                "now": now,
            },
        )
        after = dict(cursor.fetchall())
    if not known:
        return 0
    changed = {
        wallet: (known.get(wallet, Decimal(0)), balance)
        for wallet, balance in after.items()
        if known.get(wallet, Decimal(0)) != balance
    }
    before = concentration.measure(concentration.order([int(balance.scaleb(scale)) for balance in known.values()]))
    HolderUpdate.objects.bulk_create(
        [
            HolderUpdate(
                id=ids.new_id(),
                token_mint=mint,
                update_time=now,
                wallet_address=wallet,
                update_type=_kind(old, new),
                old_balance=old,
                new_balance=new,
                balance_change=new - old,
                impact_on_concentration=_impact(before, old, new, scale),
                new_holder_count=len(held.keys() - excluded),
            )
            for wallet, (old, new) in sorted(changed.items())
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )
    return len(changed)


def forget(*, now: datetime, limit: int = 10_000) -> int:
    """Remove up to ``limit`` processed differences that are older than they are kept; return how many."""
    old = HolderUpdate.objects.filter(processed=True, update_time__lt=now - KEPT).values("pk")[:limit]
    return HolderUpdate.objects.filter(pk__in=old).delete()[0]


def _kind(old: Decimal, new: Decimal) -> str:
    if not old:
        return "new_holder"
    return "balance_change" if new else "holder_exit"


def _impact(before: concentration.Distribution, old: Decimal, new: Decimal, scale: int) -> Any:
    if before.hhi is None:
        return None
    was, now = int(old.scaleb(scale)), int(new.scaleb(scale))
    return concentration.impact(hhi=before.hhi, total=before.total, old=was, new=now)


_CORRECT = """
WITH listed AS (
    SELECT * FROM unnest(%(wallets)s::text[], %(balances)s::numeric[]) AS l(wallet, balance)
), later AS (
    SELECT t.user_address AS wallet, sum(CASE t.type WHEN 'buy' THEN t.amount_out ELSE -t.amount_in END)
           * ('1e-' || k.decimals)::numeric AS net
      FROM transactions t JOIN tokens k ON k.id = t.token_id
     WHERE t.token_id = %(token)s AND t.type IN ('buy', 'sell') AND t.slot > %(slot)s
     GROUP BY t.user_address, k.decimals
), said AS (
    SELECT coalesce(l.wallet, h.wallet_address) AS wallet, coalesce(l.balance, 0) AS balance
      FROM listed l
      FULL JOIN (SELECT wallet_address FROM token_holders WHERE token_mint = %(mint)s) AS h ON h.wallet_address = l.wallet
), booked AS (
    SELECT s.wallet, s.balance, greatest(0, s.balance + coalesce(later.net, 0)) AS current
      FROM said s LEFT JOIN later ON later.wallet = s.wallet
)
INSERT INTO token_holders AS h
    (id, token_mint, wallet_address, current_balance, chain_balance, chain_slot, last_updated, traded_balance, total_bought,
     total_sold, untracked_sold, buy_count, sell_count, transaction_count)
SELECT gen_random_uuid(), %(mint)s, wallet, current, balance, %(slot)s, %(now)s, 0, 0, 0, 0, 0, 0, 0
  FROM booked ORDER BY wallet
ON CONFLICT (token_mint, wallet_address) DO UPDATE SET
    current_balance = EXCLUDED.current_balance, chain_balance = EXCLUDED.chain_balance, chain_slot = EXCLUDED.chain_slot,
    last_updated = EXCLUDED.last_updated, updated_at = %(now)s
RETURNING h.wallet_address, h.current_balance
"""
