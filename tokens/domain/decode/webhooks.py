"""Helius enhanced webhook bodies: instructions in a tree, no log, failed transactions usually left out."""

import msgspec

from tokens.domain import programs
from tokens.domain.decode.emissions import Header
from tokens.domain.decode.instructions import NULL, Instruction
from tokens.domain.decode.results import Undecodable
from tokens.domain.decode.transactions import Run


class _Top(Instruction, rename="camel"):
    inner_instructions: list[Instruction] = []


class _Body(msgspec.Struct, rename="camel"):
    signature: str
    instructions: list[_Top]
    slot: int | None = None
    timestamp: int | None = None
    fee: int | None = None
    fee_payer: str | None = None
    transaction_error: msgspec.Raw = NULL


_body = msgspec.json.Decoder(_Body)


def run(raw: bytes) -> Run:
    """Return an enhanced transaction in the common shape: its instructions are read, its floats are not."""
    body = _body.decode(raw)
    if not body.signature:
        raise Undecodable("bad_transaction", "has no signature")
    keys = [programs.PUMP_MIGRATION_ACCOUNT] if programs.PUMP_MIGRATION_ACCOUNT.encode() in raw else []
    return Run(
        Header(body.signature, body.slot, body.timestamp),
        [(top, top.inner_instructions) for top in body.instructions],
        lambda: None,
        body.transaction_error != NULL,
        body.fee,
        keys,
        body.fee_payer,
    )
