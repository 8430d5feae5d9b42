"""What is outside: the addresses and the budgets of providers."""

from django.core.exceptions import ImproperlyConfigured

from megatron.settings.base import env

SOLANA_RPC_URL = env.str("SOLANA_RPC_URL", default="")
"""A node's or a provider's JSON-RPC address, with its key. Without it nothing is asked of the chain."""
SOLANA_RPC_PER_SECOND = env.float("SOLANA_RPC_PER_SECOND", default=10.0)
"""Calls a second that one process may make."""
SOLANA_WS_URL = env.str("SOLANA_WS_URL", default=SOLANA_RPC_URL.replace("http", "ws", 1))
"""The same node's WebSocket address, with its key: by default the RPC address with wss for https."""

STREAM_SOURCES = env.list("STREAM_SOURCES", default=["solana-logs"] if SOLANA_WS_URL else [])
"""Who is listened to, side by side: solana-logs, solana-blocks, helius, pumpportal, yellowstone."""
STREAM_COMMITMENT = env.str("STREAM_COMMITMENT", default="confirmed")
if STREAM_COMMITMENT not in ("processed", "confirmed", "finalized"):
    raise ImproperlyConfigured("STREAM_COMMITMENT is processed, confirmed or finalized.")
STREAM_STALL_SECONDS = env.float("STREAM_STALL_SECONDS", default=300.0)
"""A feed that brings nothing for so long is connected anew; 0: it may be quiet for ever."""
HELIUS_API_KEY = env.str("HELIUS_API_KEY", default="")
PUMPPORTAL_API_KEY = env.str("PUMPPORTAL_API_KEY", default="")
"""Without it PumpPortal tells of new tokens and migrations, but of no trades."""
YELLOWSTONE_ENDPOINT = env.str("YELLOWSTONE_ENDPOINT", default="")
"""The address of a Yellowstone gRPC endpoint; http:// for one without TLS."""
YELLOWSTONE_TOKEN = env.str("YELLOWSTONE_TOKEN", default="")

HOLDER_LOCKERS = env.list("HOLDER_LOCKERS", default=[])
"""Owners or token accounts that lock tokens which nobody can sell yet: left out of the measures of holders. An unknown
program's holding counts as a holder's."""

CREDITS_SINK = "holders.services.credits.store"
"""Where the accounts of calls go, about once a second; empty: nowhere. Rooms lie above the clients, so it is a name."""
CREDITS_PER_MONTH: dict[str, int] = {
    provider: allowed
    for provider, allowed in (
        ("helius", env.int("HELIUS_CREDITS_PER_MONTH", default=1_000_000)),
        ("birdeye", env.int("BIRDEYE_CREDITS_PER_MONTH", default=30_000)),
        ("tweetscout", env.int("TWEETSCOUT_CREDITS_PER_MONTH", default=10_000)),
    )
    if allowed
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

METADATA_GATEWAYS = env.list(
    "METADATA_GATEWAYS",
    default=[
        "https://ipfs.io/ipfs/",
        "https://gateway.pinata.cloud/ipfs/",
        "https://dweb.link/ipfs/",
        "https://arweave.net/",
    ],
)
"""Where documents that are named by their content are read, in this order: beginnings of addresses, of which those that end
in /ipfs/ serve IPFS and the others Arweave. Empty: no token's document is fetched, whatever its address."""
METADATA_PER_SECOND = env.float("METADATA_PER_SECOND", default=4.0)
"""Documents that one process asks of one host in a second."""

SOCIAL_SOURCES = env.list("SOCIAL_SOURCES", default=["dexscreener", "telegram", "discord", "tweetscout"])
"""Who is asked how tokens are followed; empty: nobody. TweetScout without its key is left out."""
SOCIAL_TOKENS_PER_MINUTE = env.int("SOCIAL_TOKENS_PER_MINUTE", default=30)
"""How many tokens one source is asked about in a minute at most."""
TWEETSCOUT_API_KEY = env.str("TWEETSCOUT_API_KEY", default="")
"""A key of Sorsa, as TweetScout is called now. Without it nobody is asked about X."""
TWEETSCOUT_MENTION_PAGES = env.int("TWEETSCOUT_MENTION_PAGES", default=5)
"""Pages of twenty mentions that are read of one token; each is a credit, and what lies beyond is not counted."""
TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
"""A bot's token; without it only Telegram's public pages are read."""
