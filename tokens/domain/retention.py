"""How long time series are kept, in pure arithmetic."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

FAILED = "failed: "
"""How the outcome of a policy begins that could not be obeyed."""


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


def compression_problems(*, segment_by: str, order_by: str, columns: Collection[str], time: str) -> dict[str, str]:
    """Return what is wrong with the columns that a compressed batch shares and is ordered by, by field; empty when nothing is.

    ``columns`` are those of the table, ``time`` is the one that it is cut by.
    """
    problems: dict[str, str] = {}
    segments = [part.split(" ")[0] for part in segment_by.split(", ") if part]
    orders = [part.split(" ")[0] for part in order_by.split(", ") if part]
    for field, names in (("segment_by", segments), ("order_by", orders)):
        if unknown := [name for name in names if name not in columns]:
            problems[field] = f"The table has no column {', '.join(unknown)}."
        elif len(set(names)) < len(names):
            problems[field] = "A column stands there twice."
    if " " in segment_by.replace(", ", ""):
        problems["segment_by"] = "Columns alone, without ASC or DESC."
    elif time and time in segments:
        problems["segment_by"] = f"{time} is the time that the table is cut by: it can only be ordered by."
    if both := sorted(set(segments) & set(orders)):
        problems.setdefault("order_by", f"A batch shares {', '.join(both)} already: it cannot be ordered by that too.")
    if orders and time and time not in orders:
        problems.setdefault("order_by", f"{time} must be among the columns: rows are looked for by it.")
    return problems
