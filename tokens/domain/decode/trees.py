"""Instruction trees: how some parsers keep a transaction, programs and accounts as lists of byte values.

They carry neither a signature nor a time, so nothing in them can be stored. Whether they are about us can be told.
"""

import msgspec

from tokens.domain import programs
from tokens.domain.decode.results import Decoded, Outcome, Undecodable


class _Instruction(msgspec.Struct):
    program: list[int]
    inner: list["_Instruction"] = []


class _Tree(msgspec.Struct):
    instructions: list[_Instruction]


def decode(raw: bytes) -> Decoded:
    """Return "not ours" for an instruction or a tree of them that calls none of our programs.

    Raises :class:`Undecodable` if one of ours is called: without its signature the transaction has no identity.
    """
    try:
        tree = msgspec.json.decode(raw, type=_Tree).instructions
        if not tree:
            raise Undecodable("unknown_form", "a list of instructions that holds none")
        called = _called(tree)
    except msgspec.ValidationError:
        called = _called([msgspec.json.decode(raw, type=_Instruction)])
    if ours := called & programs.PROGRAMS.keys():
        names = ", ".join(sorted(ours))
        raise Undecodable("unknown_form", f"instructions of {names} without the signature of their transaction")
    return Decoded(outcome=Outcome.NOT_OURS)


def _called(instructions: list[_Instruction]) -> set[str]:
    found, waiting = set(), list(instructions)
    while waiting:
        instruction = waiting.pop()
        found.add(programs.address(bytes(value & 0xFF for value in instruction.program[:32]).ljust(32, b"\0")))
        waiting += instruction.inner
    return found
