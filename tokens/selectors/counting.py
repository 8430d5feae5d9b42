"""What counts of a trade, in SQL: whether it forms a price, and which volume is wash.

Wash volume is what one wallet both bought and sold of a token within a minute, both legs, each at its mean price.

Whole base units and whole lamports (10^-18 USD), rounded down, so that it never exceeds the volume. A round trip over two
minutes of the clock is not seen here; the risk's measure of a token's life (scoring.selectors.signs) sees it.
"""

from tokens.domain.numbers import PRICE_FORMING_RAW

FORMS_PRICE = f"least(t.amount_in, t.amount_out) >= {PRICE_FORMING_RAW}"
"""Whether a trade ``t`` forms a price (T16): a smaller one counts in rows and volume, and nowhere as a price."""

SPOT = f"""
    CASE WHEN least(t.quote_reserves, t.token_reserves) >= {PRICE_FORMING_RAW} THEN
        div(2 * t.quote_reserves * power(10::numeric, 20 + CASE WHEN t.type = 'buy'
                THEN t.amount_out_decimals - t.amount_in_decimals ELSE t.amount_in_decimals - t.amount_out_decimals END)
            + t.token_reserves, 2 * t.token_reserves) * 1e-20 END"""
"""What the pool of a trade ``t`` asks after it, quote per whole token, half up: no trade too small for a price moves it."""

GROUP_FIGURES = """
    bool_or(buys) AS bought, NOT bool_and(buys) AS sold,
    sum(token_raw) FILTER (WHERE buys) AS bought_raw, sum(token_raw) FILTER (WHERE NOT buys) AS sold_raw,
    least(sum(token_raw) FILTER (WHERE buys), sum(token_raw) FILTER (WHERE NOT buys)) AS matched_raw,
    sum(sol_amount) FILTER (WHERE buys) * 1e9 AS bought_for, sum(sol_amount) FILTER (WHERE NOT buys) * 1e9 AS sold_for,
    sum(sol_amount_usd) FILTER (WHERE buys) * 1e18 AS bought_for_usd,
    sum(sol_amount_usd) FILTER (WHERE NOT buys) * 1e18 AS sold_for_usd"""
"""What :func:`matched_sum` reads, of a group of one wallet's trades of one token in one minute. Each trade has ``buys``,
``token_raw``, ``sol_amount`` and ``sol_amount_usd``."""


def matched_sum(suffix: str, unit: str) -> str:
    """Return the SQL of the wash volume of many groups: ``("", "1e-9")`` in SOL, ``("_usd", "1e-18")`` in USD."""
    legs = " + ".join(
        f"coalesce(div({leg}_for{suffix} * matched_raw, nullif({leg}_raw, 0)), 0)" for leg in ("bought", "sold")
    )
    return f"coalesce(sum({legs}) FILTER (WHERE bought AND sold), 0) * {unit}"


WASH_SOL = matched_sum("", "1e-9")
WASH_USD = matched_sum("_usd", "1e-18")
