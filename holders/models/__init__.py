"""What this room stores."""

from holders.models.balance import HolderSnapshot, HolderUpdate, TokenHolder
from holders.models.credit import ApiCreditUsage
from holders.models.job import HolderScoreJob
from holders.models.wallet import WalletAnalysis, WalletCluster, WalletQualityMetric

__all__ = [
    "ApiCreditUsage",
    "HolderScoreJob",
    "HolderSnapshot",
    "HolderUpdate",
    "TokenHolder",
    "WalletAnalysis",
    "WalletCluster",
    "WalletQualityMetric",
]
