"""The newest rows of a hypertable by steps back in time: a query without bounds is planned for every chunk there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from megatron.core.timescale.bounds import has_chunks

_DAYS = (1, 7, 30)
_SLACK = timedelta(days=1)
"""How far what is known of the first and the last row may be from the truth, with much to spare."""
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Between which times of ``column`` rows can be: after the first that is known, before the last; ``None``: not known."""

    column: str
    first: datetime | None = None
    last: datetime | None = None

    def steps(self, *, at: datetime | None = None) -> Iterator[tuple[datetime, datetime]]:
        """Yield half-open stretches of time that together hold all rows up to ``at`` (or the last), the newest first, ever
        longer."""
        begin = _FIRST if self.first is None else self.first - _SLACK
        end = _LAST if self.last is None else self.last + _SLACK
        start = end if self.last is None else self.last
        if at is not None and at < start:
            start, end = at, min(end, at + _SLACK)
        for days in _DAYS:
            if start == _LAST or start - begin <= timedelta(days=days):
                break
            start -= timedelta(days=days)
            yield start, end
            end = start
        if begin < end:
            yield begin, end


def within(rows: QuerySet[Any], lifetime: Lifetime) -> QuerySet[Any]:
    """Return ``rows`` with constant bounds on their time, so that only the chunks of the ``lifetime`` are planned; as they are
    on a server without chunks."""
    if not has_chunks():
        return rows
    steps = list(lifetime.steps())
    return _between(rows, lifetime.column, steps[-1][0], steps[0][1]) if steps else rows.none()


def _between(rows: QuerySet[Any], column: str, start: datetime, end: datetime) -> QuerySet[Any]:
    bounds: dict[str, datetime] = {f"{column}__gte": start} if start != _FIRST else {}
    if end != _LAST:
        bounds[f"{column}__lt"] = end
    return rows.filter(**bounds)


def newest(rows: QuerySet[Any], *, limit: int, lifetime: Lifetime, at: datetime | None = None) -> list[Any]:
    """Return the first ``limit`` of ``rows``, which are ordered by the lifetime's column first, the newest before.

    ``at`` is the newest time that they may have, where the caller has bounded them already. Without chunks it is one query.
    """
    if not has_chunks():
        return list(rows[:limit])
    found: list[Any] = []
    for start, end in lifetime.steps(at=at):
        found += _between(rows, lifetime.column, start, end)[: limit - len(found)]
        if len(found) == limit:
            break
    return found
