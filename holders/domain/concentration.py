"""How unevenly balances are spread: Gini, Theil, entropy, HHI, the largest N, the Lorenz curve.

Balances are base units of one token, one an owner. Owners without a balance are no holders and are left out. Sums are
exact; the measures are floating point over exact integers and are right to ten decimals. They say something of a token
only where its owners are known (:data:`JUDGED_FROM_PCT`), and of owners who hold something (:data:`DUST_BELOW_RATIO`).
Formulas: Gini as the mean
difference over ranks, Theil's T, Shannon's entropy as a part of ln n, HHI as the sum of squared shares in 10,000ths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise
from math import ceil, log
from typing import Any

import numpy as np
import numpy.typing as npt

JUDGED_FROM_PCT = Decimal(80)
"""Percent of the circulating supply that judged owners must hold together, else no measure of holders is known. What is not
known is then at most a fifth, the share from which a largest holder earns no point of a score: no owner who was not seen can
turn the verdict over by himself."""
DUST_BELOW_RATIO = Decimal("0.000001")
"""A part of the circulating supply below which an owner is no holder: a thousand of a billion tokens, worth a few
thousandths of a USD where coins of this kind begin. Sending so little to thousands of addresses costs nothing."""
UNEQUAL_FROM = 2
"""Holders of whom one can be said to be unequal to another: of one alone Gini and Theil are 0 by their formulas, which reads as
an even spread and is none."""

TOP = (1, 5, 10, 20, 25, 50, 100)
SIZES = (100, 1_000, 10_000, 100_000)
"""Whole tokens at which the next class of holders by size begins."""

Array = npt.NDArray[Any]

_BLOCK = 8192  # as many at a time as stay in a core's cache; a whole array's temporaries cost more than the arithmetic
_PLACES, _ONES = np.arange(_BLOCK, dtype=np.float64), np.ones(_BLOCK)
_EXACT = 2**53  # up to here floats count every integer, and they sort in two thirds of the time
_U64 = 2**64


@dataclass(frozen=True, slots=True)
class Ordered:
    """Positive balances, smallest first, and their exact sum."""

    values: Array
    total: int

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What the measures say of one set of balances. All ``None`` without a holder."""

    holders: int
    total: int
    gini: Decimal | None
    """0 (all equal) to 1 - 1/n (one has all)."""
    theil: Decimal | None
    """0 (all equal) to ln n."""
    shannon: Decimal | None
    """0 (one has all) to 1 (all equal); 0 for a single holder."""
    hhi: Decimal | None
    """10,000/n to 10,000."""
    top: Mapping[int, int]
    """What the largest 1, 5, 10 … hold together; all there is where there are fewer."""


def order(balances: Sequence[int] | Array) -> Ordered:
    """Return the positive ones of ``balances`` in order.

    Raises ``ValueError`` when one is below zero or not whole, or the sum is not an amount of one mint (2⁶⁴ or more).
    """
    given = balances if isinstance(balances, np.ndarray) else _array(balances)
    if given.dtype.kind not in "ui":
        raise ValueError(f"Balances are whole base units, these are {given.dtype}.")
    if len(given) and given.dtype.kind == "i" and given.min() < 0:
        raise ValueError("A balance below zero is no balance.")
    values: Array = given.astype(np.float64)
    total = float(values.sum())
    if total >= _EXACT:
        values = given.astype(np.uint64)
    values.sort()
    if len(values) and not values[0]:
        values = values[np.searchsorted(values, 1) :]
    return Ordered(values, int(total) if total < _EXACT else _sum(values))


def dust_below(circulating: Decimal | None) -> Decimal:
    """Return the amount, in the unit of ``circulating``, below which an owner is no holder; 0 while that is not known."""
    return (circulating or Decimal(0)) * DUST_BELOW_RATIO


def dust_limit(circulating: int | None) -> int:
    """Return the base units from which an owner is a holder: 1 while nobody knows what circulates."""
    return 1 if circulating is None else max(1, ceil(dust_below(Decimal(circulating))))


def judged_pct(*, held: int, circulating: int | None) -> Decimal:
    """Return how much of what circulates ``held`` is, percent rounded down: 0 while nobody knows what circulates, all of
    nothing where nothing does.

    Holders of more than circulates contradict it, by transfers or sales that we did not see: then it is the part that can be.
    """
    if circulating is None:
        return Decimal(0)
    less, more = sorted((held, circulating))
    return (100 * Decimal(less) / more).quantize(Decimal("0.0001"), ROUND_DOWN) if more else Decimal(100)


def measure(ordered: Ordered) -> Distribution:
    """Return all measures of balances in order."""
    many, total = len(ordered), ordered.total
    if not many:
        return Distribution(
            holders=0, total=0, gini=None, theil=None, shannon=None, hhi=None, top=dict.fromkeys(TOP, 0)
        )
    ranked, logs, squares = _sums(ordered.values)
    # Places count from 0 here: sum((2i - n - 1) x) = 2 sum(place x) - (n - 1) sum(x).
    gini = (2 * ranked / total - (many - 1)) / many
    entropy = log(total) - logs / total
    return Distribution(
        holders=many,
        total=total,
        gini=_rounded(gini, 0, 1),
        theil=_rounded(log(many) - entropy, 0, log(many)),
        shannon=_rounded(entropy / log(many) if many > 1 else 0, 0, 1),
        hhi=_rounded(10_000 * (squares / total / total), 0, 10_000),
        top={most: _sum(ordered.values[-most:]) for most in TOP},
    )


def lorenz(ordered: Ordered, *, points: int = 50) -> list[tuple[Decimal, Decimal]]:
    """Return the Lorenz curve from (0, 0) to (1, 1): parts of the holders, smallest first, and what they hold.

    At most ``points`` steps, fewer where there are fewer holders; none without a holder.
    """
    many = len(ordered)
    if not many:
        return []
    ends = sorted({many * step // points for step in range(1, points + 1)} - {0})
    curve, held, before = [(Decimal(0), Decimal(0))], 0, 0
    for end in ends:
        held, before = held + _sum(ordered.values[before:end]), end
        curve.append((_part(end, many), _part(held, ordered.total)))
    return curve


def sizes(ordered: Ordered, *, decimals: int) -> tuple[int, ...]:
    """Return how many holders have less than 100 whole tokens, less than 1,000, 10,000, 100,000, and more."""
    bounds = [limit * 10**decimals for limit in SIZES]
    below = [int(np.searchsorted(ordered.values, bound)) if bound < _U64 else len(ordered) for bound in bounds]
    edges = [0, *below, len(ordered)]
    return tuple(after - before for before, after in pairwise(edges))


def below(ordered: Ordered, *, limit: Decimal) -> int:
    """Return how many hold less than ``limit`` base units."""
    whole = ceil(limit)
    return len(ordered) if whole >= _U64 else int(np.searchsorted(ordered.values, max(0, whole)))


def mean(ordered: Ordered) -> Decimal | None:
    """Return the mean balance in base units, ``None`` without a holder."""
    return Decimal(ordered.total) / len(ordered) if len(ordered) else None


def median(ordered: Ordered) -> Decimal | None:
    """Return the middle balance in base units, ``None`` without a holder."""
    many = len(ordered)
    return Decimal(int(ordered.values[(many - 1) // 2]) + int(ordered.values[many // 2])) / 2 if many else None


def impact(*, hhi: Decimal, total: int, old: int, new: int) -> Decimal | None:
    """Return by how many points the HHI of balances moves when one of them goes from ``old`` to ``new``.

    ``hhi`` and ``total`` are of the balances before, ``old`` 0 for a new holder. ``None`` when nothing is left.
    """
    after = total - old + new
    if after <= 0:
        return None
    squares = hhi / 10_000 * total * total - old * old + new * new
    return (10_000 * squares / after / after - hhi).quantize(Decimal("0.0001"))


def _array(balances: Sequence[int]) -> Array:
    try:
        return np.array(balances, dtype=np.uint64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError("Balances are whole base units from 0 to 2⁶⁴ - 1.") from error


def _sums(values: Array) -> tuple[float, float, float]:
    """Return the sums of place times x, x ln x and x²."""
    ranked = logs = squares = 0.0
    scratch, natural = np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(values), _BLOCK):
        floats = values[start : start + _BLOCK]
        many = len(floats)
        if floats.dtype != np.float64:
            scratch[:many] = floats
            floats = scratch[:many]
        log_of = natural[:many]
        np.log(floats, out=log_of)
        ranked += start * float(floats @ _ONES[:many]) + float(floats @ _PLACES[:many])
        logs += float(floats @ log_of)
        squares += float(floats @ floats)
    return ranked, logs, squares


def _sum(values: Array) -> int:
    """Return the exact sum."""
    if values.dtype == np.float64:
        return int(values.sum())
    halves = np.ascontiguousarray(values, dtype="<u8").view("<u4")
    total = (int(halves[1::2].sum(dtype=np.uint64)) << 32) + int(halves[::2].sum(dtype=np.uint64))
    if total >= _U64:
        raise ValueError("These balances are more than one mint can have.")
    return total


def _part(part: int, whole: int) -> Decimal:
    return (Decimal(part) / whole).quantize(Decimal("0.000001"))


def _rounded(value: float, least: float, most: float) -> Decimal:
    """Return ``value`` to ten decimals, kept within what is possible: sums of floats may pass it by their last bit."""
    return Decimal(min(most, max(least, value))).quantize(Decimal("1E-10"))
