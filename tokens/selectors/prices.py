"""SOL in USD: the newest samples, the price that held at a time (decision T8), and minutes of one source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Case, Max, Min, Value, When
from django.db.models.functions import TruncMinute

from tokens.choices import PriceOrigin
from tokens.domain.programs import WRAPPED_SOL
from tokens.models import PriceSourceState, QuoteUsdPrice, SolUsdPrice

FRESH = timedelta(seconds=120)
"""A sample older than this prices nothing (decision T8)."""


def holds(price_time: datetime, *, now: datetime) -> bool:
    """Return whether a price of that time is the price now: neither older than :data:`FRESH` nor of the future."""
    return timedelta() <= now - price_time <= FRESH


_BELIEF = Case(*(When(source=source, then=Value(place)) for place, source in enumerate(PriceOrigin.values)))


@dataclass(frozen=True, kw_only=True)
class SolUsdCandle:
    """One minute of one source, USD for one SOL. ``average`` weighs each sample alike."""

    bucket: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    average: Decimal
    sample_count: int


def latest_by_source(*, until: datetime) -> Sequence[SolUsdPrice]:
    """Return the newest sample of each source that has one, the most believed source first.

    Samples after ``until`` are left out: a price of the future prices nothing, and must not hide the one that holds.
    """
    known = SolUsdPrice.objects.filter(price_time__lte=until)
    newest = [known.filter(source=source).order_by("-price_time")[:1] for source in PriceOrigin.values]
    samples = list(newest[0].union(*newest[1:], all=True))
    return sorted(samples, key=lambda sample: PriceOrigin.values.index(sample.source))


def find_price(at: datetime) -> SolUsdPrice | None:
    """Return the sample that prices SOL at ``at``: the newest of the most believed source with a fresh one, else
    ``None``."""
    fresh = SolUsdPrice.objects.filter(price_time__gte=at - FRESH, price_time__lte=at)
    return fresh.order_by(_BELIEF, "-price_time").first()


def find_used(*, mint: str, since: datetime, until: datetime) -> SolUsdPrice | QuoteUsdPrice | None:
    """Return the newest sample of one whole ``mint`` in ``[since, until]``, of whatever source."""
    if mint == WRAPPED_SOL:
        return SolUsdPrice.objects.filter(price_time__range=(since, until)).order_by("-price_time").first()
    others = QuoteUsdPrice.objects.filter(quote_mint=mint, price_time__range=(since, until))
    return others.order_by("-price_time").first()


def find_span() -> tuple[datetime, datetime] | None:
    """Return the times of the oldest and the newest sample of any quote, or ``None`` when there is none."""
    spans = [
        model.objects.aggregate(first=Min("price_time"), last=Max("price_time"))
        for model in (SolUsdPrice, QuoteUsdPrice)
    ]
    known = [span for span in spans if span["first"] is not None]
    return (min(span["first"] for span in known), max(span["last"] for span in known)) if known else None


def source_states() -> Sequence[PriceSourceState]:
    """Return what each source's newest answer about each coin was worth: SOL first, then the most believed source."""
    states = PriceSourceState.objects.annotate(rank=_BELIEF, other=Case(When(mint=WRAPPED_SOL, then=0), default=1))
    return list(states.order_by("other", "mint", "rank"))


def find_newest_minute(*, source: str | None = None, until: datetime) -> datetime | None:
    """Return the start of the minute of the newest sample up to ``until``, of ``source`` or of any, or ``None`` when there
    is none."""
    times = [sample.price_time for sample in latest_by_source(until=until) if source in (None, sample.source)]
    return max(times).replace(second=0, microsecond=0) if times else None


def find_source(*, start: datetime, end: datetime) -> str | None:
    """Return the most believed source with a sample in ``[start, end)``, or ``None``."""
    window = SolUsdPrice.objects.filter(price_time__gte=start, price_time__lt=end)
    return window.order_by(_BELIEF).values_list("source", flat=True).first()


def candles_between(*, source: str, start: datetime, end: datetime, limit: int) -> Sequence[SolUsdCandle]:
    """Return the oldest ``limit`` minutes of ``source`` with a sample in ``[start, end)``, oldest first.

    They are computed from the samples: the view ``sol_usd_candles_1m`` holds the same, but a server without TimescaleDB
    cannot push a time window into it.
    """
    samples = SolUsdPrice.objects.filter(source=source, price_time__gte=start, price_time__lt=end)
    minutes = samples.annotate(bucket=TruncMinute("price_time", tzinfo=UTC)).values("bucket").order_by("bucket")
    grouped = minutes.annotate(prices=ArrayAgg("price_usd", order_by="price_time"))[:limit]
    return [_candle(minute["bucket"], minute["prices"]) for minute in grouped]


def _candle(bucket: datetime, prices: Sequence[Decimal]) -> SolUsdCandle:
    return SolUsdCandle(
        bucket=bucket,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        average=(sum(prices, Decimal(0)) / len(prices)).quantize(Decimal("0.000001")),
        sample_count=len(prices),
    )
