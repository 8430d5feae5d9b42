from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron.core import money

weights = st.lists(st.integers(min_value=0, max_value=10**30), min_size=1, max_size=40).filter(any)


def test_lamports_to_sol_is_exact() -> None:
    """One lamport is a billionth of a SOL."""
    assert money.lamports_to_sol(1) == Decimal("0.000000001")
    assert money.lamports_to_sol(85_005_359_057) == Decimal("85.005359057")


@given(raw=st.integers(min_value=-(2**128), max_value=2**128), decimals=st.integers(min_value=0, max_value=18))
def test_there_and_back_is_the_same(raw: int, decimals: int) -> None:
    """Base units survive the way to whole units and back, whatever their size."""
    assert money.whole_to_raw(money.raw_to_whole(raw, decimals), decimals) == raw


def test_a_fraction_of_a_lamport_is_refused() -> None:
    """Nothing is rounded in silence."""
    with pytest.raises(money.NotExact, match=r"0\.0000000001 has more than 9 decimals"):
        money.sol_to_lamports(Decimal("0.0000000001"))
    assert money.sol_to_lamports(Decimal("0.50")) == 500_000_000


def test_bps_round_down() -> None:
    """30 bps of 999 are 2, not 3."""
    assert money.bps_of(999, 30) == 2
    assert money.bps_of(10_000, 10_000) == 10_000


@pytest.mark.parametrize(("amount", "bps"), [(-1, 1), (1, -1)])
def test_bps_of_a_negative_amount_are_refused(amount: int, bps: int) -> None:
    """Rounding down has no meaning below zero."""
    with pytest.raises(ValueError, match="negative"):
        money.bps_of(amount, bps)


def test_the_units_left_over_go_to_the_largest_remainders() -> None:
    """100 by 1:1:1 gives the unit that is left over to the first, as all remainders are equal."""
    assert money.split_exactly(100, [1, 1, 1]) == [34, 33, 33]
    assert money.split_exactly(10, [5, 3, 1]) == [6, 3, 1]
    assert money.split_exactly(7, [0, 1]) == [0, 7]
    assert money.split_exactly(0, [3, 4]) == [0, 0]


@given(total=st.integers(min_value=0, max_value=2**64), weights=weights)
def test_the_parts_add_up_to_the_total(total: int, weights: list[int]) -> None:
    """A split loses and makes nothing, and no part is further than one unit from its exact share."""
    parts = money.split_exactly(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True))


@given(total=st.integers(min_value=0, max_value=2**64), weights=weights)
def test_who_weighs_more_never_gets_less(total: int, weights: list[int]) -> None:
    """A larger weight gets at least as much; among equal ones the earlier gets at least as much."""
    parts = money.split_exactly(total, weights)
    ranked = sorted(range(len(weights)), key=lambda place: (-weights[place], place))
    shares = [parts[place] for place in ranked]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(("total", "bad"), [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1])])
def test_a_split_without_sense_is_refused(total: int, bad: list[int]) -> None:
    """A negative total, no weight at all or a negative one is an error of the caller."""
    with pytest.raises(ValueError, match="split"):
        money.split_exactly(total, bad)
