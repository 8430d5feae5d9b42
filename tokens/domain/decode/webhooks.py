"""Helius enhanced webhook bodies: instructions in a tree, no log, failed transactions usually left out."""

import msgspec

from tokens.domain.decode.emissions import Header
from tokens.domain.decode.instructions import Instruction
from tokens.domain.decode.results import Undecodable
from tokens.domain.decode.transactions import NULL, Run


class _Call(msgspec.Struct):
    programId: str  # noqa: N815  # as Helius names it, here and below
    accounts: list[str] = []
    data: str = ""


class _Top(_Call):
    innerInstructions: list[_Call] = []  # noqa: N815


class _Body(msgspec.Struct):
    signature: str
    instructions: list[_Top]
    slot: int | None = None
    timestamp: int | None = None
    fee: int | None = None
    transactionError: msgspec.Raw = NULL  # noqa: N815


_body = msgspec.json.Decoder(_Body)


def run(raw: bytes) -> Run:
    """Return an enhanced transaction in the common shape. Amounts are read from its instructions, never from its floats."""
    body = _body.decode(raw)
    if not body.signature:
        raise Undecodable("bad_transaction", "has no signature")
    groups = [(_instruction(top), [_instruction(call) for call in top.innerInstructions]) for top in body.instructions]
    keys = [account for top in body.instructions for account in top.accounts]
    return Run(
        Header(body.signature, body.slot, body.timestamp),
        groups,
        lambda: None,
        body.transactionError != NULL,
        body.fee,
        keys,
    )


def _instruction(call: _Call) -> Instruction:
    accounts = tuple(call.accounts)
    return Instruction(call.programId, call.data, lambda: accounts)
