"""Which of many holders are looked at: the largest, the smallest and some of those between."""

from collections.abc import Sequence
from hashlib import sha256

LARGEST_TENTHS, SMALLEST_TENTHS = 4, 1
"""Tenths of a sample; the rest is drawn from those between."""


def sample(owners: Sequence[str], *, size: int, seed: str) -> tuple[str, ...]:
    """Return ``size`` of ``owners`` (the largest first), in their order: 40 % the largest, 10 % the smallest, the rest drawn.

    The draw follows from ``seed`` and the owners alone, so that it can be made again; all owners when there are no more.
    """
    if len(owners) <= size:
        return tuple(owners)
    largest, smallest = size * LARGEST_TENTHS // 10, size * SMALLEST_TENTHS // 10
    between = owners[largest : len(owners) - smallest]
    drawn = set(sorted(between, key=lambda owner: _lot(seed, owner))[: size - largest - smallest])
    return (
        *owners[:largest],
        *(owner for owner in between if owner in drawn),
        *owners[len(owners) - smallest :],
    )


def _lot(seed: str, owner: str) -> bytes:
    return sha256(f"{seed}/{owner}".encode()).digest()
