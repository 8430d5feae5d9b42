"""SOL/USD: recording samples, and the price that holds for a trade (decision T8)."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from megatron.core import ids
from tokens.choices import PriceOrigin
from tokens.models import SolUsdPrice
from tokens.selectors.prices import FRESH

_BY_RANK = {name: rank for rank, name in enumerate(PriceOrigin.values)}
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One source's price of one SOL. ``price_usd`` keeps six decimals."""

    at: datetime
    price_usd: Decimal
    source: PriceOrigin
    confidence: Decimal | None = None


class Window:
    """The samples that can price trades of a stretch of time; asked a second at a time, answers are remembered."""

    def __init__(self, samples: Iterable[tuple[datetime, str, Decimal]]) -> None:
        self._times: dict[str, list[float]] = {}
        self._prices: dict[str, list[int]] = {}
        for at, source, price in sorted(samples):
            self._times.setdefault(source, []).append(at.timestamp())
            self._prices.setdefault(source, []).append(int(price * _MICRO))
        self._sources = sorted(self._times, key=lambda source: _BY_RANK[source])
        self._known: dict[int, int | None] = {}

    def at(self, block_time: int) -> int | None:
        """Return USD·10⁶ a SOL at a unix second, from the most trusted source with a fresh sample, or ``None``."""
        if block_time not in self._known:
            self._known[block_time] = self._look_up(block_time)
        return self._known[block_time]

    def _look_up(self, block_time: int) -> int | None:
        for source in self._sources:
            times = self._times[source]
            place = bisect_right(times, block_time) - 1
            if place >= 0 and block_time - times[place] <= FRESH.total_seconds():
                return self._prices[source][place]
        return None


def window(*, start: datetime, end: datetime) -> Window:
    """Return what can price the trades with ``start`` ≤ block time ≤ ``end``."""
    rows = SolUsdPrice.objects.filter(price_time__gte=start - FRESH, price_time__lte=end)
    return Window(rows.values_list("price_time", "source", "price_usd"))


def record(*, samples: Sequence[Sample]) -> int:
    """Store samples; return how many were new. A sample that its source gave before is kept as it was."""
    rows = [(ids.new_id(), s.at, s.price_usd, s.source, s.confidence) for s in samples]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sol_usd_prices (id, price_time, price_usd, source, confidence) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (source, price_time) DO NOTHING",
            rows,
        )
        return max(int(cursor.rowcount), 0)


_FILL = """
WITH due AS (
    SELECT t.id, t.block_time, sol_usd_at(t.block_time) AS usd
    FROM transactions t
    WHERE t.sol_amount IS NOT NULL AND t.sol_amount_usd IS NULL AND t.block_time >= %s AND t.block_time < %s
), filled AS (
    UPDATE transactions t
    SET price_per_token_usd = t.price_per_token * due.usd, sol_amount_usd = t.sol_amount * due.usd
    FROM due WHERE due.usd IS NOT NULL AND t.id = due.id AND t.block_time = due.block_time
    RETURNING t.token_id, t.block_time
), marked AS (
    INSERT INTO candles_due (interval, token_id, bucket, marked_at)
    SELECT DISTINCT width, token_id, time_bucket(make_interval(secs => width), block_time), %s::timestamptz
    FROM filled CROSS JOIN unnest(ARRAY[60, 300, 3600, 86400]) AS width
    ORDER BY 1, 2, 3
    ON CONFLICT (interval, token_id, bucket) DO UPDATE SET marked_at = candles_due.marked_at
)
SELECT count(*) FROM filled
"""

_FILL_POOLS = """
UPDATE pools p SET latest_price_usd = p.latest_price * due.usd, market_cap_usd = p.market_cap * due.usd
FROM (
    SELECT id, sol_usd_at(last_trade_at) AS usd FROM pools
    WHERE latest_price_usd IS NULL AND latest_price IS NOT NULL AND last_trade_at >= %s AND last_trade_at < %s
      AND quote_mint = 'So11111111111111111111111111111111111111112'
) AS due WHERE due.usd IS NOT NULL AND p.id = due.id
"""


def fill(*, start: datetime, end: datetime, now: datetime) -> int:
    """Give a USD value to the trades of ``[start, end)`` whose price came after them; return how many got one.

    Their candles become due again. One transaction: callers choose windows of a size they can afford.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FILL, [start, end, now])
        (count,) = cursor.fetchone()
        cursor.execute(_FILL_POOLS, [start, end])
    return int(count)


def fill_recent(*, now: datetime) -> int:
    """Fill the holes of the last hour, which is how late a live source may be; return how many trades got a value.

    Older holes are filled by whoever brings older prices: the imports call :func:`fill_all`.
    """
    return fill(start=now - timedelta(hours=1), end=now, now=now)


def fill_all(*, now: datetime) -> int:
    """Fill every hole that a recorded sample can fill, a day of block time a transaction; return how many it filled."""
    spans = SolUsdPrice.objects.order_by("price_time").values_list("price_time", flat=True)
    first, last = spans.first(), spans.last()
    if first is None or last is None:
        return 0
    total, start, end = 0, first.astimezone(UTC), last + FRESH
    while start <= end:
        total += fill(start=start, end=min(start + timedelta(days=1), end + timedelta(seconds=1)), now=now)
        start += timedelta(days=1)
    return total
