"""The chain: blocks in the order in which they are played, forks that are dropped, and what is visible from where."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from tests.cluster.crowd import Crowd
from tests.cluster.landing import Landing
from tests.cluster.market import Failed, Market
from tests.cluster.wishes import BYSTANDER, Wish

FIRST_SLOT = 455_000_000
FIRST_SECOND = 1_791_500_000
SLOTS_A_SECOND = 3
FINALITY_SLOTS = 32


class Fork(NamedTuple):
    """A branch that is dropped: ``length`` slots after the block at or before offset ``after`` of the chain."""

    after: int
    length: int


class Block(NamedTuple):
    """One block. ``fork`` is the slot of the last main block before the branch that it is on, ``None`` on the main chain."""

    slot: int
    parent: int
    block_time: int
    height: int
    landings: tuple[Landing, ...] = ()
    fork: int | None = None


class Chain:
    """All blocks. After its last block the chain goes on with empty ones, one a slot, for ever."""

    def __init__(self, timeline: Sequence[Block], *, first_second: int = FIRST_SECOND) -> None:
        self.timeline = list(timeline)
        self._first_second = first_second
        self._places: dict[str, dict[str, int]] = {}
        self._branches: dict[int, dict[str, Landing]] = {}

    @cached_property
    def main(self) -> list[Block]:
        """Return the blocks that stay, ascending."""
        return [block for block in self.timeline if block.fork is None]

    @cached_property
    def _slots(self) -> list[int]:
        return [block.slot for block in self.main]

    @cached_property
    def _landed(self) -> dict[str, Landing]:
        return {landing.signature: landing for block in self.main for landing in block.landings}

    @cached_property
    def _by_address(self) -> dict[str, list[Landing]]:
        found: dict[str, list[Landing]] = {}
        for block in self.main:
            for landing in block.landings:
                for address in landing.addresses:
                    found.setdefault(address, []).append(landing)
        return found

    def places(self, address: str) -> dict[str, int]:
        """Return where in the list of an address each signature stands: a long list is read page by page."""
        if address not in self._places:
            listed = self._by_address.get(address, [])
            self._places[address] = {landing.signature: place for place, landing in enumerate(listed)}
        return self._places[address]

    def landed_on(self, fork: int) -> dict[str, Landing]:
        """Return where each signature landed on the branch that begins after slot ``fork``."""
        if fork not in self._branches:
            blocks = [block for block in self.timeline if block.fork == fork]
            self._branches[fork] = {landing.signature: landing for block in blocks for landing in block.landings}
        return self._branches[fork]

    @property
    def first_slot(self) -> int:
        """Return the slot of the first block."""
        return self.timeline[0].slot

    @property
    def last_slot(self) -> int:
        """Return the slot of the last block that was built."""
        return self.main[-1].slot

    def landings(self) -> Iterator[Landing]:
        """Yield everything on the main chain, in its order."""
        for block in self.main:
            yield from block.landings

    def dropped(self) -> list[Landing]:
        """Return everything on branches that were dropped."""
        return [landing for block in self.timeline if block.fork is not None for landing in block.landings]

    def played(self, step: int) -> Block:
        """Return the block that is played at ``step``, counted from 0."""
        if step < len(self.timeline):
            return self.timeline[step]
        return self._empty(self.last_slot + 1 + step - len(self.timeline))

    def _empty(self, slot: int) -> Block:
        last = self.main[-1]
        beyond = slot - last.slot
        return Block(slot, slot - 1, last.block_time + beyond // SLOTS_A_SECOND, last.height + beyond)

    def view(self, head: Block) -> "View":
        """Return the chain as a node sees it whose newest block is ``head``."""
        return View(self, head)


class View:
    """The chain up to one block: the main chain, or as far as the branch that the block is on, and then the branch."""

    def __init__(self, chain: Chain, head: Block) -> None:
        self.chain, self.head = chain, head
        self._fork_from = head.fork

    @property
    def slot(self) -> int:
        """Return the newest slot."""
        return self.head.slot

    @cached_property
    def _branch(self) -> list[Block]:
        if self._fork_from is None:
            return []
        return [b for b in self.chain.timeline if b.fork == self._fork_from and b.slot <= self.head.slot]

    @property
    def _last_main(self) -> int:
        return self.head.slot if self._fork_from is None else self._fork_from

    def block(self, slot: int) -> Block | None:
        """Return the block of a slot, ``None`` if it has none here."""
        for block in self._branch:
            if block.slot == slot:
                return block
        if slot > self._last_main:
            return None
        if slot > self.chain.last_slot:
            return self.chain._empty(slot)
        place = bisect_right(self.chain._slots, slot) - 1
        found = self.chain.main[place] if place >= 0 else None
        return found if found is not None and found.slot == slot else None

    def slots(self, first: int, last: int) -> list[int]:
        """Return the slots in ``[first, last]`` that have a block here, ascending."""
        known = self.chain._slots
        end = min(last, self._last_main)
        found = known[bisect_right(known, first - 1) : bisect_right(known, end)]
        found += range(max(first, self.chain.last_slot + 1), end + 1)
        return found + [block.slot for block in self._branch if first <= block.slot <= last]

    def find(self, signature: str) -> Landing | None:
        """Return where a transaction landed."""
        if self._fork_from is not None:
            found = self.chain.landed_on(self._fork_from).get(signature)
            if found is not None and found.slot <= self.head.slot:
                return found
        found = self.chain._landed.get(signature)
        return found if found is not None and found.slot <= self._last_main else None

    def of(self, address: str, *, before: str | None = None) -> Iterator[Landing]:
        """Yield the transactions of an address, newest first; within a slot the last one first.

        ``before``: only what is older than this one; nothing where it is not known.
        """
        branch = [
            landing
            for block in reversed(self._branch)
            for landing in reversed(block.landings)
            if address in landing.addresses
        ]
        main = self.chain._by_address.get(address, [])
        end = bisect_right(main, self._last_main, key=lambda landing: landing.slot)
        if before is not None:
            on_branch = [place for place, landing in enumerate(branch) if landing.signature == before]
            if on_branch:
                branch = branch[on_branch[0] + 1 :]
            else:
                branch, end = [], min(end, self.chain.places(address).get(before, 0))
        yield from branch
        yield from (main[place] for place in range(end - 1, -1, -1))


class _Builder:
    """Lets a crowd's wishes land, block after block."""

    def __init__(self, crowd: Crowd, market: Market, *, first_slot: int, first_second: int) -> None:
        self.crowd, self.market = crowd, market
        self.first_slot, self.first_second = first_slot, first_second
        self.last = Block(first_slot - 1, first_slot - 2, first_second, 400_000_000)
        self.again: list[tuple[int, Wish]] = []
        """Wishes of dropped branches that land once more: (slot, wish)."""

    def overture(self, slot: int) -> Block:
        """Return a block with one transaction that names all programs and does nothing: a listener to any of them hears
        something at once, and knows from where on it listens."""
        crowd = self.crowd
        wish = Wish(crowd.signature(), BYSTANDER, crowd.users[0], crowd.users[1])
        self.last = self._next(slot, [Landing(wish, slot, self._time(slot), 0)], None)
        return self.last

    def _time(self, slot: int) -> int:
        return self.first_second + (slot - self.first_slot) // SLOTS_A_SECOND

    def _next(self, slot: int, landings: list[Landing], fork: int | None) -> Block:
        return Block(slot, self.last.slot, self._time(slot), self.last.height + 1, tuple(landings), fork)

    def block(self, slot: int, count: int, fork: int | None = None) -> Block:
        """Return the next block, on top of the last one."""
        block_time, landings = self._time(slot), []
        returning = [] if fork is not None else [wish for due, wish in self.again if due <= slot]
        self.again = [(due, wish) for due, wish in self.again if wish not in returning]
        for place in range(count + len(returning)):
            wish = returning.pop() if returning else self.crowd.next(self.market)
            try:
                landings.append(Landing(wish, slot, block_time, place, self.market.land(wish)))
            except Failed as refusal:
                landings.append(Landing(wish, slot, block_time, place, (), refusal.code))
        self.last = self._next(slot, landings, fork)
        return self.last

    def branch(self, length: int, per_slot: float, skipped: float) -> list[Block]:
        """Return the blocks of a branch; afterwards everything is as if it had not been, and most wishes will return."""
        kept, last = self.market, self.last
        self.market = kept.copy()
        blocks = self.blocks(last.slot + 1, last.slot + length, per_slot, skipped, fork=last.slot)
        self.market, self.last = kept, last
        dice = self.crowd.dice
        due = last.slot + length + 1
        wishes = [landing.wish for block in blocks for landing in block.landings if dice.random() < 0.85]
        self.again += [(due + dice.randrange(max(1, length)), wish) for wish in dice.sample(wishes, len(wishes))]
        return blocks

    def blocks(self, first: int, last: int, per_slot: float, skipped: float, fork: int | None = None) -> list[Block]:
        """Return the blocks of ``[first, last]``; some slots have none."""
        dice = self.crowd.dice
        return [
            self.block(slot, int(dice.expovariate(1 / per_slot) + 0.5), fork)
            for slot in range(first, last + 1)
            if dice.random() >= skipped
        ]


def build(
    *,
    seed: int = 1,
    slots: int = 120,
    per_slot: float = 6.0,
    skipped: float = 0.05,
    forks: Sequence[Fork] = (),
    coins: int = 8,
    recorded: float = 0.2,
    first_slot: int = FIRST_SLOT,
    first_second: int = FIRST_SECOND,
) -> Chain:
    """Return a chain of ``slots`` slots with about ``per_slot`` transactions each: the same one for the same arguments.

    ``skipped`` is the share of slots without a block; ``recorded`` the share of real trades, see
    :class:`tests.cluster.crowd.Crowd`. Of a fork's transactions most land again later, in another order.
    """
    crowd = Crowd(seed, coins=coins, recorded=recorded)
    builder = _Builder(crowd, Market(), first_slot=first_slot, first_second=first_second)
    timeline = [builder.block(first_slot, 0), builder.overture(first_slot + 1)]
    slot, end = first_slot + 2, first_slot + slots
    waiting = sorted(forks, reverse=True)
    while slot < end or waiting or builder.again:
        if waiting and slot > first_slot + waiting[-1].after:
            fork = waiting.pop()
            timeline += builder.branch(fork.length, per_slot, skipped)
            slot = max(slot, builder.last.slot + 1 + fork.length)
            timeline.append(builder.block(slot, 1))
        else:
            timeline += builder.blocks(slot, slot, per_slot if slot < end else 1.0, skipped)
        slot += 1
    return Chain(timeline, first_second=first_second)
