"""Units: base units are ``int``, whole units ``Decimal``; nothing here ever rounds without saying so."""

from collections.abc import Sequence
from decimal import Context, Decimal

LAMPORTS_DECIMALS = 9
BPS = 10_000

# Wide enough for any 128-bit amount with its decimals: scaling by a power of ten is then exact.
_EXACT = Context(prec=80)


class NotExact(ValueError):
    """The amount has more decimals than its unit: round it first, the way the rule in hand says."""


def raw_to_whole(raw: int, decimals: int) -> Decimal:
    """Return ``raw`` base units as whole units, exactly, with ``decimals`` decimals."""
    return Decimal(raw).scaleb(-decimals, _EXACT)


def whole_to_raw(whole: Decimal, decimals: int) -> int:
    """Return ``whole`` units as base units. Raises :class:`NotExact` when a fraction of a base unit would be lost."""
    scaled = whole.scaleb(decimals, _EXACT)
    if scaled != scaled.to_integral_value():
        raise NotExact(f"{whole:f} has more than {decimals} decimals.")
    return int(scaled)


def lamports_to_sol(lamports: int) -> Decimal:
    """Return ``lamports`` in SOL, exactly."""
    return raw_to_whole(lamports, LAMPORTS_DECIMALS)


def sol_to_lamports(sol: Decimal) -> int:
    """Return ``sol`` in lamports. Raises :class:`NotExact` for a fraction of a lamport."""
    return whole_to_raw(sol, LAMPORTS_DECIMALS)


def bps_of(amount: int, bps: int) -> int:
    """Return ``bps`` hundredths of a percent of ``amount``, rounded down. Raises ``ValueError`` for a negative
    amount."""
    if amount < 0 or bps < 0:
        raise ValueError("Neither an amount nor its share may be negative.")
    return amount * bps // BPS


def split_exactly(total: int, weights: Sequence[int]) -> list[int]:
    """Return how ``total`` divides by ``weights``, in their order, so that the parts add up to ``total``.

    Largest remainder: each part is rounded down, then the units left over go one each to the largest remainders, the
    earlier weight first among equal ones. Raises ``ValueError`` for a negative total or weight, and when the weights
    add up to 0.
    """
    whole = sum(weights)
    if total < 0 or whole <= 0 or min(weights) < 0:
        raise ValueError("A split needs a total and weights that are not negative, and one weight above 0.")
    parts, remainders = map(list, zip(*(divmod(total * weight, whole) for weight in weights), strict=True))
    by_remainder = sorted(range(len(weights)), key=lambda place: -remainders[place])
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts
