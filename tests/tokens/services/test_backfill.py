"""What a list of the chain proves: how far back it goes, and what in it nobody can read."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import Landed
from tests.factories import NOON, signature
from tests.tokens.services.live import VENUE, World, trades, world
from tokens.choices import RejectionReason
from tokens.domain import programs
from tokens.domain.decode import Decoded
from tokens.models import OperatorAlert, RejectedMessage, SlotGap, Transaction, VenueState
from tokens.services import backfill, finality, gaps

pytestmark = pytest.mark.django_db

ADDRESS = programs.PUMP
ALL = [Landed(signature(f"{n}"), 1_000 - n, False, NOON) for n in range(30)]


class Chain:
    """Lists what it is told in pages of ``most``, and has blocks from ``first_slot`` on."""

    def __init__(self, everything: Sequence[Landed], *, most: int = 1_000, first_slot: int = 0) -> None:
        self.everything, self.most, self.first_slot = list(everything), most, first_slot
        self.calls = 0

    def get_signatures(self, _address: str, *, before: str | None, **_: Any) -> Sequence[Landed]:
        self.calls += 1
        names = [one.signature for one in self.everything]
        start = 0 if before is None else names.index(before) + 1
        return self.everything[start : start + self.most]

    def get_first_slot(self) -> int:
        return self.first_slot


def listed(chain: Any, *, after: int, through: int) -> backfill.Listed:
    return backfill.listed(chain=chain, address=ADDRESS, after_slot=after, through_slot=through, finalized=True)


@pytest.mark.parametrize("most", [1, 4, 1_000])
def test_truth_10_a_short_page_loses_no_transaction(most: int) -> None:
    """Whatever a node caps its pages at, the stretch is whole, oldest first."""
    found = listed(Chain(ALL, most=most), after=975, through=990)
    assert found == ([one for one in reversed(ALL) if 975 < one.slot <= 990], None)


def test_truth_10_where_the_list_ends_the_node_must_have_the_blocks() -> None:
    """A list that ends before the asked slot is whole only of a node that still has what is behind that slot."""
    assert len(listed(Chain(ALL, first_slot=901), after=900, through=1_000).landed) == 30
    with pytest.raises(TryLater, match="no blocks between 900 and 902"):
        listed(Chain(ALL, first_slot=902), after=900, through=1_000)
    with pytest.raises(TryLater):
        listed(Chain([], first_slot=902), after=900, through=1_000)
    assert (
        len(listed(Chain(ALL, first_slot=980), after=975, through=1_000).landed) == 25
    )  # the list itself goes further


def test_truth_12_a_list_that_is_too_long_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ceiling is told; what was read is not taken for all."""
    monkeypatch.setattr(backfill, "MOST_PAGES", 5)
    chain = Chain(ALL, most=2)
    with pytest.raises(TryLater, match="5 pages"):
        listed(chain, after=975, through=1_000)
    assert chain.calls == 5


@pytest.mark.parametrize(
    ("place", "unread"), [(0, (998, 1_000)), (10, (989, 991)), (14, (986, 987)), (15, (986, 986)), (25, None)]
)
def test_truth_13_what_cannot_be_read_lies_between_its_neighbours(place: int, unread: tuple[int, int] | None) -> None:
    """The others of the list count. Behind the stretch nobody cares."""
    everything = [*ALL]
    older = everything[place + 1].slot if place else 998
    everything[place] = Landed("", older, failed=False, block_time=None, is_read=False)
    everything = everything if place else [everything[0], *everything[2:]]
    found = listed(Chain(everything), after=985, through=1_000)
    assert found.unread == unread
    assert all(one.is_read for one in found.landed)
    assert len(found.landed) == sum(one.is_read and one.slot > 985 for one in everything)


# -- fetching


@pytest.fixture
def small() -> World:
    return world()


def wanted(small: World, many: int = 4) -> list[Landed]:
    return [Landed(one.signature, one.slot, False, None) for one in trades(small.landings())[:many]]


@pytest.mark.parametrize("failure", [TryLater("x"), Malformed("x"), Refused("version 9 is not supported")])
def test_truth_13_one_transaction_that_is_not_given_harms_no_other(
    small: World, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the node says of it: the others are had, and it is asked for again."""
    asked = wanted(small)
    truly = small.rpc.get_transaction

    def answer(name: str) -> bytes | None:
        if name == asked[1].signature:
            raise failure
        return truly(name)

    monkeypatch.setattr(small.rpc, "get_transaction", answer)
    found = backfill.fetch(chain=small.rpc, wanted=asked, finalized=True, now=small.now)
    assert found.unresolved == [asked[1]]
    assert {one.decoded.signature for one in found.received} == {asked[n].signature for n in (0, 2, 3)}


def test_truth_13_a_node_that_refuses_everything_is_told(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is the key, not the transaction."""

    def answer(_name: str) -> bytes | None:
        raise Refused("the key is not valid")

    monkeypatch.setattr(small.rpc, "get_transaction", answer)
    with pytest.raises(Refused, match="the key"):
        backfill.fetch(chain=small.rpc, wanted=wanted(small), finalized=True, now=small.now)


def test_truth_13_the_answer_for_another_transaction_is_not_taken(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies that were swapped: neither is stored in the other's name, and both are asked for again."""
    asked = wanted(small, 2)
    truly = small.rpc.get_transaction
    swapped = {asked[0].signature: asked[1].signature, asked[1].signature: asked[0].signature}
    monkeypatch.setattr(small.rpc, "get_transaction", lambda name: truly(swapped[name]))
    found = backfill.fetch(chain=small.rpc, wanted=asked, finalized=False, now=small.now)
    assert (found.received, found.unresolved) == ([], asked)


ODD_ANSWERS = [b"[]", b'"x"', b"{}", b'{"meta":{}}', b"5", b'{"slot":1,"transaction":null}', b"\xff"]


@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_truth_13_an_answer_that_names_no_transaction_gives_none(
    small: World, monkeypatch: pytest.MonkeyPatch, odd: bytes
) -> None:
    """It is asked for again, and a gap around it does not count as healed; the bytes are kept once, however often they come."""
    asked = wanted(small)
    truly = small.rpc.get_transaction
    monkeypatch.setattr(small.rpc, "get_transaction", lambda name: odd if name == asked[1].signature else truly(name))
    found = backfill.fetch(chain=small.rpc, wanted=asked, finalized=True, now=small.now)
    assert found.unresolved == [asked[1]]
    assert {one.decoded.signature for one in found.received} == {asked[n].signature for n in (0, 2, 3)}

    gap = gaps.ask(
        venue=VENUE, slot_from=asked[0].slot, slot_to=asked[3].slot, operator="op", reason="looked", now=small.now
    )
    for _ in range(2):
        gaps.heal_due(chain=small.rpc, now=small.later(), only=gap.id)
        gap.refresh_from_db()
        assert gap.finished_at is None
    assert RejectedMessage.objects.filter(payload=odd).count() == (odd != b"[]"), "an empty list holds nothing to keep"
    assert not Transaction.objects.filter(signature=asked[1].signature).exists()
    monkeypatch.undo()
    gaps.heal_due(chain=small.rpc, now=small.later(600), only=gap.id)
    gap.refresh_from_db()
    assert gap.finished_at is not None
    assert Transaction.objects.filter(signature=asked[1].signature).exists()


def test_truth_13_a_defect_of_ours_gives_nothing_and_is_told(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """We fail on an answer: it is kept as failed, operators are told, and the transaction is asked for again."""
    asked = wanted(small, 2)

    def broken(_payload: bytes) -> list[Decoded]:
        raise KeyError("ours")

    monkeypatch.setattr(backfill, "decode_message", broken)
    found = backfill.fetch(chain=small.rpc, wanted=asked, finalized=True, now=small.now)
    assert (found.received, found.unresolved) == ([], asked)
    backfill.keep(venue=VENUE, fetched=found, now=small.now)
    assert RejectedMessage.objects.filter(reason=RejectionReason.FAILED).count() == 2
    assert "KeyError: 'ours'" in OperatorAlert.objects.get(resolved_at=None).message


UNREADABLE: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda block: {"blockhash": "x", "parentSlot": block["parentSlot"]},
    lambda block: {**block, "transactions": [5, *block["transactions"]]},
    lambda block: {**block, "transactions": [{"transaction": 5, "meta": {}}]},
    lambda block: {**block, "transactions": [{"meta": {"err": None}}, *block["transactions"]]},
]


@pytest.mark.parametrize("place", range(len(UNREADABLE)))
@pytest.mark.parametrize("reader", ["gap", "comparison"])
def test_truth_13_a_block_that_cannot_be_read_is_not_passed(
    small: World, monkeypatch: pytest.MonkeyPatch, place: int, reader: str
) -> None:
    """Block by block nothing is proven by one of which a part cannot be read: the healing and the comparison stop before it,
    keep it, and go on once it can be read."""
    monkeypatch.setattr(gaps, "REACH", 5)
    landed = trades(small.landings())
    target = landed[len(landed) // 2]
    truly = small.rpc.get_block

    def answer(slot: int, *, finalized: bool) -> bytes | None:
        payload = truly(slot, finalized=finalized)
        if slot != target.slot or payload is None:
            return payload
        return msgspec.json.encode(UNREADABLE[place](msgspec.json.decode(payload)))

    monkeypatch.setattr(small.rpc, "get_block", answer)
    if reader == "gap":
        gaps.ask(
            venue=VENUE, slot_from=landed[0].slot, slot_to=landed[-1].slot, operator="o", reason="r", now=small.now
        )
    else:
        VenueState.objects.create(venue=VENUE, settled_slot=landed[0].slot - 1, watched_from_slot=landed[0].slot)

    def passes(most: int) -> None:
        for _ in range(most):
            if reader == "comparison":
                with suppress(TryLater):
                    finality.settle(venue=VENUE, chain=small.rpc, now=small.later(600))
            gaps.heal_due(chain=small.rpc, now=small.later(600))

    passes(3)
    assert SlotGap.objects.filter(finished_at=None).exists()
    assert not Transaction.objects.filter(slot__gt=target.slot).exists()
    assert Transaction.objects.filter(slot__lt=target.slot).exists()
    assert RejectedMessage.objects.filter(reason=RejectionReason.UNDECODABLE).exists()
    monkeypatch.setattr(small.rpc, "get_block", truly)
    passes(5)
    assert not SlotGap.objects.filter(finished_at=None).exists()
    assert set(Transaction.objects.values_list("signature", flat=True)) >= {one.signature for one in landed}
