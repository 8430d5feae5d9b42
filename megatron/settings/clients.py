"""What is outside: the addresses and the budgets of providers."""

from megatron.settings.base import env

SOLANA_RPC_URL = env.str("SOLANA_RPC_URL", default="")
"""A node's or a provider's JSON-RPC address, with its key. Without it nothing is asked of the chain."""
SOLANA_RPC_PER_SECOND = env.float("SOLANA_RPC_PER_SECOND", default=10.0)
"""Calls a second that one process may make."""

CREDITS_SINK = "holders.services.credits.store"
"""Where the accounts of calls go, about once a second; empty: nowhere. Rooms lie above the clients, so it is a name."""
