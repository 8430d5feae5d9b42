"""Former prices: which minutes of trades lack one, and fetching them piece by piece."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection

from megatron.clients.errors import ClientError
from megatron.clients.ports import PriceHistory
from tokens.choices import PriceOrigin
from tokens.domain.prices import LEAST, MOST
from tokens.domain.programs import QUOTE_DECIMALS
from tokens.selectors.prices import FRESH
from tokens.services import prices

_SLACK = timedelta(hours=1)
"""How far beyond the minutes that were asked for a source's answer may go."""
PIECE = 30
"""Minutes that are fetched and stored at a time: what an interruption can lose."""

log = structlog.get_logger(__name__)

_DUE = """
SELECT DISTINCT p.quote_mint, date_trunc('minute', t.block_time)
FROM transactions t JOIN pools p ON p.id = t.pool_id
WHERE t.block_time >= %s AND t.block_time < %s AND t.sol_amount_usd IS NULL AND p.quote_mint = ANY(%s)
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One piece: how many minutes were asked for, and how many samples were new."""

    minutes: int
    stored: int


def minutes_due(*, start: datetime, end: datetime) -> Mapping[str, Sequence[datetime]]:
    """Return the minutes of ``[start, end)`` with trades that have no USD value, ascending, by quote mint."""
    due: dict[str, list[datetime]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [start, end, sorted(QUOTE_DECIMALS)])
        for mint, minute in cursor.fetchall():
            due.setdefault(mint, []).append(minute)
    return due


def fetch(
    *, due: Mapping[str, Sequence[datetime]], sources: Sequence[PriceHistory], now: datetime
) -> Iterator[Fetched]:
    """Ask for the prices of the minutes that are due and store them, piece by piece; what one source does not know the next
    is asked for.

    Raises what the last source raised when all of them fail. Each piece is its own transaction, outside of which is asked.
    """
    for mint, minutes in due.items():
        for first in range(0, len(minutes), PIECE):
            piece = minutes[first : first + PIECE]
            yield Fetched(len(piece), _fetch_piece(mint, piece, sources, now))


def _fetch_piece(mint: str, minutes: Sequence[datetime], sources: Sequence[PriceHistory], now: datetime) -> int:
    stored, failures, last = 0, 0, max(minutes)
    for number, source in enumerate(sources, 1):
        try:
            found = source.get_history(mint, moments=minutes)
        except ClientError as error:
            failures += 1
            log.warning("prices.history_failed", source=source.name, mint=mint, error=str(error))
            if failures == len(sources):
                raise
            continue
        samples = [
            prices.Sample(quote.at, quote.price_usd, PriceOrigin(source.name), quote.confidence, mint=mint)
            for quote in found
            # Nobody asked for more than the minutes of stored trades: a price of the future is none.
            if quote.price_usd.is_finite() and LEAST <= quote.price_usd < MOST and quote.at <= last + _SLACK
        ]
        stored += prices.record(samples=samples, now=now)
        times = [sample.at for sample in samples]
        minutes = [minute for minute in minutes if not _covered(minute, times)]
        if not minutes or number == len(sources):
            break
    return stored


def _covered(minute: datetime, times: Sequence[datetime]) -> bool:
    """Say whether every second of a minute has a sample that can price it."""
    last_second = minute + timedelta(seconds=59)
    return any(at <= minute and last_second - at <= FRESH for at in times)
