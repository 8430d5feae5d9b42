"""Reads a transaction's log: which program was running when an event was logged, and where in the transaction."""

import re
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
    f"Program log: Instruction: {name}": program
    for program, names in (
        (Program.PUMPFUN, ("Withdraw",)),
        (
            Program.LAUNCHLAB,
            ("Initialize", "InitializeV2", "InitializeWithToken2022", "MigrateToAmm", "MigrateToCpswap"),
        ),
    )
    for name in names
}
"""Instructions whose facts the log does not tell."""


_INVOKE: Final = re.compile(r"Program (\w{32,44}) invoke \[([1-9]\d?)\]")
_SUCCESS: Final = re.compile(r"Program \w{32,44} success")
_FAILED: Final = re.compile(r"Program \w{32,44} failed")


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


_OURS: Final = {program: place << 8 for place, program in enumerate(PROGRAMS.values(), 1)}
_PROGRAM: Final = {tag: program for program, tag in _OURS.items()}
_known: dict[str, int] = {}
"""What a line of the runtime says: a call's height, plus one of ``_OURS``; 0 for a call's end.

The same few thousand lines make up most of all logs, so each is read once.
"""
_MOST_KNOWN: Final = 50_000


def read(lines: Sequence[str]) -> LogView:  # noqa: C901, PLR0912  # hot: a function a line would double its cost
    """Return what a log says, up to where it is cut: it says so, or ends while calls are still open. Raises
    :class:`Undecodable`.

    A line of a program's own text starts with ``Program log:``, so no text can pass for a line of the runtime.
    """
    emissions: list[Emission] = []
    stack: list[_Frame | None] = []
    outer, inner = -1, 0
    ours = partly = False
    for line in lines:
        says = _known.get(line)
        if says is None:
            if line.endswith(" units") or line.startswith("Program log: "):
                if line in _NOT_IN_LOG and stack and (frame := stack[-1]) is not None:
                    partly = partly or frame.program is _NOT_IN_LOG[line]
                continue
            if line.startswith("Program data: "):
                if stack and (frame := stack[-1]) is not None:
                    frame.emitted += 1
                    emissions.append(_emission(frame, line[14:]))
                continue
            if line == "Log truncated":  # lines after it are only those that happened to fit
                return LogView(emissions, ours, truncated=True, partly=partly)
            says = _runtime_line(line)
            if says is None:
                continue
        if says == 0:
            if stack:
                stack.pop()
            continue
        height = says & 0xFF
        if height == 1:
            outer, inner = outer + 1, 0
        else:
            inner += 1
        if len(stack) >= height:
            del stack[height - 1 :]
        if says < 0x100:
            stack.append(None)
        else:
            ours = True
            stack.append(_Frame(_PROGRAM[says & ~0xFF], outer, inner))
    return LogView(emissions, ours, truncated=bool(stack), partly=partly)


def _runtime_line(line: str) -> int | None:
    """Return what a line of the runtime says about calls, and remember it."""
    says = None
    if (called := _INVOKE.fullmatch(line)) is not None:
        program = PROGRAMS.get(called[1])
        says = int(called[2]) + (0 if program is None else _OURS[program])
    elif _SUCCESS.fullmatch(line) is not None:
        says = 0
    elif _FAILED.match(line) is not None:
        return 0  # the reasons are many: not worth remembering
    if says is not None and len(_known) < _MOST_KNOWN:
        _known[line] = says
    return says


def _emission(frame: _Frame, data: str) -> Emission:
    try:
        payload = a2b_base64(data)
        index = event_index(frame.outer, frame.inner, frame.emitted)
    except (BadBase64, ValueError) as refusal:
        raise Undecodable("bad_log", f"{refusal}: {data[:60]}") from None
    return Emission(frame.program, index, payload, "log")
