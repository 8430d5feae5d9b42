"""The comparison with the chain cut short at each commit, or made by two at once: rows, gaps and counts end the same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum

from megatron.clients.errors import TryLater
from megatron.clients.ports import Lost, Opened
from tests.cluster import views
from tests.tokens.services.live import VENUE, Feed, World, trades, world
from tokens.choices import GapCause, GapOutcome, RejectionStatus
from tokens.models import RejectedMessage, SlotGap, SourceTally, StreamCursor, Transaction, VenueState
from tokens.services import backfill, finality, gaps, quarantine, rejections, releases

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The worker is gone in the middle of a pass."""


@pytest.fixture
def small() -> World:
    return world()


def settle(small: World) -> finality.Settled | None:
    VenueState.objects.update(leased_until=None)  # what a worker that died held is over
    return finality.settle(venue=VENUE, chain=small.rpc, now=small.later())


def lossy(small: World) -> set[str]:
    """Follow everything but some trades; return those."""
    lost = {one.signature for one in trades(small.landings())[5::9]}
    small.follow(Feed(small.landings(), at=small.now, without=lost))
    return lost


def accounted(lost: set[str]) -> None:
    """Assert that each loss is stored, and counted once by the source and by the gaps."""
    assert set(Transaction.objects.filter(signature__in=lost).values_list("signature", flat=True)) == lost
    assert SourceTally.objects.get(source="solana-logs").missed == len(lost)
    found = SlotGap.objects.exclude(cause=GapCause.DISCONNECT)
    assert found.aggregate(sum=Sum("transactions_found"))["sum"] == len(lost)
    assert {gap.outcome for gap in found} == {GapOutcome.HEALED}
    assert not SlotGap.objects.filter(finished_at=None, slot_to__isnull=False).exists()


def once(real: Callable[..., Any], before: Callable[[], object], calls: list[int]) -> Callable[..., Any]:
    """Return ``real``, with something that happens before its first call."""

    def called(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            before()
        return real(*given, **named)

    return called


@pytest.mark.parametrize(
    ("module", "name"),
    [(finality, "_fetch"), (backfill, "keep"), (finality, "_finalize"), (finality, "_conserve"), (finality, "_close")],
)
def test_a_pass_that_is_killed_at_any_commit_is_made_again(
    small: World, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    """Wherever a worker dies, the next pass stores each loss and counts it once."""
    lost = lossy(small)

    def die() -> None:
        raise Killed

    monkeypatch.setattr(module, name, once(getattr(module, name), die, []))
    with pytest.raises(Killed):
        settle(small)
    assert settle(small) is not None
    accounted(lost)


@pytest.mark.parametrize("name", ["_fetch", "_conserve"])
def test_two_workers_count_a_loss_once(small: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A worker whose lease ends in the middle of a pass, and the one that takes over, count each loss once between them."""
    lost = lossy(small)
    rivals: list[finality.Settled | None] = []
    calls: list[int] = []
    monkeypatch.setattr(finality, name, once(getattr(finality, name), lambda: rivals.append(settle(small)), calls))
    settle(small)
    assert len(calls) == 2
    assert rivals[0] is not None
    accounted(lost)


def test_a_rival_that_heals_the_same_gap_counts_nothing_twice(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison and a worker that heals the gap, both at it, find what was missing once between them."""
    said = small.landings()
    small.follow(Feed([*said[:50], Lost(small.now, "cut"), Opened(small.now), *said[80:]], at=small.now))
    missed = [one for one in said[50:80] if not one.failed and said[49].slot <= one.slot <= said[80].slot]
    monkeypatch.setattr(
        backfill,
        "fetch",
        once(backfill.fetch, lambda: gaps.heal_due(chain=small.rpc, now=small.later()), []),
    )
    settle(small)
    gap = SlotGap.objects.get(slot_to__isnull=False)
    assert (gap.transactions_found, gap.outcome) == (len(missed), GapOutcome.HEALED)


def test_a_loss_without_a_trade_is_counted_once_however_often_it_is_looked_at(small: World) -> None:
    """What leaves no row is remembered too when it came from the chain, while the comparison stands before its slot."""
    good = [one for one in small.landings() if not one.failed]
    with_rows = {one.signature for one in trades(good)}
    silent = [one for one in good if one.signature not in with_rows]
    held = next(one for one in trades(good)[10:] if one.slot < silent[-1].slot)
    small.follow(Feed(small.landings(), at=small.now, without={held.signature, silent[-1].signature}))
    small.node.unknown = lambda signature: signature == held.signature
    for _ in range(3):
        with pytest.raises(TryLater):
            settle(small)
    small.node.unknown = lambda signature: False
    settle(small)
    assert SourceTally.objects.get(source="solana-logs").missed == 2


def test_what_an_operator_asks_for_again_is_asked_for(small: World) -> None:
    """A comparison of later slots does not end the gap by which an operator has settled ones asked for again."""
    small.follow(Feed(small.landings(), at=small.now))
    step, small.node.step = small.node.step, 80
    settle(small)
    before = VenueState.objects.get(venue=VENUE).settled_slot or 0
    gap = gaps.ask(venue=VENUE, slot_from=before - 20, slot_to=before, operator="ann", reason="sure?", now=small.now)
    small.node.step = step
    assert settle(small) is not None
    gap.refresh_from_db()
    assert gap.finished_at is None
    assert gaps.heal_due(chain=small.rpc, now=small.later()).finished == 1


def test_a_listed_block_that_is_not_given_keeps_the_gap_open(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long gap stops before a block that the node lists and says is none, and what came before it is noted."""
    monkeypatch.setattr(gaps, "REACH", 10)
    said = small.landings()
    small.follow(Feed([*said[:20], Lost(small.now, "cut"), Opened(small.now), *said[-2:]], at=small.now))
    slot, real = trades(said)[60].slot, small.rpc.get_block
    monkeypatch.setattr(small.rpc, "get_block", lambda asked, **how: None if asked == slot else real(asked, **how))
    gaps.heal_due(chain=small.rpc, now=small.later(), limit=1)
    gap = SlotGap.objects.get(slot_to__isnull=False)
    assert gap.last_error.startswith("Unlinked: The blocks of slots ")
    assert gap.last_error.endswith(f"the node says that slot {slot}, which has a block, has none")
    assert said[20].slot <= (gap.healed_to or 0) < slot
    monkeypatch.setattr(small.rpc, "get_block", real)
    gaps.heal_due(chain=small.rpc, now=small.later(), limit=9)
    gap.refresh_from_db()
    assert gap.outcome == GapOutcome.HEALED
    assert {one.signature for one in trades(said)} == set(Transaction.objects.values_list("signature", flat=True))


def test_a_node_that_is_away_for_hours_sets_no_gap_aside(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap waits for the chain as long as it takes, and needs nobody's hand when the chain is back."""
    begin = small.landings()[0].slot  # slots that the chain has: what is before its first block can never be proven
    gap = gaps.ask(venue=VENUE, slot_from=begin, slot_to=begin + 1, operator="ann", reason="look", now=small.now)

    def away(**_: object) -> int:
        raise TryLater("nobody is there")

    real = small.rpc.get_slot
    monkeypatch.setattr(small.rpc, "get_slot", away)
    for _ in range(12):
        gaps.heal_due(chain=small.rpc, now=small.later(3700))
    gap.refresh_from_db()
    assert (gap.attempts, gap.quarantined_at) == (12, None)
    monkeypatch.setattr(small.rpc, "get_slot", real)
    assert gaps.heal_due(chain=small.rpc, now=small.later(3700)).finished == 1


@pytest.mark.parametrize(("first", "last"), [(9, 8), (-1, 8), (1, 2**63)])
def test_slots_that_are_no_stretch_are_refused(small: World, first: int, last: int) -> None:
    """Asking for slots that run backwards, or are none, says so and opens nothing."""
    with pytest.raises(gaps.NotAStretch, match=f"{first} to {last} is no stretch of slots"):
        gaps.ask(venue=VENUE, slot_from=first, slot_to=last, operator="ann", reason="look", now=small.now)
    assert not SlotGap.objects.exists()


def test_giving_up_a_gap_of_the_future_skips_nothing_that_is_still_to_come(small: World) -> None:
    """An accepted gap moves the comparison no further than a feed has come: what comes later is compared as ever."""
    said = small.landings()
    small.follow(Feed(said, at=small.now))
    begin = VenueState.objects.get().settled_slot or 0
    gaps.ask(venue=VENUE, slot_from=begin, slot_to=10**12, operator="ann", reason="a slip", now=small.now)
    gaps.accept(gaps=SlotGap.objects.all(), operator="ann", reason="a slip", now=small.now)
    assert VenueState.objects.get().settled_slot == said[-1].slot


def test_a_source_that_was_given_up_misses_nothing_any_more(small: World) -> None:
    """Of two sources the one whose running gap began before a loss is not told to have missed it."""
    said = small.landings()
    small.follow(Feed(said[:30], at=small.now, source="former"))
    lost = {one.signature for one in trades(said[40:])[::5]}
    small.follow(Feed(said, at=small.now, without=lost))
    settle(small)
    assert SourceTally.objects.get(source="solana-logs").missed == len(lost)
    assert SourceTally.objects.get(source="former").missed == 0


def test_the_comparison_completes_a_cut_log_and_nobody_asks_again(small: World) -> None:
    """A cut log that waits is no loss: the comparison fetches it, resolves its message, and no worker asks for it."""
    said = trades(small.landings())
    small.follow(
        Feed([views.logs_frame(said[7], truncated=True), *small.landings()], at=small.now, without={said[7].signature})
    )
    message = RejectedMessage.objects.get()
    done = settle(small)
    assert done is not None
    assert done.missing == 0
    message.refresh_from_db()
    assert message.status == RejectionStatus.RESOLVED
    assert Transaction.objects.filter(signature=said[7].signature).exists()
    assert rejections.complete(chain=small.rpc, now=small.later(3600)).played == 0
    assert not SlotGap.objects.exclude(cause=GapCause.DISCONNECT).exists()
    assert StreamCursor.objects.get(source="solana-logs").verified_slot is not None
    assert small.now > message.observed_at + timedelta(minutes=1)


def test_after_a_release_what_was_kept_is_played_before_anything_is_asked_for(small: World) -> None:
    """Frames of a quarantined venue are kept; once they are played the comparison finds none of them missing."""
    said = small.landings()
    small.follow(Feed(said[:40], at=small.now))
    quarantine.start(venue=VENUE, reason="a test", now=small.now)
    small.follow(Feed(said[40:], at=small.now))
    assert settle(small) is None
    quarantine.end(venue=VENUE, operator="ann", reason="a test", now=small.now)
    assert settle(small) is None, "kept messages still wait to be played"
    while releases.play(now=small.now).played:
        pass
    done = settle(small)
    assert done is not None
    assert done.missing == 0
    assert Transaction.objects.count() == sum(1 for one in trades(said) for _ in one.happened if _is_trade(_))


def _is_trade(what: object) -> bool:
    return type(what).__name__ == "CurveTrade"


def test_with_nothing_wrong_a_pass_asks_for_the_head_and_the_list(small: World) -> None:
    """Comparing costs a question for the newest slot and one for each thousand transactions; healing and completing cost none."""
    small.follow(Feed(small.landings(), at=small.now))
    SlotGap.objects.all().delete()  # the feed's own end
    asked: list[str] = []
    real = small.node.answer
    small.node.answer = lambda method, params: (asked.append(method), real(method, params))[1]  # type: ignore[method-assign, func-returns-value]
    assert settle(small) is not None
    gaps.heal_due(chain=small.rpc, now=small.later())
    rejections.complete(chain=small.rpc, now=small.later())
    assert asked == ["getSlot", "getSignaturesForAddress"]
