"""Gaps are opened as soon as they are known, healed from the chain, and passed only when they are."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from megatron.clients.ports import Lost, Opened
from megatron.core.models import AuditEntry
from tests.cluster.node import RpcError
from tests.tokens.services.live import VENUE, Feed, World, trades, world
from tokens.choices import AlertKind, Commitment, GapCause, GapOutcome, Program
from tokens.models import OperatorAlert, SlotGap, StreamCursor, Transaction, VenueState
from tokens.services import backfill, finality, gaps

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small() -> World:
    return world()


def cursor() -> StreamCursor:
    return StreamCursor.objects.get(source="solana-logs", venue=VENUE)


def test_a_feed_that_goes_away_and_returns_leaves_one_gap(small: World) -> None:
    """The gap begins with the last slot that came, which may not have been whole, and ends with the first that comes again."""
    said = small.landings()
    first, second = said[:50], said[80:]
    small.follow(Feed([*first, Lost(small.now, "cut"), Opened(small.now), *second], at=small.now))
    closed, running = SlotGap.objects.order_by("slot_from")
    assert (closed.cause, closed.slot_from, closed.slot_to) == (GapCause.DISCONNECT, first[-1].slot, second[0].slot)
    assert (running.slot_from, running.slot_to) == (second[-1].slot, None)


def test_a_monitor_that_was_killed_begins_its_gap_at_the_cursor(small: World) -> None:
    """A monitor that comes back asks for everything between its cursor and the first slot that it hears."""
    said = small.landings()
    small.follow(Feed(said[:50], at=small.now))
    SlotGap.objects.all().delete()  # a killed one could not write that it was going
    small.follow(Feed(said[90:], at=small.now))
    gap = SlotGap.objects.get(cause=GapCause.RESTART)
    assert (gap.slot_from, gap.slot_to) == (said[49].slot, said[90].slot)


def test_healing_stores_what_is_missing_and_says_how_many(small: World) -> None:
    """A healed gap names what it found, and a second look finds nothing."""
    said = small.landings()
    small.follow(Feed([*said[:50], Lost(small.now, "cut"), Opened(small.now), *said[80:]], at=small.now))
    missed = {one.signature for one in trades(said[50:80])}
    assert not Transaction.objects.filter(signature__in=missed).exists()
    drained = gaps.heal_due(chain=small.rpc, now=small.later())
    assert drained.finished == 1
    gap = SlotGap.objects.get(slot_to__isnull=False)
    assert gap.outcome == GapOutcome.HEALED
    assert gap.transactions_found >= len(missed)
    assert set(Transaction.objects.filter(signature__in=missed).values_list("signature", flat=True)) == missed
    again = gaps.ask(
        venue=VENUE, slot_from=gap.slot_from, slot_to=gap.slot_to or 0, operator="ann", reason="sure?", now=small.now
    )
    gaps.heal_due(chain=small.rpc, now=small.later())
    again.refresh_from_db()
    assert (again.outcome, again.transactions_found) == (GapOutcome.EMPTY, 0)


def test_i18_the_cursor_stops_at_an_open_gap(small: World) -> None:
    """While a gap is open the cursor stays before it, however far the comparison has come; then it moves on."""
    said = small.landings()
    small.follow(Feed(said, at=small.now))
    gap = gaps.ask(
        venue=VENUE, slot_from=said[60].slot, slot_to=said[70].slot, operator="ann", reason="look", now=small.now
    )
    SlotGap.objects.filter(id=gap.id).update(due_at=small.now + timedelta(days=1), pool_address=None)
    VenueState.objects.update(settled_slot=small.chain.last_slot)
    gaps.advance(venue=VENUE)
    assert cursor().verified_slot == said[60].slot - 1
    gaps.heal_due(chain=small.rpc, now=small.later(2 * 86_400))
    SlotGap.objects.filter(slot_to=None).delete()  # the feed that has ended
    gaps.advance(venue=VENUE)
    assert cursor().verified_slot == small.chain.last_slot


def test_a_long_gap_is_healed_block_by_block_and_resumes_where_it_stopped(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap that reaches far back takes many passes, none of which counts as a failure."""
    monkeypatch.setattr(gaps, "REACH", 10)
    monkeypatch.setattr(gaps, "BLOCKS_AT_ONCE", 8)
    said = small.landings()
    small.follow(Feed([*said[:20], Lost(small.now, "cut"), Opened(small.now), *said[-2:]], at=small.now))
    gap = SlotGap.objects.get(slot_to__isnull=False)
    reached = []
    while gap.finished_at is None:
        gaps.heal_due(chain=small.rpc, now=small.later(), limit=1)
        gap.refresh_from_db()
        reached.append(gap.healed_to)
        assert gap.attempts <= 1
    assert len(reached) > 4
    assert reached == sorted(reached)
    assert {one.signature for one in trades(said)} == set(Transaction.objects.values_list("signature", flat=True))


def test_a_gap_stays_open_while_the_node_does_not_give_everything(small: World) -> None:
    """What the node lists and does not give keeps the gap open, with the reason; what it gives is stored already."""
    said = small.landings()
    small.follow(Feed([*said[:50], Lost(small.now, "cut"), Opened(small.now), *said[80:]], at=small.now))
    slots = Counter(one.slot for one in said[50:80])  # what misses little of its slot is asked for by itself
    kept_back = next(one.signature for one in trades(said[50:80]) if slots[one.slot] < backfill.BLOCK_WORTH)
    small.node.unknown = lambda signature: signature == kept_back
    assert gaps.heal_due(chain=small.rpc, now=small.later()).postponed == 1
    gap = SlotGap.objects.get(slot_to__isnull=False)
    assert (gap.finished_at, gap.last_error) == (None, "NotThereYet: 1 listed transactions were not given.")
    assert not Transaction.objects.filter(signature=kept_back).exists()
    small.node.unknown = lambda signature: False
    assert gaps.heal_due(chain=small.rpc, now=small.later(3600)).finished == 1
    assert Transaction.objects.filter(signature=kept_back).exists()


def missed_some(small: World) -> SlotGap:
    """Lose the middle of what happened; return the gap."""
    said = small.landings()
    small.follow(Feed([*said[:50], Lost(small.now, "cut"), Opened(small.now), *said[80:]], at=small.now))
    return SlotGap.objects.get(slot_to__isnull=False)


def test_truth_10_a_gap_is_healed_from_short_pages(small: World) -> None:
    """A node that caps its pages at four hides nothing of the gap."""
    missed_some(small)
    small.node.lie = lambda method, _params, truth: truth[:4] if method == "getSignaturesForAddress" else truth
    assert gaps.heal_due(chain=small.rpc, now=small.later()).finished == 1
    assert {one.signature for one in trades(small.landings())} == set(
        Transaction.objects.values_list("signature", flat=True)
    )


def test_truth_10_a_gap_that_the_node_has_forgotten_stays_open(small: World) -> None:
    """An empty page of a node whose history begins behind the gap heals nothing."""
    gap = missed_some(small)
    small.node.first_slot = (gap.slot_to or 0) + 1
    small.node.lie = lambda method, _params, truth: [] if method == "getSignaturesForAddress" else truth
    assert gaps.heal_due(chain=small.rpc, now=small.later()).postponed == 1
    gap.refresh_from_db()
    assert (gap.finished_at, gap.outcome) == (None, "")


def test_truth_11_a_gap_with_a_block_that_the_node_lacks_stays_open(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is healed up to there, and on from there once the block is given."""
    monkeypatch.setattr(gaps, "REACH", 10)
    gap = missed_some(small)
    lacks = trades(small.landings()[60:80])[0].slot

    def lie(method: str, params: Any, truth: Any) -> Any:
        if method == "getBlocks":
            return [slot for slot in truth if slot != lacks]
        if method == "getBlock" and params[0] == lacks:
            raise RpcError(-32009, "Slot was skipped, or missing in long-term storage")
        return truth

    small.node.lie = lie
    for _ in range(4):
        gaps.heal_due(chain=small.rpc, now=small.later(3600))
    gap.refresh_from_db()
    assert (gap.finished_at, (gap.healed_to or 0) < lacks, "are not linked" in gap.last_error) == (None, True, True)
    small.node.lie = lambda _method, _params, truth: truth
    for _ in range(4):
        gaps.heal_due(chain=small.rpc, now=small.later(3600))
    gap.refresh_from_db()
    assert gap.finished_at is not None
    assert {one.signature for one in trades(small.landings())} == set(
        Transaction.objects.values_list("signature", flat=True)
    )


def test_truth_13_a_gap_with_an_odd_item_stays_open_and_the_others_count(small: World) -> None:
    """What can be read is stored; the gap closes when all can."""
    missed_some(small)
    odd = trades(small.landings()[50:80])[3]

    def lie(method: str, _params: Any, truth: Any) -> Any:
        if method != "getSignaturesForAddress":
            return truth
        return ["odd" if item["signature"] == odd.signature else item for item in truth]

    small.node.lie = lie
    assert gaps.heal_due(chain=small.rpc, now=small.later()).postponed == 1
    lost = {one.signature for one in trades(small.landings())} - set(
        Transaction.objects.values_list("signature", flat=True)
    )
    assert lost == {odd.signature}
    small.node.lie = lambda _method, _params, truth: truth
    assert gaps.heal_due(chain=small.rpc, now=small.later(3600)).finished == 1
    assert Transaction.objects.filter(signature=odd.signature).exists()


@pytest.mark.parametrize("worth", [2, 1_000])
def test_what_is_only_confirmed_keeps_the_gap_open(small: World, worth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap whose slots are not final is filled at once, by blocks or one by one, and closed when they are."""
    monkeypatch.setattr(backfill, "BLOCK_WORTH", worth)
    said = small.landings()
    small.follow(Feed([*said[:-30], Lost(small.now, "cut"), Opened(small.now), said[-1]], at=small.now))
    small.node.step = len(small.chain.timeline) + 3
    missed = {one.signature for one in trades(said[-30:-1])}
    assert gaps.heal_due(chain=small.rpc, now=small.later()).postponed == 1
    filled = Transaction.objects.filter(signature__in=missed)
    assert set(filled.values_list("signature", flat=True)) == missed
    assert set(filled.values_list("commitment", flat=True)) == {Commitment.CONFIRMED}
    small.node.step += 200
    finality.settle(venue=VENUE, chain=small.rpc, now=small.later())
    assert SlotGap.objects.get(slot_to__isnull=False).outcome == GapOutcome.HEALED


def test_an_operator_gives_a_gap_up(small: World) -> None:
    """An accepted gap lets the cursor pass, and the audit log knows who and why. One that still runs is not given up."""
    said = small.landings()
    small.follow(Feed(said, at=small.now))
    gap = gaps.ask(
        venue=VENUE, slot_from=said[60].slot, slot_to=said[70].slot, operator="ann", reason="look", now=small.now
    )
    VenueState.objects.update(settled_slot=said[60].slot - 1)
    count = gaps.accept(gaps=SlotGap.objects.all(), operator="bob", reason="the archive is gone", now=small.now)
    assert count == 1
    gap.refresh_from_db()
    assert gap.outcome == GapOutcome.ACCEPTED
    assert SlotGap.objects.get(slot_to=None).finished_at is None
    assert VenueState.objects.get().settled_slot == said[70].slot
    entry = AuditEntry.objects.get(action="slot_gap.accept")
    assert (entry.actor, entry.reason, entry.object_id) == ("bob", "the archive is gone", str(gap.id))


def test_a_gap_that_does_not_heal_is_told_once_and_taken_back(small: World) -> None:
    """After five minutes operators hear of a venue's open gaps, in one alert, until they are healed."""
    gaps.ask(venue=VENUE, slot_from=1, slot_to=2, operator="ann", reason="look", now=small.now)
    gaps.alert_about_old(now=small.later(200))
    assert not OperatorAlert.objects.filter(kind=AlertKind.GAP).exists()
    gaps.alert_about_old(now=small.later(200))
    gaps.alert_about_old(now=small.later(200))
    alert = OperatorAlert.objects.get(kind=AlertKind.GAP)
    assert (alert.subject, alert.resolved_at) == (Program.PUMPFUN, None)
    gaps.accept(gaps=SlotGap.objects.all(), operator="ann", reason="a test", now=small.now)
    gaps.alert_about_old(now=small.later())
    alert.refresh_from_db()
    assert alert.resolved_at is not None
