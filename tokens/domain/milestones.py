"""When a curve first sells a given part of its tokens."""

THRESHOLDS = (10, 15, 25, 50, 75, 90, 95, 100)
"""Percent of the tokens on sale. The seed queues a holder score at 10, 25, 50 and 75; the others are for people."""


def reached(real_token: int, initial_real_token: int) -> int:
    """Return how many of :data:`THRESHOLDS` a curve with ``real_token`` base units left has reached. Exact."""
    sold = (initial_real_token - real_token) * 100
    count = 0
    for threshold in THRESHOLDS:
        if sold < threshold * initial_real_token:
            break
        count += 1
    return count
