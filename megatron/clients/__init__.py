"""The way out: ports, one vendor a file, and the registry that doors ask (``from megatron import clients;
clients.chain()``)."""

from megatron.clients.registry import chain, override

__all__ = ["chain", "override"]
