"""Helius enhanced webhook bodies: instructions in a tree, no log, failed transactions usually left out."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from tokens.domain import programs
from tokens.domain.decode.emissions import Header
from tokens.domain.decode.instructions import NULL, Instruction
from tokens.domain.decode.results import Undecodable
from tokens.domain.decode.transactions import Run


class _Top(Instruction, rename="camel"):
    inner_instructions: list[Instruction] | None = None


class Body(msgspec.Struct, rename="camel"):
    """One transaction of a body; ``source`` and ``type`` are what the provider made of it."""

    signature: str
    instructions: list[_Top] | None = None
    slot: int | None = None
    timestamp: int | None = None
    fee: int | None = None
    fee_payer: str | None = None
    transaction_error: msgspec.Raw = NULL
    source: str | None = None

    @property
    def lacks_instructions(self) -> bool:
        """Whether what the transaction called is not, or not all, in the body."""
        return not self.instructions or any(top.inner_instructions is None for top in self.instructions)


_MINT: Final = re.compile(rb'"mint"\s*:\s*"([1-9A-HJ-NP-Za-km-z]{32,44})"')
_MOST_MINTS: Final = 32
_body = msgspec.json.Decoder(Body)


def read(raw: bytes) -> Body:
    """Return what a body says. Raises :class:`Undecodable` and msgspec's validation errors."""
    body = _body.decode(raw)
    if not body.signature:
        raise Undecodable("bad_transaction", "has no signature")
    return body


def run(raw: bytes, body: Body) -> Run:
    """Return an enhanced transaction in the common shape: its instructions are read, its floats are not."""
    keys = [programs.PUMP_MIGRATION_ACCOUNT] if programs.PUMP_MIGRATION_ACCOUNT.encode() in raw else []
    return Run(
        Header(body.signature, body.slot, body.timestamp),
        [(top, top.inner_instructions or ()) for top in body.instructions or ()],
        lambda: None,
        body.transaction_error != NULL,
        body.fee,
        keys,
        is_recorded=not body.lacks_instructions,
        fee_payer=body.fee_payer,
    )


def shows_ours(raw: bytes, body: Body) -> str:
    """Return what shows that one of our programs took part in a transaction whose instructions are missing, or nothing.

    Its address or that of an account of its own, wherever the body names it (swaps, accounts, logs); the name that the
    provider gives to the source; a coin beside its own curve or pool.
    """
    for address, program in programs.telling_accounts().items():
        if address.encode() in raw:
            return f"names an account of {program.label}"
    source = (body.source or "").upper()
    if source.startswith("PUMP") or "LAUNCHLAB" in source or "LAUNCHPAD" in source:
        return f"has the source {body.source}"
    for mint in sorted(set(_MINT.findall(raw)))[:_MOST_MINTS]:
        for account in _own_accounts(mint.decode()):
            if account.encode() in raw:
                return f"names {account}, which is the coin's own"
    return ""


def _own_accounts(mint: str) -> Iterator[str]:
    """Yield the addresses that a coin's curve and its graduated pools have."""
    if mint in programs.QUOTE_MINTS or not programs.is_address(mint):
        return
    yield programs.bonding_curve(mint)
    for quote in sorted(programs.QUOTE_MINTS):
        yield programs.graduated_pool(mint, quote)
