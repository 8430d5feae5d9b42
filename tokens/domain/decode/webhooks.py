"""Helius enhanced webhook bodies: instructions in a tree, no log, failed transactions usually left out."""

import msgspec

from tokens.domain.decode.emissions import Header
from tokens.domain.decode.instructions import Instruction
from tokens.domain.decode.results import Undecodable
from tokens.domain.decode.transactions import NULL, Run


class _Call(msgspec.Struct, rename="camel"):
    program_id: str
    accounts: list[str] = []
    data: str = ""


class _Top(_Call, rename="camel"):
    inner_instructions: list[_Call] = []


class _Body(msgspec.Struct, rename="camel"):
    signature: str
    instructions: list[_Top]
    slot: int | None = None
    timestamp: int | None = None
    fee: int | None = None
    transaction_error: msgspec.Raw = NULL


_body = msgspec.json.Decoder(_Body)


def run(raw: bytes) -> Run:
    """Return an enhanced transaction in the common shape: its instructions are read, its floats are not."""
    body = _body.decode(raw)
    if not body.signature:
        raise Undecodable("bad_transaction", "has no signature")
    groups = [(_instruction(top), [_instruction(call) for call in top.inner_instructions]) for top in body.instructions]
    keys = [account for top in body.instructions for account in top.accounts]
    return Run(
        Header(body.signature, body.slot, body.timestamp),
        groups,
        lambda: None,
        body.transaction_error != NULL,
        body.fee,
        keys,
    )


def _instruction(call: _Call) -> Instruction:
    accounts = tuple(call.accounts)
    return Instruction(call.program_id, call.data, lambda: accounts)
