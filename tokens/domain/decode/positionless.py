"""The ``event_index`` of events whose source does not say where in the transaction they happened."""

from zlib import crc32

from tokens.domain.events import POSITIONLESS

_BITS_30 = (1 << 30) - 1


def index(*content: object) -> int:
    """Return a number that is the same for the same content, whatever file or order it comes in."""
    return POSITIONLESS + (crc32("|".join(map(str, content)).encode()) & _BITS_30)
