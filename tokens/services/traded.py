"""Which tokens traded: rooms above take the rows that the candles left for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from megatron.core.transactions import require_transaction


class Traded(NamedTuple):
    """A token whose minutes were computed again; times are the chain's, ``big_at`` of its newest trade above 5 SOL."""

    token_id: UUID
    traded_at: datetime
    big_at: datetime | None


_TAKE = """
WITH picked AS MATERIALIZED (
    SELECT token_id FROM tokens_traded ORDER BY token_id LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM tokens_traded t USING picked
WHERE t.token_id = picked.token_id
RETURNING t.token_id, t.traded_at, t.big_at
"""


def take(*, limit: int) -> Sequence[Traded]:
    """Take up to ``limit`` tokens out, in no order. Inside the caller's transaction: what it does not commit waits again.

    Keep that transaction short: the candles of a token that is being taken wait for it. Raises
    ``TransactionManagementError`` without one.
    """
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [limit])
        return [Traded(*row) for row in cursor.fetchall()]
