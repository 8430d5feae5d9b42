"""All measures of how 100,000 balances are spread, against a bare numpy sort of the same array."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.results import Result
from benchmarks.sizes import size
from holders.domain import concentration

HOLDERS = 100_000
ROUNDS = size(200, 2)


def run() -> Iterator[Result]:
    """Yield the time of Gini, Theil, Shannon, HHI and top-N over a heavy tail of balances in base units."""
    balances = (np.random.default_rng(1).pareto(1.1, HOLDERS) * 1e9).astype(np.uint64) + np.uint64(1)
    measure, sort = [], []
    for _ in range(ROUNDS):  # in turn, so that both have the machine at the same times
        sort.append(_ms(lambda: np.sort(balances)))
        measure.append(_ms(lambda: concentration.measure(concentration.order(balances))))
    value, baseline = min(measure), min(sort)
    yield Result("inequality_vs_sort", round(value, 3), "ms", round(baseline, 3), round(baseline / value, 3))


def _ms(work: Callable[[], Any]) -> float:
    started = perf_counter()
    work()
    return (perf_counter() - started) * 1e3
