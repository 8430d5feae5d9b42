"""From whatever a source sends to chain events, in pure code.

``messages`` recognises the form, ``transactions`` brings every encoding into one shape, ``instructions`` and ``logs``
find what the programs emitted and where, ``events`` with ``pumpfun``, ``pumpswap`` and ``launchlab`` say what it means.
"""

from tokens.domain.decode.export import encode
from tokens.domain.decode.messages import decode_message
from tokens.domain.decode.results import Decoded, Outcome, Undecodable

__all__ = ["Decoded", "Outcome", "Undecodable", "decode_message", "encode"]
