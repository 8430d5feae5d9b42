"""How a feed is asked for in JSON-RPC, as Solana's nodes and those who copied them do."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from megatron.clients import jsonrpc
from megatron.clients.errors import Malformed

COMMITMENTS: Final = ("processed", "confirmed", "finalized")
"""By Solana's numbers: 0, 1, 2."""


class JsonRpcSubscription:
    """One subscription on one connection: a :class:`~megatron.clients.websocket.Dialogue`."""

    def __init__(self, method: str, params: Sequence[Any]) -> None:
        self._method, self._params = method, params

    def requests(self) -> list[str]:
        """Return the one request."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": self._method, "params": self._params}
        return [msgspec.json.encode(asked).decode()]

    def is_acknowledgement(self, raw: bytes) -> bool:
        """Say whether ``raw`` is the reply. Raises ``Refused`` or ``TryLater`` for an error in it."""
        try:
            reply = jsonrpc.parse_reply(raw, self._method)
        except Malformed:  # whatever it is, it is not the reply
            return False
        if reply.method is not None or reply.id not in (1, "1", None):
            return False
        if reply.error is not None:
            raise jsonrpc.refusal(reply.error, self._method)
        return reply.id is not None

    def reply(self, raw: bytes) -> None:
        """Return nothing: notifications are not answered."""
