"""Blocks that follow one another, whatever a node leaves out of its lists or does not give."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from megatron.clients.errors import Malformed, TryLater
from megatron.clients.solana_rpc import SolanaRpc
from tests.tokens.services.live import reader
from tokens.services import blocks

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)

BLOCKS = (100, 101, 104, 105, 109, 110)
"""The slots of a small chain; the others were skipped."""
NOT_GIVEN: list[Any] = [
    None,
    {"code": -32001, "message": "Block cleaned up"},
    {"code": -32004, "message": "Block not available for slot"},
    {"code": -32007, "message": "Slot was skipped, or missing due to ledger jump to recent snapshot"},
    {"code": -32009, "message": "Slot was skipped, or missing in long-term storage"},
    {"code": -32014, "message": "Block status not yet available"},
]


def node(
    *,
    unlisted: Collection[int] = (),
    lacks: Collection[int] = (),
    how: Any = None,
    parents: dict[int, int] | None = None,
) -> SolanaRpc:
    """Return a node that leaves slots out of its lists, and does not give some blocks in one of the ways there are."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = msgspec.json.decode(request.content)
        method, params = asked["method"], asked["params"]
        result: Any = None
        if method == "getSlot":
            result = BLOCKS[-1]
        elif method == "getBlocks":
            result = [slot for slot in BLOCKS if params[0] <= slot <= params[1] and slot not in unlisted]
        elif params[0] in BLOCKS and params[0] not in lacks:
            before = [slot for slot in BLOCKS if slot < params[0]]
            parent = (parents or {}).get(params[0], before[-1] if before else 99)
            result = {"parentSlot": parent, "transactions": []}
        elif how is not None or params[0] not in BLOCKS:
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": how or NOT_GIVEN[3]})
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": result})

    return SolanaRpc("http://node.test", per_second=1e6, transport=httpx.MockTransport(answer))


def read(chain: SolanaRpc, *, after: int = 99, through: int = 110) -> tuple[list[int], blocks.Unlinked | None]:
    """Return the slots that were read, and where the chain is not linked any more."""
    slots: list[int] = []
    try:
        slots.extend(block.slot for block in blocks.read(chain=chain, after_slot=after, through_slot=through, now=NOW))
    except blocks.Unlinked as missing:
        return slots, missing
    return slots, None


@pytest.mark.parametrize(
    ("after", "through"), [(99, 110), (99, 109), (100, 104), (101, 103), (105, 108), (101, 108), (110, 110)]
)
def test_a_stretch_has_its_blocks_and_no_others(after: int, through: int) -> None:
    """Skipped slots inside, at the beginning and at the end, and nothing but skipped ones."""
    assert read(node(), after=after, through=through) == ([slot for slot in BLOCKS if after < slot <= through], None)


@pytest.mark.parametrize("unlisted", [(100,), (104,), (101, 104), (105, 109), (100, 101, 104, 105), (109,)])
@pytest.mark.parametrize("through", [110, 109])
def test_truth_11_a_block_that_a_list_leaves_out_is_read_by_its_child(unlisted: tuple[int, ...], through: int) -> None:
    """At the beginning, in the middle, several in a row, and at the end, where the next block behind the stretch tells."""
    assert read(node(unlisted=unlisted), through=through) == ([slot for slot in BLOCKS if slot <= through], None)


@pytest.mark.parametrize("how", NOT_GIVEN)
@pytest.mark.parametrize("unlisted", [(), (105,)])
def test_truth_11_a_block_that_the_node_does_not_have_is_no_skipped_slot(how: Any, unlisted: tuple[int, ...]) -> None:
    """However it says so, and whether it is listed: what is linked before counts, and there it ends."""
    slots, missing = read(node(unlisted=unlisted, lacks=[105], how=how))
    assert missing is not None
    assert (slots, missing.first, missing.last) == ([100, 101, 104], 105, 105)


def test_truth_11_the_next_block_proves_how_a_stretch_ends() -> None:
    """A stretch of skipped slots is one only where the block behind it names the one before; without one nobody knows."""
    slots, missing = read(node(unlisted=[105, 109], lacks=[105]), after=104, through=108)
    assert (slots, missing is not None) == ([], True)
    assert read(node(), after=105, through=108) == ([], None)
    with pytest.raises(TryLater):
        list(blocks.read(chain=node(), after_slot=110, through_slot=112, now=NOW))


@pytest.mark.parametrize("parent", [105, 106, -1])
def test_truth_11_a_parent_that_is_none_is_malformed(parent: int) -> None:
    """Itself, a later one, no slot at all: such a chain would be walked for ever."""
    with pytest.raises(Malformed):
        read(node(parents={105: parent}))


def test_truth_12_a_walk_back_has_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that lists next to nothing is not read by links to the beginning of time."""
    monkeypatch.setattr(blocks, "MOST_LEFT_OUT", 2)
    slots, missing = read(node(unlisted=[100, 101, 104, 105, 109]))
    assert (slots, missing is not None) == ([], True)


def test_truth_11_a_whole_chain_is_linked() -> None:
    """The stand-in's own blocks are linked, skipped slots and all."""
    from tests.tokens.services.live import world

    small = world()
    first, last = small.chain.first_slot, small.chain.last_slot
    found = blocks.read(chain=reader(small.node), after_slot=first - 1, through_slot=last, now=NOW)
    assert [block.slot for block in found] == [block.slot for block in small.chain.main]
