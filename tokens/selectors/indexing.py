"""How far the chain has been read, and what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min

from megatron.core import skew
from tokens.choices import CandleInterval, Program, RejectionStatus, VenueStatus
from tokens.models import CandleDue, Pool, RejectedMessage, SlotGap, StreamCursor, VenueState

SYNCED_WITHIN = timedelta(seconds=30)
"""A source whose newest event is older than this is behind (an alarm should ring by then)."""
STALLED_AFTER = timedelta(minutes=5)
"""A watched venue whose comparison with the chain did not come further for so long has stalled: it is due each minute."""
_LAGGING_SLOTS = 750
"""Five minutes of slots, at 0.4 seconds a slot."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far one source has been read for one venue. ``behind`` is since the block time of its newest event,
    ``silent`` since its newest batch was stored."""

    cursor: StreamCursor
    behind: timedelta
    silent: timedelta

    @property
    def live(self) -> bool:
        """Whether it is a feed that has to keep up: replays, repairs and answers of the chain are as old as they are."""
        return self.cursor.verified_slot is not None

    @property
    def synced(self) -> bool | None:
        """Whether a live feed is near enough to now, by a clock that can be right; ``None`` for what need not be."""
        return self.behind <= SYNCED_WITHIN and not self.has_wrong_clock if self.live else None

    @property
    def has_wrong_clock(self) -> bool:
        """Whether its newest event lies ahead of now: the chain's clock is not, so ours or the event is wrong."""
        return skew.is_clock_wrong(self.behind)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How far one venue is compared with the finalized chain; ``state`` is ``None`` for one that nobody ever watched.

    ``behind`` is since the chain's time of the newest compared slot, ``behind_slots`` to the newest slot of a live feed.
    ``open_gaps`` are all that have not ended well; ``oldest_gap_at`` is when the oldest of them was found.
    ``unmoved`` is since the comparison came further, ``None`` where it need not: nobody watches, or it is quarantined.
    """

    venue: Program
    state: VenueState | None
    behind: timedelta | None
    behind_slots: int | None
    open_gaps: int
    oldest_gap_at: datetime | None
    unmoved: timedelta | None

    @property
    def watched(self) -> bool:
        """Whether the venue is to be compared with the chain: a live feed brought something of it once."""
        return self.state is not None and self.state.settled_slot is not None

    @property
    def is_stalled(self) -> bool | None:
        """Whether the comparison comes no further, whatever the cause; ``None`` where it need not."""
        return None if self.unmoved is None else self.unmoved > STALLED_AFTER

    @property
    def is_lagging(self) -> bool | None:
        """Whether the comparison comes further and stays minutes behind the feeds; ``None`` where it need not, or
        stands."""
        if self.unmoved is None or self.is_stalled:
            return None
        late = self.behind is not None and self.behind > STALLED_AFTER
        return late and self.behind_slots is not None and self.behind_slots > _LAGGING_SLOTS

    @property
    def uncompared(self) -> timedelta | None:
        """Return for how long a missing trade may be unknown; ``None`` where nothing is compared.

        Behind the feeds it is since the chain's time of the settled slot; where the feeds have brought nothing newer,
        since the comparison came further.
        """
        return self.unmoved if self.behind is None or self.behind_slots == 0 else self.behind

    @property
    def quarantined(self) -> bool:
        return self.state is not None and self.state.status == VenueStatus.QUARANTINED


@dataclass(frozen=True, kw_only=True)
class DueCandles:
    """Candles of one interval (seconds) that wait to be computed again."""

    interval: int
    count: int
    oldest_marked_at: datetime

    @property
    def label(self) -> str:
        return str(CandleInterval(self.interval).label)


def lags(*, now: datetime) -> Sequence[Lag]:
    """Return every source and venue, the furthest behind first."""
    cursors = StreamCursor.objects.order_by("last_block_time", "source", "venue")
    return [Lag(cursor=it, behind=now - it.last_block_time, silent=now - it.observed_at) for it in cursors]


def synced(lags: Sequence[Lag]) -> bool | None:
    """Return whether every live feed keeps up; ``None`` without one."""
    answers = [lag.synced for lag in lags if lag.live]
    return all(answers) if answers else None


def watches(*, now: datetime) -> Sequence[Watch]:
    """Return every venue, in the order of :class:`Program`."""
    states = {state.venue: state for state in VenueState.objects.all()}
    counted = SlotGap.objects.filter(finished_at=None).values_list("venue")
    gaps = {venue: (count, at) for venue, count, at in counted.annotate(count=Count("id"), at=Min("detected_at"))}
    live = StreamCursor.objects.filter(verified_slot__isnull=False).values_list("venue")
    heads = dict(live.annotate(head=Max("last_slot")).order_by("venue"))
    return [_watch(venue, states.get(venue.value), heads.get(venue.value), *gaps.get(venue.value, (0, None)), now)
            for venue in Program]  # fmt: skip


def _watch(
    venue: Program, state: VenueState | None, head: int | None, gaps: int, oldest: datetime | None, now: datetime
) -> Watch:
    settled = None if state is None else state.settled_slot
    at = None if state is None else state.settled_block_time
    return Watch(
        venue=venue,
        state=state,
        behind=None if at is None else now - at,
        behind_slots=None if settled is None or head is None else max(0, head - settled),
        open_gaps=gaps,
        oldest_gap_at=oldest,
        unmoved=_unmoved(state, now),
    )


def _unmoved(state: VenueState | None, now: datetime) -> timedelta | None:
    if state is None or state.settled_slot is None or state.status != VenueStatus.LIVE:
        return None
    return now - compared_since(state)


def compared_since(state: VenueState) -> datetime:
    """Return when the comparison of a watched venue last came further, or when the watch began."""
    return state.advanced_at or state.settled_at or state.settled_block_time or state.created_at


def waiting_by_reason() -> Mapping[str, int]:
    """Return how many rejected messages wait, by reason, reasons without any left out."""
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING)
    return dict(waiting.values_list("reason").annotate(Count("id")).order_by("reason"))


def noise_by_reason() -> Mapping[str, int]:
    """Return how many messages are kept as noise, by reason; they wait for nobody."""
    noise = RejectedMessage.objects.filter(status=RejectionStatus.NOISE)
    return dict(noise.values_list("reason").annotate(Count("id")).order_by("reason"))


def due_candles() -> Sequence[DueCandles]:
    """Return what candles wait, shortest interval first, intervals without any left out."""
    grouped = CandleDue.objects.values("interval").annotate(count=Count("id"), oldest_marked_at=Min("marked_at"))
    return [DueCandles(**group) for group in grouped.order_by("interval")]


def newest_event_at() -> datetime | None:
    """Return the block time of the newest event of any pool, or ``None`` when nothing was stored yet."""
    newest: datetime | None = Pool.objects.aggregate(newest=Max("last_trade_at"))["newest"]
    return newest
