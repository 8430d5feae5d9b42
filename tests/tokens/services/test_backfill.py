"""What a list of the chain proves: how far back it goes, and what in it nobody can read."""

from collections.abc import Sequence
from typing import Any

import pytest

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import Landed
from tests.factories import NOON, signature
from tests.tokens.services.live import World, trades, world
from tokens.domain import programs
from tokens.services import backfill

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
    found = backfill.fetch(chain=small.rpc, wanted=asked, finalized=True)
    assert found.unresolved == [asked[1]]
    assert {one.decoded.signature for one in found.received} == {asked[n].signature for n in (0, 2, 3)}


def test_truth_13_a_node_that_refuses_everything_is_told(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is the key, not the transaction."""

    def answer(_name: str) -> bytes | None:
        raise Refused("the key is not valid")

    monkeypatch.setattr(small.rpc, "get_transaction", answer)
    with pytest.raises(Refused, match="the key"):
        backfill.fetch(chain=small.rpc, wanted=wanted(small), finalized=True)


def test_truth_13_the_answer_for_another_transaction_is_not_taken(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies that were swapped: neither is stored in the other's name, and both are asked for again."""
    asked = wanted(small, 2)
    truly = small.rpc.get_transaction
    swapped = {asked[0].signature: asked[1].signature, asked[1].signature: asked[0].signature}
    monkeypatch.setattr(small.rpc, "get_transaction", lambda name: truly(swapped[name]))
    found = backfill.fetch(chain=small.rpc, wanted=asked, finalized=False)
    assert (found.received, found.unresolved) == ([], asked)
