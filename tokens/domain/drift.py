"""What tells that a program changed under our layouts, in pure code: sightings in words, and when to stop a venue.

Only what a program itself emitted in its own call counts. Anybody can send transactions to a program, but not make it emit
bytes of another shape, and nobody can keep the others from trading.
"""

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from tokens.choices import EventKind, Program
from tokens.domain.decode.events import INSTRUCTIONS
from tokens.domain.decode.results import Decoded, Outcome
from tokens.domain.programs import ZERO_KEY

_TRADES: Final = frozenset({EventKind.BUY, EventKind.SELL})
_TRADE_EVENTS: Final = frozenset({"TradeEvent", "BuyEvent", "SellEvent"})
_NAMES: Final = {name for program in (Program.PUMPFUN, Program.PUMPSWAP) for name in INSTRUCTIONS[program].values()}
_KNOWN_NAMES: Final = _NAMES | {"multi_hop_swap"}
"""What ``ix_name`` of pump's trade events was seen to say."""
_LONGEST_NAME: Final = 60
_RECIPIENTS: Final = ("fee_recipient", "protocol_fee_recipient", "reserved_fee_recipient")
_RECIPIENT_LISTS: Final = ("fee_recipients", "protocol_fee_recipients", "reserved_fee_recipients")

WINDOW: Final = 200
"""Transactions by which a venue is judged."""
LEAST: Final = 50
"""Fewer decide nothing."""
LEAST_SLOTS: Final = 5
"""Slots from which unreadable trades must come: one bundle decides nothing."""
LEAST_SILENCE_SLOTS: Final = 25
LEAST_MISSED: Final = 30
"""Trades that must be overdue: with so many, a chance silence happens once in 10^13."""


class Sighting(NamedTuple):
    """One way in which events did not fit: ``what`` is ``<event>.<kind of drift>`` and, where it grew, by how many bytes."""

    venue: Program
    what: str


def sightings(decoded: Decoded) -> Iterator[tuple[Sighting, int]]:
    """Yield what did not fit in one transaction, and in how many of its events."""
    for key, count in decoded.drift.items():
        venue, name, kind = key.split(".")
        if kind != "unknown_bytes":
            yield Sighting(Program(venue), f"{name}.{kind}"), count
    for event in decoded.events:
        if grown := event.raw.get("unknown_bytes"):
            yield Sighting(event.program, f"{_layout(event.raw)}.unknown_bytes.{grown}"), 1
        called = event.fields.get("ix_name")
        if called and called not in _KNOWN_NAMES:
            plain = "".join(letter if letter.isalnum() or letter == "_" else "?" for letter in called[:_LONGEST_NAME])
            yield Sighting(event.program, f"{plain}.unknown_instruction_name"), 1


def _layout(raw: dict[str, object]) -> str:
    return str(raw.get("layout", "")).partition("/")[0]


def recipients(decoded: Decoded) -> Iterator[tuple[Program, str]]:
    """Yield the addresses that a transaction's events say a venue paid, or will pay, its own fees to."""
    for event in decoded.events:
        fields = event.fields
        for name in _RECIPIENTS:
            if name in fields and fields[name] != ZERO_KEY:
                yield event.program, fields[name]
        if event.kind is EventKind.SWEEP_FEE and fields.get("bucket") == 0:  # 1 is the creator's
            yield event.program, fields["recipient"]
        if event.kind is EventKind.OTHER:
            for name in _RECIPIENT_LISTS:
                yield from ((event.program, address) for address in fields.get(name, ()) if address != ZERO_KEY)


def in_words(sighting: Sighting) -> str:
    """Return what an operator reads, without a full stop."""
    name, kind, *rest = sighting.what.split(".")
    venue = sighting.venue.label
    words = {
        "unknown_bytes": f"{venue} {name} grew by {'.'.join(rest)} bytes",
        "unknown_event": f"{venue} emits an event that no layout knows, discriminator {name}",
        "unknown_layout": f"{venue} {name} does not fit its layout any more and is skipped",
        "undecodable": f"{venue} {name} cannot be read any more; its transactions are kept, not stored",
        "implausible": f"{venue} {name} says what cannot be: its layout may have changed",
        "unknown_instruction": f"{venue} {name} comes from an instruction that no table has",
        "unknown_instruction_name": f"{venue} has an instruction with a new name, {name}",
    }
    return words.get(kind, f"{venue} {sighting.what}")


def is_grave(sighting: Sighting) -> bool:
    """Return whether trades may be lost or wrong because of it, or only fields that we do not know yet."""
    return sighting.what.split(".")[1] in ("unknown_event", "undecodable", "implausible")


class Reading(StrEnum):
    """What one transaction says of how well a venue is understood."""

    READ = "read"  # a trade was decoded and adds up
    REFUSED = "refused"  # a trade event that no layout reads, or as what cannot be
    STRANGE = "strange"  # events of the venue, and none that we know


def readings(decoded: Decoded) -> dict[Program, Reading]:
    """Return what one transaction says of each venue that it carries events of; nothing of those that it says nothing of.

    One transaction counts once, however much somebody packs into it.
    """
    found: dict[Program, Reading] = {}
    if decoded.outcome is Outcome.UNDECODABLE:
        refused = next((key.split(".")[1] for key in decoded.drift), "")
        if decoded.refused_by is not None and refused in _TRADE_EVENTS:
            found[decoded.refused_by] = Reading.REFUSED
        return found
    for key in decoded.drift:
        venue, _, kind = key.split(".")
        if kind == "unknown_event":
            found[Program(venue)] = Reading.STRANGE
    for event in decoded.events:
        if event.kind in _TRADES and found.get(event.program) in (None, Reading.STRANGE):
            found[event.program] = Reading.READ
    return found


class Window:
    """The newest transactions of one venue, to decide whether it is still understood.

    Two things stop a venue: most of its trades cannot be read, or they stopped while it emits what nobody knows. Both need
    dozens of transactions from several slots, so a handful of odd ones stops nothing, and nobody can bring them about alone:
    the first would take more trades than everybody else's together, the second everybody else's silence.
    """

    def __init__(self) -> None:
        self._trades: deque[tuple[Reading, int]] = deque(maxlen=WINDOW)
        self._read_slots: deque[int] = deque(maxlen=WINDOW)
        self._strange = 0
        self._newest_slot = 0

    def add(self, reading: Reading, slot: int | None) -> None:
        """Take one transaction; one without a slot is not counted."""
        if slot is None:
            return
        self._newest_slot = max(self._newest_slot, slot)
        if reading is Reading.STRANGE:
            self._strange += 1
            return
        self._trades.append((reading, slot))
        if reading is Reading.READ:
            self._read_slots.append(slot)
            self._strange = 0

    def verdict(self) -> str:
        """Return why the venue should be quarantined, in words, or an empty text."""
        refused = [slot for reading, slot in self._trades if reading is Reading.REFUSED]
        if len(self._trades) >= LEAST and 2 * len(refused) > len(self._trades) and len(set(refused)) >= LEAST_SLOTS:
            return (
                f"{len(refused)} of its newest {len(self._trades)} trades cannot be read, "
                f"in slots {min(refused)} to {max(refused)}"
            )
        missed = self._missed()
        if self._strange >= LEAST and missed >= LEAST_MISSED:
            return (
                f"no trade since slot {self._read_slots[-1]} where about {missed} were due, but {self._strange} "
                "transactions with events that no layout knows"
            )
        return ""

    def _missed(self) -> int:
        """Return how many trades were due since the last one, by the pace of those before; 0 while that is not known."""
        if len(self._read_slots) < LEAST:
            return 0
        silence = self._newest_slot - self._read_slots[-1]
        if silence < LEAST_SILENCE_SLOTS:
            return 0
        spread = max(self._read_slots) - min(self._read_slots)
        return (len(self._read_slots) - 1) * silence // max(spread, 1)
