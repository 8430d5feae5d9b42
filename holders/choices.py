"""The words of this room."""

from django.db.models import TextChoices


class HolderOrigin(TextChoices):
    """Where a list of holders came from."""

    HELIUS = "helius_rpc", "Helius getTokenAccounts"
    RPC = "solana_rpc", "getProgramAccounts of a node"
    TRADES = "transactions", "Our own trades"
    IMPORTED = "import", "A file"


class HolderUpdateType(TextChoices):
    """What a list of holders said that our own books did not."""

    BALANCE_CHANGE = "balance_change", "Balance changed"
    NEW_HOLDER = "new_holder", "New holder"
    HOLDER_EXIT = "holder_exit", "Holder left"


class Exclusion(TextChoices):
    """Why an account is left out before anything is measured. ``PROGRAM`` is of snapshots before December 2026: since
    then owners that are programs are weighed unless they are one of the others."""

    CURVE = "curve", "Launch curve"
    POOL = "pool", "Pool of the token"
    BURN = "burn", "Burn address"
    PROGRAM = "program", "Owned by a program"
    EXCHANGE = "exchange", "Exchange wallet"
    AGENT = "agent", "Mayhem agent"
    LOCKER = "locker", "Locker"


class JobReason(TextChoices):
    """Why a token's holders are to be analysed."""

    MILESTONE_CROSSED = "milestone_crossed", "Curve passed 10, 25, 50 or 75 %"
    VELOCITY_CHANGE = "velocity_change", "Curve moves fast"
    HIGH_VOLUME = "high_volume", "High volume"
    FIRST_ANALYSIS = "first_analysis", "Scored well, never analysed"
    TIER_DUE = "tier_due", "Its tier's time has come"
    OPERATOR = "operator", "Asked for by an operator"


class WalletClass(TextChoices):
    """What a wallet is, by itself or in one token. The first of those that hold, in this order, is its type."""

    MEV_BOT = "mev_bot", "MEV bot"
    BOT = "bot", "Bot"
    DEV = "dev", "Creator"
    INSIDER = "insider", "Insider"
    KNOWN_DUMPER = "known_dumper", "Known dumper"
    BUNDLER = "bundler", "Bundler"
    SNIPER = "sniper", "Sniper"
    SMART_MONEY = "smart_money", "Smart money"
    WHALE = "whale", "Whale"
    DIAMOND_HANDS = "diamond_hands", "Diamond hands"
    PAPER_HANDS = "paper_hands", "Paper hands"
    RETAIL = "retail", "Retail"


class ClusterKind(TextChoices):
    """What ties a group of wallets together."""

    FUNDING = "funding", "Funded by one another or by one wallet"
    BUNDLE = "bundle", "Bought in one transaction or in the creation's slot"
    MIXED = "mixed", "Funding and bundle"


class WalletOrigin(TextChoices):
    """What a wallet's analysis rests on."""

    CHAIN = "chain", "Its history on chain and our own trades"
    OWN = "own", "Our own trades only"


class Tier(TextChoices):
    """How often a token's holders are analysed, the most urgent first."""

    ULTRA_CRITICAL = "ultra_critical", "Ultra critical"
    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    ELEVATED = "elevated", "Elevated"
    STANDARD = "standard", "Standard"
    LOW = "low", "Low"
    MINIMAL = "minimal", "Minimal"
