"""Who answers to which port. Doors ask here and hand the answer to services; tests put their own in its place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from megatron.clients import costs
from megatron.clients.birdeye import Birdeye
from megatron.clients.dexscreener import DexScreener
from megatron.clients.discord import Discord
from megatron.clients.documents import PublicDocuments
from megatron.clients.errors import Refused
from megatron.clients.helius import HeliusTransactions
from megatron.clients.helius_holders import HeliusHolders
from megatron.clients.hermes import Hermes
from megatron.clients.http import ATTEMPTS, TIMEOUT
from megatron.clients.jupiter import Jupiter
from megatron.clients.ports import (
    ChainReader,
    DocumentReader,
    HolderSource,
    PriceHistory,
    PriceSource,
    SocialSource,
    TransactionStream,
    WalletSource,
)
from megatron.clients.pumpportal import PumpPortal
from megatron.clients.solana_holders import SolanaHolders
from megatron.clients.solana_rpc import SolanaRpc
from megatron.clients.solana_wallets import SolanaWallets
from megatron.clients.solana_ws import SolanaBlocks, SolanaLogs
from megatron.clients.subscriptions import COMMITMENTS
from megatron.clients.telegram import Telegram
from megatron.clients.tweetscout import TweetScout
from megatron.clients.websocket import Limits


class NotConfigured(Refused):
    """A port is needed that nobody set up; the message says what to set."""


_chains: list[ChainReader] = []


def has_chain() -> bool:
    """Say whether there is a reader of the chain: a house that only plays captures has none."""
    return bool(_chains or settings.SOLANA_RPC_URL)


def chain() -> ChainReader:
    """Return the reader of the chain. Raises :class:`NotConfigured` without SOLANA_RPC_URL."""
    if _chains:
        return _chains[-1]
    if not settings.SOLANA_RPC_URL:
        raise NotConfigured("The chain cannot be read: set SOLANA_RPC_URL to a node's or a provider's address.")
    return _solana_rpc(settings.SOLANA_RPC_URL, settings.SOLANA_RPC_PER_SECOND)


_wallets: list[WalletSource] = []


def wallets() -> WalletSource | None:
    """Return who knows wallets, or ``None`` without SOLANA_RPC_URL: then only our own trades tell of them."""
    if _wallets:
        return _wallets[-1]
    if not settings.SOLANA_RPC_URL:
        return None
    rpc = _solana_rpc(settings.SOLANA_RPC_URL, settings.SOLANA_RPC_PER_SECOND)
    return SolanaWallets(rpc, provider=costs.provider_of(settings.SOLANA_RPC_URL, default="solana rpc"))


_holders: list[HolderSource] = []


def holders() -> HolderSource | None:
    """Return who lists the holders of a mint: Helius with HELIUS_API_KEY, else the node of SOLANA_RPC_URL, else ``None``:
    then only our own trades tell of them."""
    if _holders:
        return _holders[-1]
    if settings.HELIUS_API_KEY:
        return _helius_holders(settings.HELIUS_API_KEY)
    if not settings.SOLANA_RPC_URL:
        return None
    rpc = _solana_rpc(settings.SOLANA_RPC_URL, settings.SOLANA_RPC_PER_SECOND)
    return SolanaHolders(rpc, provider=costs.provider_of(settings.SOLANA_RPC_URL, default="solana rpc"))


@cache
def _helius_holders(key: str) -> HeliusHolders:
    return HeliusHolders(key)


@contextmanager
def override(
    *,
    chain: ChainReader | None = None,
    prices: Sequence[PriceSource] | None = None,
    histories: Sequence[PriceHistory] | None = None,
    documents: DocumentReader | None = None,
    streams: Sequence[TransactionStream] | None = None,
    social: Sequence[SocialSource] | None = None,
    wallets: WalletSource | None = None,
    holders: HolderSource | None = None,
) -> Iterator[None]:
    """Let what is given answer until the block ends, for tests."""
    stacks: list[tuple[list[Any], Any]] = [
        (_chains, chain),
        (_prices, prices),
        (_histories, histories),
        (_documents, documents),
    ]
    stacks += [(_streams, streams), (_social, social), (_wallets, wallets), (_holders, holders)]
    given = [(stack, answer) for stack, answer in stacks if answer is not None]
    for stack, answer in given:
        stack.append(answer)
    try:
        yield
    finally:
        for stack, _ in given:
            stack.pop()


_documents: list[DocumentReader] = []


def documents() -> DocumentReader:
    """Return the reader of strangers' documents."""
    if _documents:
        return _documents[-1]
    return _public_documents(tuple(settings.METADATA_GATEWAYS), settings.METADATA_PER_SECOND)


@cache
def _public_documents(through: tuple[str, ...], per_second: float) -> PublicDocuments:
    return PublicDocuments(through=through, per_second=per_second)


_prices: list[Sequence[PriceSource]] = []
_histories: list[Sequence[PriceHistory]] = []

_AT_ONCE = httpx.Timeout(8, connect=4, pool=4)
"""Prices are asked for again in seconds: a slow answer is worth little, and a repeated call less."""


def price_sources() -> Sequence[PriceSource]:
    """Return the sources of USD prices that are set up, in the order of PRICE_SOURCES."""
    if _prices:
        return _prices[-1]
    unused = unused_price_sources()
    return [_PRICE_SOURCES[name]() for name in settings.PRICE_SOURCES if name not in unused]


def unused_price_sources() -> Mapping[str, str]:
    """Return the known and the named sources that are not asked, each with what it lacks."""
    known = {
        "hermes": "" if settings.HERMES_API_KEY else "Hermes answers nobody without a key: set HERMES_API_KEY.",
        "jupiter": "" if settings.JUPITER_URL else "Set JUPITER_URL.",
        "birdeye": "" if settings.BIRDEYE_API_KEY else "Birdeye answers nobody without a key: set BIRDEYE_API_KEY.",
    }
    named = {name: known.get(name, "Nobody knows a source of this name.") for name in settings.PRICE_SOURCES}
    absent = {name: "It is not named in PRICE_SOURCES." for name in known if name not in named}
    return {name: lacks for name, lacks in (named | absent).items() if lacks}


def price_histories() -> Sequence[PriceHistory]:
    """Return the sources of former USD prices that are set up, in the order of PRICE_SOURCES."""
    if _histories:
        return _histories[-1]
    unused = unused_price_sources()
    return [_HISTORIES[name]() for name in settings.PRICE_SOURCES if name in _HISTORIES and name not in unused]


@cache
def _hermes(url: str, key: str, *, patient: bool) -> Hermes:
    timeout, attempts = _patience(patient)
    return Hermes(url, api_key=key, timeout=timeout, attempts=attempts)


@cache
def _jupiter(url: str, key: str) -> Jupiter:
    return Jupiter(url, api_key=key, timeout=_AT_ONCE)


@cache
def _birdeye(key: str, *, patient: bool) -> Birdeye:
    timeout, attempts = _patience(patient)
    return Birdeye(api_key=key, timeout=timeout, attempts=attempts)


def _patience(patient: bool) -> tuple[httpx.Timeout, int]:
    return (TIMEOUT, ATTEMPTS) if patient else (_AT_ONCE, 1)


_PRICE_SOURCES: dict[str, Callable[[], PriceSource]] = {
    "hermes": lambda: _hermes(settings.HERMES_URL, settings.HERMES_API_KEY, patient=False),
    "jupiter": lambda: _jupiter(settings.JUPITER_URL, settings.JUPITER_API_KEY),
    "birdeye": lambda: _birdeye(settings.BIRDEYE_API_KEY, patient=False),
}
_HISTORIES: dict[str, Callable[[], PriceHistory]] = {
    "hermes": lambda: _hermes(settings.HERMES_URL, settings.HERMES_API_KEY, patient=True),
    "birdeye": lambda: _birdeye(settings.BIRDEYE_API_KEY, patient=True),
}


_social: list[Sequence[SocialSource]] = []


def social_sources() -> Sequence[SocialSource]:
    """Return the sources of tokens' followings that are set up, in the order of SOCIAL_SOURCES. TweetScout answers nobody
    without a key; the others do. Raises :class:`NotConfigured` for a name that nobody knows."""
    if _social:
        return _social[-1]
    if unknown := [name for name in settings.SOCIAL_SOURCES if name not in _SOCIAL_SOURCES]:
        raise NotConfigured(f"Nobody knows a source {unknown[0]!r}; known are {', '.join(sorted(_SOCIAL_SOURCES))}.")
    names = [name for name in settings.SOCIAL_SOURCES if name != "tweetscout" or settings.TWEETSCOUT_API_KEY]
    return [_SOCIAL_SOURCES[name]() for name in names]


@cache
def _dexscreener() -> DexScreener:
    return DexScreener(timeout=_AT_ONCE)


@cache
def _discord() -> Discord:
    return Discord(timeout=_AT_ONCE)


@cache
def _telegram(token: str) -> Telegram:
    return Telegram(token=token, timeout=_AT_ONCE)


@cache
def _tweetscout(key: str, pages: int) -> TweetScout:
    return TweetScout(api_key=key, pages=pages, timeout=_AT_ONCE)


_SOCIAL_SOURCES: dict[str, Callable[[], SocialSource]] = {
    "dexscreener": _dexscreener,
    "telegram": lambda: _telegram(settings.TELEGRAM_BOT_TOKEN),
    "discord": _discord,
    "tweetscout": lambda: _tweetscout(settings.TWEETSCOUT_API_KEY, settings.TWEETSCOUT_MENTION_PAGES),
}


_streams: list[Sequence[TransactionStream]] = []


def streams(names: Sequence[str] | None) -> Sequence[TransactionStream]:
    """Return new listeners to the named sources, to those of STREAM_SOURCES for ``None``, in their order. Raises
    :class:`NotConfigured` for one that lacks something, and when there is none."""
    if _streams:
        return _streams[-1]
    wanted = settings.STREAM_SOURCES if names is None else names
    if not wanted:
        raise NotConfigured("Nobody is listened to: set SOLANA_WS_URL (or SOLANA_RPC_URL), or name STREAM_SOURCES.")
    return [_stream(name) for name in dict.fromkeys(wanted)]


def _stream(name: str) -> TransactionStream:
    if name not in _SOURCES:
        raise NotConfigured(f"Nobody knows a source {name!r}; known are {', '.join(sorted(_SOURCES))}.")
    setting, build = _SOURCES[name]
    if setting and not getattr(settings, setting):
        raise NotConfigured(f"The source {name} cannot be listened to: set {setting}.")
    return build(
        COMMITMENTS.index(settings.STREAM_COMMITMENT), Limits(stall_seconds=settings.STREAM_STALL_SECONDS or None)
    )


def _yellowstone(commitment: int, limits: Limits) -> TransactionStream:
    from megatron.clients.yellowstone import Yellowstone  # noqa: PLC0415  # gRPC is large, and only a monitor needs it

    endpoint, token = settings.YELLOWSTONE_ENDPOINT, settings.YELLOWSTONE_TOKEN
    return Yellowstone(endpoint, token=token, commitment=commitment, limits=limits)


_SOURCES: dict[str, tuple[str, Callable[[int, Limits], TransactionStream]]] = {
    "solana-logs": (
        "SOLANA_WS_URL",
        lambda commitment, limits: SolanaLogs(settings.SOLANA_WS_URL, commitment=commitment, limits=limits),
    ),
    "solana-blocks": (
        "SOLANA_WS_URL",
        lambda commitment, limits: SolanaBlocks(settings.SOLANA_WS_URL, commitment=commitment, limits=limits),
    ),
    "helius": (
        "HELIUS_API_KEY",
        lambda commitment, limits: HeliusTransactions(settings.HELIUS_API_KEY, commitment=commitment, limits=limits),
    ),
    "pumpportal": ("", lambda _, limits: PumpPortal(settings.PUMPPORTAL_API_KEY, limits=limits)),
    "yellowstone": ("YELLOWSTONE_ENDPOINT", _yellowstone),
}
"""By name: the setting that the source cannot do without, and what makes it."""


@cache
def _solana_rpc(url: str, per_second: float) -> SolanaRpc:
    return SolanaRpc(url, per_second=per_second)
