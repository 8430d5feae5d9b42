"""What live feeds brought beside each other: who is there, who was first, who missed something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet, Sum, TextChoices

from tokens.choices import GapCause, ProcessKind, Program
from tokens.models import ChainReorg, SlotGap, SourceTally, SystemMetric
from tokens.selectors.indexing import Lag, Watch

HOUR = timedelta(hours=1)
SILENT = timedelta(minutes=1)
"""A feed that brought nothing for so long is called silent: launchpads are never quiet for a minute."""

COMPARED_WITHIN = timedelta(minutes=1)
"""A venue that was compared with the finalized chain so lately, beyond a feed's newest slot, is quiet and not behind."""

_SUMS = ("frames", "bytes", "transactions", "first", "missed", "lead_ms", "disconnects")


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one source brought of one venue in some hours, beside the others.

    ``first_pct`` is of all transactions that any source brought, ``missed_pct`` of those it should have brought;
    ``lead_ms`` how far ahead it was on average where it was first. ``None`` where there is nothing to divide by.
    """

    venue: Program
    source: str
    frames: int
    bytes: int
    transactions: int
    first: int
    missed: int
    disconnects: int
    first_pct: Decimal | None
    missed_pct: Decimal | None
    lead_ms: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One live source of one venue. ``lag`` is ``None`` for one without a cursor, which nobody compares with the chain;
    ``away_since`` is set while it is away; ``frames_per_second`` is over the last hour."""

    venue: Program
    source: str
    lag: Lag | None
    away_since: datetime | None
    frames_per_second: Decimal
    day: Share | None

    @property
    def state(self) -> str:
        """Return ``away``, ``silent``, ``behind``, ``clock`` for one whose newest event lies ahead of now, ``open``, or
        ``unknown`` where no cursor tells."""
        if self.away_since is not None:
            return "away"
        if self.lag is None:
            return "unknown"
        if self.lag.has_wrong_clock:
            return "clock"
        if self.lag.silent > SILENT:
            return "silent"
        return "behind" if self.lag.behind > SILENT else "open"


class Liveness(TextChoices):
    """How a program's live feeds are, taken together: the one that came furthest speaks for them."""

    NOT_WATCHED = "not_watched", "Not watched"  # no live feed ever brought something; captures are no feed
    AWAY = "away", "Away"
    CLOCK_WRONG = "clock_wrong", "Clock is wrong"
    SILENT = "silent", "Silent"
    BEHIND = "behind", "Behind"
    QUIET = "quiet", "Quiet"  # nothing newer to bring: the chain was just compared beyond the newest event
    LIVE = "live", "Live"


PROVEN = frozenset({Liveness.QUIET, Liveness.LIVE})
"""What was proven a moment ago; nothing else is shown as good."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the live feeds of one program are; ``behind`` is of the one that came furthest, ``None`` without any."""

    venue: Program
    liveness: Liveness
    behind: timedelta | None
    silent: timedelta | None

    @property
    def is_proven(self) -> bool:
        return self.liveness in PROVEN


def standings(*, lags: Sequence[Lag], watches: Sequence[Watch]) -> Sequence[Standing]:
    """Return how the live feeds of each program among ``watches`` are, in that order."""
    live: dict[str, list[Lag]] = {}
    for lag in lags:
        if lag.live:
            live.setdefault(lag.cursor.venue, []).append(lag)
    away = running()
    return [_standing(watch, live.get(watch.venue.value, []), away) for watch in watches]


def _standing(watch: Watch, lags: Sequence[Lag], away: Mapping[tuple[str, str], datetime]) -> Standing:
    if not lags:
        return Standing(venue=watch.venue, liveness=Liveness.NOT_WATCHED, behind=None, silent=None)
    here = [lag for lag in lags if (lag.cursor.venue, lag.cursor.source) not in away]
    best = min(here or lags, key=lambda lag: lag.behind)
    if any(lag.has_wrong_clock for lag in lags):
        liveness = Liveness.CLOCK_WRONG
    elif not here:
        liveness = Liveness.AWAY
    elif best.behind <= SILENT:
        liveness = Liveness.LIVE
    elif _is_quiet(watch, best):
        liveness = Liveness.QUIET
    else:
        liveness = Liveness.SILENT if best.silent > SILENT else Liveness.BEHIND
    return Standing(venue=watch.venue, liveness=liveness, behind=best.behind, silent=best.silent)


def _is_quiet(watch: Watch, best: Lag) -> bool:
    """Say whether the chain was just compared beyond what the feed brought, so that there was nothing newer to bring."""
    settled = watch.state.settled_slot if watch.state is not None else None
    just = watch.unmoved is not None and timedelta() <= watch.unmoved <= COMPARED_WITHIN
    return just and settled is not None and settled >= best.cursor.last_slot


def shares(*, since: datetime, until: datetime) -> Sequence[Share]:
    """Return who brought what in the hours that start in ``[since, until)``, by venue, who was first most often first."""
    rows = SourceTally.objects.filter(hour__gte=since, hour__lt=until).values("venue", "source")
    sums = {f"sum_{name}": Sum(name) for name in _SUMS}
    summed = [dict[str, Any](row) for row in rows.annotate(**sums).order_by("venue", "source")]
    whole: dict[str, int] = {}
    for row in summed:
        whole[row["venue"]] = whole.get(row["venue"], 0) + row["sum_first"]
    found = [
        Share(
            venue=Program(row["venue"]),
            source=row["source"],
            frames=row["sum_frames"],
            bytes=row["sum_bytes"],
            transactions=row["sum_transactions"],
            first=row["sum_first"],
            missed=row["sum_missed"],
            disconnects=row["sum_disconnects"],
            first_pct=_share(100 * row["sum_first"], whole[row["venue"]]),
            missed_pct=_share(100 * row["sum_missed"], row["sum_transactions"] + row["sum_missed"]),
            lead_ms=_share(row["sum_lead_ms"], row["sum_first"]),
        )
        for row in summed
    ]
    order = list(Program)
    return sorted(found, key=lambda one: (order.index(one.venue), -one.first, one.source))


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.01")) if whole else None


def tallies(*, venue: str | None = None, source: str | None = None) -> QuerySet[SourceTally]:
    """Return the hours of sources that fit, unordered."""
    wanted = {"venue": venue, "source": source}
    return SourceTally.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


def feeds(*, lags: Sequence[Lag], now: datetime) -> Sequence[Feed]:
    """Return the live ones of ``lags``, and sources without a cursor that brought something in a day, by venue."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = {(one.venue, one.source): one for one in shares(since=hour - 23 * HOUR, until=hour + HOUR)}
    recent: dict[tuple[str, str], dict[datetime, int]] = {}
    for venue, source, at, frames in SourceTally.objects.filter(hour__gte=hour - HOUR).values_list(
        "venue", "source", "hour", "frames"
    ):
        recent.setdefault((venue, source), {})[at] = frames
    away = running()
    live = {(Program(lag.cursor.venue), lag.cursor.source): lag for lag in lags if lag.live}
    order = list(Program)
    return [
        Feed(
            venue=venue,
            source=source,
            lag=live.get((venue, source)),
            away_since=away.get((venue, source)),
            frames_per_second=_rate(recent.get((venue, source), {}), hour, now),
            day=day.get((venue, source)),
        )
        for venue, source in sorted({*live, *day}, key=lambda key: (order.index(key[0]), key[1]))
    ]


def running() -> Mapping[tuple[str, str], datetime]:
    """Return the feeds that are away now, as (venue, source), each with since when."""
    rows = SlotGap.objects.filter(slot_to=None, finished_at=None).values_list("venue", "source", "detected_at")
    return {(venue, source): at for venue, source, at in rows}


def _rate(frames: Mapping[datetime, int], hour: datetime, now: datetime) -> Decimal:
    """Return frames a second over the last hour: this hour's, and of the one before the part that is not over yet."""
    left = Decimal(1) - Decimal((now - hour) // timedelta(seconds=1)) / 3600
    counted = frames.get(hour, 0) + left * frames.get(hour - HOUR, 0)
    return (counted / 3600).quantize(Decimal("0.1"))


def frames_by_hour(*, since: datetime, until: datetime) -> Mapping[str, Mapping[datetime, int]]:
    """Return the frames of each source, all venues together, of the hours that start in ``[since, until)``."""
    rows = SourceTally.objects.filter(hour__gte=since, hour__lt=until).values_list("source", "hour")
    found: dict[str, dict[datetime, int]] = {}
    for source, hour, frames in rows.annotate(sum=Sum("frames")).order_by("source", "hour"):
        found.setdefault(source, {})[hour] = frames
    return found


@dataclass(frozen=True, kw_only=True)
class Minute:
    """How a venue's monitor did in one minute: from a frame's arrival to its commit (99th percentile), and how old the
    newest event was."""

    at: datetime
    latency_ms: Decimal | None
    behind_seconds: Decimal | None


def minutes(*, since: datetime, until: datetime) -> Mapping[str, Sequence[Minute]]:
    """Return the minutes of each venue's monitors in ``[since, until)``, oldest first."""
    rows = SystemMetric.objects.filter(
        metric_time__gte=since, metric_time__lt=until, metric_type=ProcessKind.MONITOR
    ).order_by("metric_time")
    found: dict[str, dict[datetime, Minute]] = {}
    for at, latency, told in rows.values_list("metric_time", "p99_processing_latency_ms", "metric_data"):
        venue, behind = (told or {}).get("venue"), (told or {}).get("behind_seconds")
        if venue:
            behind = None if behind is None else Decimal(str(behind))
            found.setdefault(venue, {})[at] = Minute(at=at, latency_ms=latency, behind_seconds=behind)
    return {venue: list(by_time.values()) for venue, by_time in sorted(found.items())}


def open_gaps_by_venue(*, found_before: datetime) -> Mapping[str, int]:
    """Return how many gaps that have ended are open since before ``found_before``, by venue, venues without any left out."""
    old = SlotGap.objects.filter(finished_at=None, slot_to__isnull=False, detected_at__lt=found_before)
    return dict(old.values_list("venue").annotate(count=Count("id")).order_by("venue"))


def reorgs(*, venue: str | None = None, since: datetime | None = None) -> QuerySet[ChainReorg]:
    """Return the forks that fit, unordered."""
    found = ChainReorg.objects.all() if venue is None else ChainReorg.objects.filter(venue=venue)
    return found if since is None else found.filter(detected_at__gte=since)


def gaps(*, venue: str | None = None, cause: str | None = None, is_open: bool | None = None) -> QuerySet[SlotGap]:
    """Return the gaps that fit, unordered."""
    wanted = {"venue": venue, "cause": cause, "finished_at__isnull": is_open}
    return SlotGap.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


def find_asked(*, venue: Program, slot_from: int, slot_to: int) -> SlotGap | None:
    """Return the open gap by which an operator asked for exactly these slots, or ``None``."""
    asked = SlotGap.objects.filter(venue=venue, cause=GapCause.OPERATOR, slot_from=slot_from, slot_to=slot_to)
    return asked.filter(finished_at=None).order_by("detected_at").first()
