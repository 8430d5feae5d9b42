"""The list of an address's transactions, read page by page from its newest end: where it ends, and what is no page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from megatron.clients.errors import Malformed
from megatron.clients.ports import Landed

PAGE = 1_000
"""The most that a node lists at once."""


class Node(Protocol):
    """What lists an address's transactions."""

    def get_signatures(
        self, address: str, *, before: str | None, until: str | None, limit: int, finalized: bool, min_slot: int
    ) -> Sequence[Landed]:
        """Return a page of transactions, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """What was listed, newest first and without repeats, and how many pages that took.

    ``has_reached``: something at or before the asked slot is listed, so that nothing behind it is missing. ``has_ended``: an
    empty page came, so that this node has nothing older. With neither, the reading stopped before the end.
    """

    landed: Sequence[Landed]
    pages: int
    has_reached: bool = False
    has_ended: bool = False


def list_back(
    node: Node,
    address: str,
    *,
    after_slot: int | None,
    min_slot: int,
    finalized: bool,
    most_pages: int,
    most: int | None = None,
) -> Listing:
    """Return the transactions of ``address`` back to ``after_slot`` or to the end, in ``most_pages`` pages at most, and no
    further than to ``most`` transactions.

    However short a page is, the next one is asked for. Raises ``Malformed`` for a page that brings nothing new or begins
    before the one before it has ended: such a list would be asked for without end. Raises ``TryLater`` from a node that has
    not come as far as ``min_slot``, or as the newest transaction that another one has listed: it would not know where the
    page before has ended, and list nothing.
    """
    landed: list[Landed] = []
    seen: set[str] = set()
    before: Landed | None = None
    for number in range(1, most_pages + 1):
        page = node.get_signatures(
            address,
            before=None if before is None else before.signature,
            until=None,
            limit=PAGE,
            finalized=finalized,
            min_slot=max(min_slot, landed[0].slot if landed else 0),
        )
        if not page:
            return Listing(landed, number, has_ended=True)
        if before is not None and page[0].slot > before.slot:
            raise Malformed(f"{address}: the page before slot {before.slot} begins at slot {page[0].slot}")
        new = [one for one in page if one.signature not in seen]
        if not any(one.is_read for one in new):
            raise Malformed(f"{address}: the page before slot {page[0].slot} holds nothing older")
        seen.update(one.signature for one in new if one.is_read)
        landed += new
        before = page[-1]
        if after_slot is not None and before.slot <= after_slot:
            return Listing(landed, number, has_reached=True)
        if most is not None and len(landed) >= most:
            return Listing(landed, number)
    return Listing(landed, most_pages)
