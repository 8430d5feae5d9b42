"""How alive and how varied holders are."""

from decimal import Decimal

import pytest

from holders.domain import activity

EVEN, ONE = [2, 2, 2, 2, 2], [10, 0, 0, 0, 0]


def test_entropy_runs_from_one_bucket_to_all() -> None:
    """All in one is 0, evenly spread is 1, empty is not known."""
    assert (activity.entropy(ONE), activity.entropy(EVEN), activity.entropy([0] * 5)) == (0.0, pytest.approx(1), None)


def test_organic_is_the_mean_of_both_spreads_less_suspicion() -> None:
    """A shared balance costs 0.09, many silent holders 0.12, together never more than 0.3."""

    def organic(alike: int = 0, silent: int | None = 0) -> Decimal | None:
        return activity.organic(ages=EVEN, sizes=ONE, holders=10, alike=alike, silent=silent)

    assert organic() == Decimal("0.5")
    assert organic(alike=1) == Decimal("0.41")
    assert (organic(silent=3), organic(silent=4)) == (Decimal("0.5"), Decimal("0.38"))
    assert organic(alike=9, silent=10) == Decimal("0.2")
    assert organic(silent=None) == Decimal("0.5")


def test_organic_is_never_below_zero_and_unknown_without_ages() -> None:
    """Suspicion takes no more than there is."""
    assert activity.organic(ages=ONE, sizes=ONE, holders=10, alike=9, silent=10) == 0
    assert activity.organic(ages=[0] * 5, sizes=EVEN, holders=10, alike=0, silent=0) is None


def test_velocity_fades_over_thirty_days() -> None:
    """0.7 for now and 0.3 for a hundred transactions; nothing without activity."""
    assert activity.velocity(idle_days=0, transactions=100) == pytest.approx(1)
    assert activity.velocity(idle_days=15, transactions=50) == pytest.approx(0.5)
    assert activity.velocity(idle_days=31, transactions=500) == pytest.approx(0.3)
    assert activity.velocity(idle_days=None, transactions=500) == 0


def test_completeness_is_forty_forty_twenty() -> None:
    """Holders listed, wallets looked up, trades stored; nobody sampled is nothing known of wallets."""

    def complete(fetched: int = 10, enriched: int = 5, sampled: int = 5, has_trades: bool = True) -> Decimal:
        return activity.completeness(
            fetched=fetched, holders=10, enriched=enriched, sampled=sampled, has_trades=has_trades
        )

    assert complete() == 100
    assert complete(fetched=5) == 80
    assert complete(enriched=1) == 68
    assert complete(enriched=0, sampled=0) == 60
    assert complete(has_trades=False) == 80
    assert complete(fetched=12) == 100
