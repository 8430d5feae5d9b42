"""A curve's market for tests: trades at so many minutes before a moment, and the candles they make."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests import factories
from tests.factories import NOON
from tokens.choices import TransactionType
from tokens.models import CandleDue, Pool, Transaction
from tokens.services import candles

NOW = NOON + timedelta(hours=2, seconds=30)
"""Two hours and half a minute after the tokens of the factories were made."""
CONSTANT = 30_000_000_000
"""Virtual less real reserves of the factories' curve, lamports."""


def trade(
    of: Pool, ago: str, price: str, *, sol: str = "1", kind: str = "buy", by: str = "trader", **fields: Any
) -> Transaction:
    """Create a trade ``ago`` minutes before :data:`NOW` at ``price`` SOL a token, without its candle."""
    at = NOW - timedelta(minutes=float(ago))
    return factories.transaction(
        of,
        **{
            "block_time": at,
            "slot": 420_000_000 + int((at - NOON).total_seconds()),
            "type": TransactionType(kind),
            "user_address": factories.address(by),
            "sol_amount": Decimal(sol),
            "price_per_token": Decimal(price),
            "price_per_token_usd": Decimal(price) * 150,
            "sol_amount_usd": Decimal(sol) * 150,
            "quote_reserves": CONSTANT + 7_000_000_000,
            "token_reserves": 870_000_000_000_000,
            **fields,
        },
    )


def rolled(now: datetime = NOW) -> None:
    """Compute the candles of every stored trade, as the monitor's marks would have it."""
    buckets = {
        (token, at.replace(second=0, microsecond=0))
        for token, at in Transaction.objects.values_list("token_id", "block_time")
    }
    CandleDue.objects.bulk_create(
        [CandleDue(interval=60, token_id=token, bucket=bucket, marked_at=now) for token, bucket in buckets],
        ignore_conflicts=True,
    )
    candles.roll_all(now=now)
