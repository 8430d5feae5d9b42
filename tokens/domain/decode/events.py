"""From undecoded emissions to chain events: finds each event's layout and meaning by program and discriminator."""

from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Final

from msgspec.structs import replace

from tokens.choices import EventKind, Program
from tokens.domain.decode import launchlab, layouts, plausibility, pumpfun, pumpswap
from tokens.domain.decode.borsh import Layout
from tokens.domain.decode.emissions import Emission, Facts, Header, chain_event, other
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import ChainEvent

Meaning = Callable[[dict[str, Any], Emission], Facts]


def _discriminator(space: str, name: str) -> bytes:
    return sha256(f"{space}:{name}".encode()).digest()[:8]


EVENTS: Final[dict[Program, dict[bytes, tuple[Layout, Meaning]]]] = {
    program: {_discriminator("event", layout.name): (layout, meanings.get(layout.name, other)) for layout in table}
    for program, table, meanings in (
        (Program.PUMPFUN, layouts.parse(layouts.PUMPFUN), pumpfun.MEANINGS),
        (Program.PUMPSWAP, layouts.parse(layouts.PUMPSWAP), pumpswap.MEANINGS),
        (Program.LAUNCHLAB, launchlab.EVENTS, launchlab.MEANINGS),
    )
}
INSTRUCTIONS: Final[dict[Program, dict[bytes, str]]] = {
    program: {_discriminator("global", name): name for name in names.split()}
    for program, names in (
        (Program.PUMPFUN, pumpfun.INSTRUCTIONS),
        (Program.PUMPSWAP, pumpswap.INSTRUCTIONS),
        (Program.LAUNCHLAB, launchlab.INSTRUCTIONS),
    )
}
_TRADE_EVENT: Final = _discriminator("event", "TradeEvent")
_OF_INSTRUCTIONS: Final = frozenset({EventKind.BUY, EventKind.SELL, EventKind.CREATE, EventKind.CREATE_POOL})
"""Events whose instruction we know by name, unless the program got a new one."""


def read(header: Header, emissions: Iterable[Emission], drift: Counter[str]) -> list[ChainEvent]:
    """Return the events in order; what the tables do not know is counted in ``drift``.

    An event without a time gets that of a neighbour in its transaction: all read the same clock. Raises
    :class:`Undecodable` for bytes that fit no layout, or fit only in part and say what cannot be, unless the event is of no
    consequence.
    """
    events = []
    clock: int | None = None
    timeless = False
    for emission in emissions:
        program, payload = emission.program, emission.payload
        found = EVENTS[program].get(payload[:8])
        if found is None:
            drift[f"{program.value}.{payload[:8].hex()}.unknown_event"] += 1
            continue
        layout, meaning = found
        try:
            if program is Program.LAUNCHLAB and payload[:8] == _TRADE_EVENT:
                layout = launchlab.trade_layout(payload)
            fields, unknown = layout.read(payload)
            name = f"{layout.name}/{len(fields)}"
            facts = meaning(fields, emission)
            if doubt := plausibility.doubt(program, facts, fields, grown=unknown > 0):
                # Grown by more than an appendix, or read by a layout that is not its own: this is not what was written.
                raise Undecodable("bad_event", f"{layout.name} of {len(payload)} bytes {doubt}")
        except Undecodable as refusal:
            if meaning is not other:  # a new layout of an administrative event must not hold up the trades beside it
                raise refusal.of(program, layout.name, header.signature, header.slot) from None
            drift[f"{program.value}.{layout.name}.unknown_layout"] += 1
            continue
        if facts.block_time is None:
            timeless = True
        else:
            clock = facts.block_time
        event = chain_event(header, emission, facts, name, fields)
        if unknown:
            drift[f"{program.value}.{layout.name}.unknown_bytes"] += unknown
            event.raw["unknown_bytes"] = unknown
        if emission.instruction is None and emission.origin == "cpi" and facts.kind in _OF_INSTRUCTIONS:
            drift[f"{program.value}.{layout.name}.unknown_instruction"] += 1
        events.append(event)
    if timeless and clock is not None:
        return [replace(event, block_time=clock) if "timestamp" not in event.fields else event for event in events]
    return events
