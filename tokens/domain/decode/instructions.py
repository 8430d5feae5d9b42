"""Reads a transaction's instructions: the calls of our programs, and the events they recorded by calling themselves."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from megatron.core import base58
from tokens.choices import Program
from tokens.domain import programs
from tokens.domain.decode.emissions import Emission
from tokens.domain.decode.events import INSTRUCTIONS
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import event_index

NULL: Final = msgspec.Raw(b"null")
_places = msgspec.json.Decoder(list[int] | None)
_addresses = msgspec.json.Decoder(list[str] | None)


class Instruction(msgspec.Struct, rename="camel"):
    """An instruction as JSON has it: by places in the list of accounts (``json``), or by addresses (the others)."""

    program_id_index: int | None = None
    program_id: str | None = None
    accounts: msgspec.Raw = NULL
    data: str | None = None
    stack_height: int | None = None


class WireInstruction(NamedTuple):
    """A top-level instruction as the transaction's own bytes have it."""

    program_id_index: int
    accounts: bytes
    data: bytes
    program_id: None = None
    stack_height: None = None


class Call(NamedTuple):
    """A call of one of our programs and its place: ``outer``, and ``inner`` as in :func:`event_index`."""

    program: Program
    name: str | None
    data: bytes
    instruction: Instruction | WireInstruction
    keys: Sequence[str]
    outer: int
    inner: int

    def accounts(self) -> tuple[str, ...]:
        """Return the addresses of the call's accounts."""
        accounts = self.instruction.accounts
        if not isinstance(accounts, msgspec.Raw):
            return tuple(_key(self.keys, place) for place in accounts)
        if self.instruction.program_id is not None:
            return tuple(_addresses.decode(accounts) or ())
        return tuple(_key(self.keys, place) for place in _places.decode(accounts) or ())


class InstructionView(NamedTuple):
    """``calls`` are by place (the index of an event with ordinal 0); ``spoke``: the programs whose events are here."""

    emissions: list[Emission]
    calls: dict[int, Call]
    spoke: set[Program]


TO_RAYDIUM: Final = "initialize2"
"""AMM v4's instruction that opens a pool; by pump.fun's migration wallet it counts as a call of pump.fun."""

Group = tuple[Instruction | WireInstruction, Sequence[Instruction]]
"""A top-level instruction and all that it called, at any depth, in order."""


def read(groups: Sequence[Group], keys: Sequence[str]) -> InstructionView:
    """Return what a transaction's instructions say; ``keys`` are its accounts. Raises :class:`Undecodable`."""
    emissions: list[Emission] = []
    calls: dict[int, Call] = {}
    spoke: set[Program] = set()
    wanted = {address: programs.PROGRAMS.get(address) for address in programs.PROGRAMS}
    if programs.PUMP_MIGRATION_ACCOUNT in keys:
        wanted[programs.RAYDIUM_AMM] = None
    places = {place for place, address in enumerate(keys) if address in wanted}
    outer = -1
    for top, called in groups:
        if _program(top, keys) in programs.PRECOMPILES:
            continue
        outer += 1
        latest: dict[tuple[Program, int | None], int] = {}  # where each program was last called, by height
        emitted: dict[int, int] = {}
        for inner, instruction in enumerate((top, *called)):
            # Nearly all instructions are other programs': they are passed over with as little work as possible.
            address = instruction.program_id
            if address is None:
                place_of_program = instruction.program_id_index
                if place_of_program not in places and place_of_program is not None and place_of_program < len(keys):
                    continue
                address = _program(instruction, keys)
            if address not in wanted:
                continue
            program, data = wanted[address], _bytes(instruction.data)
            height = instruction.stack_height if inner else 1
            if program is not None and data.startswith(programs.EVENT_TAG):
                # The caller is the same program: no other can sign for its event authority, and none is re-entered.
                caller = latest.get((program, None if height is None else height - 1))
                if caller is not None:
                    emitted[caller] = emitted.get(caller, 0) + 1
                    emissions.append(_emission(calls[caller], emitted[caller], data))
                    spoke.add(program)
                    continue
            name: str | None = TO_RAYDIUM
            if program is not None:
                name = INSTRUCTIONS[program].get(data[:8])
            elif data[:1] == b"\1":
                program = Program.PUMPFUN
            else:
                continue
            place = _place(outer, inner, 0)
            calls[place] = Call(program, name, data, instruction, keys, outer, inner)
            latest[program, height] = latest[program, None] = place
    return InstructionView(emissions, calls, spoke)


def _program(instruction: Instruction | WireInstruction, keys: Sequence[str]) -> str:
    if instruction.program_id is not None:
        return instruction.program_id
    place = instruction.program_id_index
    return _key(keys, -1 if place is None else place)


def _key(keys: Sequence[str], place: int) -> str:
    if not 0 <= place < len(keys):
        raise Undecodable("bad_transaction", f"points at account {place} of {len(keys)}")
    return keys[place]


def _bytes(data: str | bytes | None) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return base58.decode(data or "")
    except ValueError as refusal:
        raise Undecodable("bad_transaction", str(refusal)) from None


def _place(outer: int, inner: int, ordinal: int) -> int:
    try:
        return event_index(outer, inner, ordinal)
    except ValueError as refusal:
        raise Undecodable("bad_transaction", str(refusal)) from None


def _emission(call: Call, ordinal: int, data: bytes) -> Emission:
    accounts = None if call.program is Program.PUMPFUN else call.accounts()  # its events name all that matters
    index = _place(call.outer, call.inner, ordinal)
    return Emission(call.program, index, data[len(programs.EVENT_TAG) :], "cpi", accounts, call.name)
