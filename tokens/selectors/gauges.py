"""What an operator's alarms watch: how far feeds lag, what waits, what is open."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min

from megatron.core.metrics import Gauge
from tokens.choices import CandleInterval
from tokens.models import CandleDue, OperatorAlert, SlotGap, TokenMetadata, TokenTraded, VenueState
from tokens.selectors import feeds, indexing, prices


def read(*, now: datetime) -> Iterator[Gauge]:
    """Yield all gauges of this room at ``now``."""
    yield from _feeds(now)
    yield from _comparison(now)
    yield from _candles(now)
    yield from _gaps(now)
    waiting = indexing.waiting_by_reason().items()
    yield Gauge("rejected_waiting", "Messages that wait", [({"reason": reason}, count) for reason, count in waiting])
    if noise := indexing.noise_by_reason():
        counts = [({"reason": reason}, count) for reason, count in noise.items()]
        yield Gauge("rejected_noise", "Messages of the last 30 days that nobody can make a row of", counts)
    documents = TokenMetadata.objects.filter(finished_at=None, quarantined_at=None).count()
    yield Gauge("metadata_waiting", "Documents that are still to be fetched", [({}, documents)])
    alerts = OperatorAlert.objects.filter(resolved_at=None).values_list("kind", "severity")
    opened = [
        ({"kind": kind, "severity": severity}, count) for kind, severity, count in alerts.annotate(count=Count("id"))
    ]
    yield Gauge("alerts_open", "What operators were told and is not over", opened)
    ages = [
        ({"source": sample.source}, (now - sample.price_time).total_seconds())
        for sample in prices.latest_by_source(until=now)
    ]
    yield Gauge("sol_usd_age_seconds", "Since the newest used price of SOL, by source", ages)


def _feeds(now: datetime) -> Iterator[Gauge]:
    lags = [lag for lag in indexing.lags(now=now) if lag.live]
    compared = dict(
        VenueState.objects.filter(settled_at__gte=now - feeds.COMPARED_WITHIN).values_list("venue", "settled_slot")
    )
    named = [({"source": lag.cursor.source, "venue": lag.cursor.venue}, lag) for lag in lags]
    behind = [
        (labels, 0.0 if lag.cursor.last_slot <= (compared.get(lag.cursor.venue) or 0) else lag.behind.total_seconds())
        for labels, lag in named
    ]
    yield Gauge("stream_lag_seconds", "Since the newest event of a live feed; 0 while its venue is quiet", behind)
    silent = [(labels, lag.silent.total_seconds()) for labels, lag in named]
    yield Gauge("stream_silent_seconds", "Since a feed's newest batch was stored", silent)


def _comparison(now: datetime) -> Iterator[Gauge]:
    unmoved = [
        ({"venue": watch.venue.value}, watch.unmoved.total_seconds())
        for watch in indexing.watches(now=now)
        if watch.unmoved is not None
    ]
    yield Gauge("chain_comparison_age_seconds", "Since the comparison of a watched venue last came further", unmoved)


def _candles(now: datetime) -> Iterator[Gauge]:
    waiting = {str(CandleInterval(due.interval).label): due for due in indexing.due_candles()}
    counts = [
        ({"interval": label}, float(waiting[label].count if label in waiting else 0)) for label in CandleInterval.labels
    ]
    yield Gauge("candles_due", "Candles that wait to be computed", counts)
    oldest = CandleDue.objects.filter(interval=CandleInterval.M1).aggregate(at=Min("marked_at"))["at"]
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield Gauge("candles_due_oldest_seconds", "Since the minute that waits longest was asked for", [({}, age)])
    yield Gauge(
        "tokens_traded", "Tokens that traded and are not scored since", [({}, float(TokenTraded.objects.count()))]
    )


def _gaps(now: datetime) -> Iterator[Gauge]:
    opened = SlotGap.objects.filter(finished_at=None).values_list("venue", "cause")
    rows = list(opened.annotate(count=Count("id"), since=Min("detected_at")))
    counts = [({"venue": venue, "cause": cause}, float(count)) for venue, cause, count, _ in rows]
    yield Gauge("gaps_open", "Stretches of slots that are missing", counts)
    oldest = max(((now - since).total_seconds() for *_, since in rows), default=0.0)
    yield Gauge("gap_oldest_seconds", "Since the gap that is open longest was found", [({}, oldest)])
