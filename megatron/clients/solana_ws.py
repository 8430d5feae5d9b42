"""Feeds of a node's own WebSocket: logs, and blocks where the node offers them."""

from collections.abc import Iterator
from functools import partial
from threading import Event

from megatron.clients.ports import Heard
from megatron.clients.reconnection import Reconnection
from megatron.clients.subscriptions import COMMITMENTS, JsonRpcSubscription
from megatron.clients.websocket import DEFAULT_LIMITS, Limits, WebSocketFeed


class SolanaLogs:
    """A :class:`~megatron.clients.ports.TransactionStream` of ``logsSubscribe``: what programs logged, without times,
    accounts and the rest of a long log; failed transactions too."""

    source = "solana-logs"
    complete = True

    def __init__(
        self,
        url: str,
        *,
        commitment: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        reconnection: Reconnection | None = None,
    ) -> None:
        self.commitment = commitment
        self._feed = WebSocketFeed(
            self.source, url=url, endpoint="logsSubscribe", limits=limits, reconnection=reconnection
        )

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        """Yield the logs of transactions that mention ``program``."""
        params = [{"mentions": [program]}, {"commitment": COMMITMENTS[self.commitment]}]
        return self._feed.listen(partial(JsonRpcSubscription, "logsSubscribe", params), stop=stop)


class SolanaBlocks:
    """A :class:`~megatron.clients.ports.TransactionStream` of ``blockSubscribe``: whole transactions with their time, a
    block at a time. Only nodes that were started with it have it; nothing comes before it is confirmed."""

    source = "solana-blocks"
    complete = True

    def __init__(
        self,
        url: str,
        *,
        commitment: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        reconnection: Reconnection | None = None,
    ) -> None:
        self.commitment = max(commitment, 1)
        self._feed = WebSocketFeed(
            self.source, url=url, endpoint="blockSubscribe", limits=limits, reconnection=reconnection
        )

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        """Yield the blocks in which transactions mention ``program``, with these transactions only."""
        options = {
            "commitment": COMMITMENTS[self.commitment],
            "encoding": "json",
            "transactionDetails": "full",
            "showRewards": False,
            "maxSupportedTransactionVersion": 1,
        }
        params = [{"mentionsAccountOrProgram": program}, options]
        return self._feed.listen(partial(JsonRpcSubscription, "blockSubscribe", params), stop=stop)
