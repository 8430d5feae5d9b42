"""What a token's holders did lately: who traded, came, went and stayed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from holders.choices import HolderOrigin
from holders.domain import concentration
from holders.models import HolderSnapshot
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Token

HOUR = timedelta(hours=1)
_COMPARED = timedelta(hours=3)
"""A list of so long ago still says how many there were an hour ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Counts of wallets, without excluded ones and the mayhem agent; ``None`` where we have no trades of the token."""

    has_trades: bool
    active: int | None
    new: int | None
    diamonds: int | None
    buyers: int | None
    sellers: int | None
    growth_pct: Decimal | None


def of(*, token: Token, excluded: list[str], snapshot: HolderSnapshot) -> Moves:
    """Return what the holders of ``token`` did before the time of ``snapshot``, which counts them.

    The growth is against the newest list of the same origin that is at least an hour old, else against who held an hour ago
    by our own trades. Owners of dust are in no count of holders.
    """
    now = snapshot.snapshot_time
    asked: dict[str, Any] = {
        "token": token.pk,
        "mint": token.mint_address,
        "excluded": [*excluded, MAYHEM_AGENT],
        "dust_below": concentration.dust_below(snapshot.circulating_supply),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVES, asked)
        known, active, new, diamonds, held, earlier, buyers, sellers = cursor.fetchone()
    before = _listed(token.mint_address, HolderOrigin(snapshot.data_source), now)
    growth = (
        _growth(snapshot.total_holders, before) if before is not None else _growth(held, earlier) if known else None
    )
    counts: list[Any] = [active, new, diamonds, buyers, sellers]
    if not known:
        counts = [None] * len(counts)
    names = ("active", "new", "diamonds", "buyers", "sellers")
    return Moves(has_trades=known, growth_pct=growth, **dict(zip(names, counts, strict=True)))


def _listed(mint: str, origin: HolderOrigin, now: datetime) -> int | None:
    # Lists from before dust was left out count otherwise, and say nothing of growth.
    rows = HolderSnapshot.objects.filter(
        token_mint=mint,
        data_source=origin,
        uncounted_holders__isnull=False,
        snapshot_time__lte=now - HOUR,
        snapshot_time__gte=now - _COMPARED,
    )
    return rows.order_by("-snapshot_time").values_list("total_holders", flat=True).first()


def _growth(now: int, before: int) -> Decimal | None:
    return (100 * Decimal(now - before) / before).quantize(Decimal("0.0001")) if before else None


_MOVES = """
WITH held AS (
    SELECT h.*, current_balance > 0 AND current_balance >= %(dust_below)s AS is_holder
      FROM token_holders h WHERE h.token_mint = %(mint)s AND NOT h.wallet_address = ANY (%(excluded)s::text[])
), traded AS (
    SELECT count(DISTINCT user_address) FILTER (WHERE type = 'buy') AS buyers,
           count(DISTINCT user_address) FILTER (WHERE type = 'sell') AS sellers
      FROM transactions WHERE token_id = %(token)s AND type IN ('buy', 'sell')
       AND block_time > %(now)s - interval '1 hour' AND block_time <= %(now)s
       AND NOT user_address = ANY (%(excluded)s::text[])
)
SELECT EXISTS (SELECT FROM transactions WHERE token_id = %(token)s AND type IN ('buy', 'sell')),
       count(*) FILTER (WHERE is_holder AND last_transaction_time > %(now)s - interval '24 hours'),
       count(*) FILTER (WHERE is_holder AND first_transaction_time > %(now)s - interval '1 hour'),
       count(*) FILTER (WHERE is_holder AND hold_hours > 24 AND sold_ratio < 0.1),
       count(*) FILTER (WHERE traded_balance > 0),
       count(*) FILTER (WHERE held_since <= %(now)s - interval '1 hour'
                          AND (held_until IS NULL OR held_until > %(now)s - interval '1 hour')),
       (SELECT buyers FROM traded), (SELECT sellers FROM traded)
  FROM held
"""
