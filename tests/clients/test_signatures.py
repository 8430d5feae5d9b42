"""Lists of transactions are read to their end, whatever the pages are: the same of a fake and of the real client."""

from collections.abc import Callable, Sequence
from itertools import count

import httpx
import msgspec
import pytest

from megatron.clients.errors import Malformed, TryLater
from megatron.clients.ports import Landed
from megatron.clients.signatures import Listing, Node, list_back
from megatron.clients.solana_rpc import SolanaRpc
from tests.factories import NOON, address, signature

WHO = address("listed")
Page = Callable[[Sequence[Landed], str | None], Sequence[Landed]]
"""What a node lists of all that there is, behind a signature."""


def landed(many: int, *, per_slot: int = 1) -> list[Landed]:
    return [Landed(signature(f"{n}"), 5_000 - n // per_slot, n % 3 == 0, NOON) for n in range(many)]


def capped(most: int) -> Page:
    """Return what a node lists that caps its pages."""

    def page(everything: Sequence[Landed], before: str | None) -> Sequence[Landed]:
        names = [one.signature for one in everything]
        start = 0 if before is None else names.index(before) + 1
        return everything[start : start + most]

    return page


class Fake:
    """A node in memory."""

    def __init__(self, everything: Sequence[Landed], page: Page) -> None:
        self.everything, self.page, self.asked = everything, page, list[tuple[str | None, int]]()

    def get_signatures(
        self, address: str, *, before: str | None, until: str | None, limit: int, finalized: bool, min_slot: int
    ) -> Sequence[Landed]:
        self.asked.append((before, min_slot))
        return self.page(self.everything, before)[:limit]


def real(fake: Fake) -> SolanaRpc:
    """Return the client of the RPC, answered by ``fake`` over the wire."""

    def answer(request: httpx.Request) -> httpx.Response:
        _, options = msgspec.json.decode(request.content)["params"]
        page = fake.get_signatures(
            WHO,
            before=options.get("before"),
            until=None,
            limit=options["limit"],
            finalized=True,
            min_slot=options["minContextSlot"],
        )
        items = [
            {
                "signature": one.signature,
                "slot": one.slot,
                "err": {"Custom": 1} if one.failed else None,
                "blockTime": None if one.block_time is None else int(one.block_time.timestamp()),
            }
            if one.is_read
            else None
            for one in page
        ]
        return httpx.Response(200, content=msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": items}))

    return SolanaRpc("http://node.test", per_second=1e6, transport=httpx.MockTransport(answer))


@pytest.fixture(params=[lambda fake: fake, real], ids=["fake", "real client"])
def behind(request: pytest.FixtureRequest) -> Callable[[Fake], Node]:
    """Return how a node is asked: by itself, or through the real client."""
    node: Callable[[Fake], Node] = request.param
    return node


def read(node: Node, *, after_slot: int | None = None, most_pages: int = 50, most: int | None = None) -> Listing:
    return list_back(node, WHO, after_slot=after_slot, min_slot=9, finalized=True, most_pages=most_pages, most=most)


@pytest.mark.parametrize("most", [1, 7, 40, 1_000])
def test_truth_10_only_an_empty_page_is_the_end(behind: Callable[[Fake], Node], most: int) -> None:
    """However short the pages are, the list is the same, and the last call brings nothing."""
    fake = Fake(landed(40), capped(most))
    found = read(behind(fake))
    assert (list(found.landed), found.has_ended, found.has_reached) == (landed(40), True, False)
    assert found.pages == len(fake.asked) == -(-40 // most) + 1


@pytest.mark.parametrize("most", [1, 7, 1_000])
def test_truth_10_a_page_that_reaches_the_asked_slot_is_the_end(behind: Callable[[Fake], Node], most: int) -> None:
    """Nothing behind that slot can be missing: no further page is asked for."""
    found = read(behind(Fake(landed(40, per_slot=2), capped(most))), after_slot=4_990)
    assert (found.has_reached, found.has_ended, found.landed[-1].slot <= 4_990) == (True, False, True)
    behind_it = [one for one in found.landed if one.slot > 4_990]
    assert behind_it == [one for one in landed(40, per_slot=2) if one.slot > 4_990]


def test_truth_10_a_next_page_is_asked_of_nobody_who_does_not_know_where_the_last_one_ended(
    behind: Callable[[Fake], Node],
) -> None:
    """A node that lags behind the one before would list nothing before a signature that it does not know."""
    fake = Fake(landed(3), capped(2))
    read(behind(fake))
    assert [min_slot for _, min_slot in fake.asked] == [9, 5_000, 5_000]


def stuck(everything: Sequence[Landed], before: str | None) -> Sequence[Landed]:
    return everything[:5]


def stuck_in_a_slot(everything: Sequence[Landed], before: str | None) -> Sequence[Landed]:
    return [one for one in everything if one.slot == 5_000]


def cycle(everything: Sequence[Landed], before: str | None) -> Sequence[Landed]:
    names = [one.signature for one in everything]
    return everything[:5] if before is None or names.index(before) == 9 else everything[5:10]


@pytest.mark.parametrize("page", [stuck, stuck_in_a_slot, cycle])
def test_truth_12_pages_that_do_not_go_on_are_a_fault(behind: Callable[[Fake], Node], page: Page) -> None:
    """The same page again, the same ones of one slot, and a cycle of two pages: told with the third call at the latest."""
    fake = Fake(landed(60, per_slot=5), page)
    with pytest.raises(Malformed):
        read(behind(fake))
    assert len(fake.asked) <= 3


def test_truth_12_a_list_without_an_end_has_a_ceiling(behind: Callable[[Fake], Node]) -> None:
    """A node that makes up one more transaction each time is asked as often as the caller allows."""
    made_up = count()

    def endless(_everything: Sequence[Landed], before: str | None) -> Sequence[Landed]:
        number = next(made_up)
        return [Landed(signature(f"made up {number}"), 5_000 - number, False, NOON)]

    found = read(behind(Fake([], endless)), most_pages=12)
    assert (found.pages, len(found.landed), found.has_ended, found.has_reached) == (12, 12, False, False)
    assert len(read(behind(Fake([], endless)), most=3).landed) == 3


def test_truth_13_an_item_that_cannot_be_read_harms_only_itself(behind: Callable[[Fake], Node]) -> None:
    """It stands between its neighbours, at the slot of the older one; at a page's end it is asked for again."""
    everything = landed(6)
    odd = Landed("", everything[3].slot, failed=False, block_time=None, is_read=False)
    with_odd = [*everything[:3], odd, *everything[3:]]

    def page(_everything: Sequence[Landed], before: str | None) -> Sequence[Landed]:
        names = [one.signature for one in with_odd]
        start = 0 if before is None else names.index(before) + 1
        return with_odd[start : start + 3]

    assert read(behind(Fake([], page))).landed == with_odd


@pytest.mark.parametrize(
    "items", [[{"signature": "a", "slot": 5}, {"signature": "b", "slot": 6}], [{"signature": "a", "slot": 5}] * 1_001]
)
def test_truth_12_a_page_that_is_too_long_or_in_another_order_is_none(items: list[dict[str, object]]) -> None:
    """Where it ends could not be told."""
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": items})
    rpc = SolanaRpc(
        "http://node.test", per_second=1e6, transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    )
    with pytest.raises(Malformed):
        read(rpc)


def test_truth_10_a_node_that_is_behind_ends_no_list() -> None:
    """Its refusal is told; nothing is taken for the end."""

    def behind_all(_request: httpx.Request) -> httpx.Response:
        error = {"code": -32016, "message": "Minimum context slot has not been reached"}
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": error})

    rpc = SolanaRpc("http://node.test", per_second=1e6, transport=httpx.MockTransport(behind_all))
    with pytest.raises(TryLater):
        read(rpc)
