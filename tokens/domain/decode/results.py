"""What decoding a message yields, and how it refuses one."""

from enum import StrEnum

import msgspec

from tokens.choices import Commitment, RejectionReason
from tokens.domain.events import ChainEvent


class Undecodable(Exception):
    """The message is not what any source sends. ``reason`` is one of a few words, ``detail`` is for the operator."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail[:300]


class Outcome(StrEnum):
    """What became of one transaction, or of a message that holds none."""

    EVENTS = "events"  # one of our programs ran and the transaction succeeded (it may have emitted nothing)
    FAILED = "failed"  # on chain, but without effect
    NOT_OURS = "not_ours"  # none of our programs ran
    CONTROL = "control"  # subscription acknowledgements, pings, errors of a node
    UNDECODABLE = "undecodable"


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a message. A block or a webhook body yields many.

    ``missing`` says what keeps the events from being stored as they are; ``drift`` counts what the layouts do not know:
    ``<program>.<event>.unknown_bytes`` (bytes after the last known field), ``<program>.<discriminator>.unknown_event``,
    ``<program>.<event>.unknown_layout``.
    """

    outcome: Outcome
    signature: str | None = None
    slot: int | None = None
    block_time: int | None = None
    commitment: Commitment | None = None
    transaction_fee: int | None = None
    events: tuple[ChainEvent, ...] = ()
    drift: dict[str, int] = {}
    truncated: bool = False
    missing: tuple[RejectionReason, ...] = ()
    reason: str = ""
    detail: str = ""
