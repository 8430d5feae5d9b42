"""PumpPortal: a second opinion on pump.fun and LaunchLab, free for new tokens and migrations."""

from collections import OrderedDict
from collections.abc import Iterator
from threading import Event
from typing import Final

import msgspec

from megatron.clients import jsonrpc
from megatron.clients.errors import Refused, TryLater
from megatron.clients.ports import Heard
from megatron.clients.reconnection import Reconnection
from megatron.clients.websocket import DEFAULT_LIMITS, Limits, WebSocketFeed

ADDRESS: Final = "wss://pumpportal.fun/api/data"
MOST_FOLLOWED: Final = 1_000
"""Tokens whose trades are asked for, the newest; each trade costs."""


class _Message(msgspec.Struct, rename={"tx_type": "txType"}):
    tx_type: str | None = None
    mint: str | None = None
    message: str | None = None
    errors: msgspec.Raw = msgspec.Raw(b"")


_decoder = msgspec.json.Decoder(_Message)


class PumpPortal:
    """A :class:`~megatron.clients.ports.TransactionStream` of new tokens and migrations, and with a key of the trades of
    the tokens that were created while we listened. It brings floats without slot and time, is not complete, and does not
    know programs: what is heard is the same for each."""

    source = "pumpportal"
    commitment = 1
    complete = False

    def __init__(
        self,
        api_key: str = "",
        *,
        url: str = ADDRESS,
        limits: Limits = DEFAULT_LIMITS,
        reconnection: Reconnection | None = None,
    ) -> None:
        self._followed: OrderedDict[str, None] | None = OrderedDict() if api_key else None
        self._feed = WebSocketFeed(
            self.source,
            url=f"{url}?api-key={api_key}" if api_key else url,
            endpoint="data",
            limits=limits,
            reconnection=reconnection,
        )

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:  # noqa: ARG002  # see the class
        """Yield the frames of new tokens, migrations and, with a key, trades."""
        return self._feed.listen(lambda: _Subscriptions(self._followed), stop=stop)


class _Subscriptions:
    """What is asked on one connection; ``followed`` are the mints to ask trades of, ``None`` without a key."""

    def __init__(self, followed: OrderedDict[str, None] | None) -> None:
        self._followed = followed

    def requests(self) -> list[str]:
        asked = [_request("subscribeNewToken"), _request("subscribeMigration")]
        if self._followed:
            asked.append(_request("subscribeTokenTrade", list(self._followed)))
        return asked

    def is_acknowledgement(self, raw: bytes) -> bool:
        message = _parsed(raw)
        if errors := bytes(message.errors):
            told = f"pumpportal: {errors[:300].decode('utf-8', 'replace')}"
            raise TryLater(told) if jsonrpc.sounds_passing(told) else Refused(told)
        return message.tx_type is None and message.message is not None

    def reply(self, raw: bytes) -> str | None:
        """Ask for the trades of a token that was created."""
        if self._followed is None or b'"create"' not in raw:
            return None
        message = _parsed(raw)
        if message.tx_type != "create" or message.mint is None:
            return None
        self._followed[message.mint] = None
        if len(self._followed) > MOST_FOLLOWED:
            self._followed.popitem(last=False)
        return _request("subscribeTokenTrade", [message.mint])


def _request(method: str, keys: list[str] | None = None) -> str:
    return msgspec.json.encode({"method": method} if keys is None else {"method": method, "keys": keys}).decode()


def _parsed(raw: bytes) -> _Message:
    """Return what a message says; nothing for one that is none: the decoder of frames refuses it."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Message()
