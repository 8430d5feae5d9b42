"""Exact decimals from integers."""

from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.domain.numbers import PRICE_PLACES, USD_PLACES, price_scaled, usd_scaled

WIDE = Context(prec=200, rounding=ROUND_HALF_UP)
U64 = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("quote_raw", "token_raw", "decimals", "scaled"),
    [
        (30_000_000_000, 1_073_000_000_000_000, (9, 6), 2_795_899_347_623),  # a new Pump.fun curve: 2.8e-8 SOL
        (1, 3, (9, 9), 33_333_333_333_333_333_333),
        (2, 3, (9, 9), 66_666_666_666_666_666_667),
        (1, 2 * 10**20, (9, 9), 1),  # exactly half: up
        (1, 2 * 10**20 + 1, (9, 9), 0),
        (3, 2, (0, 0), 150_000_000_000_000_000_000),
        (5, 1, (30, 9), 1),  # five tenths of the last place
        (4, 1, (30, 9), 0),
    ],
)
def test_a_price_is_rounded_half_up_once(
    quote_raw: int, token_raw: int, decimals: tuple[int, int], scaled: int
) -> None:
    """The price has twenty decimals, and half of the last place goes up."""
    assert price_scaled(quote_raw, token_raw, *decimals) == scaled


@given(U64, st.integers(1, 2**64 - 1), st.integers(0, 18), st.integers(0, 18))
def test_a_price_is_the_exact_quotient(quote_raw: int, token_raw: int, quote: int, token: int) -> None:
    """Whatever the decimals of the two coins, the price is their quotient to twenty places."""
    whole = WIDE.divide(Decimal(quote_raw).scaleb(-quote, WIDE), Decimal(token_raw).scaleb(-token, WIDE))
    expected = whole.quantize(Decimal(1).scaleb(-PRICE_PLACES), context=WIDE)
    assert Decimal(price_scaled(quote_raw, token_raw, quote, token)).scaleb(-PRICE_PLACES, WIDE) == expected


@pytest.mark.parametrize(
    ("scaled", "places", "sol_usd_micro", "usd"),
    [
        (10**9, 9, 150_000_000, 150 * 10**18),  # 1 SOL at 150 USD
        (1, 9, 1, 1_000),  # a lamport at a millionth of a dollar: 1e-15
        (2_795_899_347_623, 20, 150_000_000, 4_193_849_021_435),  # 4.19384902143450e-06, half up
        (5, 20, 10_000, 0),  # 5e-22
        (5, 20, 10_000_000, 1),  # 5e-19: half of the last place
        (0, 9, 150_000_000, 0),
    ],
)
def test_an_amount_in_sol_becomes_dollars(scaled: int, places: int, sol_usd_micro: int, usd: int) -> None:
    """Eighteen decimals, rounded half up once."""
    assert usd_scaled(scaled, places, sol_usd_micro) == usd


@given(U64, st.integers(0, 20), st.integers(1, 10**10))
def test_dollars_are_the_exact_product(scaled: int, places: int, sol_usd_micro: int) -> None:
    """An amount in SOL times the price of one SOL, to eighteen places."""
    product = WIDE.multiply(Decimal(scaled).scaleb(-places, WIDE), Decimal(sol_usd_micro).scaleb(-6, WIDE))
    expected = product.quantize(Decimal(1).scaleb(-USD_PLACES), context=WIDE)
    assert Decimal(usd_scaled(scaled, places, sol_usd_micro)).scaleb(-USD_PLACES, WIDE) == expected
