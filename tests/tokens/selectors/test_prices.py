from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import PriceOrigin
from tokens.domain.programs import WRAPPED_SOL
from tokens.selectors import prices

pytestmark = pytest.mark.django_db


def test_the_newest_sample_of_each_source(django_assert_num_queries: object) -> None:
    """One sample a source, the most believed source first, in one query."""
    factories.sol_usd(NOON, source=PriceOrigin.BIRDEYE)
    older = factories.sol_usd(NOON - timedelta(minutes=1), source=PriceOrigin.HERMES)
    newer = factories.sol_usd(NOON + timedelta(minutes=1), source=PriceOrigin.BIRDEYE)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert list(prices.latest_by_source(until=NOON + timedelta(minutes=1))) == [older, newer]


def test_truth_24_what_lies_ahead_is_no_newest_sample() -> None:
    """Neither for the newest of each source, nor the newest minute, nor the last used price."""
    factories.sol_usd(NOON + timedelta(seconds=1))
    assert list(prices.latest_by_source(until=NOON)) == []
    assert prices.find_newest_minute(until=NOON) is None
    assert prices.find_used(mint=WRAPPED_SOL, since=NOON - timedelta(hours=1), until=NOON) is None
    held = factories.sol_usd(NOON - timedelta(minutes=1))
    assert list(prices.latest_by_source(until=NOON)) == [held]
    assert prices.find_newest_minute(until=NOON) == NOON - timedelta(minutes=1)
    assert prices.find_used(mint=WRAPPED_SOL, since=NOON - timedelta(hours=1), until=NOON) == held


@pytest.mark.parametrize(
    ("seconds", "holds"), [(-1, False), (0, True), (120, True), (121, False), (443 * 86_400, False)]
)
def test_truth_24_a_price_holds_for_two_minutes(seconds: int, holds: bool) -> None:
    """Neither a price of the future nor one of 443 days ago is SOL's price."""
    assert prices.holds(NOON - timedelta(seconds=seconds), now=NOON) is holds


def test_t8_the_price_at_a_time() -> None:
    """The newest fresh sample of the most believed source; 120 seconds old still counts, 121 or the future do not."""
    factories.sol_usd(NOON + timedelta(seconds=119), source=PriceOrigin.PYTH)
    hermes = factories.sol_usd(NOON, source=PriceOrigin.HERMES)
    jupiter = factories.sol_usd(NOON + timedelta(seconds=60), source=PriceOrigin.JUPITER)
    assert prices.find_price(NOON - timedelta(microseconds=1)) is None
    assert prices.find_price(NOON) == hermes
    assert prices.find_price(NOON + timedelta(seconds=120)) == hermes
    assert prices.find_price(NOON + timedelta(seconds=121)) == jupiter
    assert prices.find_price(NOON + timedelta(seconds=240)) is None


def test_minutes_of_a_source() -> None:
    """Open and close are the first and last sample of the minute, whatever the order they were stored in."""
    samples = {50: "151", 5: "150.5", 30: "149", 60: "152"}
    for second, price in samples.items():
        factories.sol_usd(NOON + timedelta(seconds=second), price_usd=Decimal(price))
    factories.sol_usd(NOON + timedelta(seconds=1), price_usd=Decimal(999), source=PriceOrigin.BIRDEYE)
    window = {"start": NOON, "end": NOON + timedelta(seconds=60)}
    assert prices.find_source(**window) == PriceOrigin.HERMES
    assert prices.candles_between(source=PriceOrigin.HERMES, limit=9, **window) == [
        prices.SolUsdCandle(
            bucket=NOON,
            open=Decimal("150.5"),
            high=Decimal(151),
            low=Decimal(149),
            close=Decimal(151),
            average=Decimal("150.166667"),
            sample_count=3,
        )
    ]
    assert prices.find_source(start=NOON + timedelta(hours=1), end=NOON + timedelta(hours=2)) is None
