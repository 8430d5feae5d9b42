"""Exact decimals as scaled integers; PostgreSQL reads ``{value}e-{places}``. Division happens once, and rounding is half up."""

PRICE_PLACES = 20
"""Decimals of a price in the quote per whole token; launch prices begin at 2.8e-8 SOL."""
USD_PLACES = 18
SOL_USD_PLACES = 6

PRICE_FORMING_RAW = 100
"""Base units on each side from which on a trade forms a price: with fewer, rounding alone moves it by more than 1 % (T16)."""


def forms_price(quote_raw: int, token_raw: int) -> bool:
    """Say whether two amounts, of a trade or of a pool's reserves, are large enough for their quotient to be a price."""
    return min(quote_raw, token_raw) >= PRICE_FORMING_RAW


def price_scaled(quote_raw: int, token_raw: int, quote_decimals: int, token_decimals: int) -> int:
    """Return the price, quote per whole token, times 10^20, rounded half up. ``token_raw`` must be positive."""
    shift = PRICE_PLACES + token_decimals - quote_decimals
    if shift >= 0:
        quote_raw *= 10**shift
    else:
        token_raw *= 10**-shift
    return (2 * quote_raw + token_raw) // (2 * token_raw)


def usd_scaled(scaled: int, places: int, sol_usd_micro: int) -> int:
    """Return an amount in SOL (``scaled · 10^-places``) in USD times 10^18, half up.

    ``sol_usd_micro`` is the price of one SOL, USD times 10^6.
    """
    surplus = places + SOL_USD_PLACES - USD_PLACES
    value = scaled * sol_usd_micro
    if surplus <= 0:
        return value * int(10**-surplus)
    half = 5 * int(10 ** (surplus - 1))
    return (value + half) // (2 * half)
