"""How far clocks may differ before one of them is wrong. Reads no clock."""

from datetime import timedelta

CLOCKS_DIFFER = timedelta(seconds=10)
"""So far ahead of ours the chain's or another host's clock may be; what is further ahead means that a clock is wrong."""


def is_clock_wrong(age: timedelta) -> bool:
    """Return whether something of the past that is ``age`` old tells that a clock is wrong: it lies ahead of now."""
    return age < -CLOCKS_DIFFER
