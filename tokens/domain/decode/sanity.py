"""What an event may hold that was not read from a program's bytes: instructions, files and third parties can say anything."""

import re
from collections.abc import Iterable
from typing import Any, Final

from megatron.core import chain
from tokens.choices import EventKind, Program
from tokens.domain import programs
from tokens.domain.decode import plausibility
from tokens.domain.decode.events import EVENTS
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import ChainEvent

_AMOUNTS, _PLACES = 1 << 128, 1 << 31
_U64: Final = (1 << 64) - 1
_LONGEST: Final = 10_240
"""Letters; what no log line can carry no event says."""
_WORDS: Final = frozenset({"layout", "origin", "instruction"})
_WORD: Final = re.compile(r"[\w./]{1,80}", re.ASCII)
_STATED: Final = frozenset({"destination", "curve_type"})
"""Fields that our reading adds to a program's own: words."""
_LAUNCHES: Final = frozenset({EventKind.CREATE, EventKind.COMPLETE, EventKind.MIGRATE})
"""What only the program of a curve emits."""


def _kinds() -> dict[str, set[str]]:
    """Return the types that each field has in any layout, by its name."""
    kinds: dict[str, set[str]] = {name: {"string"} for name in _STATED}
    for table in EVENTS.values():
        for layout, _ in table.values():
            for name, kind in layout.fields:
                kinds.setdefault(name, set()).add(kind)
    for name in ("supply", "total_base_sell", "total_quote_fund_raising"):
        kinds.setdefault(name, set()).add("u64")
    return kinds


_KINDS: Final = _kinds()


def checked(events: Iterable[ChainEvent]) -> tuple[ChainEvent, ...]:
    """Return events as they are. Raises :class:`Undecodable` for an address, amount, slot, time or place that cannot be, for
    fields that contradict each other, and for those of another type than the program's."""
    found = tuple(events)
    for event in found:
        if event.kind in _LAUNCHES and event.program is Program.PUMPSWAP:
            raise Undecodable("bad_event", f"{event.kind.label} is no event of {event.program.label}")
        if not chain.is_signature(event.signature):
            raise Undecodable("bad_event", f"no signature: {event.signature[:100]!r}")
        for name in ("mint", "pool", "user", "quote_mint"):
            key = getattr(event, name)
            if key is not None and not programs.is_address(key):
                raise Undecodable("bad_event", f"{name} is no address: {key[:100]!r}")
        after = event.reserves.after
        reserves = (
            () if after is None else (after.virtual_quote, after.virtual_token, after.real_quote, after.real_token)
        )
        _within(_AMOUNTS, "an amount", event.quote_amount_raw, event.token_amount_raw, *reserves)
        fees = event.fees
        _within(
            _U64 + 1, "a fee", fees.protocol, fees.creator, fees.platform, fees.share, fees.lp, fees.cashback,
            fees.buyback, fees.holder_rewards,
        )  # fmt: skip
        _within(_PLACES, "a place in a transaction", event.event_index)
        _typed(event)
        doubt = chain.doubt(slot=event.slot, block_time=event.block_time)
        if doubt := doubt or plausibility.doubt(event.program, event, event.fields):
            raise Undecodable("bad_event", f"{event.kind.label} {doubt}")
    return found


def _within(limit: int, what: str, *numbers: int | None) -> None:
    for number in numbers:
        if number is not None and not 0 <= number < limit:
            raise Undecodable("bad_event", f"{number} is not {what}")


def _typed(event: ChainEvent) -> None:
    """Hold what is read of ``fields`` and ``raw`` later against the types that the programs write."""
    for name, value in event.fields.items():
        kinds = _KINDS.get(name)
        if kinds is not None and not any(_is(kind, value) for kind in kinds):
            raise Undecodable("bad_event", f"{name} is no {' or '.join(sorted(kinds))}: {str(value)[:100]!r}")
    for name in _WORDS & event.raw.keys():
        word = event.raw[name]
        if not isinstance(word, str) or _WORD.fullmatch(word) is None:
            raise Undecodable("bad_event", f"{name} is no word")
    if not _is("u64", event.raw.get("unknown_bytes", 0)):
        raise Undecodable("bad_event", "unknown_bytes is no number")


def _is(kind: str, value: Any) -> bool:
    if kind == "string":
        return isinstance(value, str) and len(value) <= _LONGEST
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "pubkey":
        return isinstance(value, str) and programs.is_address(value)
    if kind.startswith("pubkey*"):
        return isinstance(value, list) and all(_is("pubkey", one) for one in value)
    if kind[0] in "ui" and kind[1:].isdigit():
        bits = int(kind[1:])
        least, most = (0, 1 << bits) if kind[0] == "u" else (-(1 << bits - 1), 1 << bits - 1)
        return isinstance(value, int) and not isinstance(value, bool) and least <= value < most
    return isinstance(value, list | dict | int | str)  # a structure of its own, which nobody reads
