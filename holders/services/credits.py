"""The accounts of calls to providers: written down about once a second by whoever makes them."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from holders.models import ApiCreditUsage
from megatron.clients.meter import Call

_ALIKE = attrgetter("provider", "endpoint", "kind", "second", "status_code", "failure")


class _Noted:
    """A call beside what makes it like another."""

    __slots__ = ("call", "endpoint", "failure", "kind", "provider", "second", "status_code")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.provider, self.endpoint, self.kind = call.provider[:50], call.endpoint[:100], call.kind[:50]
        self.second, self.status_code, self.failure = int(call.at.timestamp()), call.status or 0, call.error


def store(*, calls: Sequence[Call]) -> int:
    """Write ``calls`` down with one statement, those of one second that ended alike as one row; return the rows."""
    noted = sorted(map(_Noted, calls), key=_ALIKE)
    rows = [_row([one.call for one in alike]) for _, alike in groupby(noted, key=_ALIKE)]
    ApiCreditUsage.objects.bulk_create(rows)
    return len(rows)


def _row(calls: Sequence[Call]) -> ApiCreditUsage:
    first = calls[0]
    return ApiCreditUsage(
        timestamp=min(call.at for call in calls),
        api_provider=first.provider[:50],
        endpoint=first.endpoint[:100],
        calls=len(calls),
        credits_used=sum(call.credits for call in calls),
        response_time_ms=_mean(call.milliseconds for call in calls if call.milliseconds is not None),
        status_code=first.status,
        error_message=first.error or None,
        request_type=first.kind[:50] or None,
    )


def _mean(figures: Iterable[int]) -> int | None:
    known = list(figures)
    return round(sum(known) / len(known)) if known else None
