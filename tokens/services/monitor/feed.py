"""What the monitor knows of one of its sources."""

from dataclasses import dataclass
from datetime import datetime

from megatron.clients.ports import TransactionStream
from tokens.services.playback import Player


@dataclass(slots=True)
class Feed:
    """One source of the monitor, as the storing thread knows it."""

    stream: TransactionStream
    player: Player
    open: bool = False
    resuming: bool = True
    """The first slot since the feed opened is still to come."""
    first_slot: int | None = None
    last_slot: int | None = None
    block_time: datetime | None = None
    signature: str | None = None
    heard: bool = False
    """Something came since the cursor was moved."""
    refusal: str = ""
    told: bool = False

    def fail(self, payload: bytes, error: Exception) -> None:
        """Put by a message on which we failed ourselves."""
        self.player.fail(source=self.stream.source, payload=payload, error=error)
