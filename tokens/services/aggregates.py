"""Continuous aggregates kept whole: what their job does not see is an hour that is due, and a daily check finds the rest.

TimescaleDB's job refreshes the last two hours, and takes what lies before them for computed. So every row that comes, goes
or changes further back makes its hour due: after a replay, a backfill, the healing of a gap and a fork alike, since all of
them make minutes due. Only for servers of the level ``community``; elsewhere an aggregate is a view, which lacks nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from megatron.core.timescale import policies
from megatron.core.transactions import in_transaction
from tokens.domain.retention import REFRESHES, Refresh
from tokens.models import AggregateDue, RetentionPolicy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTES, SOL_USD = (refresh.aggregate for refresh in REFRESHES)

OWN = HOUR
"""What is younger is the job's: it looks back twice as far, so an hour's failure of it loses nothing."""

SETTLED = timedelta(minutes=5)
"""An hour that ended later is left for the next time: past what an aggregate keeps, rows are no longer computed when read."""

PAUSE = timedelta(minutes=10)
"""So long a refresh that failed is left alone."""

MOST = 240
"""Hours of one run."""

AT_ONCE = 24
"""Hours that one refresh takes together at most."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Refreshed:
    """Hours that were computed again, that failed, and that were forgotten because their rows are old enough to be dropped."""

    hours: int = 0
    failed: int = 0
    forgotten: int = 0


_MARK = """
INSERT INTO aggregates_due (aggregate, bucket, marks, marked_at, error)
SELECT DISTINCT %(aggregate)s, date_trunc('hour', at, 'UTC'), 1, %(now)s::timestamptz, ''
  FROM unnest(%(times)s::timestamptz[]) AS at WHERE at < %(until)s
 ORDER BY 2
ON CONFLICT (aggregate, bucket) DO UPDATE SET marks = aggregates_due.marks + 1
"""


def mark(*, aggregate: str, times: Sequence[datetime], now: datetime) -> None:
    """Make the hours of ``times`` due, but for those of the last hour, which the job sees.

    Call it in the transaction that changed the rows, or in a later one: who refreshes must see them.
    """
    until = now - OWN
    if policies.level(connection) == "community" and any(at < until for at in times):
        with connection.cursor() as cursor:
            cursor.execute(_MARK, {"aggregate": aggregate, "times": list(times), "until": until, "now": now})


def refresh_due(*, now: datetime, most: int = MOST) -> Refreshed:
    """Compute up to ``most`` due hours again, neighbours together; say what came of it.

    Not one transaction, and never inside one: TimescaleDB commits in between. An hour that is asked for meanwhile stays due,
    one whose refresh fails is left alone for a while, and the others go on.
    """
    done = Refreshed()
    if policies.level(connection) != "community":
        return done
    assert not in_transaction(), "A refresh cannot run inside a transaction."
    for refresh in REFRESHES:
        of = AggregateDue.objects.filter(aggregate=refresh.aggregate)
        # What was dropped would be computed as nothing.
        done.forgotten += of.filter(bucket__lt=_kept_since(refresh, now)).delete()[0]
        due = of.filter(Q(ask_after=None) | Q(ask_after__lte=now), bucket__lte=now - SETTLED - HOUR).order_by("bucket")
        for hours in _neighbours(due[: max(most - done.hours - done.failed, 0)]):
            _refresh(refresh.aggregate, hours, now, done)
    return done


def _neighbours(due: Iterable[AggregateDue]) -> Iterator[list[AggregateDue]]:
    """Yield the hours that follow on each other, a day of them at most."""
    some: list[AggregateDue] = []
    for one in due:
        if some and (one.bucket != some[-1].bucket + HOUR or len(some) == AT_ONCE):
            yield some
            some = []
        some.append(one)
    if some:
        yield some


def _refresh(aggregate: str, hours: Sequence[AggregateDue], now: datetime, done: Refreshed) -> None:
    keys = [hour.pk for hour in hours]
    try:
        policies.refresh(connection, aggregate, start=hours[0].bucket, end=hours[-1].bucket + HOUR)
    except DatabaseError as error:
        told = (str(error).splitlines() or [""])[0][:300]
        log.warning("aggregate.refresh_failed", aggregate=aggregate, hour=hours[0].bucket.isoformat(), error=told)
        AggregateDue.objects.filter(pk__in=keys).update(ask_after=now + PAUSE, error=told)
        done.failed += len(keys)
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM aggregates_due d USING unnest(%s::bigint[], %s::bigint[]) AS seen (id, marks)"
            " WHERE d.id = seen.id AND d.marks = seen.marks",
            [keys, [hour.marks for hour in hours]],
        )
    done.hours += len(keys)


# What is added up of each minute is what a refresh could leave wrong: how many there are, and every figure of them.
_MINUTES_DIFFER = """
WITH shown AS (
    SELECT time_bucket('1 hour', bucket) AS hour, {sums} FROM price_candles_1m_cagg
     WHERE bucket >= %(start)s AND bucket < %(end)s GROUP BY 1
), kept AS (
    SELECT time_bucket('1 hour', bucket) AS hour, {sums} FROM price_candles_1m
     WHERE bucket >= %(start)s AND bucket < %(end)s GROUP BY 1
)
SELECT hour FROM shown FULL JOIN kept USING (hour)
 WHERE row(shown.*) IS DISTINCT FROM row(kept.*)
""".format(
    sums="count(*) AS minutes, sum(open) AS open, sum(high) AS high, sum(low) AS low, sum(close) AS close,"
    " sum(volume_token) AS tokens, sum(volume_sol) AS sol, sum(trade_count) AS trades, sum(buyer_count) AS buyers,"
    " sum(seller_count) AS sellers"
)

_SOL_USD_DIFFERS = """
WITH shown AS (
    SELECT time_bucket('1 hour', bucket) AS hour, count(*) AS minutes, sum(sample_count) AS samples, sum(high) AS high,
           sum(low) AS low, sum(open) AS open, sum(close) AS close FROM sol_usd_candles_1m
     WHERE bucket >= %(start)s AND bucket < %(end)s GROUP BY 1
), minutes AS (
    SELECT time_bucket('1 minute', price_time) AS bucket, source, count(*) AS samples, max(price_usd) AS high,
           min(price_usd) AS low, first(price_usd, price_time) AS open, last(price_usd, price_time) AS close
      FROM sol_usd_prices WHERE price_time >= %(start)s AND price_time < %(end)s GROUP BY 1, 2
), kept AS (
    SELECT time_bucket('1 hour', bucket) AS hour, count(*) AS minutes, sum(samples) AS samples, sum(high) AS high,
           sum(low) AS low, sum(open) AS open, sum(close) AS close FROM minutes GROUP BY 1
)
SELECT hour FROM shown FULL JOIN kept USING (hour)
 WHERE row(shown.*) IS DISTINCT FROM row(kept.*)
"""

_CHECKS = {MINUTES: ("price_candles_1m", _MINUTES_DIFFER), SOL_USD: ("sol_usd_prices", _SOL_USD_DIFFERS)}
"""Aggregate → the table that says what is right, and the query for the hours of a day that differ from it."""


def check(*, now: datetime) -> int:
    """Compare each aggregate with its table, for as long as both are kept, and make due every hour that differs; return how
    many.

    The last two hours are left out: there the candles may be the ones that are behind. A day is a query of its own, so that
    memory is bounded.
    """
    if policies.level(connection) != "community":
        return 0
    found = 0
    for refresh in REFRESHES:
        table, differing = _CHECKS[refresh.aggregate]
        since = max(_kept_since(refresh, now), _kept(table, now))
        hours = [hour for start, end in _days(table, refresh, since, now) for hour in _differing(differing, start, end)]
        if hours:
            log.warning("aggregate.differs", aggregate=refresh.aggregate, hours=len(hours), oldest=hours[0].isoformat())
            with transaction.atomic():
                mark(aggregate=refresh.aggregate, times=hours, now=now)
        found += len(hours)
    return found


def _days(table: str, refresh: Refresh, since: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the days that have rows in the table or in the aggregate, the first and the last cut to whole hours."""
    column = "price_time" if table == "sol_usd_prices" else "bucket"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT least((SELECT min({column}) FROM {table} WHERE {column} >= %s),"
            f" (SELECT min(bucket) FROM {policies.name(refresh.aggregate)} WHERE bucket >= %s))",
            [since, since],
        )
        (oldest,) = cursor.fetchone()
    if oldest is None:
        return
    start = max(oldest.replace(minute=0, second=0, microsecond=0), since)
    end = (now - refresh.start_offset).replace(minute=0, second=0, microsecond=0)
    while start < end:
        midnight = datetime.combine(start.astimezone(UTC).date() + DAY, time(), UTC)
        yield start, min(midnight, end)
        start = midnight


def _differing(statement: str, start: datetime, end: datetime) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"start": start, "end": end})
        return sorted(hour for (hour,) in cursor.fetchall())


def _kept_since(refresh: Refresh, now: datetime) -> datetime:
    """Return the first whole hour of which neither the aggregate's rows nor those that it is made of may be dropped yet."""
    return max(_kept(refresh.aggregate, now), _kept(refresh.source, now))


def _kept(table: str, now: datetime) -> datetime:
    policy = RetentionPolicy.objects.filter(table_name=table, drop_after__isnull=False).first()
    if policy is None or policy.drop_after is None:
        return datetime.min.replace(tzinfo=UTC)
    return (now - policy.drop_after).replace(minute=0, second=0, microsecond=0) + HOUR
