"""The only clock in the house. Doors read it; services are handed ``now``."""

from datetime import UTC, datetime, timedelta

CLOCKS_DIFFER = timedelta(seconds=10)
"""So far ahead of ours the chain's or another host's clock may be; what is further ahead means that a clock is wrong."""


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def is_wrong(age: timedelta) -> bool:
    """Return whether something of the past that is ``age`` old tells that a clock is wrong: it lies ahead of now."""
    return age < -CLOCKS_DIFFER
