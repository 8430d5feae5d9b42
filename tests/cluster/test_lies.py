"""A node that lies does so as its plan says, to each question in its way, and stops."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster import chain
from tests.cluster.faults import LIES, FaultPlan, Lie, Oblivion
from tests.cluster.lies import MOST_HIDDEN, Liar
from tests.cluster.node import Node, RpcError
from tests.tokens.services.live import reader
from tokens.domain.programs import PUMP

CHAIN = chain.build(seed=3, slots=40, per_slot=3)
LISTED: dict[str, Any] = {"limit": 1_000, "commitment": "finalized"}


def liar(**planned: Any) -> tuple[Liar, Node]:
    """Return a node at the end of a small chain which lies as planned and in no other way."""
    plan = replace(FaultPlan.from_seed(1, slots=40).without_faults(), chain=CHAIN, **planned)
    node = Node(CHAIN)
    node.step = len(CHAIN.timeline) + 100
    found = Liar(plan, node)
    node.lie = found.answer
    return found, node


def names(page: Sequence[Any]) -> list[Any]:
    return [item["signature"] if isinstance(item, dict) else item for item in page]


def test_plans_hold_every_lie() -> None:
    """Among a hundred seeds there is each kind, capped pages, blocks that are lacked, and nodes that forget."""
    plans = [FaultPlan.from_seed(seed, slots=30, per_slot=1) for seed in range(100)]
    assert {lie.kind for plan in plans for lie in plan.lies} == set(LIES)
    assert {plan.most_listed for plan in plans} == {None, 5, 40}
    assert {plan.hidden for plan in plans} == {0.0, 0.1, 0.3}
    assert any(plan.oblivions for plan in plans)
    assert Counter(plan.by_blocks for plan in plans).keys() == {False, True}


def test_a_page_is_cut_stands_still_or_leads_back() -> None:
    """As often as the plan says; then the truth."""
    _, node = liar(lies=(Lie(0, 1, "short page"), Lie(0, 1, "stuck cursor"), Lie(0, 1, "cursor that leads back")))
    short = node.answer("getSignaturesForAddress", [PUMP, LISTED])
    after = {**LISTED, "before": short[-1]["signature"]}
    stuck, back = (node.answer("getSignaturesForAddress", [PUMP, after]) for _ in range(2))
    whole = node.answer("getSignaturesForAddress", [PUMP, LISTED])
    assert (names(stuck), names(back), len(short)) == (names(short), names(short), len(whole) // 3)
    assert names(node.answer("getSignaturesForAddress", [PUMP, after])) == names(whole)[len(short) :]


def test_a_block_is_denied_a_few_times() -> None:
    """By the list and by itself; a block that was not given is on the books, and in the end everything is given."""
    _found, node = liar(hidden=1.0)
    first, last = CHAIN.first_slot, CHAIN.last_slot
    slots = [block.slot for block in CHAIN.main]
    assert [node.answer("getBlocks", [first, last]) for _ in range(MOST_HIDDEN + 1)] == [[], [], slots]
    denied = 0
    for _ in range(MOST_HIDDEN):
        with contextlib.suppress(RpcError):
            assert node.answer("getBlock", [slots[5], {}]) is None
        denied += 1
    assert node.answer("getBlock", [slots[5], {}]) is not None
    assert (denied, node.denied) == (MOST_HIDDEN, {slots[5]})


def test_a_node_forgets_and_says_so() -> None:
    """What is older it neither lists nor gives, and its first slot is a later one; until it has everything again."""
    found, node = liar(oblivions=(Oblivion(5, 2, 10),))
    rpc = reader(node)
    found.forget(5)
    oldest = rpc.get_first_slot()
    assert oldest > CHAIN.first_slot
    assert {item["slot"] >= oldest for item in node.answer("getSignaturesForAddress", [PUMP, LISTED])} <= {True}
    assert node.answer("getBlocks", [CHAIN.first_slot, oldest - 1]) == []
    with pytest.raises(RpcError):
        node.answer("getBlock", [CHAIN.first_slot, {}])
    found.forget(7)
    assert rpc.get_first_slot() == CHAIN.first_slot


def test_odd_items_stand_in_the_place_of_true_ones() -> None:
    """One of a page, one of a batch of statuses, a transaction that is none, and one that is another's."""
    kinds = ("one odd item", "one odd status", "odd transaction", "another transaction")
    _found, node = liar(lies=tuple(Lie(0, 1, kind) for kind in kinds))
    page = node.answer("getSignaturesForAddress", [PUMP, LISTED])
    whole = node.answer("getSignaturesForAddress", [PUMP, LISTED])
    odd = [place for place, (one, true) in enumerate(zip(page, whole, strict=True)) if one != true]
    newer = whole[odd[0] - 1]["slot"] if odd[0] else node.head("finalized").slot
    assert (len(odd), node.denied, node.unread) == (1, set(), [(whole[odd[0] + 1]["slot"], newer)])
    asked = [item["signature"] for item in whole[:3]]
    value = node.answer("getSignatureStatuses", [asked, {"searchTransactionHistory": True}])["value"]
    assert (value[1] is not None, isinstance(value[0], dict), isinstance(value[2], dict)) == (True, True, True)
    assert "transaction" not in value[1] if isinstance(value[1], dict) else True
    first, second, third = (
        node.answer("getTransaction", [name, {"maxSupportedTransactionVersion": 1}]) for name in asked
    )
    assert not isinstance(first, dict) or "slot" not in first
    assert (second["slot"], third["slot"]) == (whole[1]["slot"], whole[2]["slot"])
