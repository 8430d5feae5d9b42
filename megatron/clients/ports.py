"""What the house needs from outside, named for the need. Adapters keep these promises; tests put fakes in their
place."""

from datetime import datetime
from typing import Protocol


class ChainReader(Protocol):
    """Reads Solana at the commitment *confirmed*. Every method may raise ``TryLater``, ``Refused`` or ``Malformed``."""

    def get_transaction(self, signature: str) -> bytes | None:
        """Return a transaction as the JSON that ``getTransaction`` gives, or ``None`` while the node does not know
        it."""
        ...

    def get_block_time(self, slot: int) -> datetime | None:
        """Return the time of ``slot`` on chain, to the second, in UTC; ``None`` when the slot has no block or no
        time."""
        ...
