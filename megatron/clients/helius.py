"""Helius: transactions as they are confirmed (Enhanced WebSockets, a paid plan's)."""

from collections.abc import Iterator
from functools import partial
from threading import Event
from typing import Final

from megatron.clients.ports import Heard
from megatron.clients.reconnection import Reconnection
from megatron.clients.subscriptions import COMMITMENTS, JsonRpcSubscription
from megatron.clients.websocket import DEFAULT_LIMITS, Limits, WebSocketFeed

ADDRESS: Final = "wss://mainnet.helius-rpc.com/"


class HeliusTransactions:
    """A :class:`~megatron.clients.ports.TransactionStream` of ``transactionSubscribe``: whole transactions without their
    time. Three credits for each 0.1 MB (2026-11)."""

    source = "helius"
    complete = True

    def __init__(
        self,
        api_key: str,
        *,
        commitment: int = 1,
        url: str = ADDRESS,
        limits: Limits = DEFAULT_LIMITS,
        reconnection: Reconnection | None = None,
    ) -> None:
        self.commitment = commitment
        self._feed = WebSocketFeed(
            self.source,
            url=f"{url}?api-key={api_key}",
            endpoint="transactionSubscribe",
            limits=limits,
            reconnection=reconnection,
        )

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        """Yield the transactions that took effect and in which ``program`` took part."""
        options = {
            "commitment": COMMITMENTS[self.commitment],
            "encoding": "json",
            "transactionDetails": "full",
            "showRewards": False,
            "maxSupportedTransactionVersion": 1,
        }
        params = [{"vote": False, "failed": False, "accountInclude": [program]}, options]
        return self._feed.listen(partial(JsonRpcSubscription, "transactionSubscribe", params), stop=stop)
