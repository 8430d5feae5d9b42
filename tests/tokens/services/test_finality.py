"""Comparing with the finalized chain: what was lost is found and stored, and nothing is made up."""

import contextlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from megatron.clients.errors import Malformed, TryLater
from tests import factories
from tests.cluster.node import RpcError
from tests.faults import rows
from tests.tokens.services.live import VENUE, Feed, World, trades, world
from tokens.choices import Commitment, GapCause, GapOutcome, Program, RejectionReason, RejectionStatus
from tokens.domain import programs
from tokens.models import RejectedMessage, SlotGap, SourceTally, StreamCursor, StreamSighting, Transaction, VenueState
from tokens.services import backfill, finality, gaps
from tokens.services.listing import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small() -> World:
    return world()


def heard(small: World, *, without: Collection[str] = ()) -> None:
    """Follow everything that happened, but for the transactions ``without``."""
    small.follow(Feed(small.landings(), at=small.now, without=without))


def settled(small: World) -> finality.Settled | None:
    return finality.settle(venue=VENUE, chain=small.rpc, now=small.later())


def watched_slot() -> int:
    slot = VenueState.objects.get(venue=VENUE).settled_slot
    assert slot is not None
    return slot


def test_without_a_loss_nothing_is_found(small: World) -> None:
    """A feed that brought everything leaves no gap of its own, and every row is final."""
    heard(small)
    done = settled(small)
    assert done is not None
    assert (done.missing, done.dropped, done.breaks) == (0, 0, 0)
    assert not SlotGap.objects.exclude(cause=GapCause.DISCONNECT).exists()
    assert set(Transaction.objects.values_list("commitment", flat=True)) == {Commitment.FINALIZED}
    assert watched_slot() >= small.chain.last_slot
    assert not StreamSighting.objects.exists()


@pytest.mark.parametrize("worth", [2, 1_000])
def test_every_loss_is_found_stored_and_accounted_for(
    small: World, worth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever frames are lost, the rows end as if none had been, and each loss is in a healed gap."""
    monkeypatch.setattr(backfill, "BLOCK_WORTH", worth)
    landings = trades(small.landings())
    lost = {one.signature: one.slot for one in landings[5::7]}
    heard(small, without=lost)
    assert Transaction.objects.filter(signature__in=lost).count() == 0
    done = settled(small)
    assert done is not None
    assert done.missing == len(lost)
    found = SlotGap.objects.exclude(cause=GapCause.DISCONNECT)
    assert {gap.outcome for gap in found} == {GapOutcome.HEALED}
    covered = {slot for gap in found for slot in range(gap.slot_from, (gap.slot_to or 0) + 1)}
    assert covered == set(lost.values())
    assert SourceTally.objects.get(source="solana-logs").missed == len(lost)
    kept = rows.snapshot()["transactions"]
    assert rows.differences({"transactions": kept}, {"transactions": _expected(small)}) == []


def test_what_waits_for_its_pool_is_stored_and_no_loss(small: World) -> None:
    """A transaction that came and waits, because nobody knows its pool yet, is asked for and in no gap."""
    landings = trades(small.landings())
    waiting = {one.signature: one.slot for one in landings[5::7]}
    heard(small, without=waiting)
    for one in waiting:
        factories.rejected(one.encode(), signature=one, waits_for="a pool", reason=RejectionReason.UNKNOWN_POOL)
    done = settled(small)
    assert done is not None
    assert done.missing == 0
    assert not SlotGap.objects.exclude(cause=GapCause.DISCONNECT).exists()
    assert set(RejectedMessage.objects.values_list("status", flat=True)) == {RejectionStatus.RESOLVED}
    kept = rows.snapshot()["transactions"]
    assert rows.differences({"transactions": kept}, {"transactions": _expected(small)}) == []


def _expected(small: World) -> dict[object, dict[str, object]]:
    """Return the rows of the venue's curves in a run without losses."""
    every = rows.expected(small.chain, small.now)
    curves = {pool["id"] for pool in every["pools"].values() if pool["platform"] == "pumpfun"}
    return {key: row for key, row in every["transactions"].items() if row["pool_id"] in curves}


def test_a_slot_of_which_nothing_came_is_a_hole_in_the_coverage(small: World) -> None:
    """Losing all of a slot is told apart from losing one transaction of it."""
    landings = trades(small.landings())
    slot = landings[20].slot
    heard(small, without=[one.signature for one in small.landings() if one.slot == slot])
    settled(small)
    assert [(gap.cause, gap.slot_from, gap.slot_to) for gap in SlotGap.objects.exclude(cause=GapCause.DISCONNECT)] == [
        (GapCause.COVERAGE, slot, slot)
    ]


def test_a_pass_again_changes_nothing(small: World) -> None:
    """Settled slots are not compared again."""
    heard(small)
    settled(small)
    before = rows.snapshot()
    assert settled(small) is None
    assert rows.snapshot() == before


def test_a_lagging_node_is_not_taken_for_the_chain(small: World) -> None:
    """A node that is behind moves the comparison no further than it is itself, and drops nothing."""
    heard(small)
    small.node._behind = lambda: 230
    done = settled(small)
    small.node._behind = lambda: 0
    assert done is None or done.through_slot < small.chain.last_slot
    assert (0 if done is None else done.dropped) == 0
    assert Transaction.objects.filter(commitment=Commitment.FINALIZED).count() < Transaction.objects.count()
    settled(small)
    assert not Transaction.objects.exclude(commitment=Commitment.FINALIZED).exists()


def test_what_is_listed_and_not_given_is_not_passed_over(small: World) -> None:
    """The comparison stops before a transaction that the node lists and does not give, and goes on when it does."""
    lost = trades(small.landings())[30]
    heard(small, without=[lost.signature])
    small.node.unknown = lambda signature: signature == lost.signature
    with pytest.raises(TryLater, match=f"slot {lost.slot} is listed and not given"):
        settled(small)
    assert watched_slot() == lost.slot - 1
    small.node.unknown = lambda signature: False
    settled(small)
    assert watched_slot() >= small.chain.last_slot
    assert Transaction.objects.filter(signature=lost.signature).exists()


def test_after_a_long_absence_it_goes_block_by_block(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too far back for a list is read from blocks, a stretch a pass, with the same rows."""
    lost = [one.signature for one in trades(small.landings())[10:40]]
    heard(small, without=lost)
    monkeypatch.setattr(gaps, "REACH", 20)
    monkeypatch.setattr(gaps, "BLOCKS_AT_ONCE", 25)
    passes = 0
    while watched_slot() < small.chain.last_slot:
        assert settled(small) is not None
        passes += 1
    assert passes > 2
    kept = rows.snapshot()["transactions"]
    assert rows.differences({"transactions": kept}, {"transactions": _expected(small)}) == []


@pytest.mark.parametrize("by_blocks", [False, True])
@pytest.mark.parametrize("block_time_known", [False, True])
def test_truth_11_what_a_fork_had_is_judged_where_the_chain_has_nothing_of_the_venue(
    small: World, monkeypatch: pytest.MonkeyPatch, by_blocks: bool, block_time_known: bool
) -> None:
    """Trades of a venue of which the finalized slots hold nothing are taken back: its other transactions do not say until when
    to look for them, the blocks do."""
    heard(small)
    assert Transaction.objects.exists()
    known = datetime.fromtimestamp(small.chain.main[0].block_time, UTC) if block_time_known else None
    VenueState.objects.update(settled_block_time=known)
    # To the chain that the node shows now, all of it was a fork's.
    monkeypatch.setitem(programs.ADDRESSES, VENUE, programs.WRAPPED_SOL)
    monkeypatch.setattr(backfill, "concerns", lambda *_, **__: False)
    monkeypatch.setattr(small.rpc, "get_statuses", lambda asked: (2**40, [None] * len(asked)))
    if by_blocks:
        monkeypatch.setattr(gaps, "REACH", 20)
    while watched_slot() < small.chain.last_slot:
        assert settled(small) is not None
    assert not Transaction.objects.filter(pool__platform=programs.VENUES[VENUE]).exists()


@pytest.mark.parametrize("most", [3, 40])
def test_truth_10_a_node_that_caps_its_pages_hides_no_loss(
    small: World, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison reads on until the list reaches the slot that is compared; it never passes what it has not seen."""
    lost = {one.signature for one in trades(small.landings())[5::7]}
    heard(small, without=lost)
    small.node.lie = lambda method, _params, truth: truth[:most] if method == "getSignaturesForAddress" else truth
    done = settled(small)
    assert done is not None
    assert (done.missing, done.through_slot >= small.chain.last_slot) == (len(lost), True)
    kept = rows.snapshot()["transactions"]
    assert rows.differences({"transactions": kept}, {"transactions": _expected(small)}) == []


def test_truth_10_a_node_that_has_forgotten_moves_nothing(small: World) -> None:
    """Its list ends before the slot that is compared: it is not the end, nothing is passed, and nothing is taken back."""
    lost = trades(small.landings())[10]
    heard(small, without=[lost.signature])
    before, oldest = watched_slot(), lost.slot + 5
    small.node.first_slot = oldest
    small.node.lie = lambda method, _params, truth: (
        [item for item in truth if item["slot"] >= oldest] if method == "getSignaturesForAddress" else truth
    )
    stored = Transaction.objects.count()
    with pytest.raises(TryLater, match=f"no blocks between {before} and {oldest}"):
        settled(small)
    assert (watched_slot(), Transaction.objects.count()) == (before, stored)


def test_truth_10_a_node_that_remembers_again_is_asked_again(small: World) -> None:
    """It answers the list as one that has forgotten, and what it still has as one that has not (two nodes behind one address):
    the end of the list is asked for once more, and nothing is passed."""
    lost = trades(small.landings())[10]
    heard(small, without=[lost.signature])
    before, oldest, firsts = watched_slot(), lost.slot + 5, []

    def forgetful(method: str, _params: Any, truth: Any) -> Any:
        if method == "getFirstAvailableBlock":
            firsts.append(truth)
        if method == "getSignaturesForAddress" and not firsts:
            return [item for item in truth if item["slot"] >= oldest]
        return truth

    small.node.lie = forgetful
    with pytest.raises(TryLater, match="went on behind the empty page"):
        settled(small)
    assert watched_slot() == before
    small.node.lie = lambda _method, _params, truth: truth
    done = settled(small)
    assert done is not None
    assert done.missing == 1


def test_truth_12_a_page_that_comes_again_ends_the_pass(small: World) -> None:
    """It is a fault, told at once: nothing is asked for without end, and nothing is passed."""
    heard(small)
    before, calls = watched_slot(), []

    def stuck(method: str, _params: Any, truth: Any) -> Any:
        calls.append(method)
        return first if method == "getSignaturesForAddress" else truth

    first = small.node.answer("getSignaturesForAddress", [programs.PUMP, {"limit": 3, "commitment": "finalized"}])
    small.node.lie = stuck
    with pytest.raises(Malformed):
        settled(small)
    assert (watched_slot(), calls.count("getSignaturesForAddress")) == (before, 2)


@pytest.mark.parametrize("denies", ["getBlocks", "getBlock", "both"])
def test_truth_11_a_block_that_the_node_lacks_is_an_open_gap(
    small: World, denies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison stops before it and opens a gap there, which closes when the block is given. Where only the list leaves it
    out, its child names it."""
    monkeypatch.setattr(gaps, "REACH", 5)
    lost = trades(small.landings())[30]
    heard(small, without=[lost.signature])

    def lie(method: str, params: Any, truth: Any) -> Any:
        if method == "getBlocks" and denies in (method, "both"):
            return [slot for slot in truth if slot != lost.slot]
        if method == "getBlock" and denies in (method, "both") and params[0] == lost.slot:
            raise RpcError(-32007, f"Slot {lost.slot} was skipped, or missing due to ledger jump to recent snapshot")
        return truth

    small.node.lie = lie
    if denies == "getBlocks":
        while watched_slot() < small.chain.last_slot:
            settled(small)
    else:
        for _ in range(4):
            with contextlib.suppress(TryLater):
                settled(small)
        gap = SlotGap.objects.get(finished_at=None, cause=GapCause.COVERAGE)
        assert (gap.slot_from, gap.slot_to, watched_slot()) == (lost.slot, lost.slot, lost.slot - 1)
        assert not Transaction.objects.filter(signature=lost.signature).exists()
        small.node.lie = lambda _method, _params, truth: truth
        while watched_slot() < small.chain.last_slot:
            settled(small)
        gap.refresh_from_db()
        assert gap.finished_at is not None
    kept = rows.snapshot()["transactions"]
    assert rows.differences({"transactions": kept}, {"transactions": _expected(small)}) == []


def test_truth_11_a_block_holds_what_is_another_venues(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only the other program did is not missing here: it was never this venue's."""
    monkeypatch.setattr(gaps, "REACH", 5)
    feed = Feed(list(small.landings(venue=Program.PUMPSWAP)), at=small.now)
    small.follow(feed, venue=Program.PUMPSWAP)
    done, missing = finality.settle(venue=Program.PUMPSWAP, chain=small.rpc, now=small.later()), 0
    while done is not None:
        missing += done.missing
        done = finality.settle(venue=Program.PUMPSWAP, chain=small.rpc, now=small.later())
    assert (missing, SlotGap.objects.filter(cause__in=[GapCause.MISSED, GapCause.COVERAGE]).exists()) == (0, False)


def test_truth_11_an_operator_can_give_up_a_block_that_nobody_has(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gap of a block that is gone for good can be accepted: then the comparison goes on behind it."""
    monkeypatch.setattr(gaps, "REACH", 5)
    lost = trades(small.landings())[30].slot
    heard(small)

    def lie(method: str, params: Any, truth: Any) -> Any:
        if method == "getBlock" and params[0] == lost:
            raise RpcError(-32001, "Block cleaned up")
        return truth

    small.node.lie = lie
    for _ in range(4):
        with contextlib.suppress(TryLater):
            settled(small)
    held = SlotGap.objects.filter(finished_at=None, slot_from=lost)
    assert gaps.accept(gaps=held, operator="ann", reason="no node has it", now=small.now) == 1
    while watched_slot() < small.chain.last_slot:
        settled(small)
    assert not SlotGap.objects.filter(finished_at=None, cause=GapCause.COVERAGE).exists()


def test_truth_13_an_odd_item_of_a_list_stops_the_comparison_there(small: World) -> None:
    """What is older is settled, what is newer is stored, and what cannot be read is an open gap until it can."""
    landings = trades(small.landings())
    odd = landings[40]
    lost = {one.signature: one for one in landings[5::7] if abs(one.slot - odd.slot) > 3}
    heard(small, without=lost)

    def lie(method: str, _params: Any, truth: Any) -> Any:
        if method != "getSignaturesForAddress":
            return truth
        return [None if item["signature"] == odd.signature else item for item in truth]

    small.node.lie = lie
    with pytest.raises(TryLater, match="cannot be read"):
        settled(small)
    gap = SlotGap.objects.get(finished_at=None, slot_from__lte=odd.slot, slot_to__gte=odd.slot)
    assert gap.slot_from <= odd.slot <= (gap.slot_to or 0)
    assert watched_slot() == gap.slot_from - 1
    assert Transaction.objects.filter(signature__in=lost).values("signature").distinct().count() == len(lost)
    small.node.lie = lambda _method, _params, truth: truth
    settled(small)
    gap.refresh_from_db()
    assert (gap.finished_at is not None, watched_slot() >= small.chain.last_slot) == (True, True)


def test_truth_13_an_odd_status_takes_nothing_back_and_is_not_passed(small: World) -> None:
    """A row of which the node's word cannot be read is neither dropped nor final."""
    heard(small)
    doubted = trades(small.landings())[20]
    trades_before = Transaction.objects.filter(signature=doubted.signature).count()

    def lie(method: str, _params: Any, truth: Any) -> Any:
        if method == "getSignaturesForAddress":
            return [item for item in truth if item["signature"] != doubted.signature]
        return {**truth, "value": ["odd"] * len(truth["value"])} if method == "getSignatureStatuses" else truth

    small.node.lie = lie
    with pytest.raises(TryLater):
        settled(small)
    rows_of_it = Transaction.objects.filter(signature=doubted.signature)
    assert rows_of_it.count() == trades_before > 0
    assert set(rows_of_it.values_list("commitment", flat=True)) == {Commitment.CONFIRMED}
    assert watched_slot() < doubted.slot


def test_what_a_feed_is_about_to_store_is_not_missing(small: World) -> None:
    """While a feed brings something, the comparison stays behind the slot that it has reached."""
    heard(small)
    reached = small.landings()[60].slot
    StreamCursor.objects.update(last_slot=reached, observed_at=small.now)
    done = finality.settle(venue=VENUE, chain=small.rpc, now=small.now)
    assert done is not None
    assert done.through_slot == reached - 1


def test_one_worker_at_a_time(small: World) -> None:
    """A venue that another worker compares is left to it, until its lease is over."""
    heard(small)
    VenueState.objects.update(leased_until=small.later() + finality.LEASE)
    assert finality.settle(venue=VENUE, chain=small.rpc, now=small.now) is None
    assert settled(small) is not None


def test_a_long_pass_keeps_its_venue(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of a long pass renews its lease, so that nobody else begins the same; whoever lost it stops."""
    heard(small)
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(finality, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(finality, "_AT_ONCE", 50)
    now, held, compare = small.later(), [], finality._compare

    def looked(state: VenueState, *rest: Any) -> finality.Settled | None:
        held.append(VenueState.objects.get().leased_until)
        if len(held) == 3:
            VenueState.objects.update(leased_until=small.later(3600))
        return compare(state, *rest)

    monkeypatch.setattr(finality, "_compare", looked)
    finality.settle(venue=VENUE, chain=small.rpc, now=now)
    assert held == [now + finality.LEASE + timedelta(seconds=50 * part) for part in (1, 2, 3)]
    assert VenueState.objects.get().leased_until == small.now


def test_a_trade_that_no_list_has_is_found_by_the_reserves(small: World) -> None:
    """Reserves that do not follow tell of a missing trade though the program's list lacks it; the pool's own list heals it."""
    said = trades(small.landings())
    lost = next(
        one for place, one in enumerate(said[20:], 21) if any(one.wish.mint == it.wish.mint for it in said[place:])
    )
    heard(small, without=[lost.signature])
    real = small.node._getSignaturesForAddress
    pump = {"6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"}

    def forgetful(address: str, options: dict[str, object] | None = None) -> list[dict[str, object]]:
        listed = real(address, options)
        return [one for one in listed if address not in pump or one["signature"] != lost.signature]

    small.node._getSignaturesForAddress = forgetful  # type: ignore[method-assign]
    done = settled(small)
    assert done is not None
    assert (done.missing, done.breaks) == (0, 1)
    gap = SlotGap.objects.get(cause=GapCause.CONSERVATION)
    cursor = StreamCursor.objects.get(source="solana-logs")
    assert cursor.verified_slot == gap.slot_from - 1
    gaps.heal_due(chain=small.rpc, now=small.later())
    gap.refresh_from_db()
    assert (gap.outcome, gap.transactions_found) == (GapOutcome.HEALED, 1)
    assert Transaction.objects.filter(signature=lost.signature).exists()


def test_a_venue_that_nobody_watches_is_not_compared(small: World) -> None:
    """Without a live feed nothing is asked of the chain."""
    assert settled(small) is None
    assert finality.settle_all(chain=small.rpc, now=small.now) == []


def test_each_venue_has_its_turn(small: World) -> None:
    """A venue that brings something is compared every 15 seconds, a quiet one every minute, so that credits last."""
    heard(small)
    assert len(finality.settle_all(chain=small.rpc, now=small.later())) == 1
    VenueState.objects.update(settled_slot=small.chain.last_slot - 5, settled_at=small.now)
    assert finality.settle_all(chain=small.rpc, now=small.later(20)) == []
    StreamCursor.objects.update(observed_at=small.now, last_slot=small.chain.last_slot + 1)
    assert len(finality.settle_all(chain=small.rpc, now=small.now)) == 1
    VenueState.objects.update(settled_slot=small.chain.last_slot - 5, settled_at=small.now)
    assert len(finality.settle_all(chain=small.rpc, now=small.later(60))) == 1


def test_much_is_compared_in_parts(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is listed at once moves the slot part by part, with the same rows and the same account of losses."""
    landings = trades(small.landings())
    lost = {one.signature: one.slot for one in landings[5::7]}
    heard(small, without=lost)
    monkeypatch.setattr(finality, "_AT_ONCE", 10)
    compared: list[tuple[int, int]] = []
    whole = finality._conserve

    def seen(venue: Program, state: VenueState, page: Page, through: int, now: datetime) -> int:
        compared.append((page.first, page.last))
        return whole(venue, state, page, through, now)

    monkeypatch.setattr(finality, "_conserve", seen)
    done = settled(small)
    assert done is not None
    assert len(compared) > 5
    assert [first for first, _ in compared[1:]] == [last + 1 for _, last in compared[:-1]]
    assert (done.missing, done.listed > 50) == (len(lost), True)
    assert watched_slot() >= small.chain.last_slot
    kept = rows.snapshot()["transactions"]
    assert rows.differences({"transactions": kept}, {"transactions": _expected(small)}) == []


def test_what_a_node_gives_from_elsewhere_is_not_stored(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is behind may still know a transaction from a fork; where the finalized chain has it is what counts."""
    lost = trades(small.landings())[30]
    heard(small, without=[lost.signature])
    with monkeypatch.context() as behind:
        asked = small.node._getTransaction
        behind.setattr(small.node, "_getTransaction", lambda *params: {**(asked(*params) or {}), "slot": lost.slot - 3})
        with pytest.raises(TryLater, match=f"slot {lost.slot} is listed and not given"):
            settled(small)
    assert not Transaction.objects.filter(signature=lost.signature).exists()
    settled(small)
    assert set(Transaction.objects.filter(signature=lost.signature).values_list("slot", flat=True)) == {lost.slot}
