"""time_bucket, first and last: the same answers from TimescaleDB and from the look-alikes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Max, Q

from megatron.core.timescale.expressions import First, Last, TimeBucket
from tests import factories
from tokens.models import SolUsdPrice

pytestmark = [pytest.mark.django_db, pytest.mark.community]

ANSWERS = (
    # What is aggregated (a value and its time), then what comes first and what last.
    ("(1.0, '2026-01-02'), (2.0, '2026-01-01'), (3.0, '2026-01-03')", "2.0", "3.0"),
    ("(1.0, '2026-01-01'), (2.0, '2026-01-01'), (3.0, '2026-01-02'), (4.0, '2026-01-02')", "1.0", "3.0"),
    ("(9.0, NULL), (2.0, '2026-01-01'), (3.0, '2026-01-02'), (4.0, NULL)", "2.0", "3.0"),
    ("(NULL, '2026-01-01'), (2.0, '2026-01-02'), (NULL, '2026-01-03')", None, None),
    ("(9.0, NULL)", None, None),
)


@pytest.mark.parametrize(("rows", "first", "last"), ANSWERS)
def test_first_and_last_agree_with_timescale(sql, rows, first, last):
    """Rows without a time are ignored, of equal times the row read first stays, and a NULL value is a value."""
    answer = sql(
        f"SELECT first(v, at), last(v, at) FROM (VALUES {rows}) AS r (v, raw), LATERAL (SELECT raw::timestamptz AS at)"
        " AS t"
    )
    assert answer == [tuple(None if value is None else Decimal(value) for value in (first, last))]


BUCKETS = (
    ("1 minute", "2026-07-03 12:34:56.789", datetime(2026, 7, 3, 12, 34, tzinfo=UTC)),
    ("5 minutes", "1999-12-31 23:59:59.5", datetime(1999, 12, 31, 23, 55, tzinfo=UTC)),
    ("1 hour", "2026-07-03 12:00:00", datetime(2026, 7, 3, 12, tzinfo=UTC)),
    ("1 day", "2026-07-03 23:59:59", datetime(2026, 7, 3, tzinfo=UTC)),
    ("7 days", "2020-01-05 10:00:00", datetime(2019, 12, 30, tzinfo=UTC)),
)


@pytest.mark.parametrize(("width", "at", "start"), BUCKETS)
def test_buckets_begin_where_timescale_begins_them(sql, width, at, start):
    """A bucket is counted from Monday, 3 January 2000, and holds its own start."""
    assert sql("SELECT time_bucket(%s::interval, %s::timestamptz)", width, f"{at}+00") == [(start,)]


def test_expressions_group_by_bucket_and_keep_decimals():
    """Grouping prices by minute gives exact decimals for first and last, one row a minute."""
    noon = factories.NOON
    for second, price in ((0, "150.000001"), (59, "151.123456"), (60, "152.5")):
        factories.sol_usd(noon + timedelta(seconds=second), price_usd=Decimal(price))
    candles = (
        SolUsdPrice.objects.annotate(minute=TimeBucket("price_time", timedelta(minutes=1)))
        .values("minute")
        .annotate(open=First("price_usd", "price_time"), close=Last("price_usd", "price_time"), high=Max("price_usd"))
        .order_by("minute")
    )
    assert list(candles) == [
        {"minute": noon, "open": Decimal("150.000001"), "close": Decimal("151.123456"), "high": Decimal("151.123456")},
        {
            "minute": noon + timedelta(minutes=1),
            "open": Decimal("152.500000"),
            "close": Decimal("152.500000"),
            "high": Decimal("152.500000"),
        },
    ]
    assert all(type(candle["open"]) is Decimal for candle in candles)


def test_first_and_last_take_a_filter():
    """An aggregate with a filter sees only the rows of the filter."""
    factories.sol_usd(factories.NOON, source="pyth", price_usd=Decimal("99"))
    factories.sol_usd(factories.NOON + timedelta(seconds=1), price_usd=Decimal("100"))
    only = SolUsdPrice.objects.aggregate(open=First("price_usd", "price_time", filter=Q(source="hermes")))
    assert only == {"open": Decimal("100.000000")}
