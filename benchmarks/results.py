"""What a benchmark reports."""

from typing import NamedTuple


class Result(NamedTuple):
    """One figure beside its baseline. ``ratio`` is value over baseline where more is better, baseline over value where
    less is."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
