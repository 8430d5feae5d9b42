"""The rules of feeds: venues, gaps, sightings, tallies and forks, each broken with plain SQL; and that no cursor passes a gap."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests import breaking, factories, feeds
from tests.breaking import Build, Case
from tests.factories import NOON
from tokens.choices import GapCause, GapOutcome, Program
from tokens.models import ChainReorg, SlotGap, SourceTally, StreamCursor, StreamSighting, VenueState
from tokens.services import streams

pytestmark = pytest.mark.django_db


def _venue() -> VenueState:
    return feeds.venue(venue=list(Program)[VenueState.objects.count()])


def _held() -> VenueState:
    return feeds.venue(status="quarantined", quarantined_at=NOON, quarantine_reason="its events grew")


def _gap() -> SlotGap:
    return feeds.gap(slot_from=500 + SlotGap.objects.count())


def _running() -> SlotGap:
    return feeds.gap(source=f"feed {SlotGap.objects.count()}", slot_to=None, cause=GapCause.DISCONNECT)


def _break() -> SlotGap:
    return feeds.break_of(factories.address("curve"), slot_from=500 + SlotGap.objects.count())


def _ended() -> SlotGap:
    return feeds.ended_gap()


def _tally() -> SourceTally:
    return feeds.tally(source=f"feed {SourceTally.objects.count()}")


BROKEN: list[Case] = [
    ("venue_state_venue_known", _venue, {"venue": "elsewhere"}),
    ("venue_state_status_known", _venue, {"status": "asleep"}),
    ("venue_state_quarantined_with_reason", _venue, {"quarantined_at": NOON}),
    ("venue_state_quarantined_with_reason", _venue, {"quarantine_reason": "because"}),
    ("venue_state_quarantined_with_reason", _held, {"quarantined_at": None}),
    ("venue_state_quarantined_with_reason", _held, {"quarantine_reason": ""}),
    ("venue_state_settled_once_watched", _venue, {"watched_from_slot": None}),
    ("gap_venue_known", _gap, {"venue": "elsewhere"}),
    ("gap_cause_known", _gap, {"cause": "bad luck"}),
    ("gap_runs_forward", _gap, {"slot_to": 499}),
    ("gap_names_a_pool_when_reserves_tell", _gap, {"pool_address": factories.address("curve")}),
    ("gap_names_a_pool_when_reserves_tell", _break, {"pool_address": None}),
    ("gap_ends_with_an_outcome", _gap, {"finished_at": NOON}),
    ("gap_ends_with_an_outcome", _running, {"finished_at": NOON, "outcome": "healed"}),
    ("gap_found_not_negative", _gap, {"transactions_found": -1}),
    ("slotgap_finished_or_quarantined", _ended, {"quarantined_at": NOON, "last_error": "stuck"}),
    ("slotgap_leased_only_while_open", _ended, {"leased_until": NOON}),
    ("slotgap_quarantined_with_reason", _gap, {"quarantined_at": NOON}),
    ("tally_venue_known", _tally, {"venue": "elsewhere"}),
]
"""Every named rule of one row."""

FIELDS: list[Case] = [
    case
    for build, model in (
        (_venue, VenueState),
        (_break, SlotGap),
        (feeds.sighting, StreamSighting),
        (_tally, SourceTally),
    )
    for case in breaking.field_cases(build, model)
]
"""What the types of the fields refuse."""

TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "venue_state_once": (_venue, ("venue",)),
    "gap_one_running_a_source_and_venue": (_running, ("source", "venue")),
    "gap_once_a_break": (_break, ("pool_address", "slot_from", "slot_to")),
    "sighting_once": (feeds.sighting, ("venue", "signature", "slot")),
    "tally_once_an_hour": (_tally, ("source", "venue", "hour")),
}
"""What no two rows may share."""

IMPLIED = {"venue_state_status_known": "venue_state_quarantined_with_reason"}
"""Rules that another one, which PostgreSQL checks first, makes narrower."""

FORKS: dict[str, dict[str, object]] = {
    "reorg_venue_known": {"venue": "elsewhere"},
    "reorg_runs_forward": {"slot_to": 699},
}
"""Rules of a table that takes no UPDATE: what a new row must not have."""


@pytest.mark.parametrize(
    ("name", "build", "change"), BROKEN, ids=[f"{name}-{next(iter(change))}" for name, _, change in BROKEN]
)
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == IMPLIED.get(name, name)


@pytest.mark.parametrize(("name", "build", "change"), FIELDS, ids=[name for name, _, _ in FIELDS])
def test_a_value_out_of_its_range_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Addresses, signatures and counts refuse what their type rules out."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """No two rows say the same thing; of gaps, no two that run or that are open."""
    assert breaking.refusal_of_second(*TWINS[name]) == name


@pytest.mark.parametrize("name", FORKS)
def test_a_fork_that_cannot_be_is_refused(name: str) -> None:
    """Each rule refuses, by its own name, the new row that breaks only it."""
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        feeds.reorg(**FORKS[name])
    assert breaking.name_in(refused.value) == name


def test_a_fork_is_never_edited_or_removed() -> None:
    """That a fork was dropped stays on file."""
    row = feeds.reorg()
    for change in (lambda: ChainReorg.objects.filter(pk=row.pk).update(moved=0), row.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert ChainReorg.objects.get().moved == 1


# -- no cursor passes a gap


def verified() -> int | None:
    """Return how far the only cursor is verified."""
    return StreamCursor.objects.values_list("verified_slot", flat=True).get()


def move(slot: int) -> None:
    """Move the only cursor's verified slot."""
    StreamCursor.objects.update(verified_slot=slot)


@pytest.mark.parametrize("source", ["", "solana-logs"])
def test_a_cursor_stops_at_a_gap(source: str) -> None:
    """Up to the slot before an open gap of all feeds, or of its own, a cursor may go, and no further."""
    feeds.cursor(verified_slot=400)
    feeds.gap(source=source)
    move(499)
    with pytest.raises(IntegrityError, match="solana-logs pumpfun would pass a gap") as refused, transaction.atomic():
        move(500)
    assert breaking.name_in(refused.value) == "cursor_stops_at_a_gap"
    assert verified() == 499


def test_a_new_cursor_does_not_begin_behind_a_gap() -> None:
    """A cursor cannot be born where it could not go."""
    feeds.gap()
    with pytest.raises(IntegrityError, match="would pass a gap"), transaction.atomic():
        feeds.cursor(verified_slot=600)
    assert StreamCursor.objects.count() == 0


def test_what_does_not_stop_a_cursor() -> None:
    """Gaps of another feed or venue, gaps that ended well or were accepted, and feeds that nobody compares."""
    feeds.cursor(verified_slot=400)
    feeds.gap(source="helius")
    feeds.gap(venue=Program.PUMPSWAP)
    feeds.ended_gap()
    feeds.ended_gap(GapOutcome.ACCEPTED)
    move(2_000)
    assert verified() == 2_000
    StreamCursor.objects.update(verified_slot=None)
    feeds.gap()
    StreamCursor.objects.update(last_slot=420_000_001)
    assert verified() is None


@pytest.mark.parametrize(("source", "kept"), [("", 499), ("solana-logs", 499), ("helius", 2_000)])
def test_a_gap_pulls_its_cursors_back(source: str, kept: int) -> None:
    """A gap that is found behind a cursor moves it before the gap: all feeds of the venue, or the one it names."""
    feeds.cursor(verified_slot=2_000)
    feeds.gap(source=source)
    assert verified() == kept


def test_a_gap_that_grows_or_opens_again_pulls_back_too() -> None:
    """Beginning earlier, and being open again, count like being found."""
    feeds.cursor(verified_slot=400)
    row = feeds.gap()
    move(499)
    SlotGap.objects.filter(pk=row.pk).update(slot_from=450)
    assert verified() == 449
    SlotGap.objects.filter(pk=row.pk).update(finished_at=NOON, outcome=GapOutcome.HEALED)
    move(2_000)
    SlotGap.objects.filter(pk=row.pk).update(finished_at=None)
    assert verified() == 449


def _elsewhere(step: Callable[[], object], told: list[str]) -> threading.Thread:
    """Run ``step`` in a transaction of another connection; ``told`` gets ``done`` or the name of the rule that refused."""

    def run() -> None:
        try:
            with transaction.atomic():
                step()
            told.append("done")
        except IntegrityError as error:
            told.append(breaking.name_in(error))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _waits_for_a_lock(sql: Callable[..., list[tuple[Any, ...]]]) -> bool:
    """Return whether, within five seconds, another connection is seen to wait."""
    for _ in range(100):
        # Unlike pg_stat_activity, this is not the same all through a transaction.
        if sql(
            "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
        ):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.django_db(transaction=True)
def test_a_gap_that_is_found_while_a_cursor_moves_waits_and_pulls_it_back(
    sql: Callable[..., list[tuple[Any, ...]]],
) -> None:
    """The gap's writer waits for the cursor's and then sees how far it went."""
    feeds.cursor(verified_slot=400)
    told: list[str] = []
    with transaction.atomic():
        move(2_000)
        rival = _elsewhere(feeds.gap, told)
        assert _waits_for_a_lock(sql)
    rival.join(timeout=10)
    assert (told, verified()) == (["done"], 499)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("before", "after"), [(1_000, 499), (400, 400)])
def test_a_cursor_that_moves_while_a_gap_is_found_is_refused(
    sql: Callable[..., list[tuple[Any, ...]]], before: int, after: int
) -> None:
    """The cursor's writer waits for the gap's, whether that pulled it back or only stands in its way, and may not pass."""
    feeds.cursor(verified_slot=before)
    told: list[str] = []
    with transaction.atomic():
        feeds.gap()
        rival = _elsewhere(lambda: move(2_000), told)
        assert _waits_for_a_lock(sql)
    rival.join(timeout=10)
    assert (told, verified()) == (["cursor_stops_at_a_gap"], after)


@pytest.mark.parametrize(("slot", "begins"), [(600, 499), (400, 399)])
def test_a_feed_that_begins_behind_an_open_gap_is_verified_up_to_the_gap(slot: int, begins: int) -> None:
    """A second feed may be added while the venue still heals: its cursor begins before the gap, or before its first slot."""
    feeds.gap()
    told = streams.Progress("helius", Program.PUMPFUN, slot, slot + 5, NOON, factories.signature("newest"))
    streams.moved(progress=[told], now=NOON)
    assert verified() == begins
    StreamCursor.objects.update(verified_slot=None)
    streams.moved(progress=[told], now=NOON)
    assert verified() == begins
