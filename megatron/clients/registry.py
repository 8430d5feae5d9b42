"""Who answers to which port. Doors ask here and hand the answer to services; tests put their own in its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings

from megatron.clients.errors import Refused
from megatron.clients.ports import ChainReader
from megatron.clients.solana_rpc import SolanaRpc


class NotConfigured(Refused):
    """A port is needed that nobody set up; the message says what to set."""


_chains: list[ChainReader] = []


def chain() -> ChainReader:
    """Return the reader of the chain. Raises :class:`NotConfigured` without SOLANA_RPC_URL."""
    if _chains:
        return _chains[-1]
    if not settings.SOLANA_RPC_URL:
        raise NotConfigured("The chain cannot be read: set SOLANA_RPC_URL to a node's or a provider's address.")
    return _solana_rpc(settings.SOLANA_RPC_URL, settings.SOLANA_RPC_PER_SECOND)


@contextmanager
def override(*, chain: ChainReader) -> Iterator[None]:
    """Let ``chain`` answer until the block ends, for tests."""
    _chains.append(chain)
    try:
        yield
    finally:
        _chains.pop()


@cache
def _solana_rpc(url: str, per_second: float) -> SolanaRpc:
    return SolanaRpc(url, per_second=per_second)
