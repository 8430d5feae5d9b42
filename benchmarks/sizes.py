"""How much a benchmark does: as much as a figure needs, or just enough to see that it runs."""

import os

VARIABLE = "BENCH_SMOKE"
"""In the environment, so that the processes which a benchmark starts do as little as it does."""


def size(full: int, smoke: int) -> int:
    """Return ``full``, or ``smoke`` where nothing is measured (``python -m benchmarks --smoke``)."""
    return smoke if smoking() else full


def smoking() -> bool:
    """Return whether this run only shows that the benchmarks work."""
    return bool(os.environ.get(VARIABLE))
