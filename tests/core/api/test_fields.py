from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron.core.api.fields import plain
from tests.core.api.doors import Money


def shown(**fields: Any) -> dict[str, Any]:
    known = {
        "paid_raw": 1_500_000,
        "quote": SimpleNamespace(decimals=6),
        "fee_lamports": 5000,
        "price": Decimal("2.7960E-8"),
    }
    return dict(Money(SimpleNamespace(**{**known, **fields})).data)


def test_an_amount_is_text_with_its_decimals() -> None:
    """Base units, decimals and whole units, none of them a JSON float."""
    assert shown() == {
        "paid": {"raw": "1500000", "decimals": 6, "amount": "1.5"},
        "fee": {"raw": "5000", "decimals": 9, "amount": "0.000005"},
        "price": "0.00000002796",
    }


def test_a_large_amount_keeps_every_digit() -> None:
    """A u64 is beyond what a float holds."""
    assert shown(paid_raw=2**64 - 1)["paid"] == {
        "raw": "18446744073709551615",
        "decimals": 6,
        "amount": "18446744073709.551615",
    }


def test_what_is_not_known_is_null() -> None:
    """An unknown amount is null as a whole; unknown decimals leave the base units."""
    assert shown(paid_raw=None, price=None) | {"fee": None} == {"paid": None, "fee": None, "price": None}
    assert shown(quote=SimpleNamespace(decimals=None))["paid"] == {"raw": "1500000", "decimals": None, "amount": None}
    assert shown(quote=None)["paid"] == {"raw": "1500000", "decimals": None, "amount": None}


@pytest.mark.parametrize(
    ("value", "text"), [("0E-20", "0"), ("-0.0", "0"), ("1E+3", "1000"), ("1.2300", "1.23"), ("-0.50", "-0.5")]
)
def test_a_decimal_is_written_out(value: str, text: str) -> None:
    """No exponent, no zeros at the end, no negative nothing."""
    assert plain(Decimal(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_the_text_is_the_number(value: Decimal) -> None:
    """Nothing is rounded on the way out."""
    assert Decimal(plain(value)) == value
