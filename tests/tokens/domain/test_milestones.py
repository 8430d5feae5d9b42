"""When a curve first sells a given part of its tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.domain.milestones import THRESHOLDS, reached

ON_SALE = 793_100_000_000_000
"""Base units that a Pump.fun curve has to sell."""


@pytest.mark.parametrize("place", range(len(THRESHOLDS)))
def test_a_threshold_is_reached_by_the_exact_base_unit(place: int) -> None:
    """One base unit less sold is the threshold before; ON_SALE is divisible by 100, so the bound is a whole number."""
    left = ON_SALE // 100 * (100 - THRESHOLDS[place])
    assert (reached(left + 1, ON_SALE), reached(left, ON_SALE)) == (place, place + 1)


@pytest.mark.parametrize(
    ("left", "count"), [(ON_SALE, 0), (ON_SALE + 1, 0), (ON_SALE // 2, 4), (1, 7), (0, len(THRESHOLDS))]
)
def test_from_nothing_sold_to_everything(left: int, count: int) -> None:
    """A full curve has reached nothing, an empty one everything."""
    assert reached(left, ON_SALE) == count


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_selling_more_never_reaches_less(on_sale: int, one: int, other: int) -> None:
    """Fewer tokens left never means fewer milestones."""
    assert reached(min(one, other), on_sale) >= reached(max(one, other), on_sale)
