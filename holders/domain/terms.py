"""The thresholds by which wallets are judged. Shares and weights are text, so that they are exact.

Sources: the seed's detector with its repairs. Where the detector had a step for a younger or a richer wallet beside a weaker
one (*very new* and *new*), the stronger replaces the weaker; the weights are still divided by the sum of all of them.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

BOT_WEIGHTS: Final[Mapping[str, Decimal]] = {
    "low_balance": Decimal("0.15"),
    "suspicious_balance": Decimal("0.10"),
    "very_new": Decimal("0.20"),
    "new": Decimal("0.10"),
    "high_frequency": Decimal("0.15"),
    "low_activity": Decimal("0.05"),
    "round_numbers": Decimal("0.15"),
    "timing": Decimal("0.20"),
    "only_buys": Decimal("0.10"),
    "identical_trades": Decimal("0.15"),
    "mev": Decimal("0.30"),
    "sandwich": Decimal("0.25"),
    "sniper": Decimal("0.25"),
    "many_new_tokens": Decimal("0.20"),
}
"""Sum 2.35. What is not known weighs nothing."""
BOT_FROM: Final = Decimal("0.45")
"""Part of all weights from which a wallet is a bot. The seed's 0.6 was out of honest reach."""
BOT_SUSPECTED_FROM: Final = Decimal("0.30")
"""From here a wallet is suspected; it counts as a bot only from BOT_FROM."""

LOW_LAMPORTS: Final = 10_000_000
"""0.01 SOL."""
SUSPICIOUS_LAMPORTS: Final = frozenset(
    {1_000_000, 5_000_000, 10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000}
)
VERY_NEW: Final = timedelta(days=1)
NEW: Final = timedelta(days=7)
YOUNG: Final = timedelta(days=30)
"""Below it many transactions or many tokens are suspicious, above it few transactions are."""
MANY_TRANSACTIONS: Final = 1_000
FEW_TRANSACTIONS: Final = 5
ROUND_COUNTS: Final = frozenset({10, 20, 50, 100, 200, 500, 1_000})
EVEN_TRADES_FROM: Final = 10
"""Buys and sells that even trades need: one buy and one sell are always even."""
EVEN_LOW, EVEN_HIGH = Decimal("0.95"), Decimal("1.05")
TIMED_SIGNATURES, TIMED_GAPS = 10, 5
REGULAR_BELOW: Final = 0.2
"""Coefficient of variation of the pauses."""
ALIKE_TRADES_FROM: Final = 5
ALIKE_ABOVE: Final = Decimal("0.30")
"""Part of the trades that have one amount."""
MEV_SIGNATURES: Final = 20
BURST_GAP: Final = timedelta(seconds=2)
BURSTS_ABOVE: Final = 0.10
"""Part of three in a row whose both pauses are shorter than BURST_GAP."""
SANDWICH_TRADES: Final = 10
SANDWICH_SLOTS: Final = 2
"""Three trades of one token in turn lie at most so many slots apart: who turns around over days makes no sandwich."""
SANDWICHES_ABOVE: Final = 2
TOKENS_A_DAY_ABOVE: Final = 5

MEV_BOT_SIGNATURES: Final = 100
MEV_BOT_TRANSACTIONS: Final = 10_000
MEV_BOT_AGE: Final = timedelta(days=90)
QUICK_GAP: Final = timedelta(seconds=1)
QUICK_ABOVE: Final = 0.20

SMART_WEIGHTS: Final[Mapping[str, Decimal]] = {
    "age_180": Decimal("0.15"),
    "age_90": Decimal("0.10"),
    "profit": Decimal("0.20"),
    "wins_60": Decimal("0.25"),
    "wins_50": Decimal("0.20"),
    "volume_100k": Decimal("0.15"),
    "volume_10k": Decimal("0.10"),
    "tokens_50": Decimal("0.15"),
    "graduated_3": Decimal("0.25"),
    "sol_10": Decimal("0.10"),
    "sol_100": Decimal("0.15"),
    "transactions_500": Decimal("0.10"),
    "balanced_trades": Decimal("0.15"),
}
"""Sum 2.05."""
SMART_FROM: Final = Decimal("0.60")

WHALE_SHARE_PCT: Final = Decimal(5)
WHALE_LAMPORTS: Final = 100_000_000_000
"""100 SOL."""

SNIPER_WINDOW: Final = timedelta(seconds=60)
"""After the token's creation, not after the wallet's."""
BUNDLE_BUYERS: Final = 3
INSIDER_LAMPORTS: Final = 100_000_000
"""0.1 SOL."""
INSIDER_WINDOW: Final = timedelta(days=7)
"""Before the launch."""

DIAMOND_HOLD: Final = timedelta(hours=24)
DIAMOND_SOLD_BELOW: Final = Decimal("0.10")
PAPER_SELLS: Final = Decimal("1.5")
PAPER_TRANSACTIONS: Final = 20
PAPER_LAMPORTS: Final = 100_000_000

DUMP_WINDOW: Final = timedelta(minutes=30)
DUMP_ABOVE: Final = Decimal("0.80")
DUMPS_FROM: Final = 3
"""Tokens that a known dumper dumped; so many of its own make a known scammer."""

AGE_SETTLED: Final = timedelta(days=180)
"""No rule tells ages beyond it apart: a history that reaches back so far is old enough without its beginning."""

HUB_WALLETS: Final = 50
"""Who funded more wallets than this is an exchange or a service, and links nobody."""

TTL: Final = timedelta(hours=24)
TTL_STABLE: Final = timedelta(days=7)
"""Of bots, MEV bots and smart money, which rarely change."""
TTL_OWN: Final = timedelta(hours=1)
"""Of what only our own trades tell: a provider may be asked soon."""

ANALYSIS_GRACE: Final = timedelta(minutes=20)
"""An analysis that was made so long after a snapshot still speaks for it: wallets are looked up when the snapshot is there, and
a job may be taken up again. Nothing else is later than what it is said of."""
