"""What a time, a slot and a signature of the chain can be, whoever names them. Touches nothing; the present is passed in.

One value that cannot be blinds whatever only moves forward: a pool, a cursor, the newest row of a list.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from solders.signature import Signature

GENESIS_SECONDS: Final = 1_584_368_940
"""Unix time of the chain's launch, 2020-03-16 14:29 UTC (genesis of mainnet-beta)."""
EVER: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Before the chain was: the bound where nobody says since when."""
AHEAD: Final = timedelta(minutes=10)
"""How far the chain's clock and ours may be apart before a time is of the future."""
SLOTS_A_SECOND: Final = 5
"""The chain was never faster: a slot takes 0.4 seconds, and over its life it took 0.46 on average."""
_LAST_SECONDS: Final = 4_102_444_800
"""2100-01-01: the bound where nobody says what time it is."""


def last_slot(seconds: int) -> int:
    """Return the highest slot that the chain can have reached at a unix time; negative before its launch."""
    return (seconds - GENESIS_SECONDS) * SLOTS_A_SECOND


def doubt(*, slot: int | None = None, block_time: int | None = None, now: datetime | None = None) -> str:
    """Return why a slot and a block time (unix seconds) cannot be, or an empty text; ``None`` is not judged.

    Without ``now`` the times of this century pass, and a slot is held against its own block time.
    """
    latest = _LAST_SECONDS if now is None else int((now + AHEAD).timestamp())
    if block_time is not None and not GENESIS_SECONDS <= block_time <= latest:
        return f"names the time {block_time}"
    if slot is not None and not 0 <= slot <= last_slot(latest if block_time is None else block_time):
        return f"names the slot {slot}"
    return ""


@lru_cache(maxsize=1 << 14)
def is_signature(text: str) -> bool:
    """Say whether a text is the base58 form of 64 bytes."""
    try:
        return str(Signature.from_string(text)) == text
    except ValueError:
        return False
