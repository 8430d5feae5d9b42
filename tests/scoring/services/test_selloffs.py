"""The life of a sell-off: open, then recovered or expired."""

from datetime import timedelta
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
