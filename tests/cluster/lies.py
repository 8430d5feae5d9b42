"""A node that answers what is not so: short pages, cursors that stand still, blocks that it lacks, items of no known form."""

import random
import threading
from collections import Counter
from typing import Any

from tests.cluster.faults import (
    BACK,
    ODD_ITEM,
    ODD_STATUS,
    ODD_TRANSACTION,
    OTHER_TRANSACTION,
    SHORT,
    STUCK,
    FaultPlan,
)
from tests.cluster.node import Node, RpcError

MOST_HIDDEN = 2
"""How often a block is denied by each method that could tell of it."""
_ODD: tuple[Any, ...] = (None, 5, "x", [], {}, {"signature": 7, "slot": "x"}, {"slot": -1, "err": 5})
_ODD_STATUSES = _ODD[1:]
_NOT_GIVEN = (
    (-32001, "Block cleaned up, does not exist on node"),
    (-32004, "Block not available for slot"),
    (-32007, "Slot was skipped, or missing due to ledger jump to recent snapshot"),
    (-32009, "Slot was skipped, or missing in long-term storage"),
)


class Liar:
    """Turns a node's true answers into those of a plan; what was kept back is the node's ``denied`` and ``unread``."""

    def __init__(self, plan: FaultPlan, node: Node) -> None:
        self._plan, self._node = plan, node
        self._calls: Counter[str] = Counter()
        self._hidden: Counter[str] = Counter()
        self._last: dict[str, Any] = {}
        self._lock = threading.Lock()

    def forget(self, step: int) -> None:
        """Let the node keep as little as the plan says at a step."""
        for oblivion in self._plan.oblivions:
            if oblivion.step <= step < oblivion.step + oblivion.steps:
                self._node.first_slot = max(
                    self._plan.chain.first_slot, self._node.head("processed").slot - oblivion.slots
                )
                return
        self.remember()

    def remember(self) -> None:
        """Let the node have all of history again."""
        self._node.first_slot = self._plan.chain.first_slot

    def answer(self, method: str, params: list[Any], truth: Any) -> Any:
        """Return what the node answers instead of the truth. Raises :class:`RpcError`."""
        known = getattr(self, f"_{method}", None)
        return truth if known is None else known(params, truth)

    def _getSignaturesForAddress(self, params: list[Any], truth: list[Any]) -> list[Any]:  # noqa: N802  # the RPC's own names
        page = [item for item in truth if item["slot"] >= self._node.first_slot]
        options = params[1] if len(params) > 1 else {}
        before = options.get("before")
        if before is not None and self._lies(STUCK):
            return list(self._last.get("page", page))
        if before is not None and self._lies(BACK):
            return list(self._last.get("first", page))
        if self._plan.most_listed is not None:
            page = page[: self._plan.most_listed]
        if len(page) > 1 and self._lies(SHORT):
            page = page[: max(1, len(page) // 3)]
        self._last["page"] = page
        if before is None:
            self._last["first"] = page
        if page and self._lies(ODD_ITEM):
            place = random.Random(f"{self._plan.seed} {len(page)}").randrange(len(page))
            if place + 1 < len(page):  # else it comes again: the next page begins before the last one that was read
                # It may be anywhere between the two beside it, for all that anybody can tell.
                newer = page[place - 1]["slot"] if place else self._slot_of(before, options)
                self._node.unread.append((page[place + 1]["slot"], newer))
            page = [*page[:place], _ODD[place % len(_ODD)], *page[place + 1 :]]
        return page

    def _slot_of(self, signature: str | None, options: dict[str, Any]) -> int:
        """Return where a signature landed as far as the node has come, or that slot itself."""
        view = self._plan.chain.view(self._node.head(options.get("commitment", "finalized")))
        found = None if signature is None else view.find(signature)
        return view.slot if found is None else found.slot

    def _getSignatureStatuses(self, _params: list[Any], truth: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        value = truth["value"]
        if value and self._lies(ODD_STATUS):
            place = len(value) // 2
            value = [*value[:place], _ODD_STATUSES[place % len(_ODD_STATUSES)], *value[place + 1 :]]
        return {**truth, "value": value}

    def _getTransaction(self, _params: list[Any], truth: Any) -> Any:  # noqa: N802
        if truth is None or truth["slot"] < self._node.first_slot:
            return None
        if self._lies(ODD_TRANSACTION):
            return [[], "x", {}, {"meta": {}}, 5][truth["slot"] % 5]
        if "transaction" in self._last and self._lies(OTHER_TRANSACTION):
            return self._last["transaction"]
        self._last.setdefault("transaction", truth)
        return truth

    def _getBlocks(self, _params: list[Any], truth: list[int]) -> list[int]:  # noqa: N802
        # What is left out here is asked for by its child: it is no reason for a gap.
        return [slot for slot in truth if slot >= self._node.first_slot and not self._hides("listed", slot)]

    def _getBlock(self, params: list[Any], truth: Any) -> Any:  # noqa: N802
        slot = params[0]
        if slot < self._node.first_slot:
            self._node.denied.add(slot)
            raise RpcError(*_NOT_GIVEN[0])
        if self._hides("given", slot):
            self._node.denied.add(slot)
            place = slot % (len(_NOT_GIVEN) + 1)
            if place == len(_NOT_GIVEN):
                return None
            raise RpcError(*_NOT_GIVEN[place])
        return truth

    def _hides(self, how: str, slot: int) -> bool:
        if random.Random(f"{self._plan.seed} {how} {slot}").random() >= self._plan.hidden:
            return False
        with self._lock:
            self._hidden[f"{how} {slot}"] += 1
            return self._hidden[f"{how} {slot}"] <= MOST_HIDDEN

    def _lies(self, kind: str) -> bool:
        with self._lock:
            self._calls[kind] += 1
            call = self._calls[kind]
        return any(lie.kind == kind and lie.first_call < call <= lie.first_call + lie.calls for lie in self._plan.lies)
