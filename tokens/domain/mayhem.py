"""Mayhem coins: what shows that a coin is one, what its supply is, and in which order its trades ran.

The mayhem program mints as many tokens again for its own wallet, trades with them for a day and burns what is left. Before
each of its trades it sets the curve's virtual quote anew, without an event of the launchpad. So of its coins neither the
supply of the creation event nor the product of the virtual reserves can be believed (decision T15). Sources: the events of
October 2026, pump.fun's announcement of 2025-11-12, recorded trades.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from tokens.choices import EventKind, Program
from tokens.domain.events import ChainEvent
from tokens.domain.programs import MAYHEM_AGENT

SUPPLY_RAW: Final = 2 * 10**15
"""What there is of a mayhem coin while the agent trades it; what it burns afterwards no event of ours tells."""
TRADED_FOR: Final = timedelta(days=1)
"""So long after its creation the agent trades a coin."""
SINCE: Final = 1_761_955_200
"""2025-11-01: no coin of an earlier time is a mayhem coin."""
FEE_RECIPIENTS: Final = frozenset(
    {
        "GesfTA3X2arioaHp8bbKdjG9vJtskViWACZoYvxp4twS",
        "4budycTjhs9fD6xw62VBducVTNgMgJJ5BgtKq7mAZwn6",
        "8SBKzEQU4nLSzcwF4a74F2iaUDQyTfjGndn6qUWBnrpR",
        "4UQeTP1T39KZ9Sfxzo3WR5skgsaP6NZa87BAkuazLEKH",
        "8sNeir4QsLsJdYpc9RZacohhK1Y5FLU3nC5LXgYB4aa6",
        "Fh9HmeLNUMVCvejxCtCL2DbYaRyBFVJ5xrWkLnMH6fdk",
        "463MEnMeGyJekNZFQSTUABBEbLnvMTALbT6ZmsxAbAdq",
        "6AUH3WEHucYZyC61hqpqYUWVto5qA5hjHuNQ32GNnNxA",
    }
)
"""Who is paid the fees of mayhem coins alone (pump-public-docs, as of November 2026)."""
_OLD_LAYOUTS: Final = ("TradeEvent/", "CreateEvent/")

Held = tuple[int, int]
"""Real token and real quote reserves, base units: what only trades move."""


def is_mayhem(event: ChainEvent) -> bool | None:
    """Return whether an event shows that its coin is a mayhem coin; ``None`` where it does not tell.

    The flag of the event itself tells, the agent as its trader, a reset of the virtual reserves, and who is paid the fees. An
    event of the chain in a layout that has no flag yet, or of a time before the mode, is one of an ordinary coin; other sources
    leave the flag out.
    """
    fields = event.fields
    flag: bool | None = fields.get("mayhem_mode", fields.get("is_mayhem_mode"))
    if flag:
        return True
    if event.program is not Program.PUMPFUN:
        return None
    if event.user == MAYHEM_AGENT or event.kind is EventKind.RESERVES:
        return True
    if flag is not None:
        return False
    if fields.get("fee_recipient") in FEE_RECIPIENTS:
        return True
    if event.raw.get("layout", "").startswith(_OLD_LAYOUTS):
        return False
    return False if event.block_time is not None and event.block_time < SINCE else None


def supply_raw(*, created_at: int | None, at: int | None) -> int | None:
    """Return the supply of a mayhem coin ``at`` a time, base units; ``None`` once the agent may have burned some of it, and
    where the creation was not seen. Times are unix seconds."""
    if created_at is None or at is None:
        return None
    return SUPPLY_RAW if at - created_at < TRADED_FOR.total_seconds() else None


class Step(NamedTuple):
    """One trade of a curve: what the curve held before and after it, and what the virtual quote was."""

    key: str
    before: Held
    after: Held
    virtual_quote_before: int
    virtual_quote_after: int
    position: int | None
    """Place of its transaction in the block."""
    event_index: int
    signature: str


def order(steps: Collection[Step], start: Held | None) -> list[Step]:
    """Return the trades of one slot in the order in which they ran; ``start`` is what the curve held before the slot.

    By their places where the source told all of them. Else each trade follows the one that left what it found, so that all
    of them make one way: where a curve came back to where it was, a trade that would cut others off waits, one that found
    the virtual quote as it was left is taken first, and then the lower signature. Trades that follow from none of the others
    come where nothing else goes on. The answer is the same for every order of ``steps``.
    """
    left = sorted(steps, key=_tie)
    places = {(step.position, step.signature) for step in left}
    if all(position is not None for position, _ in places) and len({position for position, _ in places}) == len(places):
        return left
    ordered: list[Step] = []
    held, virtual_quote = start, None
    while left:
        following = [step for step in left if step.before == held]
        if following:
            if len(following) > 1:
                following = [step for step in following if not _cuts_off(step, left)] or following
            choice = _preferred(following, virtual_quote)
        else:
            choice = _preferred(_heads(left), virtual_quote)
        left.remove(choice)
        ordered.append(choice)
        held, virtual_quote = choice.after, choice.virtual_quote_after
    return ordered


def _tie(step: Step) -> tuple[int, str, int]:
    return (-1 if step.position is None else step.position, step.signature, step.event_index)


def _preferred(steps: Sequence[Step], virtual_quote: int | None) -> Step:
    unbroken = (step for step in steps if step.virtual_quote_before == virtual_quote)
    return next(unbroken, steps[0])


def _heads(left: Sequence[Step]) -> Sequence[Step]:
    """Return the trades with which a way through ``left`` can begin: more of them leave a state than lead to it."""
    arrivals = [step.after for step in left]
    departures = [step.before for step in left]
    heads = [step for step in left if departures.count(step.before) > arrivals.count(step.before)]
    if heads:
        return heads
    # A way that ends where it began: it begins behind a reset of the virtual quote if it has one.
    known = {(step.after, step.virtual_quote_after) for step in left}
    return [step for step in left if (step.before, step.virtual_quote_before) not in known] or left


def _cuts_off(choice: Step, left: Sequence[Step]) -> bool:
    """Say whether after ``choice`` a trade that can be reached now could not be reached any more."""
    rest = [step for step in left if step is not choice]
    return len(_reached(choice.after, rest)) < len(_reached(choice.before, left)) - 1


def _reached(held: Held, steps: Sequence[Step]) -> set[str]:
    states, keys = [held], set[str]()
    while states:
        state = states.pop()
        for step in steps:
            if step.before == state and step.key not in keys:
                keys.add(step.key)
                states.append(step.after)
    return keys
