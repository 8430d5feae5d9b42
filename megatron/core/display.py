"""Numbers, times and keys as a person reads them. For eyes only: no decision reads what these return."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from megatron.core import skew

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SCALES = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "K"))
_NONE = "—"


def price(value: Decimal | None, *, digits: int = 4) -> str:
    """Return ``value`` with ``digits`` significant digits; three or more leading zeros become a subscript.

    ``0.0₇2797`` is 2.797e-8.
    """
    if value is None:
        return _NONE
    if value == 0:
        return "0"
    rounded = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(value)
    zeros = -rounded.adjusted() - 1
    if zeros < 3:
        return f"{rounded.normalize():,f}" if abs(rounded) < 1000 else f"{value:,.2f}"
    significant = "".join(map(str, rounded.as_tuple().digits)).rstrip("0")
    return f"{'-' if rounded < 0 else ''}0.0{str(zeros).translate(_SUBSCRIPT)}{significant}"


def compact(value: Decimal | int | None) -> str:
    """Return ``value`` short: ``35.2M``, ``1.5K``, and small ones like :func:`price`."""
    if value is None:
        return _NONE
    value = Decimal(value)
    for size, letter in _SCALES:
        if abs(value) >= size:
            return f"{value / size:.1f}{letter}"
    return f"{value:,.0f}" if value == value.to_integral_value() else price(value)


def amount(value: Decimal | int | None, unit: str) -> str:
    """Return :func:`compact` with its unit, a dollar sign in front for ``USD``."""
    if value is None:
        return _NONE
    return f"${compact(value)}" if unit == "USD" else f"{compact(value)} {unit}"


def span(value: timedelta) -> str:
    """Return a length of time in its largest unit: ``12 s``, ``3 min``, ``4 h``, ``2 d``."""
    seconds = int(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and size == 86400):
            return f"{sign}{seconds // size} {unit}"
    return f"{sign}{seconds} s"


def lag(value: timedelta | None) -> str:
    """Return how far something is behind, like :func:`span`; what lies ahead of now is said to come from a wrong clock.

    A few seconds ahead are how clocks differ, and count as none.
    """
    if value is None:
        return _NONE
    if skew.is_clock_wrong(value):
        return f"{span(-value)} ahead: a clock is wrong"
    return span(max(value, timedelta()))


def age(at: datetime | None, *, now: datetime) -> str:
    """Return how long before ``now`` something was, or how long after it something will be: ``3 min ago``, ``in 42 s``.

    The chain's clock and ours may differ by seconds, so what is just ahead is ``now``.
    """
    if at is None:
        return _NONE
    if at <= now:
        return f"{span(now - at)} ago"
    return "now" if at - now < skew.CLOCKS_DIFFER else f"in {span(at - now)}"


def short_key(key: str | None) -> str:
    """Return the first and last four characters of an address or a signature."""
    if not key:
        return _NONE
    return key if len(key) <= 12 else f"{key[:4]}…{key[-4:]}"
