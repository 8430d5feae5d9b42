"""How long time series are kept, in pure arithmetic."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Refresh:
    """How a continuous aggregate follows its table: rows younger than ``start_offset`` are aggregated again."""

    aggregate: str
    source: str
    start_offset: timedelta


REFRESHES = (
    Refresh("price_candles_1m_cagg", "transactions", timedelta(hours=2)),
    Refresh("sol_usd_candles_1m", "sol_usd_prices", timedelta(hours=2)),
)
"""The continuous aggregates of this room; a test holds them equal to the jobs in the database."""


def shortest_keep(table: str) -> timedelta:
    """Return the time that rows of ``table`` must at least be kept for (decision C5).

    A refresh that reaches back behind the drop would aggregate times whose rows are gone, and so empty the aggregate.
    """
    return max((refresh.start_offset for refresh in REFRESHES if refresh.source == table), default=timedelta(0))


def too_short(table: str, drop_after: timedelta | None) -> bool:
    """Return whether ``drop_after`` would drop rows that a refresh still reads. ``None`` keeps for ever."""
    return drop_after is not None and shortest_keep(table) >= drop_after > timedelta(0)


def next_drop(first_end: datetime | None, drop_after: timedelta | None) -> datetime | None:
    """Return when the oldest rows fall, whose chunk or own time ends at ``first_end``; ``None`` for never or no rows."""
    return None if first_end is None or drop_after is None else first_end + drop_after
