"""The launchpads' curve maths in integers, exactly as the programs round.

Sources: pump-public-docs, the programs' SDKs, raydium-sdk-v2; every formula reproduces recorded trades to the unit.
Amounts are base units. Prices are quote per whole token.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final, NamedTuple

from tokens.domain.events import Reserves

BPS: Final = 10_000
PPM: Final = 1_000_000

PUMP_SUPPLY_RAW: Final = 10**15
PUMP_VIRTUAL_TOKEN_RAW: Final = 1_073 * 10**12
PUMP_VIRTUAL_LAMPORTS: Final = 30 * 10**9
PUMP_SOLD_RAW: Final = 793_100_000_000_000
"""What the curve sells; the rest of the supply goes to the graduated pool."""
PUMP_MIGRATION_FEE_LAMPORTS: Final = 15_000_001

_WIDE: Final = Context(prec=100, rounding=ROUND_HALF_UP)
_PRICE_STEP: Final = Decimal(1).scaleb(-20)
_PCT_STEP: Final = Decimal(1).scaleb(-4)


class Swap(NamedTuple):
    """One trade against a curve. ``quote_raw`` is what moves against it, without fees; ``fees_raw`` one by one."""

    quote_raw: int
    token_raw: int
    fees_raw: tuple[int, ...]

    @property
    def paid_raw(self) -> int:
        """Return what a buyer pays in all."""
        return self.quote_raw + sum(self.fees_raw)

    @property
    def received_raw(self) -> int:
        """Return what a seller gets after fees."""
        return self.quote_raw - sum(self.fees_raw)


def ceil_div(amount: int, by: int) -> int:
    """Return the quotient rounded up."""
    return -(-amount // by)


def fee(amount_raw: int, bps: int) -> int:
    """Return a pump or PumpSwap fee: each one is rounded up on its own."""
    return ceil_div(amount_raw * bps, BPS)


def _fees(amount_raw: int, fees_bps: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(fee(amount_raw, bps) for bps in fees_bps)


def _spend(budget_raw: int, fees_bps: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Return how much of a budget reaches the curve, and the fees on it, such that both together fit the budget."""
    net = budget_raw * BPS // (BPS + sum(fees_bps))
    fees = _fees(net, fees_bps)
    return net - max(0, net + sum(fees) - budget_raw), fees


def _positive(*amounts: int) -> None:
    if min(amounts) <= 0:
        raise ValueError(f"A curve needs positive amounts: {amounts}")


def pump_buy(virtual_quote: int, virtual_token: int, token_raw: int, fees_bps: tuple[int, ...] = ()) -> Swap:
    """Return a pump.fun purchase of exactly ``token_raw``. Raises ``ValueError`` if the curve has not so many."""
    _positive(virtual_quote, token_raw, virtual_token - token_raw)
    cost = token_raw * virtual_quote // (virtual_token - token_raw) + 1
    return Swap(cost, token_raw, _fees(cost, fees_bps))


def pump_buy_for(
    virtual_quote: int, virtual_token: int, real_token: int, budget_raw: int, fees_bps: tuple[int, ...] = ()
) -> Swap:
    """Return a pump.fun purchase for ``budget_raw`` with fees, of at most the ``real_token`` tokens that are left."""
    _positive(virtual_quote, virtual_token, budget_raw)
    net, fees = _spend(budget_raw, fees_bps)
    tokens = max(net - 1, 0) * virtual_token // (virtual_quote + max(net - 1, 0))
    return Swap(net, min(tokens, real_token), fees)


def pump_sell(virtual_quote: int, virtual_token: int, token_raw: int, fees_bps: tuple[int, ...] = ()) -> Swap:
    """Return a pump.fun sale of ``token_raw`` tokens."""
    _positive(virtual_quote, virtual_token, token_raw)
    out = token_raw * virtual_quote // (virtual_token + token_raw)
    return Swap(out, token_raw, _fees(out, fees_bps))


def pump_pool_part(
    pool_quote: int, pool_base: int, *, token_raw: int | None = None, budget_raw: int | None = None
) -> Swap:
    """Return what a completing purchase takes from the future pool, exact tokens or quote, without fees."""
    if token_raw is not None:
        _positive(pool_quote, token_raw, pool_base - token_raw)
        return Swap(ceil_div(pool_quote * token_raw, pool_base - token_raw), token_raw, ())
    if budget_raw is None:
        raise ValueError("Name the tokens or the budget")
    _positive(pool_quote, pool_base, budget_raw)
    return Swap(budget_raw, (budget_raw - 1) * pool_base // (pool_quote + budget_raw - 1), ())


def pumpswap_buy(effective_quote: int, base: int, base_out: int, fees_bps: tuple[int, ...] = ()) -> Swap:
    """Return a PumpSwap purchase of exactly ``base_out``; ``effective_quote`` is vault plus virtual reserves."""
    _positive(effective_quote, base_out, base - base_out)
    quote = ceil_div(effective_quote * base_out, base - base_out)
    return Swap(quote, base_out, _fees(quote, fees_bps))


def pumpswap_buy_for(effective_quote: int, base: int, budget_raw: int, fees_bps: tuple[int, ...] = ()) -> Swap:
    """Return a PumpSwap purchase for ``budget_raw`` with fees."""
    _positive(effective_quote, base, budget_raw)
    net, fees = _spend(budget_raw, fees_bps)
    spent = max(net - 1, 0)
    return Swap(net, spent * base // (effective_quote + spent), fees)


def pumpswap_sell(effective_quote: int, base: int, base_in: int, fees_bps: tuple[int, ...] = ()) -> Swap:
    """Return a PumpSwap sale of ``base_in``."""
    _positive(effective_quote, base, base_in)
    out = effective_quote * base_in // (base + base_in)
    return Swap(out, base_in, _fees(out, fees_bps))


def launchlab_fees(gross_raw: int, trade_ppm: int, *others_ppm: int) -> tuple[int, ...]:
    """Return LaunchLab's fees, the protocol's first: the total rounds up, the others down, it has the rest."""
    others = tuple(gross_raw * ppm // PPM for ppm in others_ppm)
    return ceil_div(gross_raw * (trade_ppm + sum(others_ppm)), PPM) - sum(others), *others


def launchlab_buy(virtual_quote: int, virtual_token: int, paid_raw: int, *fees_ppm: int) -> Swap:
    """Return a LaunchLab purchase for ``paid_raw`` in all. Reserves are translated: raised and sold are included.

    ``fees_ppm`` are the trade fee, then platform, creator and share fee, in parts per million.
    """
    _positive(virtual_quote, virtual_token, paid_raw)
    fees = launchlab_fees(paid_raw, *fees_ppm)
    net = paid_raw - sum(fees)
    return Swap(net, net * virtual_token // (virtual_quote + net), fees)


def launchlab_sell(virtual_quote: int, virtual_token: int, token_raw: int, *fees_ppm: int) -> Swap:
    """Return a LaunchLab sale of ``token_raw``; see :func:`launchlab_buy`."""
    _positive(virtual_quote, virtual_token, token_raw)
    gross = token_raw * virtual_quote // (virtual_token + token_raw)
    return Swap(gross, token_raw, launchlab_fees(gross, *fees_ppm))


def launchlab_virtuals(
    supply_raw: int, sold_raw: int, raise_raw: int, *, migrate_fee_raw: int = 0, locked_raw: int = 0
) -> tuple[int, int]:
    """Return a constant-product LaunchLab curve's initial virtual base and quote; ``ValueError`` if it has none."""
    _positive(supply_raw, sold_raw, raise_raw, supply_raw - sold_raw - locked_raw, raise_raw - migrate_fee_raw)
    # Floored step by step as the program does: what the sold tokens would fetch at the pool's opening price, less what
    # is raised. The curve exists if that leaves something.
    left = supply_raw - sold_raw - locked_raw
    fetched = (raise_raw - migrate_fee_raw) * sold_raw
    above = fetched // left - raise_raw
    _positive(above)
    return fetched * sold_raw // left // above, raise_raw * raise_raw // above


def launchlab_target(virtual_base: int, virtual_quote: int, sold_raw: int) -> int | None:
    """Return the quote that a LaunchLab curve has raised when ``sold_raw``, all that it sells, is sold.

    Rounded up; within a few base units of what the creation asked for, which was floored into the virtual amounts. A curve
    of a fixed price has what it sells and raises as its virtual amounts. ``None`` for any other curve (a linear one has no
    virtual quote).
    """
    left = virtual_base - sold_raw
    if left < 0 or virtual_quote <= 0 or sold_raw <= 0:
        return None
    return ceil_div(virtual_quote * sold_raw, left) if left else virtual_quote


def moved(reserves: Reserves, quote_in: int, token_in: int) -> Reserves:
    """Return reserves after signed amounts went in; unknown ones stay unknown."""
    return Reserves(
        virtual_quote=_plus(reserves.virtual_quote, quote_in),
        virtual_token=_plus(reserves.virtual_token, token_in),
        real_quote=_plus(reserves.real_quote, quote_in),
        real_token=_plus(reserves.real_token, token_in),
    )


def _plus(amount: int | None, change: int) -> int | None:
    return None if amount is None else amount + change


def ratio(top: int | Decimal, bottom: int | Decimal) -> Decimal:
    """Return ``top / bottom`` with 20 decimals, half up. Raises ``ValueError`` for a bottom of zero."""
    if not bottom:
        raise ValueError("Nothing to divide by")
    return _WIDE.quantize(_WIDE.divide(Decimal(top), Decimal(bottom)), _PRICE_STEP)


def price(quote_raw: int, token_raw: int, quote_decimals: int, token_decimals: int) -> Decimal:
    """Return the price in quote per whole token, 20 decimals, half up, divided once."""
    return ratio(quote_raw * 10**token_decimals, token_raw * 10**quote_decimals)


def token_progress(real_token: int, sold_raw: int = PUMP_SOLD_RAW) -> Decimal:
    """Return how much of what a curve sells is sold, in percent, 4 decimals, 0 to 100."""
    return _percent(sold_raw - real_token, sold_raw)


def quote_progress(real_quote: int, target_raw: int) -> Decimal:
    """Return how much of what a curve raises is raised, in percent, 4 decimals, 0 to 100."""
    return _percent(real_quote, target_raw)


def _percent(part: int, whole: int) -> Decimal:
    _positive(whole)
    part = min(max(part, 0), whole)
    return _WIDE.quantize(_WIDE.divide(Decimal(100 * part), Decimal(whole)), _PCT_STEP)
