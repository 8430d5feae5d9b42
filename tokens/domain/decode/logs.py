"""Reads a transaction's log: which program was running when an event was logged, and where in the transaction."""

from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Sequence
from typing import Final, NamedTuple

from tokens.choices import Program
from tokens.domain.decode.emissions import Emission
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import event_index
from tokens.domain.programs import PROGRAMS

_NOT_IN_LOG: Final = {
    Program.PUMPFUN: frozenset({"Instruction: Withdraw"}),
    Program.PUMPSWAP: frozenset[str](),
    Program.LAUNCHLAB: frozenset(
        f"Instruction: {name}"
        for name in ("Initialize", "InitializeV2", "InitializeWithToken2022", "MigrateToAmm", "MigrateToCpswap")
    ),
}
"""Instructions whose facts the log does not tell."""


_HEIGHTS: Final = frozenset(map(str, range(1, 65)))


class LogView(NamedTuple):
    """``ours`` says that one of our programs ran, ``partly`` that the log alone does not tell all it did."""

    emissions: list[Emission]
    ours: bool
    truncated: bool
    partly: bool


class _Frame:
    """A running instruction of one of our programs."""

    __slots__ = ("emitted", "inner", "outer", "program")

    def __init__(self, program: Program, outer: int, inner: int) -> None:
        self.program, self.outer, self.inner, self.emitted = program, outer, inner, 0


def read(lines: Sequence[str]) -> LogView:
    """Return what a log says, up to where it is cut. Raises :class:`Undecodable`.

    A line of a program's own text starts with ``Program log:``, so no text can pass for a line of the runtime.
    """
    emissions: list[Emission] = []
    stack: list[_Frame | None] = []
    outer, inner = -1, 0
    ours = truncated = partly = False
    for line in lines:
        if not line.startswith("Program "):
            if line == "Log truncated":  # lines after it are only those that happened to fit
                truncated = True
                break
            continue
        word = line[8:13]
        if word == "data:":
            frame = stack[-1] if stack else None
            if frame is not None:
                frame.emitted += 1
                emissions.append(_emission(frame, line))
        elif word == "log: ":
            frame = stack[-1] if stack else None
            if frame is not None and line[13:] in _NOT_IN_LOG[frame.program]:
                partly = True
        elif line.endswith("]"):
            name, invoke, depth = line[8:].partition(" invoke [")
            if not invoke:
                continue
            height = int(depth[:-1]) if depth[:-1] in _HEIGHTS else 0
            if height <= 1:
                outer, inner = outer + 1, 0
            else:
                inner += 1
            program = PROGRAMS.get(name)
            ours = ours or program is not None
            del stack[max(height - 1, 0) :]
            stack.append(None if program is None else _Frame(program, outer, inner))
        elif (line.endswith(" success") or " failed" in line) and stack:
            stack.pop()
    return LogView(emissions, ours, truncated, partly)


def _emission(frame: _Frame, line: str) -> Emission:
    try:
        payload = a2b_base64(line[14:])
        index = event_index(frame.outer, frame.inner, frame.emitted)
    except (BadBase64, ValueError) as refusal:
        raise Undecodable("bad_log", f"{refusal}: {line[:60]}") from None
    return Emission(frame.program, index, payload, "log")
