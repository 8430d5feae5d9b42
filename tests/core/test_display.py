"""Numbers, times and keys as a person reads them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from megatron.core import display


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("0", "0"),
        ("0.00000002797", "0.0₇2797"),
        ("0.000000028", "0.0₇28"),
        ("0.00099999", "0.001"),
        ("0.00012", "0.0₃12"),
        ("0.0012345", "0.001234"),
        ("0.5", "0.5"),
        ("12.34567", "12.35"),
        ("1234.567", "1,234.57"),
        ("1e-15", "0.0₁₄1"),
    ],
)
def test_price_keeps_four_digits_and_counts_zeros(value: str | None, text: str) -> None:
    """Three or more zeros after the point become a subscript."""
    assert display.price(None if value is None else Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "SOL", "—"),
        (35_200_000, "WIF", "35.2M WIF"),
        (Decimal("0.025"), "SOL", "0.025 SOL"),
        (Decimal("6379.31"), "USD", "$6.4K"),
        (Decimal("999"), "SOL", "999 SOL"),
        (Decimal("-1500"), "SOL", "-1.5K SOL"),
    ],
)
def test_amount_is_short_and_has_its_unit(value: Decimal | int | None, unit: str, text: str) -> None:
    """Dollars stand in front, other units behind."""
    assert display.amount(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (86400, "1 d"), (-30, "-30 s")],
)
def test_span_uses_the_largest_unit_that_counts_two(seconds: int, text: str) -> None:
    """One minute is still 60 seconds, so nothing is rounded away."""
    assert display.span(timedelta(seconds=seconds)) == text


def test_short_key_keeps_both_ends() -> None:
    """Four characters of each end name a key to the eye; nothing is a dash."""
    assert display.short_key("So11111111111111111111111111111111111111112") == "So11…1112"
    assert display.short_key("short") == "short"
    assert display.short_key(None) == "—"


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(-180, "3 min ago"), (0, "0 s ago"), (3, "now"), (42, "in 42 s"), (7200, "in 2 h"), (864_000, "in 10 d")],
)
def test_what_is_still_to_come_is_said_so(ahead: int, said: str) -> None:
    """A time ahead is never a negative age; the few seconds by which clocks differ are now."""
    now = datetime(2026, 7, 3, 12, tzinfo=UTC)
    assert display.age(now + timedelta(seconds=ahead), now=now) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (90, "90 s"),
        (0, "0 s"),
        (-10, "0 s"),
        (-11, "11 s ahead: a clock is wrong"),
        (-7200, "2 h ahead: a clock is wrong"),
    ],
)
def test_truth_24_a_negative_lag_is_a_wrong_clock(seconds: int, said: str) -> None:
    """Clocks differ by seconds; beyond that nothing is behind by less than nothing."""
    assert display.lag(timedelta(seconds=seconds)) == said
    assert display.lag(None) == "—"
