"""The words of this room; they come with its tables (stage Scores)."""

from django.db.models import TextChoices


class Confidence(TextChoices):
    """How much a holder score may be believed."""

    HIGH = "HIGH", "High"
    MEDIUM = "MEDIUM", "Medium"
    LOW = "LOW", "Low"


class RiskLevel(TextChoices):
    """A token's risk in a word. Too little known is a level of its own: it is not low."""

    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    MODERATE = "moderate", "Moderate"
    LOW = "low", "Low"
    UNKNOWN = "unknown", "Too little known"


class SocialOrigin(TextChoices):
    """Who told how a token is followed."""

    DEXSCREENER = "dexscreener", "DexScreener"
    TELEGRAM = "telegram", "Telegram"
    DISCORD = "discord", "Discord"
    TWEETSCOUT = "tweetscout", "TweetScout"


class SellPressure(TextChoices):
    """How hard a token is being sold."""

    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


class SelloffStatus(TextChoices):
    """How a sell-off stands."""

    OPEN = "open", "Open"
    RECOVERED = "recovered", "Recovered"  # two minutes at nine tenths of the price before
    EXPIRED = "expired", "Expired"  # an hour without recovering
