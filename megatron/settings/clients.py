"""What is outside: the addresses and the budgets of providers."""

from megatron.settings.base import env

SOLANA_RPC_URL = env.str("SOLANA_RPC_URL", default="")
"""A node's or a provider's JSON-RPC address, with its key. Without it nothing is asked of the chain."""
SOLANA_RPC_PER_SECOND = env.float("SOLANA_RPC_PER_SECOND", default=10.0)
"""Calls a second that one process may make."""

CREDITS_SINK = "holders.services.credits.store"
"""Where the accounts of calls go, about once a second; empty: nowhere. Rooms lie above the clients, so it is a name."""
CREDITS_PER_MONTH: dict[str, int] = {
    name: credits
    for name, credits in (
        ("helius", env.int("HELIUS_CREDITS_PER_MONTH", default=1_000_000)),
        ("birdeye", env.int("BIRDEYE_CREDITS_PER_MONTH", default=30_000)),
    )
    if credits
}
"""What a calendar month of a provider may cost, in its credits; 0 is no limit. The defaults are the free plans."""

PRICE_SOURCES = env.list("PRICE_SOURCES", default=["hermes", "jupiter", "birdeye"])
"""Who is asked for USD prices; empty: nobody. A source without what it needs is left out."""
HERMES_URL = env.str("HERMES_URL", default="https://pyth.dourolabs.app/hermes")
"""Pyth's price service, a provider's or one of our own."""
HERMES_API_KEY = env.str("HERMES_API_KEY", default="")
"""Without it Hermes is not asked: since 31 July 2026 it answers nobody who has none."""
JUPITER_URL = env.str("JUPITER_URL", default="https://api.jup.ag")
JUPITER_API_KEY = env.str("JUPITER_API_KEY", default="")
"""Not needed for prices, but without it only one call in two seconds is allowed."""
BIRDEYE_API_KEY = env.str("BIRDEYE_API_KEY", default="")
"""Without it Birdeye is not asked."""
