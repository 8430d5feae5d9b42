"""What decoding a message yields, and how it refuses one."""

from enum import StrEnum
from typing import Final

import msgspec

from tokens.choices import Commitment, Program, RejectionReason
from tokens.domain.events import ChainEvent
from tokens.domain.text import storable


class Undecodable(Exception):
    """The message is not what any source sends. ``reason`` is one of a few words, ``detail`` is for the operator.

    Where it is one of our programs' own events that cannot be read, ``program``, ``event``, ``signature`` and ``slot``
    say which.
    """

    program: Program | None = None
    event: str = ""
    signature: str | None = None
    slot: int | None = None

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, storable(detail, 300)
        super().__init__(f"{reason}: {self.detail}")

    def of(self, program: Program, event: str, signature: str, slot: int | None) -> "Undecodable":
        """Return this refusal with the event that it speaks of."""
        self.program, self.event, self.signature, self.slot = program, event, signature, slot
        return self

    def decoded(self) -> "Decoded":
        """Return the refusal as what became of one transaction."""
        drift = {} if self.program is None else {f"{self.program.value}.{self.event}.undecodable": 1}
        return Decoded(
            outcome=Outcome.UNDECODABLE,
            signature=self.signature,
            slot=self.slot,
            reason=self.reason,
            detail=self.detail,
            refused_by=self.program,
            drift=drift,
        )


class Outcome(StrEnum):
    """What became of one transaction, or of a message that holds none."""

    EVENTS = "events"  # one of our programs ran and the transaction succeeded (it may have emitted nothing)
    FAILED = "failed"  # on chain, but without effect
    NOT_OURS = "not_ours"  # none of our programs ran
    CONTROL = "control"  # subscription acknowledgements, pings, errors of a node
    UNDECODABLE = "undecodable"

    @property
    def words(self) -> str:
        """What a person reads: *failed* alone would be taken for a defect of ours."""
        return _OUTCOMES[self]


_OUTCOMES: Final = {
    Outcome.EVENTS: "with events",
    Outcome.FAILED: "failed on chain",
    Outcome.NOT_OURS: "of other programs",
    Outcome.CONTROL: "node's replies",
    Outcome.UNDECODABLE: "not decodable",
}


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a message. A block or a webhook body yields many.

    ``missing`` says what keeps the events from being stored as they are; ``drift`` counts what the layouts do not know:
    ``<program>.<event>.unknown_bytes`` (bytes after the last known field), ``<program>.<discriminator>.unknown_event``,
    ``<program>.<event>.unknown_layout`` (an event without consequence, skipped), ``<program>.<event>.undecodable`` (then
    ``refused_by`` is the program) and ``<program>.<event>.unknown_instruction`` (the event came from an instruction that
    no table has).
    """

    outcome: Outcome
    signature: str | None = None
    slot: int | None = None
    block_time: int | None = None
    commitment: Commitment | None = None
    transaction_fee: int | None = None
    transaction_index: int | None = None
    """Place of the transaction in its block, where the source tells."""
    events: tuple[ChainEvent, ...] = ()
    drift: dict[str, int] = {}
    truncated: bool = False
    missing: tuple[RejectionReason, ...] = ()
    reason: str = ""
    detail: str = ""
    refused_by: Program | None = None
