"""USD for SOL and other quotes: recording samples, and the price that holds for a trade (decisions T7, T8)."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from megatron.core import ids, locks
from megatron.core.timescale import chunks
from tokens.choices import CandleInterval, PriceOrigin
from tokens.domain.programs import QUOTE_DECIMALS, WRAPPED_SOL
from tokens.models import QuoteUsdPrice, SolUsdPrice
from tokens.selectors import prices as price_reads
from tokens.selectors.prices import FRESH
from tokens.services import aggregates, candles

_BY_RANK = {name: rank for rank, name in enumerate(PriceOrigin.values)}
_MICRO = 1_000_000
_HOUR = timedelta(hours=1)
_QUOTES = sorted(set(QUOTE_DECIMALS) - {WRAPPED_SOL})


@dataclass(frozen=True, slots=True)
class Sample:
    """One source's price of one whole coin, SOL unless ``mint`` says otherwise. ``price_usd`` keeps six decimals."""

    at: datetime
    price_usd: Decimal
    source: PriceOrigin
    confidence: Decimal | None = None
    mint: str = WRAPPED_SOL


class Window:
    """The samples that can price trades of a stretch of time; asked a second at a time, answers are remembered.

    ``others`` are the windows of quotes that are not SOL, by mint. A second outside ``covers`` is looked up in the database:
    a pool that a batch of old events touches may stand much later.
    """

    def __init__(
        self,
        samples: Iterable[tuple[datetime, str, Decimal]],
        others: Mapping[str, "Window"] | None = None,
        *,
        mint: str = WRAPPED_SOL,
        covers: tuple[float, float] | None = None,
    ) -> None:
        self._mint, self._covers = mint, covers
        self._times: dict[str, list[float]] = {}
        self._prices: dict[str, list[int]] = {}
        for at, source, price in sorted(samples):
            self._times.setdefault(source, []).append(at.timestamp())
            self._prices.setdefault(source, []).append(int(price * _MICRO))
        self._sources = sorted(self._times, key=lambda source: _BY_RANK[source])
        self._known: dict[int, int | None] = {}
        self._others = others or {}

    def of(self, quote_mint: str) -> "Window":
        """Return what prices ``quote_mint``: this window for SOL, one that knows nothing for an unknown quote."""
        return self if quote_mint == WRAPPED_SOL else self._others.get(quote_mint, _NOTHING)

    def at(self, block_time: int) -> int | None:
        """Return USD·10⁶ a coin at a unix second, from the most trusted source with a fresh sample, or ``None``."""
        if block_time not in self._known:
            covered = self._covers is None or self._covers[0] <= block_time <= self._covers[1]
            self._known[block_time] = self._look_up(block_time) if covered else _stored(self._mint, block_time)
        return self._known[block_time]

    def _look_up(self, block_time: int) -> int | None:
        for source in self._sources:
            times = self._times[source]
            place = bisect_right(times, block_time) - 1
            if place >= 0 and block_time - times[place] <= FRESH.total_seconds():
                return self._prices[source][place]
        return None


_NOTHING = Window(())


def empty_window() -> Window:
    """Return a window for which nothing was read: every second is looked up."""
    covers = (1.0, 0.0)
    return Window((), {mint: Window((), mint=mint, covers=covers) for mint in _QUOTES}, covers=covers)


def window(*, start: datetime, end: datetime, quotes: Collection[str] = ()) -> Window:
    """Return what can price the trades with ``start`` ≤ block time ≤ ``end``. ``quotes`` are what pools are quoted in;
    nothing is read for SOL alone but SOL's prices."""
    within = {"price_time__gte": start - FRESH, "price_time__lte": end}
    covers = (start.timestamp(), end.timestamp())
    rows = SolUsdPrice.objects.filter(**within)
    others: dict[str, list[tuple[datetime, str, Decimal]]] = {mint: [] for mint in quotes if mint in _QUOTES}
    if others:
        found = QuoteUsdPrice.objects.filter(quote_mint__in=list(others), **within)
        for mint, at, source, price in found.values_list("quote_mint", "price_time", "source", "price_usd"):
            others[mint].append((at, source, price))
    return Window(
        rows.values_list("price_time", "source", "price_usd"),
        {mint: Window(samples, mint=mint, covers=covers) for mint, samples in others.items()},
        covers=covers,
    )


def _stored(mint: str, block_time: int) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_usd_at(%s, %s)", [mint, datetime.fromtimestamp(block_time, UTC)])
        (price,) = cursor.fetchone()
    return None if price is None else int(price * _MICRO)


_RECORD_SOL = """
INSERT INTO sol_usd_prices (id, price_time, price_usd, source, confidence) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (source, price_time) DO NOTHING
"""

_RECORD_QUOTE = """
INSERT INTO quote_usd_prices (id, price_time, price_usd, source, confidence, quote_mint) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (quote_mint, source, price_time) DO NOTHING
"""


def record(*, samples: Sequence[Sample], now: datetime) -> int:
    """Store samples; return how many were new. A sample that its source gave before is kept as it was."""
    rows = [(ids.new_id(), s.at, s.price_usd, s.source, s.confidence) for s in samples if s.mint == WRAPPED_SOL]
    others = [
        (ids.new_id(), s.at, s.price_usd, s.source, s.confidence, s.mint) for s in samples if s.mint != WRAPPED_SOL
    ]
    new = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, values in ((_RECORD_SOL, rows), (_RECORD_QUOTE, others)):
            if values:
                cursor.executemany(statement, values)
                new += max(int(cursor.rowcount), 0)
        of_sol = [sample.at for sample in samples if sample.mint == WRAPPED_SOL]
        aggregates.mark(aggregate=aggregates.SOL_USD, times=of_sol, now=now)
    return new


_MARK_FILLED = candles.marking("""
SELECT DISTINCT width, token_id, time_bucket(make_interval(secs => width), block_time), %(now)s::timestamptz
FROM filled CROSS JOIN unnest(%(widths)s::int[]) AS width
""")

_MINT = f"CASE WHEN t.sol_amount IS NOT NULL THEN '{WRAPPED_SOL}' ELSE p.quote_mint END"

_LACKS = f"""
t.sol_amount_usd IS NULL
AND (t.sol_amount IS NOT NULL OR (p.quote_mint = ANY(%(quotes)s) AND p.quote_decimals IS NOT NULL))
AND {chunks.within("t.token_id", "t.block_time")}
"""

# A price is looked up once a second of block time: while no source answers, an hour of trades has none. Materialized, or the
# look-up moves into the scan and is made for each trade.
_PRICED = f"""
WITH lacking AS MATERIALIZED (
    SELECT DISTINCT {_MINT} AS mint, t.block_time FROM transactions t JOIN pools p ON p.id = t.pool_id WHERE {_LACKS}
), priced AS MATERIALIZED (
    SELECT mint, block_time, quote_usd_at(mint, block_time) AS usd FROM lacking
)
SELECT mint, block_time, usd FROM priced WHERE usd IS NOT NULL
"""

_SECONDS = "unnest(%(mints)s::text[], %(ats)s::timestamptz[], %(usds)s::numeric[]) AS s(mint, at, usd)"

_LACKING = f"""
SELECT DISTINCT t.token_id, t.block_time FROM transactions t JOIN pools p ON p.id = t.pool_id, {_SECONDS}
WHERE s.at = t.block_time AND s.mint = {_MINT} AND {_LACKS}
"""

# What it writes it does not read as well: TimescaleDB opens a batch for the update, and a part of the statement that reads the
# same table then finds the rows neither where they were nor where they are.
_FILL = f"""
WITH filled AS (
    UPDATE transactions t SET price_per_token_usd = t.price_per_token * s.usd,
        sol_amount_usd =
            coalesce(t.sol_amount, quote_amount(t.type, t.amount_in, t.amount_out, p.quote_decimals)) * s.usd
    FROM pools p, {_SECONDS}
    WHERE p.id = t.pool_id AND s.at = t.block_time AND s.mint = {_MINT} AND {_LACKS}
    RETURNING t.token_id, t.block_time
), marked AS (
{_MARK_FILLED})
SELECT count(*) FROM filled
"""

# The rows are locked before they are priced, in the order of ingest.store: a batch that moves a pool meanwhile is waited for,
# and the price is the one of the pool's newest moment.
_FILL_POOLS = """
WITH due AS MATERIALIZED (
    SELECT id, quote_usd_at(quote_mint, last_trade_at) AS usd FROM pools
    WHERE latest_price_usd IS NULL AND latest_price IS NOT NULL AND last_trade_at >= %(start)s AND last_trade_at < %(end)s
      AND (quote_mint = ANY(%(quotes)s) OR quote_mint = 'So11111111111111111111111111111111111111112')
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE pools p SET latest_price_usd = p.latest_price * due.usd, market_cap_usd = p.market_cap * due.usd
FROM due WHERE due.usd IS NOT NULL AND p.id = due.id
"""


def fill(*, start: datetime, end: datetime, now: datetime) -> int:
    """Give a USD value to the trades of ``[start, end)`` whose price came after them; return how many got one.

    Their candles become due again. One transaction: callers choose windows of a size they can afford. Where trades are
    compressed it goes token by token, at most ten minutes and the batches that hold them at a time.
    """
    last = end - timedelta(microseconds=1)
    asked: dict[str, Any] = {"quotes": _QUOTES, "now": now, "widths": CandleInterval.values}

    def old(first: datetime, until: datetime) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(_LACKING, asked | {"key": None, "first": first, "last": until})
            return list(cursor.fetchall())

    with transaction.atomic(), connection.cursor() as cursor:
        locks.hold_until_commit("transactions.update")
        cursor.execute(_PRICED, asked | {"key": None, "first": start, "last": last})
        priced = cursor.fetchall()
        asked |= {name: [row[place] for row in priced] for place, name in enumerate(("mints", "ats", "usds"))}
        count = 0
        for stretch in chunks.spanned(connection, "transactions", start, last, old) if priced else ():
            cursor.execute(_FILL, asked | stretch.bounds)
            count += cursor.fetchone()[0]
        cursor.execute(_FILL_POOLS, {"start": start, "end": end, "quotes": _QUOTES})
    return count


def fill_recent(*, now: datetime) -> int:
    """Fill the holes of the last hour, which is how late a live source may be; return how many trades got a value.

    Older holes are filled by whoever brings older prices: the imports call :func:`fill_all`.
    """
    return fill(start=now - _HOUR, end=now, now=now)


def fill_between(*, start: datetime, end: datetime, now: datetime) -> int:
    """Fill the holes of ``[start, end)``, an hour of block time a transaction; return how many trades got a value."""
    total = 0
    while start < end:
        total += fill(start=start, end=min(start + _HOUR, end), now=now)
        start += _HOUR
    return total


def fill_all(*, now: datetime) -> int:
    """Fill every hole that a recorded sample can fill, an hour of block time a transaction; return how many it filled."""
    spans = price_reads.find_span()
    if spans is None:
        return 0
    return fill_between(start=spans[0], end=spans[1] + FRESH + timedelta(seconds=1), now=now)
