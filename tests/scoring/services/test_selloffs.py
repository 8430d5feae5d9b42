"""The life of a sell-off: open, then recovered or expired."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from scoring.models import SelloffEvent
from scoring.services import selloffs, technical
from tests import factories
from tests.scoring.market import NOW, rolled, trade
from tokens.models import Pool

pytestmark = [pytest.mark.django_db, pytest.mark.community]
MINUTE = timedelta(minutes=1)


def fallen(ago: str = "30") -> Pool:
    """Create a curve whose price fell from 100 to 60 that many minutes ago, and the event that its score opened."""
    pool = factories.pool()
    trade(pool, str(float(ago) + 5), "100")
    trade(pool, ago, "60")
    at = NOW - float(ago) * MINUTE
    rolled(at)
    technical.score(mints=[pool.token.mint_address], now=at)
    return pool


def after(pool: Pool, *trades: tuple[str, str], now: Any = NOW) -> SelloffEvent:
    """Return the event of ``pool`` after these trades (minutes ago, price)."""
    for ago, price in trades:
        trade(pool, ago, price)
    rolled()
    selloffs.follow(now=now)
    return SelloffEvent.objects.get(token_mint=pool.token.mint_address)


def test_a_price_that_holds_two_minutes_has_recovered() -> None:
    """At nine tenths of its first price for two whole minutes a sell-off has recovered."""
    event = after(fallen(), ("20", "50"), ("4", "90"), ("1", "91"))
    assert [event.status, event.recovery_price, event.recovery_time] == ["recovered", 91, NOW]
    assert [event.drop_percentage, event.recovery_percentage, event.duration_minutes] == [50, 82, 30]


@pytest.mark.parametrize(
    "trades",
    [
        [("1.2", "95")],
        [("4", "95"), ("1.2", "89")],
        [("4", "89.9")],
        [("9", "95"), ("2.2", "80"), ("1.2", "95")],
    ],
)
def test_a_price_that_does_not_hold_has_not(trades: list[tuple[str, str]]) -> None:
    """Too short, fallen again, just below, and a dip inside the two minutes leave it open."""
    assert after(fallen(), *trades).status == "open"


def test_the_lowest_price_is_kept() -> None:
    """The lowest price between two looks is the event's, though the price has risen since."""
    event = after(fallen(), ("20", "40"), ("10", "70"))
    assert [event.status, event.lowest_price, event.drop_percentage] == ["open", 40, 60]


def test_an_hour_without_recovery_expires() -> None:
    """After sixty minutes a sell-off is over, traded or not; a minute before it is not."""
    pool = fallen("59")
    assert after(pool).status == "open"
    event = after(pool, now=NOW + MINUTE)
    assert [event.status, event.ended_at, event.duration_minutes] == ["expired", NOW + MINUTE, 60]
    assert [event.recovery_price, event.recovery_percentage] == [None, None]


def test_the_next_fall_is_a_new_event() -> None:
    """Once one has ended, another fall opens another event."""
    pool = fallen("59")
    after(pool, now=NOW + MINUTE)
    trade(pool, "0.1", "30")
    rolled()
    technical.score(mints=[pool.token.mint_address], now=NOW + 2 * MINUTE)
    statuses = SelloffEvent.objects.filter(token_mint=pool.token.mint_address).values_list("status", flat=True)
    assert sorted(statuses) == ["expired", "open"]


def test_only_the_named_are_followed() -> None:
    """With mints given the others are left as they are."""
    one, other = fallen("61"), fallen("61")
    assert selloffs.follow(now=NOW, mints=[one.token.mint_address]) == selloffs.Followed(0, 1)
    assert SelloffEvent.objects.get(token_mint=other.token.mint_address).status == "open"


def priced(pool: Pool, *trades: tuple[str, str]) -> None:
    """Trade at these prices, and score after each trade as of then; follow what is open as the task does."""
    for ago, price in trades:
        trade(pool, ago, price)
        at = NOW - float(ago) * MINUTE + timedelta(seconds=1)
        rolled(at)
        technical.score(mints=[pool.token.mint_address], now=at)


def falls(pool: Pool) -> list[tuple[Any, ...]]:
    """Return the sell-offs of the token of ``pool``, oldest first: top, lowest, percent, status."""
    found = SelloffEvent.objects.filter(token_mint=pool.token.mint_address).order_by("detection_time")
    return list(found.values_list("initial_price", "lowest_price", "drop_percentage", "status"))


def test_truth_18_a_crash_after_a_rise_is_one_event_from_its_top() -> None:
    """From 100 to 200 and down to 92 is 54 %, though 92 is only 8 % below the price of fifteen minutes ago."""
    pool = factories.pool()
    priced(pool, ("40", "100"), ("12", "150"), ("8", "200"), ("5", "92"), ("4", "93"))
    assert falls(pool) == [(200, 92, 54, "open")]


def test_truth_18_a_recovery_opens_none() -> None:
    """The price comes back, holds and recovers at 190, and then dips by less than a tenth: the same top makes no second
    event, and the next fall is measured from what the price has been since."""
    pool = factories.pool()
    priced(pool, ("20", "200"), ("15", "92"), ("12", "150"), ("10", "196"), ("7", "190"), ("6", "178"), ("5.5", "177"))
    assert falls(pool) == [(200, 92, 54, "recovered")]
    priced(pool, ("3", "150"))
    assert falls(pool) == [(200, 92, 54, "recovered"), (190, 150, Decimal("21.0526"), "open")]


def test_truth_18_the_lowest_is_that_between_two_scores() -> None:
    """What nobody scored in between counts: the lowest since the top, and not what was lower before it."""
    pool = factories.pool()
    for ago, price in (("40", "100"), ("9", "20"), ("8", "200"), ("5", "92"), ("4", "120")):
        trade(pool, ago, price)
    at = NOW - 3 * MINUTE
    rolled(at)
    technical.score(mints=[pool.token.mint_address], now=at)
    assert falls(pool) == [(200, 92, 54, "open")]


def test_truth_18_a_deeper_fall_from_a_higher_top_takes_an_open_event_over() -> None:
    """A fall of 12 % that is still open becomes the crash of 54 % from the higher top; a shallower one does not."""
    pool = factories.pool()
    priced(pool, ("30", "100"), ("20", "88"), ("19", "250"), ("18.5", "115"))
    assert falls(pool) == [(250, 115, 54, "open")]
    shallow = factories.pool()
    priced(shallow, ("30", "100"), ("20", "40"), ("19", "110"), ("18.5", "95"))
    assert falls(shallow) == [(100, 40, 60, "open")]


def test_truth_17_dust_opens_no_event() -> None:
    """A base unit at a hundredth of the price, or at a hundred times it before a trade, is no fall."""
    pool = factories.pool()
    spot = {"quote_reserves": 10**11, "token_reserves": 10**6}  # 100 SOL for a token
    trade(pool, "9", "10000", amount_in=1, **spot)
    trade(pool, "8", "100", **spot)
    trade(pool, "4", "1", amount_out=1, **spot)
    rolled()
    technical.score(mints=[pool.token.mint_address], now=NOW)
    assert falls(pool) == []
