"""Our own export: one event a line, as ``manage.py decode`` prints it."""

import msgspec

from tokens.domain.decode.results import Decoded, Outcome
from tokens.domain.decode.sanity import checked
from tokens.domain.decode.transactions import lacks
from tokens.domain.events import ChainEvent

_event = msgspec.json.Decoder(ChainEvent)
_encoder = msgspec.json.Encoder()


def encode(event: ChainEvent) -> bytes:
    """Return an event as one line of JSON, without the line's end: :func:`decode` gives the same event back."""
    return _encoder.encode(event)


def decode(raw: bytes) -> Decoded:
    """Return the event of one exported line. Raises :class:`Undecodable` if somebody made it hold what cannot be."""
    (event,) = checked((_event.decode(raw),))
    return Decoded(
        outcome=Outcome.EVENTS,
        signature=event.signature,
        slot=event.slot,
        block_time=event.block_time,
        events=(event,),
        missing=lacks((event,)),
    )
