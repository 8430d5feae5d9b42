"""What each provider counts for a call, in its own credits.

Sources: Helius, *Credits* (https://www.helius.dev/docs/billing/credits), read 2026-11. A provider that sells no credits
counts calls.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_STANDARD: Final = 1

_HELIUS: Final[Mapping[str, int]] = {
    "getProgramAccounts": 10,
    "getProgramAccountsV2": 1,
    # Of the archive; which part of history is one, only the provider knows: counted as if all were.
    "getTransaction": 10,
    "getBlock": 10,
    "getBlocks": 10,
    "getBlockTime": 10,
    "getSignaturesForAddress": 10,
    # With the history searched, as we always ask.
    "getSignatureStatuses": 10,
    "getAsset": 10,
    "getTokenAccounts": 10,
    "getTransactionsForAddress": 100,
}

COSTS: Final[Mapping[str, Mapping[str, int]]] = {"helius": _HELIUS}
"""Credits by provider and endpoint; what is not listed costs one."""

_STREAMS: Final[Mapping[str, tuple[int, int]]] = {"helius": (3, 100_000)}
"""Credits for so many bytes of a stream; who is not listed counts none."""

_HOSTS: Final = {
    "helius-rpc.com": "helius",
    "helius.xyz": "helius",
    "quiknode.pro": "quicknode",
    "alchemy.com": "alchemy",
    "solana.com": "solana",
}


def credits_of(provider: str, endpoint: str) -> int:
    """Return what ``provider`` counts for one call of ``endpoint``."""
    return COSTS.get(provider, {}).get(endpoint, _STANDARD)


def stream_credits(provider: str, size: int) -> tuple[int, int]:
    """Return what ``provider`` counts for ``size`` bytes of a stream, and the bytes that are not enough for a unit."""
    if provider not in _STREAMS:
        return 0, 0
    credits_each, unit = _STREAMS[provider]
    return size // unit * credits_each, size % unit


def provider_of(url: str, *, default: str) -> str:
    """Return whose the host of ``url`` is, ``default`` for one that is not known."""
    host = urlsplit(url).hostname or ""
    return next((name for end, name in _HOSTS.items() if host == end or host.endswith(f".{end}")), default)
