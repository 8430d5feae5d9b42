"""How alive and how varied a token's holders are: velocity and organic score, both 0 to 1.

The figures come counted from the database; here they are weighed.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import log

AGE_DAYS = (7, 30, 90, 180)
"""Upper bounds of the first four buckets of wallet ages; the fifth is open."""
SIZE_PCT = (Decimal("0.01"), Decimal("0.1"), Decimal(1), Decimal(5))
"""Upper bounds of the first four buckets of balances, in percent of what circulates; the fifth is open."""
ALIKE_ABOVE = Decimal("0.10")
"""Part of the holders that has one whole number of tokens, from which that is suspicious."""
SILENT_ABOVE = Decimal("0.30")
"""Part of the holders without a known transaction, from which that is suspicious."""
RESTS_DAYS = 30
BUSY_TRANSACTIONS = 100


def entropy(buckets: Sequence[int]) -> float | None:
    """Return Shannon's entropy of ``buckets`` by its largest value, 0 (all in one) to 1; ``None`` when all are empty."""
    total = sum(buckets)
    if not total:
        return None
    shares = [count / total for count in buckets if count]
    return abs(sum(share * log(share) for share in shares)) / log(len(buckets))


def organic(
    *, ages: Sequence[int], sizes: Sequence[int], holders: int, alike: int, silent: int | None
) -> Decimal | None:
    """Return how organic a token's holders are; ``None`` while no age or no size is known.

    ``ages`` and ``sizes`` count the holders of each bucket; ``alike`` is how many whole balances are each shared by more
    than a tenth of the ``holders``, ``silent`` how many holders have no known transaction.
    """
    by_age, by_size = entropy(ages), entropy(sizes)
    if by_age is None or by_size is None:
        return None
    suspicion = 0.3 * alike + (0.4 if silent is not None and silent > SILENT_ABOVE * holders else 0.0)
    return _ratio(max(0.0, 0.5 * by_age + 0.5 * by_size - 0.3 * min(1.0, suspicion)))


def velocity(*, idle_days: float | None, transactions: int) -> float:
    """Return one holder's part: 0.7 for trading just now, fading over 30 days, and 0.3 for a hundred transactions."""
    if idle_days is None:
        return 0.0
    return 0.7 * max(0.0, 1 - idle_days / RESTS_DAYS) + 0.3 * min(1.0, transactions / BUSY_TRANSACTIONS)


def completeness(*, fetched: int, holders: int, enriched: int, sampled: int, has_trades: bool) -> Decimal:
    """Return how much of the data is there, in percent: 40 for the holders, 40 for the wallets, 20 for the trades."""
    parts = (_part(fetched, holders), _part(enriched, sampled), Decimal(int(has_trades)))
    weights = (Decimal("0.4"), Decimal("0.4"), Decimal("0.2"))
    return round(100 * sum((part * weight for part, weight in zip(parts, weights, strict=True)), Decimal(0)), 4)


def _part(some: int, whole: int) -> Decimal:
    return min(Decimal(1), Decimal(some) / whole) if whole else Decimal(0)


def _ratio(value: float) -> Decimal:
    return round(Decimal(repr(value)), 6)
