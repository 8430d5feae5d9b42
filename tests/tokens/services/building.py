"""Events for tests: plain functions with defaults."""

import hashlib
from typing import Any

from solders.pubkey import Pubkey

from tests.factories import NOON, WSOL, signature
from tokens.choices import EventKind, Program
from tokens.domain import programs
from tokens.domain.decode import Decoded, Outcome
from tokens.domain.events import BothReserves, ChainEvent, Fees, Reserves, event_index
from tokens.services import ingest

SECOND = int(NOON.timestamp())


def address(name: str) -> str:
    """Return a real address for a name: pools are recognised by derivation, so keys must be keys."""
    return str(Pubkey.from_bytes(hashlib.sha256(name.encode()).digest()))


MINT, TRADER = address("mint"), address("trader")
POOL = programs.bonding_curve(MINT)


def trade(number: int = 0, **changes: Any) -> ChainEvent:
    """Return a buy of a standard pump.fun coin; later numbers are later on the chain."""
    paid = 10**9 * (number + 1)
    facts: dict[str, Any] = {
        "program": Program.PUMPFUN,
        "kind": EventKind.BUY,
        "signature": signature(f"trade {number}"),
        "slot": 400_000_000 + number,
        "block_time": SECOND + number,
        "event_index": event_index(1, 0, 0),
        "mint": MINT,
        "pool": POOL,
        "user": TRADER,
        "quote_mint": WSOL,
        "quote_amount_raw": 10**9,
        "token_amount_raw": 3 * 10**12,
        "fees": Fees(protocol=9_500_000, creator=3_000_000),
        "reserves": BothReserves(
            after=Reserves(
                virtual_quote=30 * 10**9 + paid,
                virtual_token=1_073 * 10**12 - 3 * 10**12 * (number + 1),
                real_quote=paid,
                real_token=7_931 * 10**11 - 3 * 10**12 * (number + 1),
            )
        ),
        "raw": {"layout": "TradeEvent/35"},
    }
    return ChainEvent(**(facts | changes))


def received(*events: ChainEvent, payload: bytes = b"{}", **facts: Any) -> ingest.Received:
    """Return events as one decoded transaction."""
    first = events[0]
    decoded = Decoded(outcome=Outcome.EVENTS, signature=first.signature, slot=first.slot, events=events, **facts)
    return ingest.Received(decoded, "test", payload)
