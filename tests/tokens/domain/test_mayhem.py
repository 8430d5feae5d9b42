"""What shows a mayhem coin, what there is of it, and in which order its trades of one slot ran."""

from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tokens.services.building import trade
from tokens.choices import EventKind, Program
from tokens.domain import mayhem, programs
from tokens.domain.mayhem import Step

AGENT = programs.MAYHEM_AGENT
BEFORE_THE_MODE, SINCE = {"block_time": mayhem.SINCE - 1}, {"block_time": mayhem.SINCE}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"fields": {"mayhem_mode": True}}, True),
        ({"fields": {"mayhem_mode": False}}, False),
        ({"fields": {"is_mayhem_mode": True}, "kind": EventKind.CREATE}, True),
        ({"fields": {"is_mayhem_mode": False}, "kind": EventKind.CREATE}, False),
        ({"user": AGENT}, True),
        ({"user": AGENT, "fields": {"mayhem_mode": False}}, True),
        ({"kind": EventKind.RESERVES, "raw": {"layout": "UpdateMayhemVirtualParamsEvent/8"}}, True),
        ({"raw": {"layout": "trades.csv"}, "fields": {"fee_recipient": min(mayhem.FEE_RECIPIENTS)}, **SINCE}, True),
        ({"raw": {"layout": "trades.csv"}, "fields": {"fee_recipient": "somebody"}, **SINCE}, None),
        ({"raw": {"layout": "TradeEvent/22"}}, False),
        ({"raw": {"layout": "CreateEvent/12"}, "kind": EventKind.CREATE}, False),
        ({"raw": {"layout": "trades.csv"}, **BEFORE_THE_MODE}, False),
        ({"raw": {"layout": "trades.csv"}, **SINCE}, None),
        ({"raw": {"layout": "PumpPortal"}, **SINCE}, None),
        ({"raw": {"layout": "PumpPortal"}, "block_time": None}, None),
        ({"raw": {"layout": "PumpPortal"}, "fields": {"is_mayhem_mode": False}}, False),
        ({"program": Program.PUMPSWAP, "raw": {"layout": "BuyEvent/20"}}, None),
    ],
)
def test_truth_05_an_event_tells_whether_its_coin_is_a_mayhem_coin(
    event: dict[str, Any], expected: bool | None
) -> None:
    """The flag tells, the agent as trader and a reset do; a layout or a time without the mode is an ordinary coin's; what leaves
    the flag out tells nothing."""
    assert mayhem.is_mayhem(trade(**event)) is expected


@pytest.mark.parametrize(
    ("created_at", "at", "supply"),
    [
        (1_000, 1_000, 2 * 10**15),
        (1_000, 1_000 + 86_399, 2 * 10**15),
        (1_000, 1_000 + 86_400, None),
        (None, 1_000, None),
        (1_000, None, None),
    ],
)
def test_truth_05_the_supply_is_known_while_the_agent_trades(
    created_at: int | None, at: int | None, supply: int | None
) -> None:
    """Two thousand million tokens for a day; then the agent burns what it has left, which nobody tells us."""
    assert mayhem.supply_raw(created_at=created_at, at=at) == supply


def step(name: str, before: int, after: int, **fields: Any) -> Step:
    """Return a trade between two states that are told apart by one number."""
    given = {"virtual_quote_before": before, "virtual_quote_after": after, "position": None, "event_index": 1, **fields}
    return Step(key=name, before=(before, before), after=(after, after), signature=fields.get("signature", name), **{
        key: value for key, value in given.items() if key != "signature"
    })  # fmt: skip


def names(steps: list[Step]) -> str:
    return "".join(step.key for step in steps)


@pytest.mark.parametrize(
    ("steps", "start", "expected"),
    [
        # Each follows from the one before; the last two states are below the first.
        ([step("a", 10, 7), step("b", 7, 12), step("c", 12, 3)], 10, "abc"),
        ([step("a", 10, 7), step("b", 7, 12), step("c", 12, 3)], None, "abc"),
        # A sell back to the same reserves, then something else: the round trip comes first, or it could not be reached.
        ([step("c", 10, 3), step("b", 7, 10), step("a", 10, 7)], 10, "abc"),
        # A round trip alone: what the curve held before says where it begins.
        ([step("b", 7, 10), step("a", 10, 7)], 10, "ab"),
        ([step("b", 7, 10), step("a", 10, 7)], 7, "ba"),
        # ... or where the agent set the virtual quote anew.
        ([step("b", 7, 10, virtual_quote_after=11), step("a", 10, 7)], None, "ab"),
        # Two round trips from one state: the second found what the first left.
        (
            [
                step("c", 10, 8, virtual_quote_before=55, virtual_quote_after=50),
                step("d", 8, 10, virtual_quote_before=50, virtual_quote_after=56),
                step("a", 10, 7, virtual_quote_before=40, virtual_quote_after=30),
                step("b", 7, 10, virtual_quote_before=30, virtual_quote_after=55),
            ],
            10,
            "abcd",
        ),
        # A trade is missing between b and c: the part that goes on from before is the first.
        ([step("c", 3, 9), step("b", 7, 5), step("a", 10, 7)], 10, "abc"),
        ([step("c", 3, 10), step("b", 7, 5), step("a", 10, 7)], 3, "cab"),
    ],
)
def test_truth_05_trades_of_one_slot_follow_from_each_other(
    steps: list[Step], start: int | None, expected: str
) -> None:
    """The order is told by what each found and left, for every order in which they came."""
    for shuffled in permutations(steps):
        found = mayhem.order(shuffled, None if start is None else (start, start))
        assert names(found) == expected


def test_truth_05_places_in_the_block_are_believed_before_all_else() -> None:
    """Where the source tells the place of each transaction it is the order, and inside one transaction its events'."""
    steps = [
        step("c", 10, 7, position=9),
        step("a", 7, 10, position=2, event_index=1),
        step("b", 10, 7, position=2, event_index=5, signature="a"),
    ]
    for shuffled in permutations(steps):
        assert names(mayhem.order(shuffled, (10, 10))) == "abc"


def test_truth_05_one_place_for_two_transactions_is_no_place() -> None:
    """A source that gives several transactions one place does not know it: the reserves tell the order."""
    steps = [step("b", 10, 7, position=0), step("a", 7, 3, position=0)]
    assert names(mayhem.order(steps, (10, 10))) == "ba"


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_truth_05_any_way_is_walked_without_a_break(states: list[int], random: Any) -> None:
    """Whatever way a curve took, often through the same state, the order found has no break in it."""
    steps = [step(f"{number}", before, after) for number, (before, after) in enumerate(pairwise(states))]
    random.shuffle(steps)
    found = mayhem.order(steps, (states[0], states[0]))
    assert sorted(found) == sorted(steps)
    assert found[0].before == (states[0], states[0])
    assert all(one.after == other.before for one, other in pairwise(found))
