"""Reads a transaction's instructions: the calls of our programs, and the events they recorded by calling themselves."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tokens.choices import Program
from tokens.domain import programs
from tokens.domain.decode import base58
from tokens.domain.decode.emissions import Emission
from tokens.domain.decode.events import INSTRUCTIONS
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import event_index


class Instruction(NamedTuple):
    """One call. ``data`` is base58 where JSON carries it; ``accounts`` are looked up only when somebody asks."""

    program: str
    data: str | bytes
    accounts: Callable[[], tuple[str, ...]]
    height: int | None = None


class Call(NamedTuple):
    """A call of one of our programs and its place: ``outer``, and ``inner`` as in :func:`event_index`."""

    program: Program
    name: str | None
    data: bytes
    accounts: Callable[[], tuple[str, ...]]
    outer: int
    inner: int


class InstructionView(NamedTuple):
    """``calls`` are by place (the index of an event with ordinal 0); ``spoke``: the programs whose events are here."""

    emissions: list[Emission]
    calls: dict[int, Call]
    spoke: set[Program]


TO_RAYDIUM: Final = "initialize2"
"""AMM v4's instruction that opens a pool; by pump.fun's migration wallet it counts as a call of pump.fun."""

Group = tuple[Instruction, Sequence[Instruction]]
"""A top-level instruction and all that it called, at any depth, in order."""


def read(groups: Sequence[Group], *, moves_to_raydium: bool = False) -> InstructionView:
    """Return what a transaction's instructions say. Raises :class:`Undecodable`.

    ``moves_to_raydium``: pump.fun's old migration wallet takes part, so AMM v4 instructions are of interest too.
    """
    emissions: list[Emission] = []
    calls: dict[int, Call] = {}
    spoke: set[Program] = set()
    outer = -1
    for top, called in groups:
        if top.program in programs.PRECOMPILES:
            continue
        outer += 1
        running: list[tuple[str, int]] = []  # the programs that wait for the current one, with their places
        emitted: dict[int, int] = {}
        for inner, instruction in enumerate((top, *called)):
            height = instruction.height if inner else 1
            program = programs.PROGRAMS.get(instruction.program)
            if program is None and not (moves_to_raydium and instruction.program == programs.RAYDIUM_AMM):
                if height is not None:
                    running[height - 1 :] = [(instruction.program, -1)]
                continue
            data = _bytes(instruction.data)
            if program is not None and data.startswith(programs.EVENT_TAG):
                place = _emitter(running, height, instruction.program)
                if place is not None:
                    emitted[place] = emitted.get(place, 0) + 1
                    emissions.append(_emission(calls[place], emitted[place], data))
                    spoke.add(program)
                    continue
            place = _place(outer, inner, 0)
            name: str | None = TO_RAYDIUM
            if program is not None:
                name = INSTRUCTIONS[program].get(data[:8])
            elif data[:1] == b"\1":
                program = Program.PUMPFUN
            else:
                continue
            calls[place] = Call(program, name, data, instruction.accounts, outer, inner)
            if height is not None:
                running[height - 1 :] = [(instruction.program, place)]
            else:
                running.append((instruction.program, place))
    return InstructionView(emissions, calls, spoke)


def _bytes(data: str | bytes) -> bytes:
    return base58.decode(data) if isinstance(data, str) else data


def _place(outer: int, inner: int, ordinal: int) -> int:
    try:
        return event_index(outer, inner, ordinal)
    except ValueError as refusal:
        raise Undecodable("bad_transaction", str(refusal)) from None


def _emitter(running: list[tuple[str, int]], height: int | None, program: str) -> int | None:
    """Return the place of the call that records an event: the caller, which is the same program.

    Where the source gives no heights, it is the program's latest call.
    """
    if height is not None and 2 <= height <= len(running) + 1:
        caller, place = running[height - 2]
        if caller == program and place >= 0:
            return place
    return next((place for caller, place in reversed(running) if caller == program and place >= 0), None)


def _emission(call: Call, ordinal: int, data: bytes) -> Emission:
    accounts = None if call.program is Program.PUMPFUN else call.accounts()  # its events name all that matters
    index = _place(call.outer, call.inner, ordinal)
    return Emission(call.program, index, data[len(programs.EVENT_TAG) :], "cpi", accounts, call.name)
