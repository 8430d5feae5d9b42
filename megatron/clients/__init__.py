"""The way out: ports, one vendor a file, and the registry that doors ask (``from megatron import clients;
clients.chain()``)."""

from megatron.clients.registry import (
    chain,
    override,
    price_histories,
    price_sources,
    social_sources,
    unused_price_sources,
)

__all__ = ["chain", "override", "price_histories", "price_sources", "social_sources", "unused_price_sources"]
