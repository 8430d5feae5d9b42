"""The newest rows of a hypertable by steps back in time: a query without bounds is planned for every chunk there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from megatron.core.timescale import policies

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


def has_chunks() -> bool:
    """Return whether this server plans a query chunk by chunk."""
    return policies.level(connection) != "none"


def newest(rows: QuerySet[Any], *, limit: int, lifetime: Lifetime, at: datetime | None = None) -> list[Any]:
    """Return the first ``limit`` of ``rows``, which are ordered by the lifetime's column first, the newest before.

    ``at`` is the newest time that they may have, where the caller has bounded them already. Without chunks it is one query.
    """
    if not has_chunks():
        return list(rows[:limit])
    found: list[Any] = []
    for start, end in lifetime.steps(at=at):
        bounds: dict[str, datetime] = {f"{lifetime.column}__gte": start} if start != _FIRST else {}
        if end != _LAST:
            bounds[f"{lifetime.column}__lt"] = end
        found += rows.filter(**bounds)[: limit - len(found)]
        if len(found) == limit:
            break
    return found
